"""Runs executions in this process: at most so many at once, the rest wait in order of priority, then of arrival."""

from __future__ import annotations

import asyncio
import heapq
from collections import Counter, defaultdict
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from itertools import count
from typing import Any, NamedTuple

CONCURRENCY = 100
"""Executions that run at once in one process, unless set otherwise."""

Start = Callable[[], Coroutine[Any, Any, Any]]


class Limit(NamedTuple):
    """A name that at most so many running executions may bear."""

    name: str
    capacity: int


class Entry(NamedTuple):
    """An execution that is to run; smaller goes first."""

    priority: int
    arrival: int
    execution_id: str
    start: Start
    limits: Sequence[Limit]


class LocalExecutor:
    """A bounded set of tasks on the running event loop. Every task is owned here until it ends."""

    def __init__(self, concurrency: int = CONCURRENCY) -> None:
        self._concurrency = concurrency
        self._arrival = count()
        self._waiting: list[Entry] = []
        self._parked: defaultdict[str, list[Entry]] = defaultdict(list)
        self._held: Counter[str] = Counter()
        self._ids: set[str] = set()
        """Everything here, waiting, running or released."""
        self._tasks: dict[str, asyncio.Task[Any]] = {}
        self._slots: dict[str, Entry] = {}
        self._released: dict[str, asyncio.Task[Any]] = {}

    @property
    def running(self) -> int:
        """How many executions run."""
        return len(self._tasks)

    @property
    def waiting(self) -> int:
        """How many executions wait for room."""
        return len(self._waiting) + sum(map(len, self._parked.values()))

    def holds(self, execution_id: str) -> bool:
        """Is this execution running or waiting here?"""
        return execution_id in self._ids

    def submit(self, execution_id: str, start: Start, priority: int = 0, limits: Sequence[Limit] = ()) -> None:
        """Run `start()` as soon as there is room, in all and under each limit; a lower priority number goes first."""
        self._ids.add(execution_id)
        heapq.heappush(self._waiting, Entry(priority, next(self._arrival), execution_id, start, limits))
        if len(self._tasks) < self._concurrency:
            self._pump()

    def run_apart(self, execution_id: str, start: Start) -> asyncio.Task[Any]:
        """Run `start()` now, whatever else runs. For callers that wait for it: they could wait for each other's room."""
        self._ids.add(execution_id)
        return self._start(Entry(0, 0, execution_id, start, ()))

    def cancel(self, execution_id: str) -> bool:
        """Cancel a running execution's task. Tell whether it was running."""
        task = self._tasks.get(execution_id)
        return task is not None and task.cancel()

    def withdraw(self, execution_id: str) -> bool:
        """Take a waiting execution out. Tell whether it was waiting."""
        if execution_id not in self._ids or execution_id in self._tasks or execution_id in self._released:
            return False
        self._waiting = [entry for entry in self._waiting if entry.execution_id != execution_id]
        heapq.heapify(self._waiting)
        for name, entries in self._parked.items():
            self._parked[name] = [entry for entry in entries if entry.execution_id != execution_id]
        self._ids.discard(execution_id)
        return True

    def release(self, execution_id: str) -> None:
        """Give an execution's room to others: its handler has ended, or never will. Its task stays owned until it ends."""
        if (task := self._tasks.get(execution_id)) is not None:
            self._released[execution_id] = task
            self._leave(execution_id)

    async def drain(self, seconds: float, grace: float) -> None:
        """Start nothing more; let what runs end by itself for so many seconds, then cancel it and give it a grace."""
        self._ids.difference_update(entry.execution_id for entry in self._all_waiting())
        self._waiting.clear()
        self._parked.clear()
        for patience in (seconds, grace):
            if tasks := [*self._tasks.values(), *self._released.values()]:
                await asyncio.wait(tasks, timeout=patience)
            for task in self._tasks.values():
                task.cancel()

    def _all_waiting(self) -> list[Entry]:
        return [*self._waiting, *(entry for entries in self._parked.values() for entry in entries)]

    def _pump(self) -> None:
        while self._waiting and len(self._tasks) < self._concurrency:
            entry = heapq.heappop(self._waiting)
            if full := self._full_limit(entry):
                self._parked[full].append(entry)
            else:
                self._start(entry)

    def _full_limit(self, entry: Entry) -> str:
        for limit in entry.limits:
            if self._held[limit.name] >= limit.capacity:
                return limit.name
        return ""

    def _start(self, entry: Entry) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(entry.start())
        # Called back, because a task that is cancelled before its first step never comes to a ``finally`` of its own.
        task.add_done_callback(partial(self._ended, entry.execution_id))
        self._tasks[entry.execution_id] = task
        if entry.limits:
            self._slots[entry.execution_id] = entry
            self._held.update(limit.name for limit in entry.limits)
        return task

    def _ended(self, execution_id: str, _: asyncio.Task[Any]) -> None:
        self._ids.discard(execution_id)
        if not (self._released and self._released.pop(execution_id, None)):
            self._leave(execution_id)

    def _leave(self, execution_id: str) -> None:
        del self._tasks[execution_id]
        if self._slots and (entry := self._slots.pop(execution_id, None)):
            for limit in entry.limits:
                self._held[limit.name] -= 1
                for parked in self._parked.pop(limit.name, ()):
                    heapq.heappush(self._waiting, parked)
        self._pump()
