"""The back end in a SQL database, shared by several processes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from agentoolkit.database.database import Database, DatabaseError, Session
from agentoolkit.database.order import LockOrder
from agentoolkit.system.queue.backends.sql import queues, statements
from agentoolkit.system.queue.backends.sql.batch import do_together, restore_all
from agentoolkit.system.queue.backends.sql.open_queue import PORTION, Cleared, KeptPerQueue, OpenQueue
from agentoolkit.system.queue.backends.sql.records import QueueRow
from agentoolkit.system.queue.backends.sql.requests import (
    AddRequest,
    CreateRequest,
    DeadLetterRequest,
    Lock,
    NackRequest,
    OtherRequest,
    PutBackRequest,
    RemoveRequest,
    Request,
    TakeRequest,
)
from agentoolkit.system.queue.errors import MessageNotFound, QueueError, QueueNotFound
from agentoolkit.system.queue.messages import DEAD_LETTERS, REMEMBERED_IDS, Counts, Queue, QueueMessage, Receipt, State
from agentoolkit.system.queue.ports import (
    AddedMessage,
    Created,
    DeadLetters,
    Lease,
    QueueContents,
    QueueStatus,
    Requeue,
    Restored,
    Taken,
)

T = TypeVar("T")


class SqlQueueBackend:
    """Queues in SQLite or PostgreSQL, shared by every process that opens the database.

    Requests of many callers at the same time are handled together, by one statement for all.

    Args:
        database: With the migrations of this package. The first use opens it; closing the back end closes it unless it is shared.
        dead_letters: Dead letters kept per queue.
        remembered_ids: Message ids remembered per queue.
    """

    survives_restart: bool = True
    looks_every: float | None = 0.5

    def __init__(self, database: Database, dead_letters: int = DEAD_LETTERS, remembered_ids: int = REMEMBERED_IDS) -> None:
        self._database = database
        self._kept = KeptPerQueue(dead_letters, remembered_ids)
        self._idle: set[str] = set()

    async def open(self) -> None:
        await self._database.open()

    async def close(self) -> None:
        await self._database.leave()

    async def create(self, queue: Queue) -> Created:
        return await self._ask(CreateRequest(queue.queue_name, queue.created_at, queue))

    async def delete(self, queue_name: str, now: datetime) -> Counts:
        cleared = Counts()
        if sum((await self.status(queue_name, now)).counts) > PORTION:
            cleared = await self.clear(queue_name, set(State), now)
        rest: Counts = await self._ask(OtherRequest(queue_name, now, OpenQueue.delete, Lock.ALL))
        return Counts(*map(sum, zip(cleared, rest, strict=True)))

    async def names(self) -> Sequence[str]:
        return await self._database.read(queues.names)

    async def queues(self, now: datetime, limit: int | None = None) -> Sequence[QueueStatus]:
        found: list[QueueStatus] = []
        for queue_name in (await self.names())[:limit]:
            with suppress(QueueNotFound):  # deleted since its name was read
                found.append(await self.status(queue_name, now))
        return found

    async def status(self, queue_name: str, now: datetime) -> QueueStatus:
        return await self._look(queue_name, now, lambda session, row: QueueStatus(row.queue, queues.sums(session, queue_name)[0]))

    async def add(self, message: QueueMessage, remember_until: datetime | None) -> AddedMessage:
        return await self._ask(AddRequest(message.queue_name, message.enqueued_at, message, remember_until))

    async def take(self, queue_name: str, lease: Lease, now: datetime) -> Taken:
        return await self._take(TakeRequest(queue_name, now, lease.limit, lease))

    async def take_out(self, queue_name: str, limit: int, now: datetime) -> Taken:
        return await self._take(TakeRequest(queue_name, now, limit, None))

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
        return await self._ask(RemoveRequest(queue_name, now, receipt))

    async def nack(self, queue_name: str, receipt: Receipt, available_at: datetime, reason: str, now: datetime) -> QueueMessage:
        return await self._ask(NackRequest(queue_name, now, receipt, available_at, reason))

    async def dead_letter(self, queue_name: str, receipt: Receipt, reason: str, now: datetime) -> QueueMessage:
        return await self._ask(DeadLetterRequest(queue_name, now, receipt, reason))

    async def dead_letters(self, queue_name: str, limit: int, now: datetime) -> DeadLetters:
        def letters(session: Session, row: QueueRow) -> DeadLetters:
            counts, dropped = queues.sums(session, queue_name)
            return DeadLetters(statements.dead(session, queue_name, limit), counts.dead, dropped)

        return await self._look(queue_name, now, letters)

    async def requeue(self, queue_name: str, wanted: Requeue, now: datetime) -> Sequence[QueueMessage]:
        return await self._ask(OtherRequest(queue_name, now, partial(OpenQueue.requeue, wanted=wanted, now=now), Lock.ALL))

    async def clear(self, queue_name: str, states: Collection[State], now: datetime) -> Counts:
        total, until, after = Counts(), None, ""
        while after is not None:
            portion = partial(OpenQueue.clear, states=states, until=until, after=after)
            cleared: Cleared = await self._ask(OtherRequest(queue_name, now, portion, Lock.ALL))
            total = Counts(*map(sum, zip(total, cleared.counts, strict=True)))
            until, after = cleared.until, cleared.after
        return total

    async def contents(self, queue_name: str, now: datetime) -> QueueContents:
        return await self._look(queue_name, now, lambda session, row: OpenQueue(session, row, self._kept).contents())

    async def restore(self, contents: Sequence[QueueContents], now: datetime) -> Restored:
        return await self._database.write(lambda session: restore_all(session, contents, self._kept, now), order=LockOrder.QUEUES)

    async def damaged(self, limit: int) -> Sequence[str]:
        return await self._database.read(lambda session: statements.damaged(session, limit))

    async def _take(self, request: TakeRequest) -> Taken:
        """Take messages. If the last try found none, only read first: a waiting consumer must not slow writers down."""
        if request.queue_name in self._idle and (nothing := await self._database.read(lambda session: _nothing(session, request))):
            return nothing
        taken: Taken = await self._ask(request, undo=_put_back)
        if taken.messages:
            self._idle.discard(request.queue_name)
        else:
            self._idle.add(request.queue_name)
        return taken

    async def _look(self, queue_name: str, now: datetime, work: Callable[[Session, QueueRow], T]) -> T:
        """Read a queue, after writing the changes due by time."""

        def look(session: Session) -> tuple[T] | None:
            row = _find(session, queue_name)
            return None if row.is_due(now) else (work(session, row),)

        seen = await self._database.read(look)
        if seen is None:
            await self._ask(OtherRequest(queue_name, now, _settled, Lock.DELETE))
            return await self._database.read(lambda session: work(session, _find(session, queue_name)))
        return seen[0]

    async def _ask(self, request: Request, undo: Callable[[Any, Any], Any] | None = None) -> Any:
        answer = await self._database.write_together(self._do, request, order=LockOrder.QUEUES, undo=undo)
        if isinstance(answer, (QueueError, DatabaseError)):
            raise answer
        return answer

    def _do(self, session: Session, requests: Sequence[Request]) -> list[Any]:
        return do_together(session, requests, self._kept)


def _settled(_: OpenQueue) -> None:
    """Do nothing: opening the queue has applied the changes due."""


def _put_back(request: TakeRequest, taken: Taken | QueueError) -> PutBackRequest | None:
    """Return the request that undoes a taking."""
    if isinstance(taken, Taken) and taken.messages:
        return PutBackRequest(request.queue_name, request.now, taken.messages, taken_out=request.lease is None)
    return None


def _nothing(session: Session, request: TakeRequest) -> Taken | None:
    """Answer a take by reading only: an empty `Taken` if no message is ready or due, None if there may be one and a write must follow."""
    row = _find(session, request.queue_name)
    if row.is_due(request.now) or statements.ready(session, request.queue_name, 1):
        return None
    return Taken([], row.next_change_at)


def _find(session: Session, queue_name: str) -> QueueRow:
    """Return a queue. Raises `QueueNotFound`."""
    if (row := queues.find(session, queue_name)) is None:
        raise QueueNotFound.among(queue_name, queues.names(session))
    return row
