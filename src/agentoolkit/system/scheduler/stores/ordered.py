"""Keys in order, for the store in memory: what an index is for a database."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Generic, TypeVar

Key = TypeVar("Key", str, tuple[datetime, str])

MAX_BLOCK = 1_000
"""Keys in one block: an insertion moves no more than these."""
MAX_UNORDERED = 2_000
"""Keys that are not yet in their place: as many are put there at once."""
SWEPT = 2
"""Blocks that are looked through whenever as many keys are gone as one block holds: so about half of what is held is there."""


class OrderedKeys(Generic[Key]):
    """Keys in order, in blocks, so that adding and removing one costs the same however many there are.

    They come and go more often than they are read, so nothing is done for one that goes: whoever reads passes it over, once
    where a whole block is gone, and now and then some blocks are swept. They are put in order when they are read, or when
    there are many new ones.

    Args:
        is_there: Is a key there at this moment? Asked of each key that is read, put in its place or swept.
    """

    def __init__(self, is_there: Callable[[Key], bool]) -> None:
        self._is_there = is_there
        self._blocks: list[list[Key]] = []
        self._last: list[Key] = []
        """The last key of each block, or what was its last."""
        self._new: list[Key] = []
        self._gone = 0
        """Keys that went since blocks were swept."""
        self._next_swept = 0

    def add(self, key: Key) -> None:
        """Add a key that is there from now on."""
        self._new.append(key)
        if len(self._new) > MAX_UNORDERED:
            self._arrange()

    def note_gone(self) -> None:
        """A key is not there any more."""
        self._gone += 1
        if self._gone >= MAX_BLOCK:
            self._gone = 0
            self._sweep()

    def from_(self, key: Key | None, *, included: bool = False) -> Iterator[Key]:
        """Yield the keys after one, or all, in order."""
        self._arrange()
        place = 0 if key is None else bisect_left(self._last, key)
        for number, block in enumerate(self._blocks[place:]):
            begin = (bisect_left if included else bisect_right)(block, key) if key is not None and number == 0 else 0
            yield from self._there(block, block[begin:])

    def before(self, key: Key | None) -> Iterator[Key]:
        """Yield the keys before one, or all, the last first."""
        self._arrange()
        place = len(self._blocks) if key is None else min(bisect_left(self._last, key) + 1, len(self._blocks))
        for number in range(place - 1, -1, -1):
            block = self._blocks[number]
            end = len(block) if key is None else bisect_left(block, key)
            yield from self._there(block, block[:end][::-1])

    def _there(self, block: list[Key], keys: Sequence[Key]) -> Iterator[Key]:
        """Yield those of a block's keys that are there. If these are all of its keys, and none is, it is emptied."""
        passed = len(keys)
        for key in filter(self._is_there, keys):
            passed = 0
            yield key
        if passed == len(block):
            block.clear()

    def _arrange(self) -> None:
        """Put every new key in its place that is still there."""
        new, self._new = self._new, []
        for key in filter(self._is_there, new):
            self._insert(key)

    def _insert(self, key: Key) -> None:
        if not self._blocks:
            self._blocks, self._last = [[key]], [key]
            return
        place = min(bisect_left(self._last, key), len(self._blocks) - 1)
        block = self._blocks[place]
        if not block or key > block[-1]:
            block.append(key)
            self._last[place] = key
        elif block[within := bisect_left(block, key)] != key:  # else it went and came again
            block.insert(within, key)
        if len(block) > MAX_BLOCK:
            half = len(block) // 2
            self._blocks[place : place + 1] = [block[:half], block[half:]]
            self._last[place : place + 1] = [block[half - 1], block[-1]]

    def _sweep(self) -> None:
        """Throw out what is gone of the next blocks in turn."""
        start = self._next_swept if self._next_swept < len(self._blocks) else 0
        swept = [kept for block in self._blocks[start : start + SWEPT] if (kept := [*filter(self._is_there, block)])]
        self._blocks[start : start + SWEPT] = swept
        self._last[start : start + SWEPT] = [block[-1] for block in swept]
        self._next_swept = start + len(swept)
