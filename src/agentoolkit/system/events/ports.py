"""The port of event back ends, written as obligations. A back end is complete when it passes the contract suite."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from agentoolkit.system.events.messages import EventMessage, EventRecord

KEEP = 10_000
"""Default number of newest events that are kept."""


class KeptIds(NamedTuple):
    """The range of stored events."""

    oldest: int
    """The id of the oldest event; `newest` plus one if there is none."""
    newest: int
    """The highest id ever given; 0 if none was."""


class EventStore(Protocol):
    """Stores the newest events, in one order for all readers."""

    shared: bool
    """True if other processes can add events too."""

    async def append(self, messages: Sequence[EventRecord | EventMessage]) -> int:
        """Add events, and return the id of the last one. Ids rise by one; no id appears after a higher one was visible."""
        ...

    async def read(self, after: int, limit: int) -> Sequence[EventMessage]:
        """Return the first `limit` events after an id, oldest first."""
        ...

    async def bounds(self) -> KeptIds:
        """Return the range of stored events."""
        ...

    async def cursor(self, name: str) -> int | None:
        """Return the stored cursor of a subscriber; None for a new one."""
        ...

    async def save_cursor(self, name: str, event_id: int) -> None:
        """Store the cursor of a subscriber."""
        ...

    async def note_reader(self, until: datetime) -> None:
        """Record a reader that is expected to read again until then."""
        ...

    async def has_readers(self, now: datetime) -> bool:
        """Tell whether a named subscriber exists, or a recorded reader is still expected."""
        ...
