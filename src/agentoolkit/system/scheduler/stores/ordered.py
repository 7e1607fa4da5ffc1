"""Keys in order, for the store in memory: what an index is for a database."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Generic, TypeVar

Key = TypeVar("Key", str, tuple[datetime, str])

MAX_BLOCK = 1_000
"""Keys in one block: to put a key in its place, or take it out, moves no more than these."""
FEW_BETWEEN = 8
"""Keys of a block for each one that changed, up to which all between the first and the last of these are gone through at once."""
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
        """Put every key in its place that came, and take out what went: those of one block together."""
        changed, self._changed = self._changed, {}
        keys, done = sorted(changed), 0
        if keys and not self._blocks:
            self._blocks, self._last = [[]], [keys[-1]]
        while done < len(keys):
            begin, last = done, len(self._last) - 1
            place = min(bisect_left(self._last, keys[begin]), last)
            done = bisect_right(keys, self._last[place], begin) if place < last else len(keys)
            self._merge(place, keys[begin:done], changed)

    def _merge(self, place: int, keys: Sequence[Key], changed: Mapping[Key, bool]) -> None:
        """Bring one block up to date with what came and went there."""
        block = self._blocks[place]
        low, high = bisect_left(block, keys[0]), bisect_right(block, keys[-1])
        if high - low <= FEW_BETWEEN * len(keys):
            left = [key for key in block[low:high] if key not in changed]
            block[low:high] = sorted([*left, *(key for key in keys if changed[key])])
        else:
            for key in keys:
                within = bisect_left(block, key)
                end = within + 1 if within < len(block) and block[within] == key else within
                block[within:end] = [key] if changed[key] else []
        self._divide(place)

    def _divide(self, place: int) -> None:
        """Make two blocks or more of one that is too long, and none of one without keys."""
        block = self._blocks[place]
        if 0 < len(block) <= MAX_BLOCK:
            self._last[place] = block[-1]
            return
        size = max(MAX_BLOCK // 2, 1)
        parts = [block[start : start + size] for start in range(0, len(block), size)]
        self._blocks[place : place + 1] = parts
        self._last[place : place + 1] = [part[-1] for part in parts]
