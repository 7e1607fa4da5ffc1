"""Convert queues and messages to rows and back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from agentoolkit.database.database import Session
from agentoolkit.database.times import instant, micros, moment
from agentoolkit.system.queue.backends.rows import MESSAGE_TYPES, damaged_message, read_message
from agentoolkit.system.queue.messages import Queue, QueueMessage, QueueSettings
from agentoolkit.text import with_escapes

QUEUE = "queue_name, max_size, visibility_timeout, max_retries, description, created_at"
ROW_TYPES = {**MESSAGE_TYPES, "change_at": "BIGINT", "death": "BIGINT"}
"""All columns: also the time of the next change by time, and the number among the queue's deaths."""


class QueueRow(NamedTuple):
    """A queue's row."""

    queue: Queue
    arrivals: int
    """Number of all messages ever added."""
    remembered: int
    """Number of remembered ids."""
    next_change_at: datetime | None
    """Time of the next change of a message by time. In the past: the change is due and not yet written."""

    def is_due(self, now: datetime) -> bool:
        """Tell whether a change by time is due."""
        return self.next_change_at is not None and self.next_change_at <= now


class KnownMessage(NamedTuple):
    """A queue's knowledge of a message id."""

    message: QueueMessage | None = None
    remembered_until: datetime | None = None

    def recognises(self, message: QueueMessage) -> bool:
        """True if the message was in the queue before."""
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
        "description": with_escapes(settings.description),
        "created_at": micros(queue.created_at),
    }


def message_of(row: Sequence[Any]) -> QueueMessage:
    """Read the columns `MESSAGE_TYPES`, also of a damaged row."""
    try:
        return read_message(row)
    except (ValueError, TypeError, OverflowError) as error:
        return damaged_message(str(row[0]), str(row[1]), error)


def locked(session: Session, sql: str, lock: str) -> str:
    """Add a row lock to a query on PostgreSQL. SQLite has one writer at a time instead."""
    return f"{sql} {lock}" if session.dialect == "postgres" else sql
