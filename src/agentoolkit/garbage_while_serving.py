"""The garbage collector of a process that does nothing else: what stays for good is not looked through again and again."""

from __future__ import annotations

import gc
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager

MOST = 10_000
"""Objects that are looked through again by the next full collection. Where one leaves more, the next ones leave them out."""
ROUNDS = 1
"""Rounds of the middle generation between two full collections. At Python's ten, there are seventy thousand new objects by then."""
FEW_BLOCKS = 1_000_000
"""Blocks of memory, about a hundred megabytes. Up to twice as many, what was left out is not looked through again."""


@contextmanager
def frozen_afterwards() -> Generator[None]:
    """Collect nothing inside a ``with`` block, and leave what is in memory at its end out of collections for good.

    What is garbage already is collected first, for it would stay for good: 70 ms for what a server has imported. Nothing is
    collected at the end: to look through a hundred thousand alarms took a fifth of a second. So garbage of the block itself stays.
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
    """Keep each collection inside a ``with`` block short, however much is in memory.

    What a full collection leaves is looked through again when the memory in use has doubled, and is not little: so what
    becomes garbage of it meanwhile is at most as much as all the rest.
    """
    thresholds, portions = gc.get_threshold(), _Portions()
    gc.set_threshold(*thresholds[:2], ROUNDS)
    gc.callbacks.append(portions.take)
    try:
        yield
    finally:
        gc.callbacks.remove(portions.take)
        gc.set_threshold(*thresholds)


class _Portions:
    """Decides after each full collection what the next one looks through."""

    def __init__(self) -> None:
        self._blocks = sys.getallocatedblocks()
        """Blocks of memory in use when all was looked through."""
        self._looks_at_all = False

    def take(self, phase: str, info: Mapping[str, int]) -> None:
        """Leave out what this collection has left, if that is much. See `gc.callbacks`."""
        if phase != "stop" or info["generation"] < 2 or len(gc.get_objects(generation=2)) <= MOST:
            return
        blocks = sys.getallocatedblocks()
        if self._looks_at_all:
            self._blocks = blocks
        self._looks_at_all = blocks > 2 * max(self._blocks, FEW_BLOCKS)
        if self._looks_at_all:
            gc.unfreeze()
        else:
            gc.freeze()
