"""Keys in order, for the store in memory: what an index is for a database."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from datetime import datetime
from typing import Generic, TypeVar

Key = TypeVar("Key", str, tuple[datetime, str])

MAX_BLOCK = 1_000
"""Keys in one block: to put a key in its place, or take it out, moves no more than these."""
MAX_CHANGED = 1_000
"""Keys that came or went since the keys were put in order: as many are looked up at once, which takes a few milliseconds."""


class OrderedKeys(Generic[Key]):
    """Keys in order, in blocks, so that adding and removing one costs about the same however many there are.

    They come and go more often than they are read, so they are put in order when they are read, or when many have changed.
    So no more is held than what is there and `MAX_CHANGED` besides, whatever goes when.
    """

    def __init__(self) -> None:
        self._blocks: list[list[Key]] = []
        self._last: list[Key] = []
        """The last key of each block."""
        self._changed: dict[Key, bool] = {}
        """Those that came or went since the keys were put in order: is it there?"""
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def add(self, key: Key) -> None:
        """Add a key that is not there."""
        self._length += 1
        self._changed[key] = True
        if len(self._changed) > MAX_CHANGED:
            self._arrange()

    def remove(self, key: Key) -> None:
        """Remove a key that is there."""
        self._length -= 1
        self._changed[key] = False
        if len(self._changed) > MAX_CHANGED:
            self._arrange()

    def from_(self, key: Key | None, *, included: bool = False) -> Iterator[Key]:
        """Yield the keys after one, or all, in order. None may come or go meanwhile."""
        self._arrange()
        place = 0 if key is None else bisect_left(self._last, key)
        for number, block in enumerate(self._blocks[place:]):
            begin = (bisect_left if included else bisect_right)(block, key) if key is not None and number == 0 else 0
            yield from block[begin:]

    def before(self, key: Key | None) -> Iterator[Key]:
        """Yield the keys before one, or all, the last first. None may come or go meanwhile."""
        self._arrange()
        place = len(self._blocks) if key is None else min(bisect_left(self._last, key) + 1, len(self._blocks))
        for number in range(place - 1, -1, -1):
            block = self._blocks[number]
            end = len(block) if key is None else bisect_left(block, key)
            yield from reversed(block[:end])

    def _arrange(self) -> None:
        """Put every key in its place that came, and take out what went."""
        changed, self._changed = self._changed, {}
        for key, is_there in changed.items():
            if is_there:
                self._insert(key)
            else:
                self._take_out(key)

    def _insert(self, key: Key) -> None:
        if not self._blocks:
            self._blocks, self._last = [[key]], [key]
            return
        place = min(bisect_left(self._last, key), len(self._blocks) - 1)
        block = self._blocks[place]
        if key > block[-1]:
            block.append(key)
            self._last[place] = key
        elif block[within := bisect_left(block, key)] != key:  # else it went and came again
            block.insert(within, key)
        if len(block) > MAX_BLOCK:
            half = len(block) // 2
            self._blocks[place : place + 1] = [block[:half], block[half:]]
            self._last[place : place + 1] = [block[half - 1], block[-1]]

    def _take_out(self, key: Key) -> None:
        place = bisect_left(self._last, key)
        if place == len(self._blocks):
            return  # it came and went
        block = self._blocks[place]
        within = 0 if block[0] == key else bisect_left(block, key)  # what came first mostly goes first
        if block[within] != key:
            return
        del block[within]
        if block:
            self._last[place] = block[-1]
        else:
            del self._blocks[place], self._last[place]
