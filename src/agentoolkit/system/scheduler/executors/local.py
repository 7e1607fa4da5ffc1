"""Runs executions in this process: at most so many at once, the rest wait in order of priority, then of arrival."""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextvars import copy_context
from itertools import count
from typing import Any, Generic, NamedTuple, TypeVar

from agentoolkit.system.scheduler.event_loops import all_done

logger = logging.getLogger(__name__)

CONCURRENCY = 100
"""Executions that run at once in one process, unless set otherwise."""

T = TypeVar("T")
Attempt = Coroutine[Any, Any, Any]


class Limit(NamedTuple):
    """A name that at most so many running executions may bear."""

    name: str
    capacity: int


class Entry(NamedTuple, Generic[T]):
    """An execution that is to run; smaller goes first."""

    priority: int
    arrival: int
    execution_id: str
    order: T
    limits: Sequence[Limit]


class LocalExecutor(Generic[T]):
    """A bounded set of tasks on the running event loop. Every task is owned here until its handler has ended.

    Args:
        prepare: Called with the orders of all that get room in one turn of the event loop. Answers with the attempt at
            each, to be run as a task of its own; None for what is not to be run.
        concurrency: How many have room.
    """

    def __init__(self, prepare: Callable[[Sequence[T]], Awaitable[Sequence[Attempt | None]]], concurrency: int = CONCURRENCY) -> None:
        self._prepare = prepare
        self._concurrency = concurrency
        self._context = copy_context()
        """What is let in runs in a copy of this, not in that of whoever has just left."""
        self._arrival = count()
        self._waiting: list[Entry[T]] = []
        self._parked: defaultdict[str, list[Entry[T]]] = defaultdict(list)
        self._waiting_ids: set[str] = set()
        self._admitted: dict[str, Entry[T] | None] = {}
        """What has room, by execution."""
        self._held: Counter[str] = Counter()
        self._admits = False
        """Will waiting executions be let in in this turn of the event loop?"""
        self._starting: set[asyncio.Task[None]] = set()
        self._tasks: dict[str, asyncio.Task[Any]] = {}
        self._detached: set[asyncio.Task[Any]] = set()

    @property
    def running(self) -> int:
        """How many executions have room."""
        return len(self._admitted)

    @property
    def waiting(self) -> int:
        """How many executions wait for room."""
        return len(self._waiting_ids)

    def holds(self, execution_id: str) -> bool:
        """Does this execution wait here?"""
        return execution_id in self._waiting_ids

    def submit(self, execution_id: str, order: T, priority: int = 0, limits: Sequence[Limit] = ()) -> None:
        """Run an execution as soon as there is room, in all and under each limit; a lower priority number goes first."""
        self._waiting_ids.add(execution_id)
        heapq.heappush(self._waiting, Entry(priority, next(self._arrival), execution_id, order, limits))
        self._admit_soon()

    def run_apart(self, execution_id: str, attempt: Attempt) -> asyncio.Task[Any]:
        """Run an attempt now, whatever else runs. For callers that wait for it: they could wait for each other's room."""
        self._admitted[execution_id] = None
        task = self._tasks[execution_id] = asyncio.get_running_loop().create_task(attempt)
        task.add_done_callback(lambda _: self.release(execution_id))
        return task

    def cancel(self, execution_id: str) -> bool:
        """Cancel a running execution's task. Tell whether it was running."""
        task = self._tasks.get(execution_id)
        return task is not None and task.cancel()

    def withdraw(self, execution_id: str) -> bool:
        """Take a waiting execution out. Tell whether it was waiting."""
        if execution_id not in self._waiting_ids:
            return False
        self._waiting = [entry for entry in self._waiting if entry.execution_id != execution_id]
        heapq.heapify(self._waiting)
        for name, entries in self._parked.items():
            self._parked[name] = [entry for entry in entries if entry.execution_id != execution_id]
        self._waiting_ids.discard(execution_id)
        return True

    def release(self, execution_id: str) -> None:
        """Give an execution's room to others: its handler has ended."""
        self._tasks.pop(execution_id, None)
        if (entry := self._admitted.pop(execution_id, None)) is not None:
            for limit in entry.limits:
                self._held[limit.name] -= 1
                for parked in self._parked.pop(limit.name, ()):
                    heapq.heappush(self._waiting, parked)
        self._admit_soon()

    def detach(self, execution_id: str) -> None:
        """Give an execution's room to others while its task goes on, owned here until it ends and no longer to be cancelled."""
        if (task := self._tasks.get(execution_id)) is not None:
            self._detached.add(task)
            task.add_done_callback(self._detached.discard)
        self.release(execution_id)

    async def drain(self, seconds: float, grace: float) -> None:
        """Start nothing more; let what runs end by itself for so many seconds, then cancel it and give it a grace."""
        self._concurrency = 0
        self._waiting.clear()
        self._parked.clear()
        self._waiting_ids.clear()
        for patience in (seconds, grace):
            await all_done(self._all_tasks, patience)
            for starting in self._starting:
                starting.cancel()
            await asyncio.sleep(0)  # a task that is cancelled before its first step does not even begin to clean up
            for task in self._tasks.values():
                task.cancel()

    def _all_tasks(self) -> list[asyncio.Task[Any]]:
        return [*self._starting, *self._tasks.values(), *self._detached]

    def _admit_soon(self) -> None:
        if self._waiting and not self._admits and len(self._admitted) < self._concurrency:
            self._admits = True
            asyncio.get_running_loop().call_soon(self._admit, context=self._context)

    def _admit(self) -> None:
        """Let in what has room, all at once: beginning costs much less together."""
        self._admits = False
        entries: list[Entry[T]] = []
        while self._waiting and len(self._admitted) < self._concurrency:
            entry = heapq.heappop(self._waiting)
            if entry.limits and (full := self._full_limit(entry)):
                self._parked[full].append(entry)
                continue
            self._admitted[entry.execution_id] = entry
            for limit in entry.limits:
                self._held[limit.name] += 1
            entries.append(entry)
        if entries:
            self._start_all(entries)

    def _full_limit(self, entry: Entry[T]) -> str:
        for limit in entry.limits:
            if self._held[limit.name] >= limit.capacity:
                return limit.name
        return ""

    def _start_all(self, entries: Sequence[Entry[T]]) -> None:
        prepared = self._prepare([entry.order for entry in entries])
        self._waiting_ids.difference_update(entry.execution_id for entry in entries)
        starting = asyncio.get_running_loop().create_task(self._start(entries, prepared))
        self._starting.add(starting)
        starting.add_done_callback(self._starting.discard)

    async def _start(self, entries: Sequence[Entry[T]], prepared: Awaitable[Sequence[Attempt | None]]) -> None:
        attempts: Sequence[Attempt | None] = [None] * len(entries)
        try:
            attempts = await prepared
        except Exception:
            logger.exception("%d executions were not started", len(entries))
        finally:
            for entry, attempt in zip(entries, attempts, strict=True):
                if attempt is None:
                    self.release(entry.execution_id)
                else:
                    self._tasks[entry.execution_id] = asyncio.get_running_loop().create_task(attempt)
