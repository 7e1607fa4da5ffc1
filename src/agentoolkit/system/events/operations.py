"""The operations of the AgenTool ``events``."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from agentool.caller import Caller, get_caller
from agentool.context import RunContext
from agentool.operations import Handler
from agentool.references import has_references
from agentoolkit.system.events.messages import SCHEDULER, EventMessage, checked_pattern, checked_type, unreserved
from agentoolkit.system.events.schemas import EventsInput, EventsOutput
from agentoolkit.system.events.service import EventService
from agentoolkit.system.events.subscriptions import PAGE, EventFilter, Subscription

Context = RunContext[EventService]

WAIT = 10.0


async def events_publish(
    ctx: Context, event_type: str, payload: dict[str, Any] | None = None, target_agent: str | None = None
) -> EventsOutput:
    """Publish an event in the caller's name, to all subscribers or to one agent.

    Raises:
        InvalidEvent: The name is the scheduler's, or name or payload cannot be an event's.
    """
    message = ctx.deps.publish(unreserved(event_type), get_caller().name, payload, target_agent)
    return EventsOutput(operation="publish", events=[message])


async def events_read(ctx: Context, event_type: str = "*", after: int = 0, limit: int = PAGE) -> EventsOutput:
    """Return the stored events after a cursor that the caller may see, oldest first."""
    wanted = EventFilter(checked_pattern(event_type))
    missed = max(0, (await ctx.deps.bounds()).oldest - after - 1) if after else 0
    found: list[EventMessage] = []
    cursor, caller = after, get_caller()
    while len(found) < limit and (page := await ctx.deps.read(cursor, limit)):
        for each in page:
            cursor = each.event_id or cursor
            if may_see(caller, each) and (message := wanted.of(each)) is not None:
                found.append(message)
                if len(found) == limit:
                    break
    return EventsOutput(operation="read", events=found, cursor=cursor, missed=missed)


async def events_listen(ctx: Context, event_type: str = "*", after: int | None = None, timeout: float = WAIT) -> EventsOutput:
    """Wait for events after a cursor, or from now on, that the caller may see. The list is empty after the timeout."""
    told = EventsOutput(operation="listen", events=[])
    if after is not None:
        told = (await events_read(ctx, event_type, after)).model_copy(update={"operation": "listen"})
        if told.events:
            return told
    subscription = ctx.deps.subscribe(checked_pattern(event_type), after=told.cursor)
    try:
        events = await _visible(subscription, timeout)
        return told.model_copy(update={"events": events, "cursor": subscription.cursor})
    finally:
        ctx.deps.unsubscribe(subscription)


async def _visible(subscription: Subscription, timeout: float) -> list[EventMessage]:
    """Wait for events that the caller may see, past those that it may not; none after the timeout."""
    caller = get_caller()
    with suppress(TimeoutError):
        async with asyncio.timeout(timeout):
            while page := await subscription.next_page():
                if seen := [message for message in page if may_see(caller, message)]:
                    return seen
    return []


def may_see(caller: Caller, message: EventMessage) -> bool:
    """Tell whether a caller may see an event: it is the caller's or for all, or the caller is an administrator."""
    if caller.is_admin:
        return True
    if message.source_agent == SCHEDULER:
        return message.owner == caller.name
    return message.target_agent in (None, caller.name) or message.source_agent == caller.name


def check_event(service: EventService, call: EventsInput) -> None:
    """Refuse an invalid name or pattern when the call is scheduled. References are skipped: their values are not known yet."""
    if call.event_type is None or has_references(call.event_type):
        return
    if call.operation == "publish":
        checked_type(unreserved(call.event_type))
    else:
        checked_pattern(call.event_type)


HANDLERS: dict[str, Handler] = {"publish": events_publish, "read": events_read, "listen": events_listen}
