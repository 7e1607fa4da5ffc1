"""The storage that lives as long as its process."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice, takewhile
from threading import Lock

from agentoolkit.heap import LazyHeap
from agentoolkit.storage.kv.ports import Changed, KeptValue, StoredValue, ValueChange

_PAGE = 1_000
"""Keys in one of the lists that are kept sorted."""


class MemoryKeyValueStore:
    """Values in a dictionary, their keys in order, and a heap of those that expire. A lock keeps threads apart."""

    def __init__(self) -> None:
        self._values: dict[str, dict[str, StoredValue]] = {}
        self._sorted: dict[str, SortedKeys] = {}
        self._expiring: LazyHeap[tuple[str, str], tuple[datetime]] = LazyHeap()
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

    async def damaged(self, limit: int) -> Sequence[str]:
        return ()

    async def everything(self, now: datetime) -> Sequence[KeptValue]:
        with self._lock:
            self._living("", now)
            kept = [KeptValue(name, key, value) for name, values in self._values.items() for key, value in values.items()]
            return sorted(kept, key=lambda found: found[:2])

    async def restore(self, values: Sequence[KeptValue], now: datetime) -> int:
        with self._lock:
            new = [value for value in values if value.key not in self._living(value.namespace, now)]
            for namespace, key, value in new:
                self._put(namespace, key, value)
            expired = [value for value in new if value.entry.expires_at is not None and value.entry.expires_at <= now]
            self._living("", now)
            return len(new) - len(expired)

    async def keys(self, namespace: str, prefix: str, limit: int, now: datetime) -> Sequence[str]:
        with self._lock:
            self._living(namespace, now)
            found = self._sorted[namespace].since(prefix) if namespace in self._sorted else iter(())
            return list(islice(takewhile(lambda key: key.startswith(prefix), found), limit))

    def _living(self, namespace: str, now: datetime) -> dict[str, StoredValue]:
        while (first := self._expiring.first()) and first[0][0] <= now:
            self._remove(*first[1])
        return self._values.get(namespace, {})

    def _put(self, namespace: str, key: str, value: StoredValue) -> None:
        values = self._values.setdefault(namespace, {})
        if key not in values:
            self._sorted.setdefault(namespace, SortedKeys()).add(key)
        values[key] = value
        if value.expires_at is None:
            self._expiring.discard((namespace, key))
        else:
            self._expiring.put((namespace, key), (value.expires_at,))

    def _remove(self, namespace: str, key: str) -> None:
        self._expiring.discard((namespace, key))
        values = self._values.get(namespace, {})
        if values.pop(key, None) is not None:
            self._sorted[namespace].remove(key)
        if not values:
            self._values.pop(namespace, None)
            self._sorted.pop(namespace, None)


class SortedKeys:
    """Keys in the order of their code points, in pages, so that a change moves few of them."""

    def __init__(self) -> None:
        self._pages: list[list[str]] = []

    def add(self, key: str) -> None:
        """Add a key that is not there."""
        if not self._pages:
            self._pages.append([key])
            return
        place = self._page_of(key)
        page = self._pages[place]
        insort(page, key)
        if len(page) > 2 * _PAGE:
            self._pages[place : place + 1] = [page[:_PAGE], page[_PAGE:]]

    def remove(self, key: str) -> None:
        """Remove a key that is there."""
        place = self._page_of(key)
        page = self._pages[place]
        del page[bisect_left(page, key)]
        if not page:
            del self._pages[place]

    def since(self, first: str) -> Iterator[str]:
        """Yield keys in order, from a text on."""
        if self._pages:
            place = self._page_of(first)
            yield from islice(self._pages[place], bisect_left(self._pages[place], first), None)
            for page in self._pages[place + 1 :]:
                yield from page

    def _page_of(self, key: str) -> int:
        """Return the page in which a key is, or is to be: the first whose last key is not before it."""
        return min(bisect_left(self._pages, key, key=lambda page: page[-1]), len(self._pages) - 1)
