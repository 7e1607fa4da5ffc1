"""Keys in order, for the store in memory: what an index is for a database."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from datetime import datetime
from enum import Enum
from typing import Generic, TypeVar

Key = TypeVar("Key", str, tuple[datetime, str])

MAX_BLOCK = 1_000
"""Keys in one block: an insertion moves no more than these."""
MAX_UNORDERED = 2_000
"""Keys that are not yet in their place: as many are put there at once."""


class Pending(Enum):
    """What is to become of a key that was added or removed since the keys were last put in order."""

    NEW = 1
    """It is in no block."""
    PRESENT = 2
    """It is there; perhaps a block has it already."""
    GONE = 3


_NEW, _PRESENT, _GONE = Pending


class OrderedKeys(Generic[Key]):
    """Keys in order, in blocks, so that adding and removing one costs the same however many there are.

    They are added and removed more often than they are read, so they are put in order when they are read, or when there
    are many: one that comes and goes between is never looked for.
    """

    def __init__(self) -> None:
        self._blocks: list[list[Key]] = []
        self._last: list[Key] = []
        """The last key of each block."""
        self._pending: dict[Key, Pending] = {}

    def add(self, key: Key) -> None:
        """Add a key that is not there yet."""
        pending = self._pending
        pending[key] = _PRESENT if key in pending else _NEW
        if len(pending) > MAX_UNORDERED:
            self._arrange()

    def discard(self, key: Key) -> None:
        """Remove a key, if it is there."""
        pending = self._pending
        if pending.get(key) is _NEW:
            del pending[key]
        else:
            pending[key] = _GONE
            if len(pending) > MAX_UNORDERED:
                self._arrange()

    def from_(self, key: Key | None, *, included: bool = False) -> Iterator[Key]:
        """Yield the keys after one, or all, in order."""
        self._arrange()
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
        self._arrange()
        place = len(self._blocks) if key is None else min(bisect_left(self._last, key) + 1, len(self._blocks))
        for number in range(place - 1, -1, -1):
            block = self._blocks[number]
            end = len(block) if key is None else bisect_left(block, key)
            yield from reversed(block[:end])

    def _arrange(self) -> None:
        """Put every key in its place."""
        pending, self._pending = self._pending, {}
        for key, change in pending.items():
            if change is _GONE:
                self._remove(key)
            else:
                self._insert(key)

    def _insert(self, key: Key) -> None:
        if not self._blocks:
            self._blocks, self._last = [[key]], [key]
            return
        place = min(bisect_left(self._last, key), len(self._blocks) - 1)
        block = self._blocks[place]
        if key > block[-1]:
            block.append(key)
            self._last[place] = key
        elif block[within := bisect_left(block, key)] != key:
            block.insert(within, key)
        if len(block) > MAX_BLOCK:
            half = len(block) // 2
            self._blocks[place : place + 1] = [block[:half], block[half:]]
            self._last[place : place + 1] = [block[half - 1], block[-1]]

    def _remove(self, key: Key) -> None:
        place = bisect_left(self._last, key)
        if place == len(self._blocks):
            return
        block = self._blocks[place]
        within = bisect_left(block, key)
        if block[within] == key:
            del block[within]
            if block:
                self._last[place] = block[-1]
            else:
                del self._blocks[place], self._last[place]
