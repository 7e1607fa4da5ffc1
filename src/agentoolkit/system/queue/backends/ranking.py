"""Keys in order of rank."""

from __future__ import annotations

import heapq
from typing import Generic, TypeVar

Rank = TypeVar("Rank", bound=tuple[object, ...])

_SLACK = 64
"""Removed entries that are always tolerated in the heap."""


class Ranking(Generic[Rank]):
    """Keys by rank, the lowest first. A key has one rank at a time, and every change costs the logarithm of their number.

    A removed entry stays in the heap until it comes up or outnumbers the others, so memory is bounded by what is in use.
    """

    def __init__(self) -> None:
        self._entries: dict[str, tuple[Rank, str]] = {}
        self._heap: list[tuple[Rank, str]] = []

    def put(self, key: str, rank: Rank) -> None:
        """Add a key that is not there."""
        entry = self._entries[key] = (rank, key)
        heapq.heappush(self._heap, entry)

    def discard(self, key: str) -> None:
        """Remove a key if it is there."""
        if self._entries.pop(key, None) and len(self._heap) > 2 * len(self._entries) + _SLACK:
            self._heap = list(self._entries.values())
            heapq.heapify(self._heap)

    def first(self) -> tuple[Rank, str] | None:
        """Return the lowest rank and its key."""
        while self._heap:
            entry = self._heap[0]
            if self._entries.get(entry[1]) is entry:
                return entry
            heapq.heappop(self._heap)
        return None

    def smallest(self, limit: int) -> list[str]:
        """Return so many keys in order, in time that grows with the number of all."""
        return [key for _, key in heapq.nsmallest(limit, self._entries.values())]
