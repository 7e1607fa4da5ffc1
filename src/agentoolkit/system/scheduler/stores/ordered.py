"""Keys in order, for the store in memory: what an index is for a database."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from datetime import datetime
from typing import Generic, TypeVar

Key = TypeVar("Key", str, tuple[datetime, str])

MAX_BLOCK = 1_000
"""Keys in one block: an insertion moves no more than these."""


class OrderedKeys(Generic[Key]):
    """Keys in order, in blocks, so that adding and removing one costs the same however many there are."""

    def __init__(self) -> None:
        self._blocks: list[list[Key]] = []
        self._last: list[Key] = []
        """The last key of each block."""

    def add(self, key: Key) -> None:
        """Add a key that is not there yet."""
        if not self._blocks:
            self._blocks, self._last = [[key]], [key]
            return
        place = min(bisect_left(self._last, key), len(self._blocks) - 1)
        block = self._blocks[place]
        if key > block[-1]:
            block.append(key)
        else:
            insort(block, key)
        self._last[place] = block[-1]
        if len(block) > MAX_BLOCK:
            self._split(place)

    def discard(self, key: Key) -> None:
        """Remove a key, if it is there."""
        place = bisect_left(self._last, key)
        if place == len(self._blocks):
            return
        block = self._blocks[place]
        within = bisect_left(block, key)
        if within < len(block) and block[within] == key:
            del block[within]
            if block:
                self._last[place] = block[-1]
            else:
                del self._blocks[place], self._last[place]

    def from_(self, key: Key | None, *, included: bool = False) -> Iterator[Key]:
        """Yield the keys after one, or all, in order."""
        if key is None:
            for block in self._blocks:
                yield from block
            return
        place = bisect_left(self._last, key)
        for number, block in enumerate(self._blocks[place:]):
            begin = (bisect_left if included else bisect_right)(block, key) if number == 0 else 0
            yield from block[begin:]

    def before(self, key: Key | None) -> Iterator[Key]:
        """Yield the keys before one, or all, the last first."""
        place = len(self._blocks) if key is None else min(bisect_left(self._last, key) + 1, len(self._blocks))
        for number in range(place - 1, -1, -1):
            block = self._blocks[number]
            end = len(block) if key is None else bisect_left(block, key)
            yield from reversed(block[:end])

    def _split(self, place: int) -> None:
        block = self._blocks[place]
        half = len(block) // 2
        self._blocks[place : place + 1] = [block[:half], block[half:]]
        self._last[place : place + 1] = [block[half - 1], block[-1]]


class NewestFirst:
    """Keys that are added often and read seldom: they are put in order when they are read, a thousand at a time at most."""

    def __init__(self) -> None:
        self._keys: OrderedKeys[tuple[datetime, str]] = OrderedKeys()
        self._new: list[tuple[datetime, str]] = []
        self._gone: list[tuple[datetime, str]] = []

    def add(self, key: tuple[datetime, str]) -> None:
        """Add a key that is not there yet."""
        self._new.append(key)
        if len(self._new) + len(self._gone) > MAX_BLOCK:
            self._arrange()

    def discard(self, key: tuple[datetime, str]) -> None:
        """Remove a key."""
        self._gone.append(key)
        if len(self._new) + len(self._gone) > MAX_BLOCK:
            self._arrange()

    def before(self, key: tuple[datetime, str] | None) -> Iterator[str]:
        """Yield the ids of the keys before one, or of all, the newest first."""
        self._arrange()
        return (id_ for _, id_ in self._keys.before(key))

    def _arrange(self) -> None:
        for key in self._new:
            self._keys.add(key)
        for key in self._gone:
            self._keys.discard(key)
        self._new.clear()
        self._gone.clear()
