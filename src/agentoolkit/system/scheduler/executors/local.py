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
        self._tasks: dict[str, asyncio.Task[Any]] = {}
        self._slots: dict[str, Entry] = {}
        self._given_up: set[asyncio.Task[Any]] = set()

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
        return execution_id in self._tasks or any(entry.execution_id == execution_id for entry in self._all_waiting())

    def submit(self, execution_id: str, start: Start, priority: int = 0, limits: Sequence[Limit] = ()) -> None:
        """Run `start()` as soon as there is room, in all and under each limit; a lower priority number goes first."""
        entry = Entry(priority, next(self._arrival), execution_id, start, limits)
        if not limits and not self._waiting and len(self._tasks) < self._concurrency:
            self._start(entry)
            return
        heapq.heappush(self._waiting, entry)
        if len(self._tasks) < self._concurrency:
            self._pump()

    def run_apart(self, execution_id: str, start: Start) -> asyncio.Task[Any]:
        """Run `start()` now, whatever else runs. For callers that wait for it: they could wait for each other's room."""
        return self._start(Entry(0, 0, execution_id, start, ()))

    def cancel(self, execution_id: str) -> bool:
        """Cancel a running execution's task. Tell whether it was running."""
        task = self._tasks.get(execution_id)
        return task is not None and task.cancel()

    def withdraw(self, execution_id: str) -> bool:
        """Take a waiting execution out. Tell whether it was waiting."""
        before = self.waiting
        self._waiting = [entry for entry in self._waiting if entry.execution_id != execution_id]
        heapq.heapify(self._waiting)
        for name, entries in self._parked.items():
            self._parked[name] = [entry for entry in entries if entry.execution_id != execution_id]
        return self.waiting < before

    def give_up(self, execution_id: str) -> None:
        """Give an execution's room to others although its task does not end. The task stays owned until it does."""
        if (task := self._tasks.get(execution_id)) is not None:
            self._given_up.add(task)
            self._leave(execution_id)

    async def drain(self, seconds: float) -> None:
        """Start nothing more; let what runs end by itself for so long, then cancel it and wait as long again at most."""
        self._waiting.clear()
        self._parked.clear()
        for _ in ("by itself", "cancelled"):
            if tasks := [*self._tasks.values(), *self._given_up]:
                await asyncio.wait(tasks, timeout=seconds)
            for task in self._tasks.values():
                task.cancel()

    def _all_waiting(self) -> list[Entry]:
        return [*self._waiting, *(entry for entries in self._parked.values() for entry in entries)]

    def _pump(self) -> None:
        while self._waiting and len(self._tasks) < self._concurrency:
            entry = heapq.heappop(self._waiting)
            full = next((limit.name for limit in entry.limits if self._held[limit.name] >= limit.capacity), None)
            if full is None:
                self._start(entry)
            else:
                self._parked[full].append(entry)

    def _start(self, entry: Entry) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(entry.start())
        self._tasks[entry.execution_id] = task
        if entry.limits:
            self._slots[entry.execution_id] = entry
            self._held.update(limit.name for limit in entry.limits)
        task.add_done_callback(partial(self._ended, entry.execution_id))
        return task

    def _ended(self, execution_id: str, task: asyncio.Task[Any]) -> None:
        if self._tasks.get(execution_id) is task:
            self._leave(execution_id)
        if self._given_up:
            self._given_up.discard(task)

    def _leave(self, execution_id: str) -> None:
        del self._tasks[execution_id]
        if self._slots and (entry := self._slots.pop(execution_id, None)):
            for limit in entry.limits:
                self._held[limit.name] -= 1
                for parked in self._parked.pop(limit.name, ()):
                    heapq.heappush(self._waiting, parked)
        self._pump()
