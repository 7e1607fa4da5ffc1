"""What becomes of a message: leased, given back, late, expired or dead. Every back end decides with these functions."""

from __future__ import annotations

import heapq
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from agentoolkit.system.queue.messages import PAGE, QueueMessage, State


def waiting(message: QueueMessage, now: datetime) -> QueueMessage:
    """Make a message ready or delayed, as its time says."""
    return message._replace(state=State.READY if message.available_at <= now else State.DELAYED, leased_until=None)


def renumbered(messages: Sequence[QueueMessage], arrivals: int | None) -> list[QueueMessage]:
    """Number messages as arrivals after these, in the order in which they arrived before; None: keep their numbers."""
    if arrivals is None:
        return list(messages)
    places = {id(message): place for place, message in enumerate(sorted(messages, key=lambda message: message.arrival), 1)}
    return [message._replace(arrival=arrivals + places[id(message)]) for message in messages]


def leased(message: QueueMessage, token: str, until: datetime) -> QueueMessage:
    """Give a message to somebody."""
    return message._replace(state=State.IN_FLIGHT, token=token, leased_until=until)


def nacked(message: QueueMessage, available_at: datetime, reason: str, max_retries: int, now: datetime) -> QueueMessage:
    """Return a message after a failed attempt; it is dead if that was the last one. Its lease is over."""
    return _failed(message._replace(token=""), available_at, reason, max_retries, now)


def dead_lettered(message: QueueMessage, reason: str, now: datetime) -> QueueMessage:
    """Move a message to the dead letters. Its lease is over; a dead one stays as it is."""
    return message if message.state is State.DEAD else _died(message._replace(token=""), reason, now)


def requeued(message: QueueMessage, body: str | None, now: datetime) -> QueueMessage:
    """Make a dead letter ready again, with all its attempts before it and no end to its life."""
    return message._replace(
        body=message.body if body is None else body,
        available_at=now,
        expires_at=None,
        state=State.READY,
        attempts=0,
        token="",
        leased_until=None,
        reason="",
        died_at=None,
    )


def next_change_at(message: QueueMessage) -> datetime | None:
    """Return when time alone will change a message next: it becomes available, its lease runs out, it expires."""
    if message.state is State.IN_FLIGHT:
        return message.leased_until
    if message.state is State.DELAYED:
        return min(message.available_at, message.expires_at or message.available_at)
    return message.expires_at if message.state is State.READY else None


def changed(message: QueueMessage, due: datetime, max_retries: int) -> QueueMessage:
    """Return a message after the change that was due then, see `next_change_at`. Another may be due after it."""
    if message.state is State.IN_FLIGHT:
        return _failed(message, due, "it was not acknowledged in time", max_retries, due)
    if message.expires_at is not None and message.expires_at <= due:
        return _died(message, "it expired before anyone took it", message.expires_at)
    return waiting(message, due)


def _failed(message: QueueMessage, available_at: datetime, reason: str, max_retries: int, now: datetime) -> QueueMessage:
    failed = message._replace(attempts=message.attempts + 1, available_at=available_at, reason=reason)
    return _died(failed, reason, now) if failed.attempts >= max_retries else waiting(failed, now)


def _died(message: QueueMessage, reason: str, at: datetime) -> QueueMessage:
    return message._replace(state=State.DEAD, leased_until=None, reason=reason, died_at=at)


class MessageChange(NamedTuple):
    """A message before and after."""

    before: QueueMessage
    after: QueueMessage


def after_time(due: Sequence[QueueMessage], now: datetime, max_retries: int) -> list[MessageChange]:
    """Let time do its part to a page of messages, and return them in the order of their last changes.

    Args:
        due: In order of `next_change_at` and arrival. If it is a full page, others follow.
        now: Until then; a full page only until the last of it, so that deaths keep their order.
        max_retries: The queue's.
    """
    timers = [(at, message.arrival, message) for message in due if (at := next_change_at(message)) is not None]
    until = timers[-1][:2] if len(due) >= PAGE else (now, sys.maxsize)
    before = {message.message_id: message for message in due}
    after: dict[str, QueueMessage] = {}
    while timers and timers[0][:2] <= until:
        at, arrival, message = heapq.heappop(timers)
        message = changed(message, at, max_retries)
        after.pop(message.message_id, None)
        after[message.message_id] = message
        if (again := next_change_at(message)) is not None:
            heapq.heappush(timers, (again, arrival, message))
    return [MessageChange(before[message_id], message) for message_id, message in after.items()]
