"""A heap with removal of entries."""

from __future__ import annotations

import heapq
from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Rank = TypeVar("Rank", bound=tuple[object, ...])

_SLACK = 64
"""Removed entries that the heap always tolerates."""


class LazyHeap(Generic[Key, Rank]):
    """Keys by rank, lowest first. A key has one rank at a time; a change costs the logarithm of the number of keys.

    Keys of equal rank keep the order of their `put`. A removed entry stays in the heap until it comes up, or until removed
    entries outnumber the others, so memory grows with the present keys only.
    """

    def __init__(self) -> None:
        self._entries: dict[Key, tuple[Rank, int, Key]] = {}
        self._heap: list[tuple[Rank, int, Key]] = []
        self._number = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: object) -> bool:
        return key in self._entries

    def put(self, key: Key, rank: Rank) -> None:
        """Add a key, or give it another rank."""
        self._number += 1
        entry = (rank, self._number, key)
        replaced = key in self._entries
        self._entries[key] = entry
        heapq.heappush(self._heap, entry)
        if replaced:
            self._drop_removed()

    def discard(self, key: Key) -> None:
        """Remove a key if it is there."""
        if self._entries.pop(key, None) is not None:
            self._drop_removed()

    def first(self) -> tuple[Rank, Key] | None:
        """Return the lowest rank and its key."""
        while self._heap:
            entry = self._heap[0]
            if self._entries.get(entry[2]) is entry:
                return entry[0], entry[2]
            heapq.heappop(self._heap)
        return None

    def smallest(self, limit: int) -> list[Key]:
        """Return at most `limit` keys in order. The walk goes from each entry to the two below it and visits no others."""
        found: list[Key] = []
        reached = [(self._heap[0], 0)] if self._heap else []
        while reached and len(found) < limit:
            entry, place = heapq.heappop(reached)
            if self._entries.get(entry[2]) is entry:
                found.append(entry[2])
            for below in range(2 * place + 1, min(2 * place + 3, len(self._heap))):
                heapq.heappush(reached, (self._heap[below], below))
        return found

    def _drop_removed(self) -> None:
        if len(self._heap) > 2 * len(self._entries) + _SLACK:
            self._heap = list(self._entries.values())
            heapq.heapify(self._heap)
