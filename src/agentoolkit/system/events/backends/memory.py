"""Events that last as long as the process."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import islice
from threading import Lock

from agentoolkit.system.events.messages import EventMessage, EventRecord, message_of
from agentoolkit.system.events.ports import KEEP, KeptIds


class MemoryEventStore:
    """The newest events, in a list. Several threads may use it.

    Args:
        keep: Number of events.
    """

    shared = False

    def __init__(self, keep: int = KEEP) -> None:
        self._kept: deque[tuple[int, EventRecord | EventMessage]] = deque(maxlen=keep)
        self._newest = 0
        self._cursors: dict[str, int] = {}
        self._read_until = datetime.fromtimestamp(0, UTC)
        self._lock = Lock()

    async def append(self, messages: Sequence[EventRecord | EventMessage]) -> int:
        described = [record.described() if isinstance(record, EventRecord) else record for record in messages]
        with self._lock:
            self._kept.extend(enumerate(described, self._newest + 1))
            self._newest += len(messages)
            return self._newest

    async def read(self, after: int, limit: int) -> Sequence[EventMessage]:
        with self._lock:
            passed = max(0, after - (self._newest - len(self._kept)))
            found = list(islice(self._kept, passed, passed + limit))
        return [message_of(record, event_id) for event_id, record in found]

    async def bounds(self) -> KeptIds:
        with self._lock:
            return KeptIds(self._newest - len(self._kept) + 1, self._newest)

    async def cursor(self, name: str) -> int | None:
        return self._cursors.get(name)

    async def save_cursor(self, name: str, event_id: int) -> None:
        self._cursors[name] = event_id

    async def note_reader(self, until: datetime) -> None:
        self._read_until = max(until, self._read_until)

    async def has_readers(self, now: datetime) -> bool:
        return bool(self._cursors) or now < self._read_until
