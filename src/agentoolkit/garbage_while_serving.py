"""Keep garbage collections short in a process that serves: objects that stay for good are not examined again and again."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from threading import Lock

MOST = 10_000
"""Survivors that the next full collection may examine again. More survivors are frozen: later collections skip them."""
ROUNDS = 1
"""Collections of the middle generation between two full ones. With Python's default of ten, 70,000 new objects would have piled up."""
FREEZES = 20
"""Freezes before all objects are examined again, unless the frozen ones are few beside the rest."""


@contextmanager
def frozen_afterwards() -> Generator[None]:
    """Collect nothing inside a ``with`` block, and freeze all objects in memory at its end: collections skip them for good.

    Existing garbage is collected first, because frozen it would stay: 70 ms after a server's imports. Nothing is collected
    at the end, where 100,000 alarms took 0.2 s. Garbage of the block itself stays until all objects are examined: see
    `collected_in_portions`.
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
    """Keep collections inside a ``with`` block short, whatever is in memory. Blocks may overlap: the first sets, the last restores.

    The survivors of a full collection are frozen. After 20 freezes all objects are examined, if these freezes brought a third
    of the frozen objects or more; with 30,000 jobs this pauses the event loop for 120 ms. The last block to end unfreezes
    everything, even objects that were frozen before the first block.

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
    """Decides after each full collection of this process which objects the next one examines."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._loops: list[asyncio.AbstractEventLoop] = []
        """One for each open block."""
        self._thresholds = gc.get_threshold()
        self._frozen: list[int] = []
        """Objects frozen each time, since all were examined."""

    def open(self, loop: asyncio.AbstractEventLoop) -> None:
        with self._lock:
            self._loops.append(loop)
            if len(self._loops) == 1:
                self._thresholds = gc.get_threshold()
                gc.set_threshold(*self._thresholds[:2], ROUNDS)
                gc.callbacks.append(self._freeze_survivors)

    def close(self, loop: asyncio.AbstractEventLoop) -> None:
        with self._lock:
            self._loops.remove(loop)
            if not self._loops:
                gc.callbacks.remove(self._freeze_survivors)
                gc.set_threshold(*self._thresholds)
                gc.unfreeze()
                self._frozen.clear()

    def _freeze_survivors(self, phase: str, info: Mapping[str, int]) -> None:
        """Freeze the survivors of a full collection if there are many. Called by Python; see `gc.callbacks`."""
        if phase != "stop" or info["generation"] < 2 or (survivors := len(gc.get_objects(generation=2))) <= MOST:
            return
        gc.freeze()
        self._frozen.append(survivors)
        # Counting the frozen objects walks through all of them, so it is done seldom.
        if len(self._frozen) % FREEZES == 0 and 3 * sum(self._frozen) >= gc.get_freeze_count():
            for loop in self._loops[-1:]:
                loop.call_soon_threadsafe(self._collect_all)  # a collection cannot start another one

    def _collect_all(self) -> None:
        """Examine all objects. Python delays its next full collection until a quarter more is new; a short one now avoids that."""
        if self._loops:
            gc.unfreeze()
            gc.collect()
            self._frozen.clear()
            gc.collect()


_portions = _Portions()
