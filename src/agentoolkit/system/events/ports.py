"""What the event bus asks of a back end, written as obligations. A back end is done when the contract suite passes on it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from agentoolkit.system.events.messages import EventMessage, EventRecord

KEEP = 10_000
"""Events that are kept, the newest ones, unless set otherwise."""


class KeptIds(NamedTuple):
    """Which events are kept."""

    oldest: int
    """The id of the oldest; one more than `newest` if there is none."""
    newest: int
    """The id of the newest there ever was; 0: there was none."""


class EventStore(Protocol):
    """Keeps the newest events, in one order for all who read."""

    shared: bool
    """Can other processes add events too?"""

    async def append(self, messages: Sequence[EventRecord | EventMessage]) -> int:
        """Add events, and return the id of the last one. Ids rise by one, and none appears below one that was seen."""
        ...

    async def read(self, after: int, limit: int) -> Sequence[EventMessage]:
        """Return the events after an id, the oldest first, at most so many."""
        ...

    async def bounds(self) -> KeptIds:
        """Return which events are kept."""
        ...

    async def cursor(self, name: str) -> int | None:
        """Return how far a subscriber of this name has come; None: it is new."""
        ...

    async def save_cursor(self, name: str, event_id: int) -> None:
        """Note how far a subscriber of this name has come."""
        ...

    async def note_reader(self, until: datetime) -> None:
        """Somebody reads, and is expected to come back until then."""
        ...

    async def has_readers(self, now: datetime) -> bool:
        """Return whether there is a subscriber with a name, or whether somebody that was noted may come back still."""
        ...
