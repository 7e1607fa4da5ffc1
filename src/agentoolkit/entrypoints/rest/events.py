"""``/events``: past events in pages, new events as a stream (server-sent events), and publishing."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Mapping
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from agentool.caller import Caller
from agentoolkit.entrypoints.rest.models import Body
from agentoolkit.entrypoints.rest.problems import ApiError
from agentoolkit.entrypoints.rest.request_tools import RequestTools
from agentoolkit.entrypoints.rest.routing import guarded_router, readmission
from agentoolkit.system.events.messages import EventMessage
from agentoolkit.system.events.operations import may_see
from agentoolkit.system.events.service import EventService
from agentoolkit.system.events.subscriptions import Subscription

router = guarded_router("events")

KEEP_ALIVE_SECONDS = 5.0
"""Interval at which a stream sends a comment and checks its token again."""
CHUNK = 32_000
"""Characters after which a chunk is sent instead of being joined with further events."""
MAX_STREAMS = 1_000
"""Streams of one process; a further one is refused with 429."""
MAX_CALLER_STREAMS = 100
"""Streams of one caller without the scope ``admin``, so that one caller cannot use up all."""


class EventQuery(BaseModel):
    """Selects events."""

    model_config = ConfigDict(extra="forbid")

    event_type: str = Field(default="*", max_length=200, description="A name, or a pattern", examples=["scheduler.task.*"])
    after: int | None = Field(default=None, ge=0, le=2**62, description="The id of the last event that was seen")


class EventPageQuery(EventQuery):
    """Selects a page of events."""

    limit: int = Field(default=100, ge=1, le=1_000)


class NewEvent(Body):
    """An event to publish in the caller's name."""

    event_type: str = Field(max_length=200, examples=["report.sent"])
    payload: dict[str, Any] | None = None
    target_agent: str | None = Field(default=None, max_length=200)


class EventPage(BaseModel):
    """Events, the oldest first."""

    events: list[EventMessage]
    cursor: int = Field(description="Value of `after` for the next page")
    missed: int = Field(description="Events after the cursor that are not kept any more")


@router.get("/events")
async def list_events(query: Annotated[EventPageQuery, Query()], tools: RequestTools) -> EventPage:
    """Return the kept events after a cursor."""
    found = await tools.run("events", "read", event_type=query.event_type, after=query.after, limit=query.limit)
    return EventPage(events=found.events, cursor=found.cursor or 0, missed=found.missed)


@router.post("/events", status_code=202)
async def publish_event(event: NewEvent, tools: RequestTools) -> EventMessage:
    """Publish an event, to all subscribers or to one agent."""
    given = event.model_dump(exclude_none=True)
    return (await tools.run("events", "publish", **given)).events[0]


_ONE_EVENT = {
    "type": "object",
    "description": "One server-sent event; its data is an event as /events lists it",
    "properties": {
        "id": {"type": "string"},
        "event": {"type": "string"},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
    "required": ["event", "data"],
}


@router.get(
    "/events/stream",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {"schema": _ONE_EVENT}}, "description": "Events as they happen"}},
)
async def stream_events(query: Annotated[EventQuery, Query()], request: Request, tools: RequestTools) -> StreamingResponse:
    """Stream events as they happen. After a disconnect the header ``Last-Event-ID`` continues the stream."""
    streams = _streams(request.app)
    _check_room(streams, tools.caller)
    service: EventService = tools.injector.get("events").deps
    last = request.headers.get("last-event-id", "")
    after = min(int(last), 2**62) if last.isascii() and last.isdecimal() and len(last) < 20 else query.after
    missed = max(0, (await service.bounds()).oldest - after - 1) if after else 0
    subscription = service.subscribe(query.event_type, after=after)
    streams[subscription] = tools.caller.name

    def end() -> None:
        streams.pop(subscription, None)
        service.unsubscribe(subscription)

    return EventStream(_lines(subscription, tools.caller, missed, readmission(request)), end)


class EventStream(StreamingResponse):
    """Events as they happen, until the client leaves, even before the first event.

    Args:
        lines: The text of the stream.
        end: Called when the stream ends.
    """

    media_type = "text/event-stream"

    def __init__(self, lines: AsyncGenerator[str], end: Callable[[], None]) -> None:
        super().__init__(lines, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        self._end = end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._end()


def _check_room(streams: Mapping[Subscription, str], caller: Caller) -> None:
    """Refuse a stream above the limits of the process or of the caller. Raises `ApiError`."""
    own = sum(name == caller.name for name in streams.values())
    if len(streams) >= MAX_STREAMS or (own >= MAX_CALLER_STREAMS and not caller.is_admin):
        problem = f"{MAX_STREAMS:,} subscribers are connected." if len(streams) >= MAX_STREAMS else f"{own:,} of yours are connected."
        raise ApiError(429, "too-many-streams", problem, headers={"Retry-After": "30"})


async def _lines(
    subscription: Subscription, caller: Caller, missed: int, is_admitted: Callable[[], Awaitable[bool]]
) -> AsyncGenerator[str]:
    """Yield events as server-sent events, with comments in pauses, so that proxies keep the connection open.

    The stream ends within `KEEP_ALIVE_SECONDS` after its token was revoked or has expired.
    """
    yield "retry: 2000\n\n"
    if missed:
        yield f'event: missed\ndata: {{"count": {missed}}}\n\n'
    checked = time.monotonic()
    while subscription.alive:
        page = await subscription.next_page(KEEP_ALIVE_SECONDS)
        if time.monotonic() - checked >= KEEP_ALIVE_SECONDS:
            if not await is_admitted():
                return
            checked = time.monotonic()
        for chunk in _chunks(message for message in page if may_see(caller, message)):
            yield chunk
        if not page:
            yield ": still here\n\n"


def _chunks(messages: Iterable[EventMessage]) -> Iterator[str]:
    """Yield messages joined into chunks, which are bounded so that a slow reader does not fill the memory."""
    chunk = ""
    for message in messages:
        chunk += f"id: {message.event_id}\nevent: {message.event_type}\ndata: {message.model_dump_json()}\n\n"
        if len(chunk) >= CHUNK:
            yield chunk
            chunk = ""
    if chunk:
        yield chunk


def end_streams(app: FastAPI) -> None:
    """End every stream before the server ends."""
    for subscription in list(_streams(app)):
        subscription.cancel()


def _streams(app: FastAPI) -> dict[Subscription, str]:
    """Return the connected subscriptions and the names of their callers."""
    streams: dict[Subscription, str] | None = getattr(app.state, "streams", None)
    if streams is None:
        streams = app.state.streams = dict[Subscription, str]()
    return streams
