"""Runs executions in this process: at most so many at once, the rest wait in order of priority, then of arrival."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Coroutine
from itertools import count
from typing import Any

CONCURRENCY = 100
"""Executions that run at once in one process, unless set otherwise."""

Start = Callable[[], Coroutine[Any, Any, object]]


class LocalExecutor:
    """A bounded set of tasks on the running event loop. Every task is owned here until it ends."""

    def __init__(self, concurrency: int = CONCURRENCY) -> None:
        self._concurrency = concurrency
        self._tasks: set[asyncio.Task[object]] = set()
        self._waiting: list[tuple[int, int, Start]] = []
        self._arrival = count()

    @property
    def running(self) -> int:
        return len(self._tasks)

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def submit(self, start: Start, priority: int = 0) -> None:
        """Run `start()` as soon as there is room; a lower number goes first."""
        if len(self._tasks) < self._concurrency:
            self._start(start)
        else:
            heapq.heappush(self._waiting, (priority, next(self._arrival), start))

    async def drain(self, seconds: float) -> None:
        """Start nothing more; let what runs end by itself for so long, then cancel it and wait as long again at most."""
        self._waiting.clear()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=max(seconds, 1.0))

    def forget(self) -> None:
        """Let go of tasks whose event loop is gone."""
        self._tasks.clear()
        self._waiting.clear()

    def _start(self, start: Start) -> None:
        task = asyncio.get_running_loop().create_task(start())
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[object]) -> None:
        self._tasks.discard(task)
        if self._waiting and len(self._tasks) < self._concurrency:
            self._start(heapq.heappop(self._waiting)[2])
