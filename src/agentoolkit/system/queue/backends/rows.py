"""Messages as rows of plain values, and rows as messages: what the back ends that keep them elsewhere have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agentoolkit.database.times import instant, micros, moment
from agentoolkit.system.queue.decisions import next_change_at
from agentoolkit.system.queue.messages import QueueMessage, State

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
    """Return what stands for a message that cannot be read: a dead letter that says so, and costs no other."""
    reason = f"its row in the database is damaged: {error}"
    return QueueMessage(message_id, queue_name, "null", instant(0), instant(0), state=State.DEAD, reason=reason, died_at=instant(0))


def read_message(row: Sequence[Any]) -> QueueMessage:
    """Read the columns `MESSAGE_TYPES`. Raises `ValueError`, `TypeError` or `OverflowError` if they were damaged."""
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
    """Return the columns `MESSAGE_TYPES`, then when time alone changes it next, and the how manieth death of its queue it died."""
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
        storable(message.reason),
        micros(message.died_at),
        micros(next_change_at(message)),
        death,
    )


def storable(text: str) -> str:
    """Write out what no database takes: lone surrogates, and the character zero for PostgreSQL."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
