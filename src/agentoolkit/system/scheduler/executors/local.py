"""Runs executions in this process: at most so many at once, the rest wait in order of urgency, then of arrival."""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections.abc import Awaitable, Sequence
from contextvars import copy_context
from itertools import count

from agentoolkit.system.scheduler.event_loops import AttemptTask, all_done
from agentoolkit.system.scheduler.ports import Attempts, Order

logger = logging.getLogger(__name__)

CONCURRENCY = 100
"""Executions that run at once in one process, unless set otherwise."""

Entry = tuple[int, int, Order]
"""An order with its urgency and arrival, in front so that smaller goes first."""


class _Room:
    """How much of a limit is held, and who waits for it."""

    __slots__ = ("capacity", "held", "parked")

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.held = 0
        self.parked: list[Entry] = []


class LocalExecutor:
    """A bounded set of tasks on the running event loop. Every task is owned here until its handler has ended.

    Args:
        attempts: Begins and carries out what has room.
        concurrency: How many have room.
    """

    def __init__(self, attempts: Attempts, concurrency: int = CONCURRENCY) -> None:
        self._attempts = attempts
        self._concurrency = concurrency
        self._context = copy_context()
        """What is let in runs in a copy of this, not in that of whoever has just left."""
        self._arrival = count()
        self._waiting: list[Entry] = []
        """A heap, with what was withdrawn still in it."""
        self._waiting_ids: dict[str, int] = {}
        """What waits, parked or not, with its arrival."""
        self._admitted: dict[str, Order] = {}
        self._rooms: dict[str, _Room] = {}
        self._admits = False
        """Will waiting executions be let in in this turn of the event loop?"""
        self._starting: set[asyncio.Task[None]] = set()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._detached: set[asyncio.Task[None]] = set()

    @property
    def running(self) -> int:
        """How many executions have room."""
        return len(self._admitted)

    @property
    def waiting(self) -> int:
        """How many executions wait for room."""
        return len(self._waiting_ids)

    def submit(self, order: Order) -> None:
        """See `ports.Executor.submit`."""
        arrival = next(self._arrival)
        self._waiting_ids[order.execution_id] = arrival
        for limit in order.limits:
            room = self._rooms.get(limit.name)
            if room is not None and room.capacity != limit.capacity:
                room.capacity = limit.capacity
                self._unpark(room)
        heapq.heappush(self._waiting, (-1 if order.at_once else order.urgency, arrival, order))
        if not self._admits:
            self._admit_soon()

    def withdraw(self, execution_id: str) -> bool:
        """See `ports.Executor.withdraw`."""
        return self._waiting_ids.pop(execution_id, None) is not None

    def cancel(self, execution_id: str) -> bool:
        """See `ports.Executor.cancel`."""
        task = self._tasks.get(execution_id)
        return task is not None and task.cancel()

    def abandon(self, execution_id: str) -> None:
        """See `ports.Executor.abandon`. Its task is owned here until it ends."""
        if (task := self._tasks.get(execution_id)) is not None:
            self._detached.add(task)
            task.add_done_callback(self._detached.discard)
            self._leave(execution_id, task)

    async def drain(self, seconds: float, grace: float) -> None:
        """See `ports.Executor.drain`."""
        self._concurrency = 0
        self._waiting.clear()
        self._waiting_ids.clear()
        for room in self._rooms.values():
            room.parked.clear()
        for patience in (seconds, grace):
            await all_done(self._all_tasks, patience)
            for starting in self._starting:
                starting.cancel()
            await asyncio.sleep(0)  # a task that is cancelled before its first step does not even begin to clean up
            for task in self._tasks.values():
                task.cancel()

    def _all_tasks(self) -> list[asyncio.Task[None]]:
        return [*self._starting, *self._tasks.values(), *self._detached]

    def _admit_soon(self) -> None:
        waiting = self._waiting
        if waiting and not self._admits and (len(self._admitted) < self._concurrency or waiting[0][2].at_once):
            self._admits = True
            asyncio.get_running_loop().call_soon(self._admit, context=self._context)

    def _admit(self) -> None:
        """Let in what has room, all at once: beginning costs much less together."""
        self._admits = False
        waiting, entered = self._waiting, list[str]()
        while waiting and (len(self._admitted) < self._concurrency or waiting[0][2].at_once):
            entry = heapq.heappop(waiting)
            _, arrival, order = entry
            if self._waiting_ids.get(order.execution_id) != arrival:
                continue  # it was withdrawn
            if order.limits and (full := self._full_room(order)):
                full.parked.append(entry)
                continue
            for limit in order.limits:
                if (room := self._rooms.get(limit.name)) is None:
                    room = self._rooms[limit.name] = _Room(limit.capacity)
                room.held += 1
            self._admitted[order.execution_id] = order
            entered.append(order.execution_id)
        if entered:
            beginning = self._attempts.begin(entered)
            for execution_id in entered:
                del self._waiting_ids[execution_id]
            starting = asyncio.get_running_loop().create_task(self._start(entered, beginning))
            self._starting.add(starting)
            starting.add_done_callback(self._starting.discard)

    def _full_room(self, order: Order) -> _Room | None:
        for limit in order.limits:
            room = self._rooms.get(limit.name)
            if room is not None and limit.waits and room.held >= room.capacity:
                return room
        return None

    async def _start(self, ids: Sequence[str], beginning: Awaitable[Sequence[bool]]) -> None:
        begun: Sequence[bool] = [False] * len(ids)
        try:
            begun = await beginning
        except Exception:
            logger.exception("%d executions were not started", len(ids))
        finally:
            for execution_id, begins in zip(ids, begun, strict=True):
                if begins:
                    self._tasks[execution_id] = AttemptTask(self._run(execution_id), loop=asyncio.get_running_loop())
                else:
                    self._leave(execution_id, None)

    async def _run(self, execution_id: str) -> None:
        try:
            await self._attempts.run(execution_id)
        finally:
            self._leave(execution_id, asyncio.current_task())

    def _leave(self, execution_id: str, task: asyncio.Task[None] | None) -> None:
        """Give an execution's room to others, unless another attempt has it by now."""
        if self._tasks.get(execution_id) is not task:
            return
        self._tasks.pop(execution_id, None)
        if (order := self._admitted.pop(execution_id, None)) is not None:
            for limit in order.limits:
                room = self._rooms[limit.name]
                room.held -= 1
                self._unpark(room)
                if room.held == 0:
                    del self._rooms[limit.name]
        self._admit_soon()

    def _unpark(self, room: _Room) -> None:
        if room.parked:
            for entry in room.parked:
                heapq.heappush(self._waiting, entry)
            room.parked.clear()
