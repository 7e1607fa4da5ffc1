"""The storage that lives as long as its process."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from datetime import datetime
from threading import Lock

from agentoolkit.storage.kv.ports import Changed, KeptValue, StoredValue, ValueChange

_MIN_TO_TIDY = 1_000


class MemoryKeyValueStore:
    """Entries in a dictionary, and a heap of those that expire. A lock keeps threads apart."""

    def __init__(self) -> None:
        self._entries: dict[str, dict[str, StoredValue]] = {}
        self._expiring: list[tuple[datetime, str, str]] = []
        self._tidy_at = _MIN_TO_TIDY
        self._lock = Lock()

    async def get(self, namespace: str, key: str, now: datetime) -> StoredValue | None:
        with self._lock:
            return self._living(namespace, now).get(key)

    async def change(self, namespace: str, key: str, change: ValueChange, now: datetime) -> Changed:
        with self._lock:
            before = self._living(namespace, now).get(key)
            after = change(before)
            if after is before:
                return Changed(before, after)
            if after is None:
                self._remove(namespace, key)
            else:
                self._put(namespace, key, after)
            return Changed(before, after)

    async def everything(self, now: datetime) -> Sequence[KeptValue]:
        with self._lock:
            self._living("", now)
            held = [KeptValue(name, key, entry) for name, entries in self._entries.items() for key, entry in entries.items()]
            return sorted(held, key=lambda found: found[:2])

    async def keys(self, namespace: str, prefix: str, limit: int, now: datetime) -> Sequence[str]:
        with self._lock:
            return heapq.nsmallest(limit, (key for key in self._living(namespace, now) if key.startswith(prefix)))

    def _living(self, namespace: str, now: datetime) -> dict[str, StoredValue]:
        while self._expiring and self._expiring[0][0] <= now:
            at, name, key = heapq.heappop(self._expiring)
            held = self._entries.get(name, {}).get(key)
            if held is not None and held.expires_at == at:
                self._remove(name, key)
        return self._entries.get(namespace, {})

    def _put(self, namespace: str, key: str, entry: StoredValue) -> None:
        self._entries.setdefault(namespace, {})[key] = entry
        if entry.expires_at is not None:
            heapq.heappush(self._expiring, (entry.expires_at, namespace, key))
            if len(self._expiring) > self._tidy_at:
                self._tidy()

    def _tidy(self) -> None:
        """Leave out of the heap what was replaced or removed since."""
        held = ((entry, name, key) for name, entries in self._entries.items() for key, entry in entries.items())
        self._expiring = [(entry.expires_at, name, key) for entry, name, key in held if entry.expires_at is not None]
        heapq.heapify(self._expiring)
        self._tidy_at = 2 * len(self._expiring) + _MIN_TO_TIDY

    def _remove(self, namespace: str, key: str) -> None:
        entries = self._entries.get(namespace, {})
        entries.pop(key, None)
        if not entries:
            self._entries.pop(namespace, None)
