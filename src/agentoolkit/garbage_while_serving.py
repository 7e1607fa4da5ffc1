"""The garbage collector of a process that does nothing else: what stays for good is not looked through again and again."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from threading import Lock

MOST = 10_000
"""Objects that are looked through again by the next full collection. Where one leaves more, the next ones leave them out."""
ROUNDS = 1
"""Rounds of the middle generation between two full collections. At Python's ten, there are seventy thousand new objects by then."""
FREEZES = 20
"""Times that something is left out before all is looked through again, unless it is little beside all the rest."""


@contextmanager
def frozen_afterwards() -> Generator[None]:
    """Collect nothing inside a ``with`` block, and leave what is in memory at its end out of collections for good.

    What is garbage already is collected first, for it would stay for good: 70 ms for what a server has imported. Nothing is
    collected at the end: to look through a hundred thousand alarms took a fifth of a second. So garbage of the block itself stays
    until all is looked through: see `collected_in_portions`.
    """
    was_enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        if was_enabled:
            gc.enable()


@contextmanager
def collected_in_portions() -> Generator[None]:
    """Keep collections inside a ``with`` block short, however much is in memory. Blocks may overlap: the first sets, the last restores.

    What a full collection leaves is left out of the next ones. After twenty times all is looked through, if a third of it or more
    came in these: the event loop pauses for 120 ms then with 30,000 jobs. The last block to end leaves nothing out any more, not
    even what was left out before the first.

    Raises:
        RuntimeError: No event loop runs.
    """
    loop = asyncio.get_running_loop()
    _portions.open(loop)
    try:
        yield
    finally:
        _portions.close(loop)


class _Portions:
    """Decides after each full collection of this process what the next one looks through."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._loops: list[asyncio.AbstractEventLoop] = []
        """One for each block that is open."""
        self._thresholds = gc.get_threshold()
        self._left: list[int] = []
        """How many objects were left out each time, since all was looked through."""

    def open(self, loop: asyncio.AbstractEventLoop) -> None:
        with self._lock:
            self._loops.append(loop)
            if len(self._loops) == 1:
                self._thresholds = gc.get_threshold()
                gc.set_threshold(*self._thresholds[:2], ROUNDS)
                gc.callbacks.append(self._take)

    def close(self, loop: asyncio.AbstractEventLoop) -> None:
        with self._lock:
            self._loops.remove(loop)
            if not self._loops:
                gc.callbacks.remove(self._take)
                gc.set_threshold(*self._thresholds)
                gc.unfreeze()
                self._left.clear()

    def _take(self, phase: str, info: Mapping[str, int]) -> None:
        """Leave out what this collection has left, if that is much. See `gc.callbacks`."""
        if phase != "stop" or info["generation"] < 2 or (left := len(gc.get_objects(generation=2))) <= MOST:
            return
        gc.freeze()
        self._left.append(left)
        # To count what is left out walks through all of it, so that is done seldom.
        if len(self._left) % FREEZES == 0 and 3 * sum(self._left) >= gc.get_freeze_count():
            for loop in self._loops[-1:]:
                loop.call_soon_threadsafe(self._look_at_all)  # a collection cannot begin another one

    def _look_at_all(self) -> None:
        """Collect all. Python puts off its next full collection until a quarter as much is new, so a short one follows at once."""
        if self._loops:
            gc.unfreeze()
            gc.collect()
            self._left.clear()
            gc.collect()


_portions = _Portions()
