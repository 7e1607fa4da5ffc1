"""Admits executions under limits: up to a number at once; the others wait in order of urgency, then of arrival."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Sequence
from contextvars import Context, ContextVar, copy_context
from itertools import count

from agentoolkit.system.scheduler.ports import Order

Entry = tuple[int, int, Order]
"""Urgency, arrival and the order. Heaps compare the first two, and the smallest goes first."""


_let_in_by: ContextVar[Limits | None] = ContextVar("agentool_let_in_by", default=None)


class Room:
    """The use of one limit: how many executions hold it, and a heap of those that wait for it."""

    __slots__ = ("capacity", "held", "parked")

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.held = 0
        self.parked: list[Entry] = []


class Limits:
    """The base of executors that admit executions in this process: room in total, and under each limit.

    Args:
        concurrency: Maximum number of executions with room.
    """

    def __init__(self, concurrency: int) -> None:
        self._concurrency = concurrency
        self._context = copy_context()
        """Admitted executions run in a copy of this context, not in the context of the one that has just ended."""
        self._context.run(_let_in_by.set, self)
        self._arrival = count()
        self._waiting: list[Entry] = []
        """A heap. Withdrawn executions stay in it until they are popped."""
        self._waiting_ids: dict[str, int] = {}
        """Arrivals of the waiting executions by id, parked or not."""
        self._admitted: dict[str, Order] = {}
        self._reserved: dict[str, Order] = {}
        """Orders that hold room before it is known whether they run here."""
        self._rooms: dict[str, Room] = {}
        self._admits = False
        """True if `_admit` is scheduled for this turn of the event loop."""

    @property
    def running(self) -> int:
        """Number of executions that have room."""
        return len(self._admitted)

    @property
    def waiting(self) -> int:
        """Number of executions that wait for room."""
        return len(self._waiting_ids)

    @property
    def room(self) -> int:
        """See `ports.Executor.room`."""
        return 0 if self._waiting_ids else max(self._free, 0)

    def submit(self, order: Order) -> None:
        """See `ports.Executor.submit`."""
        arrival = next(self._arrival)
        self._waiting_ids[order.execution_id] = arrival
        for name, capacity, _ in order.limits:
            if (room := self._rooms.get(name)) is not None and room.capacity != capacity:
                room.capacity = capacity
                self._unpark(room)
        heapq.heappush(self._waiting, (-1 if order.at_once else order.urgency, arrival, order))
        if not self._admits:
            self._admit_soon()

    def withdraw(self, execution_id: str) -> bool:
        """See `ports.Executor.withdraw`."""
        return self._waiting_ids.pop(execution_id, None) is not None

    def started(self, context: Context) -> bool:
        """See `ports.Executor.started`."""
        return context.get(_let_in_by) is self

    def admitted(self, execution_id: str) -> Order:
        """Return the order of an execution that has room."""
        return self._admitted[execution_id]

    def start(self, execution_ids: Sequence[str]) -> None:
        """Begin executions that have room now; each keeps it until `leave`."""
        raise NotImplementedError

    def reserve(self, order: Order) -> bool:
        """See `ports.Executor.reserve`."""
        execution_id = order.execution_id
        known = execution_id in self._reserved or execution_id in self._admitted
        if known or not self.room or any(name in self._rooms for name, _, _ in order.limits):
            return False
        self._hold(order.limits)
        self._reserved[execution_id] = order
        return True

    def unreserve(self, execution_id: str) -> None:
        """See `ports.Executor.unreserve`."""
        self._let_go(self._reserved.pop(execution_id, None))

    def admit_begun(self, order: Order) -> None:
        """Admit an execution that has begun already, in place of its reservation."""
        self.unreserve(order.execution_id)  # in one turn of the event loop, so that no other is admitted in between
        self._hold(order.limits)
        self._admitted[order.execution_id] = order

    def leave(self, execution_id: str) -> None:
        """Free an execution's room."""
        self._let_go(self._admitted.pop(execution_id, None))

    def close(self) -> None:
        """Admit nothing more, and forget the waiting executions."""
        self._concurrency = 0
        self._waiting.clear()
        self._waiting_ids.clear()
        for room in self._rooms.values():
            room.parked.clear()

    @property
    def _free(self) -> int:
        return self._concurrency - len(self._admitted) - len(self._reserved)

    def _let_go(self, order: Order | None) -> None:
        for name, _, _ in order.limits if order is not None else ():
            room = self._rooms[name]
            room.held -= 1
            if room.parked:
                self._unpark(room)
            if room.held == 0 and not room.parked:
                del self._rooms[name]
        if self._waiting and not self._admits:
            self._admit_soon()

    def _admit_soon(self) -> None:
        if self._free > 0 or self._waiting[0][2].at_once:
            self._admits = True
            asyncio.get_running_loop().call_soon(self._admit, context=self._context)

    def _admit(self) -> None:
        """Admit all executions that have room at once: beginning them together costs much less."""
        self._admits = False
        waiting, entered, free = self._waiting, list[str](), self._free
        while waiting and (free > 0 or waiting[0][2].at_once):
            entry = heapq.heappop(waiting)
            _, arrival, order = entry
            execution_id = order.execution_id
            if self._waiting_ids.get(execution_id) != arrival:
                continue  # it was withdrawn
            if (full := self._without_room(order.limits)) is not None:
                self._park(entry, full)
                continue
            self._hold(order.limits)
            del self._waiting_ids[execution_id]
            self._admitted[execution_id] = order
            entered.append(execution_id)
            free -= 1
        if entered:
            self.start(entered)

    def _without_room(self, limits: Sequence[tuple[str, int, bool]]) -> Room | None:
        """Return the first of these limits that is full and must be waited for."""
        for name, _, waits in limits:
            if (room := self._rooms.get(name)) is not None and waits and room.held >= room.capacity:
                return room
        return None

    def _park(self, entry: Entry, full: Room) -> None:
        """Let an order wait for a full limit."""
        heapq.heappush(full.parked, entry)
        for name, _, _ in entry[2].limits:  # it leaves the room of its other limits unused, so the next may try
            if (unused := self._rooms.get(name)) is not None:
                self._unpark(unused)

    def _hold(self, limits: Sequence[tuple[str, int, bool]]) -> None:
        for name, capacity, _ in limits:
            if (room := self._rooms.get(name)) is None:
                room = self._rooms[name] = Room(capacity)
            room.held += 1

    def _unpark(self, room: Room) -> None:
        """Move as many parked orders as have room back to the heap. Moving all whenever one ends would cost too much."""
        free = room.capacity - room.held
        while room.parked and free > 0:
            entry = heapq.heappop(room.parked)
            if self._waiting_ids.get(entry[2].execution_id) == entry[1]:  # else it was withdrawn
                heapq.heappush(self._waiting, entry)
                free -= 1
