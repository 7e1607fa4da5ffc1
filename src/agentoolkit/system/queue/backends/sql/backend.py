"""The back end that outlives its process, and that several processes share."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any, TypeVar

from agentoolkit.database.database import Database, Session
from agentoolkit.system.queue.backends.sql import queues, statements
from agentoolkit.system.queue.backends.sql.open_queue import OpenQueue, find, find_or_make, opened
from agentoolkit.system.queue.backends.sql.queues import Lock
from agentoolkit.system.queue.backends.sql.records import QueueRow
from agentoolkit.system.queue.backends.sql.requests import AddRequest, KeptPerQueue, RemoveRequest, Request, TakeRequest
from agentoolkit.system.queue.errors import MessageNotFound, QueueError, QueueNotFound
from agentoolkit.system.queue.messages import DEAD_LETTERS, REMEMBERED_IDS, Counts, Queue, QueueMessage, Receipt, State
from agentoolkit.system.queue.ports import Added, Created, DeadLetters, Lease, QueueStatus, Requeue, Taken

T = TypeVar("T")
R = TypeVar("R", bound=Request)

SLOTS = 16
"""Rows over which what a queue holds is counted."""


class SqlQueueBackend:
    """Queues in SQLite or PostgreSQL, shared by every process that opens the database.

    What many add, take or remove at the same time is done together, by one statement for all of them.

    Args:
        database: With the migrations of this package. It is opened at first use, and closed with the back end.
        dead_letters: Kept per queue.
        remembered_ids: Kept per queue.
    """

    survives_restart: bool = True
    looks_every: float | None = 0.5

    def __init__(self, database: Database, dead_letters: int = DEAD_LETTERS, remembered_ids: int = REMEMBERED_IDS) -> None:
        self._database = database
        self._limits = KeptPerQueue(dead_letters, remembered_ids, os.getpid() % SLOTS)
        self._idle: set[str] = set()

    async def open(self) -> None:
        await self._database.open()

    async def close(self) -> None:
        await self._database.close()

    async def create(self, queue: Queue) -> Created:
        return await self._database.write(lambda session: _created(session, queue))

    async def delete(self, queue_name: str, now: datetime) -> Counts:
        return await self._change(queue_name, now, OpenQueue.delete, Lock.TOUCH)

    async def queues(self, now: datetime) -> Sequence[QueueStatus]:
        named = await self._database.read(queues.names)
        return [status for queue_name in named if (status := await self._status_or_none(queue_name, now))]

    async def status(self, queue_name: str, now: datetime) -> QueueStatus:
        return await self._look(queue_name, now, lambda session, found: QueueStatus(found.queue, queues.sums(session, queue_name)[0]))

    async def add(self, message: QueueMessage, remember_until: datetime | None) -> Added:
        return await self._together(self._add, AddRequest(message.queue_name, message.enqueued_at, message, remember_until))

    async def take(self, queue_name: str, lease: Lease, now: datetime) -> Taken:
        return await self._take_some(TakeRequest(queue_name, now, lease.limit, lease))

    async def take_out(self, queue_name: str, limit: int, now: datetime) -> Taken:
        return await self._take_some(TakeRequest(queue_name, now, limit, None))

    async def peek(self, queue_name: str, limit: int, now: datetime) -> Sequence[QueueMessage]:
        return await self._look(queue_name, now, lambda session, _: statements.ready(session, queue_name, limit))

    async def messages(self, queue_name: str, now: datetime) -> Sequence[QueueMessage]:
        return await self._look(queue_name, now, lambda session, _: statements.all_of(session, queue_name))

    async def message(self, queue_name: str, message_id: str, now: datetime) -> QueueMessage:
        found = await self._look(queue_name, now, lambda session, _: statements.by_id(session, queue_name, [message_id]))
        if message_id not in found:
            raise MessageNotFound.in_queue(queue_name, message_id)
        return found[message_id]

    async def remove(self, queue_name: str, receipt: Receipt, now: datetime) -> QueueMessage:
        return await self._together(self._remove, RemoveRequest(queue_name, now, receipt))

    async def nack(self, queue_name: str, receipt: Receipt, available_at: datetime, reason: str, now: datetime) -> QueueMessage:
        return await self._change(queue_name, now, lambda queue: queue.nack(receipt, available_at, reason, now))

    async def dead_letter(self, queue_name: str, receipt: Receipt, reason: str, now: datetime) -> QueueMessage:
        return await self._change(queue_name, now, lambda queue: queue.dead_letter(receipt, reason, now))

    async def dead_letters(self, queue_name: str, limit: int, now: datetime) -> DeadLetters:
        def letters(session: Session, found: QueueRow) -> DeadLetters:
            counts, dropped = queues.sums(session, queue_name)
            return DeadLetters(statements.dead(session, queue_name, limit), counts.dead, dropped)

        return await self._look(queue_name, now, letters)

    async def requeue(self, queue_name: str, revival: Requeue, now: datetime) -> Sequence[QueueMessage]:
        return await self._change(queue_name, now, lambda queue: queue.requeue(revival, now), Lock.GROW)

    async def clear(self, queue_name: str, states: Collection[State], now: datetime) -> Counts:
        return await self._change(queue_name, now, lambda queue: queue.clear(states))

    async def _status_or_none(self, queue_name: str, now: datetime) -> QueueStatus | None:
        try:
            return await self.status(queue_name, now)
        except QueueNotFound:  # deleted since its name was read
            return None

    async def _take_some(self, taking: TakeRequest) -> Taken:
        """Take, but only look where nothing was last time: who waits must not disturb those who write."""
        if taking.queue_name in self._idle and (nothing := await self._database.read(lambda session: _nothing(session, taking))):
            return nothing
        taken: Taken = await self._together(self._take, taking)
        (self._idle.discard if taken.messages else self._idle.add)(taking.queue_name)
        return taken

    async def _change(self, queue_name: str, now: datetime, work: Callable[[OpenQueue], T], lock: Lock = Lock.DELETE) -> T:
        def change(session: Session) -> T:
            with opened(session, find(session, queue_name, lock), now, self._limits) as queue:
                return work(queue)

        return await self._database.write(change)

    async def _look(self, queue_name: str, now: datetime, work: Callable[[Session, QueueRow], T]) -> T:
        """Read; where time has changed something, only after that is written down."""

        def look(session: Session) -> tuple[T] | None:
            found = find(session, queue_name)
            return None if found.is_due(now) else (work(session, found),)

        seen = await self._database.read(look)
        if seen is None:
            await self._change(queue_name, now, lambda queue: None)
            return await self._database.read(lambda session: work(session, find(session, queue_name)))
        return seen[0]

    async def _together(self, work: Callable[[Session, Sequence[Any]], Sequence[Any]], request: Request) -> Any:
        answer = await self._database.write_together(work, request)
        if isinstance(answer, QueueError):
            raise answer
        return answer

    def _add(self, session: Session, addings: Sequence[AddRequest]) -> list[Any]:
        return _by_queue(addings, lambda queue_name, some, now: self._add_to(session, queue_name, some, now))

    def _add_to(self, session: Session, queue_name: str, addings: Sequence[AddRequest], now: datetime) -> Sequence[Any]:
        with opened(session, find_or_make(session, queue_name, addings[0].now), now, self._limits) as queue:
            return queue.add(addings)

    def _take(self, session: Session, takings: Sequence[TakeRequest]) -> list[Any]:
        return self._each(session, takings, OpenQueue.take)

    def _remove(self, session: Session, removals: Sequence[RemoveRequest]) -> list[Any]:
        return self._each(session, removals, OpenQueue.remove)

    def _each(self, session: Session, requests: Sequence[R], work: Callable[[OpenQueue, Sequence[R]], Sequence[Any]]) -> list[Any]:
        def do(queue_name: str, some: Sequence[R], now: datetime) -> Sequence[Any]:
            try:
                with opened(session, find(session, queue_name, Lock.DELETE), now, self._limits) as queue:
                    return work(queue, some)
            except QueueNotFound as error:
                return [error] * len(some)

        return _by_queue(requests, do)


def _created(session: Session, queue: Queue) -> Created:
    while True:
        created = queues.create(session, queue)
        if found := queues.find(session, queue.queue_name):
            return Created(found.queue, created)


def _nothing(session: Session, taking: TakeRequest) -> Taken | None:
    """Return the answer to a taking where there is nothing to be taken."""
    found = find(session, taking.queue_name)
    if found.is_due(taking.now) or statements.ready(session, taking.queue_name, 1):
        return None
    return Taken([], found.next_change_at)


def _by_queue(requests: Sequence[R], work: Callable[[str, Sequence[R], datetime], Sequence[Any]]) -> list[Any]:
    """Do the work of each queue at once, the queues in order so that no two processes wait for each other; answer in order."""
    positions: dict[str, list[int]] = {}
    for position, request in enumerate(requests):
        positions.setdefault(request.queue_name, []).append(position)
    answers: list[Any] = [None] * len(requests)
    for queue_name, places in sorted(positions.items()):
        some = [requests[place] for place in places]
        for place, answer in zip(places, work(queue_name, some, max(request.now for request in some)), strict=True):
            answers[place] = answer
    return answers
