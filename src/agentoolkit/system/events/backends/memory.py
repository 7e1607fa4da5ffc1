"""Events that last as long as the process."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import islice
from threading import Lock

from agentoolkit.system.events.messages import EventMessage
from agentoolkit.system.events.ports import KEEP, Bounds


class MemoryEventStore:
    """The newest events, in a list. Several threads may use it.

    Args:
        keep: How many.
    """

    shared = False

    def __init__(self, keep: int = KEEP) -> None:
        self._kept: deque[EventMessage] = deque(maxlen=keep)
        self._newest = 0
        self._cursors: dict[str, int] = {}
        self._lock = Lock()

    async def append(self, messages: Sequence[EventMessage]) -> int:
        with self._lock:
            for message in messages:
                self._newest += 1
                self._kept.append(message.model_copy(update={"event_id": self._newest}))
            return self._newest

    async def read(self, after: int, limit: int) -> Sequence[EventMessage]:
        with self._lock:
            passed = max(0, after - (self._newest - len(self._kept)))
            return list(islice(self._kept, passed, passed + limit))

    async def bounds(self) -> Bounds:
        with self._lock:
            return Bounds(self._newest - len(self._kept) + 1, self._newest)

    async def cursor(self, name: str) -> int | None:
        return self._cursors.get(name)

    async def save_cursor(self, name: str, event_id: int) -> None:
        self._cursors[name] = event_id
