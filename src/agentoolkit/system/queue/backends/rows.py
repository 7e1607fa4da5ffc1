"""Convert messages to rows of plain values and back, for back ends outside of this process's memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agentoolkit.database.times import instant, micros, moment
from agentoolkit.system.queue.decisions import next_change_at
from agentoolkit.system.queue.messages import QueueMessage, State
from agentoolkit.text import with_escapes

MESSAGE_TYPES = {
    "message_id": "TEXT",
    "queue_name": "TEXT",
    "body": "TEXT",
    "enqueued_at": "BIGINT",
    "available_at": "BIGINT",
    "priority": "BIGINT",
    "expires_at": "BIGINT",
    "arrival": "BIGINT",
    "state": "TEXT",
    "attempts": "BIGINT",
    "token": "TEXT",
    "leased_until": "BIGINT",
    "reason": "TEXT",
    "died_at": "BIGINT",
}
"""The columns of a message, in the order of `Message`."""


def damaged_message(message_id: str, queue_name: str, error: Exception) -> QueueMessage:
    """Return a dead letter in place of an unreadable message, so that the others can still be read."""
    reason = f"its row in the database is damaged: {error}"
    return QueueMessage(message_id, queue_name, "null", instant(0), instant(0), state=State.DEAD, reason=reason, died_at=instant(0))


def read_message(row: Sequence[Any]) -> QueueMessage:
    """Read the columns `MESSAGE_TYPES`. Raises `ValueError`, `TypeError` or `OverflowError` if they are damaged."""
    id_, queue_name, body, enqueued, available, priority, expires, arrival, state, attempts, token, leased, reason, died = row
    return QueueMessage(
        id_,
        queue_name,
        body,
        instant(enqueued),
        instant(available),
        priority,
        moment(expires),
        arrival,
        State(state),
        attempts,
        token,
        moment(leased),
        reason,
        moment(died),
    )


def row_of(message: QueueMessage, death: int | None = None) -> tuple[Any, ...]:
    """Return the columns `MESSAGE_TYPES`, then the time of its next change by time, and its number among its queue's deaths."""
    return (
        message.message_id,
        message.queue_name,
        message.body,
        micros(message.enqueued_at),
        micros(message.available_at),
        message.priority,
        micros(message.expires_at),
        message.arrival,
        message.state.value,
        message.attempts,
        message.token,
        micros(message.leased_until),
        with_escapes(message.reason),
        micros(message.died_at),
        micros(next_change_at(message)),
        death,
    )
