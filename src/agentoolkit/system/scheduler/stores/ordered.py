"""A sorted set of keys: the index of the store in memory."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Generic, TypeVar

Key = TypeVar("Key", str, tuple[datetime, str])

MAX_BLOCK = 1_000
"""Maximum keys in one block: adding or removing a key moves no more than these."""
FEW_BETWEEN = 8
"""Up to this number of keys in a block for each changed key, the range of changes is sorted at once."""
MAX_CHANGED = 1_000
"""Maximum unsorted changes. Sorting them takes a few milliseconds."""


class OrderedKeys(Generic[Key]):
    """Sorted keys in blocks, so that the cost of adding and removing hardly depends on their number.

    Keys change more often than they are read. So changes are sorted only when keys are read, or when there are
    `MAX_CHANGED` of them, which also bounds the memory.
    """

    def __init__(self) -> None:
        self._blocks: list[list[Key]] = []
        self._last: list[Key] = []
        """The last key of each block."""
        self._changed: dict[Key, bool] = {}
        """Unsorted changes: True for an added key, False for a removed one."""
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def add(self, key: Key) -> None:
        """Add a new key."""
        self._length += 1
        self._changed[key] = True
        if len(self._changed) > MAX_CHANGED:
            self._arrange()

    def remove(self, key: Key) -> None:
        """Remove an existing key."""
        self._length -= 1
        self._changed[key] = False
        if len(self._changed) > MAX_CHANGED:
            self._arrange()

    def from_(self, key: Key | None, *, included: bool = False) -> Iterator[Key]:
        """Yield the keys after one, or all, in order. Keys must not change meanwhile."""
        self._arrange()
        place = 0 if key is None else bisect_left(self._last, key)
        for number, block in enumerate(self._blocks[place:]):
            begin = (bisect_left if included else bisect_right)(block, key) if key is not None and number == 0 else 0
            yield from block[begin:]

    def before(self, key: Key | None) -> Iterator[Key]:
        """Yield the keys before one, or all, in reverse order. Keys must not change meanwhile."""
        self._arrange()
        place = len(self._blocks) if key is None else min(bisect_left(self._last, key) + 1, len(self._blocks))
        for number in range(place - 1, -1, -1):
            block = self._blocks[number]
            end = len(block) if key is None else bisect_left(block, key)
            yield from reversed(block[:end])

    def _arrange(self) -> None:
        """Sort in all changes, block by block."""
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
        """Apply changes to one block."""
        block = self._blocks[place]
        low, high = bisect_left(block, keys[0]), bisect_right(block, keys[-1])
        if high - low <= FEW_BETWEEN * len(keys):
            kept = [key for key in block[low:high] if key not in changed]
            block[low:high] = sorted([*kept, *(key for key in keys if changed[key])])
        else:
            for key in keys:
                within = bisect_left(block, key)
                end = within + 1 if within < len(block) and block[within] == key else within
                block[within:end] = [key] if changed[key] else []
        self._divide(place)

    def _divide(self, place: int) -> None:
        """Split a block that is too long, and drop an empty one."""
        block = self._blocks[place]
        if 0 < len(block) <= MAX_BLOCK:
            self._last[place] = block[-1]
            return
        size = max(MAX_BLOCK // 2, 1)
        parts = [block[start : start + size] for start in range(0, len(block), size)]
        self._blocks[place : place + 1] = parts
        self._last[place : place + 1] = [part[-1] for part in parts]
