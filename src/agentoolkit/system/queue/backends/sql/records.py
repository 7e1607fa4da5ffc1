"""Facts as rows and rows as facts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from agentoolkit.database.database import Session
from agentoolkit.database.times import instant, micros, moment
from agentoolkit.system.queue.messages import Queue, QueueMessage, QueueSettings, State, next_change_at

QUEUE = "queue_name, max_size, visibility_timeout, max_retries, description, created_at"
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
ROW_TYPES = {**MESSAGE_TYPES, "change_at": "BIGINT", "death": "BIGINT"}
"""All columns: also when time alone changes it next, and the how manieth death of its queue it died."""


class QueueRow(NamedTuple):
    """A queue as the database has it."""

    queue: Queue
    arrivals: int
    """Messages that were ever added."""
    remembered: int
    """Ids that are remembered."""
    next_change_at: datetime | None
    """When time alone changes a message next, or has already: then that is still to be written down."""

    def is_due(self, now: datetime) -> bool:
        """Has time changed a message, and it was not written down yet?"""
        return self.next_change_at is not None and self.next_change_at <= now


class KnownMessage(NamedTuple):
    """What a queue knows of a message id."""

    message: QueueMessage | None = None
    remembered_until: datetime | None = None

    def recognises(self, message: QueueMessage) -> bool:
        """Was this message here before?"""
        return self.message is not None or (self.remembered_until is not None and self.remembered_until > message.enqueued_at)


def found_of(row: Sequence[Any]) -> QueueRow:
    """Read the columns `QUEUE`, then arrivals, remembered ids and the next change."""
    queue_name, max_size, visibility_timeout, max_retries, description, created_at, arrivals, remembered, change_at = row
    settings = QueueSettings(max_size, visibility_timeout, max_retries, description)
    return QueueRow(Queue(queue_name, settings, instant(created_at)), arrivals, remembered, moment(change_at))


def queue_parameters(queue: Queue) -> dict[str, Any]:
    """Return the columns `QUEUE`."""
    settings = queue.settings
    return {
        "queue_name": queue.queue_name,
        "max_size": settings.max_size,
        "visibility_timeout": settings.visibility_timeout,
        "max_retries": settings.max_retries,
        "description": _storable(settings.description),
        "created_at": micros(queue.created_at),
    }


def message_of(row: Sequence[Any]) -> QueueMessage:
    """Read the columns `MESSAGE_TYPES`. A damaged row is a dead letter that says so, and costs no other."""
    try:
        return read_message(row)
    except (ValueError, TypeError, OverflowError) as error:
        message_id, queue_name, *_ = map(str, row)
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
    """Return the columns `ROW_TYPES`."""
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
        _storable(message.reason),
        micros(message.died_at),
        micros(next_change_at(message)),
        death,
    )


def locked(session: Session, sql: str, lock: str) -> str:
    """Add a lock to a query, where rows can be locked: SQLite has one writer at a time instead."""
    return f"{sql} {lock}" if session.dialect == "postgres" else sql


def _storable(text: str) -> str:
    """Write out what no database takes: lone surrogates, and the character zero for PostgreSQL."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
