"""``/events``: what happened, in pages or as it happens (server-sent events)."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import StreamingResponse

from agentool.caller import Caller
from agentoolkit.entrypoints.rest.asking import Asking
from agentoolkit.entrypoints.rest.models import Body
from agentoolkit.entrypoints.rest.problems import ApiError
from agentoolkit.entrypoints.rest.routing import guarded_router
from agentoolkit.system.events.messages import EventMessage
from agentoolkit.system.events.operations import may_see
from agentoolkit.system.events.service import EventService
from agentoolkit.system.events.subscriptions import Subscription

router = guarded_router("events")

KEEP_ALIVE_SECONDS = 15.0
MAX_STREAMS = 1_000
"""Subscribers of one process; a further one is refused with 429."""


class EventQuery(BaseModel):
    """Which events."""

    model_config = ConfigDict(extra="forbid")

    event_type: str = Field(default="*", max_length=200, description="A name, or a pattern", examples=["scheduler.task.*"])
    after: int | None = Field(default=None, ge=0, le=2**62, description="The id of the last event that was seen")


class EventPageQuery(EventQuery):
    """Which events, and how many."""

    limit: int = Field(default=100, ge=1, le=1_000)


class NewEvent(Body):
    """An event to be published, in the name of whoever asks."""

    event_type: str = Field(max_length=200, examples=["report.sent"])
    payload: dict[str, Any] | None = None
    target_agent: str | None = Field(default=None, max_length=200)


class EventPage(BaseModel):
    """Events, the oldest first."""

    events: list[EventMessage]
    cursor: int = Field(description="Give it as `after` to go on")
    missed: int = Field(description="Events after the cursor that are not kept any more")


@router.get("/events")
async def list_events(query: Annotated[EventPageQuery, Query()], tools: Asking) -> EventPage:
    """Return events that are kept, after a cursor."""
    found = await tools.run("events", "read", event_type=query.event_type, after=query.after, limit=query.limit)
    return EventPage(events=found.events, cursor=found.cursor or 0, missed=found.missed)


@router.post("/events", status_code=202)
async def publish_event(event: NewEvent, tools: Asking) -> EventMessage:
    """Publish an event, to everybody or to one agent."""
    given = event.model_dump(exclude_none=True)
    return (await tools.run("events", "publish", **given)).events[0]


@router.get(
    "/events/stream",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}, "description": "Events as they happen"}},
)
async def stream_events(query: Annotated[EventQuery, Query()], request: Request, tools: Asking) -> StreamingResponse:
    """Tell of events as they happen. After a disconnect, the header ``Last-Event-ID`` goes on where it was."""
    streams = _streams(request.app)
    if len(streams) >= MAX_STREAMS:
        headers = {"Retry-After": "30"}
        raise ApiError(429, "too-many-streams", f"{MAX_STREAMS:,} subscribers are connected.", headers=headers)
    service: EventService = tools.injector.get("events").deps
    after = _last_seen(request, query.after)
    subscription = service.subscribe(query.event_type, after=after)
    streams.add(subscription)
    missed = max(0, (await service.bounds()).oldest - after - 1) if after else 0

    async def stream() -> AsyncGenerator[str]:
        try:
            async for line in _lines(subscription, tools.caller, missed):
                yield line
        finally:
            streams.discard(subscription)
            service.unsubscribe(subscription)

    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(stream(), media_type="text/event-stream", headers=headers)


async def _lines(subscription: Subscription, caller: Caller, missed: int) -> AsyncGenerator[str]:
    """Write events as server-sent events, and a comment now and then, so that nobody takes the connection for dead."""
    yield "retry: 2000\n\n"
    if missed:
        yield f'event: missed\ndata: {{"count": {missed}}}\n\n'
    while subscription.alive:
        message = await subscription.next(KEEP_ALIVE_SECONDS)
        if message is None:
            yield ": still here\n\n"
        elif may_see(caller, message):
            yield f"id: {message.event_id}\nevent: {message.event_type}\ndata: {message.model_dump_json()}\n\n"


def _last_seen(request: Request, after: int | None) -> int | None:
    given = request.headers.get("last-event-id", "")
    return min(int(given), 2**62) if given.isascii() and given.isdecimal() and len(given) < 20 else after


def end_streams(app: FastAPI) -> None:
    """Let every stream end, because the server does."""
    for subscription in list(_streams(app)):
        subscription.cancel()


def _streams(app: FastAPI) -> set[Subscription]:
    streams: set[Subscription] | None = getattr(app.state, "streams", None)
    if streams is None:
        streams = app.state.streams = set[Subscription]()
    return streams
