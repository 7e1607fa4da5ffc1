"""The back end on a Redis server, shared by several processes."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from threading import Lock
from typing import Any, TypeVar

from redis import WatchError

from agentoolkit.redis_server import RedisServer
from agentoolkit.system.queue.backends.redis.keys import NAMES, keys_of, message_of
from agentoolkit.system.queue.backends.redis.turns import Turn
from agentoolkit.system.queue.backends.redis.watched_queue import PORTION, Given, Kept, WatchedQueue
from agentoolkit.system.queue.errors import QueueError, QueueNotFound
from agentoolkit.system.queue.messages import (
    DEAD_LETTERS,
    REMEMBERED_IDS,
    Counts,
    Queue,
    QueueMessage,
    QueueSettings,
    Receipt,
    State,
)
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

TRIES = 200
"""Tries of a change, if other processes change the queue meanwhile or have their turn."""
_PAUSE = 0.005
_TURN_PAUSE = 0.05
"""Seconds between two looks whether another's turn has ended. All tries together last longer than a turn."""


class OthersTurn(Exception):
    """Another change has its turn at one of the queues."""


class RedisQueueBackend:
    """Queues on a `RedisServer`, which its creator closes.

    A change watches the queue, reads what it needs, decides with the same functions as every back end,
    and writes everything or nothing. If another process was quicker, it starts again, and soon takes a turn.

    Args:
        server: The Redis server.
        dead_letters: Dead letters kept per queue.
        remembered_ids: Message ids remembered per queue.
    """

    survives_restart: bool = True
    looks_every: float | None = 0.5

    def __init__(self, server: RedisServer, dead_letters: int = DEAD_LETTERS, remembered_ids: int = REMEMBERED_IDS) -> None:
        self._server = server
        self._kept = Kept(dead_letters, remembered_ids)
        self._lock = Lock()
        self._undoing: set[asyncio.Task[None]] = set()

    async def open(self) -> None: ...

    async def close(self) -> None:
        if self._undoing:
            await asyncio.wait(self._undoing)

    async def create(self, queue: Queue) -> Created:
        return await self._ask(queue.queue_name, None, lambda opened: Created(opened.queue, not opened.exists), queue)

    async def delete(self, queue_name: str, now: datetime) -> Counts:
        cleared = Counts()
        if sum((await self.status(queue_name, now)).counts) > PORTION:
            cleared = await self.clear(queue_name, set(State), now)
        return _sum(cleared, await self._ask(queue_name, now, WatchedQueue.delete))

    async def names(self) -> Sequence[str]:
        return sorted(await self._server.run(lambda client: client.smembers(NAMES)))

    async def queues(self, now: datetime, limit: int | None = None) -> Sequence[QueueStatus]:
        found: list[QueueStatus] = []
        for queue_name in (await self.names())[:limit]:
            with suppress(QueueNotFound):  # deleted since its name was read
                found.append(await self.status(queue_name, now))
        return found

    async def status(self, queue_name: str, now: datetime) -> QueueStatus:
        return await self._ask(queue_name, now, lambda queue: QueueStatus(queue.queue, queue.counts()))

    async def add(self, message: QueueMessage, remember_until: datetime | None) -> AddedMessage:
        made = Queue(message.queue_name, QueueSettings(), message.enqueued_at)
        return await self._ask(message.queue_name, message.enqueued_at, lambda queue: queue.add(message, remember_until), made)

    async def take(self, queue_name: str, lease: Lease, now: datetime) -> Taken:
        return await self._take(queue_name, now, lambda queue: queue.take(lease, now))

    async def take_out(self, queue_name: str, limit: int, now: datetime) -> Taken:
        return await self._take(queue_name, now, lambda queue: queue.take_out(limit))

    async def peek(self, queue_name: str, limit: int, now: datetime) -> Sequence[QueueMessage]:
        return await self._ask(queue_name, now, lambda queue: queue.peek(limit))

    async def messages(self, queue_name: str, now: datetime) -> Sequence[QueueMessage]:
        return await self._ask(queue_name, now, WatchedQueue.messages)

    async def contents(self, queue_name: str, now: datetime) -> QueueContents:
        return await self._ask(queue_name, now, WatchedQueue.contents)

    async def restore(self, contents: Sequence[QueueContents], now: datetime) -> Restored:
        def restored(queues: Sequence[WatchedQueue]) -> Restored:
            made = sorted(queue.queue.queue_name for queue in queues if not queue.exists)
            return Restored(made, sum(queue.restore(each, now) for queue, each in zip(queues, contents, strict=True)))

        made = {each.queue.queue_name: each.queue for each in contents}
        return await self._server.run(lambda client: self._transact(client, made, now, restored))

    async def message(self, queue_name: str, message_id: str, now: datetime) -> QueueMessage:
        return await self._ask(queue_name, now, lambda queue: queue.message(message_id))

    async def remove(self, queue_name: str, receipt: Receipt, now: datetime) -> QueueMessage:
        return await self._ask(queue_name, now, lambda queue: queue.remove(receipt))

    async def nack(self, queue_name: str, receipt: Receipt, available_at: datetime, reason: str, now: datetime) -> QueueMessage:
        return await self._ask(queue_name, now, lambda queue: queue.nack(receipt, available_at, reason, now))

    async def dead_letter(self, queue_name: str, receipt: Receipt, reason: str, now: datetime) -> QueueMessage:
        return await self._ask(queue_name, now, lambda queue: queue.dead_letter(receipt, reason, now))

    async def dead_letters(self, queue_name: str, limit: int, now: datetime) -> DeadLetters:
        return await self._ask(queue_name, now, lambda queue: queue.dead_letters(limit))

    async def requeue(self, queue_name: str, wanted: Requeue, now: datetime) -> Sequence[QueueMessage]:
        return await self._ask(queue_name, now, lambda queue: queue.requeue(wanted, now))

    async def clear(self, queue_name: str, states: Collection[State], now: datetime) -> Counts:
        total, until, after = Counts(), None, 0
        while after is not None:
            place = (until, after)
            cleared, until, after = await self._ask(queue_name, now, lambda queue, place=place: queue.clear(states, *place))
            total = _sum(total, cleared)
        return total

    async def damaged(self, limit: int) -> Sequence[str]:
        return await self._server.run(lambda client: _damaged(client)[:limit])

    async def _take(self, queue_name: str, now: datetime, take: Callable[[WatchedQueue], Given]) -> Taken:
        """Take messages; a cancelled taker returns them."""
        taking = asyncio.ensure_future(self._ask(queue_name, now, take))
        try:
            return (await asyncio.shield(taking)).taken
        except asyncio.CancelledError:
            undoing = asyncio.create_task(self._put_back(queue_name, taking))
            self._undoing.add(undoing)
            undoing.add_done_callback(self._undoing.discard)
            await asyncio.shield(undoing)
            raise

    async def _put_back(self, queue_name: str, taking: asyncio.Future[Given]) -> None:
        with suppress(QueueError):  # nothing was taken, or the queue is gone
            given = await taking
            if given.before:
                await self._ask(queue_name, None, lambda queue: queue.put_back(given))

    async def _ask(self, queue_name: str, now: datetime | None, work: Callable[[WatchedQueue], T], made: Queue | None = None) -> T:
        return await self._server.run(lambda client: self._transact(client, {queue_name: made}, now, lambda queues: work(queues[0])))

    def _transact(
        self, client: Any, wanted: Mapping[str, Queue | None], now: datetime | None, work: Callable[[Sequence[WatchedQueue]], T]
    ) -> T:
        """Run work on queues in one transaction. Changes due by time are written before, in transactions of their own."""
        failed = 0
        with Turn(client, wanted) as turn:
            while failed < TRIES:
                try:
                    answer = self._try(client, wanted, now, work, turn)
                except OthersTurn:
                    failed += 1
                    time.sleep(_TURN_PAUSE)
                except WatchError:
                    failed += 1
                    turn.ask()
                    time.sleep(random.uniform(0, _PAUSE))  # noqa: S311  no secret; in a thread
                else:
                    if answer is not None:
                        return answer[0]
        raise QueueError(f"Others change the queues {sorted(wanted)} all the time.", remedy="Ask again.")

    def _try(
        self,
        client: Any,
        wanted: Mapping[str, Queue | None],
        now: datetime | None,
        work: Callable[[Sequence[WatchedQueue]], T],
        turn: Turn,
    ) -> tuple[T] | None:
        """Return the answer; None if a page of changes due by time was written instead. Raises `WatchError`, `OthersTurn`."""
        with self._lock, client.pipeline() as pipe:  # threads of one process would only invalidate each other's reads
            pipe.watch(*(keys_of(queue_name).meta for queue_name in wanted))
            queues = [_opened(pipe, queue_name, self._kept, made) for queue_name, made in wanted.items()]
            if any(turn.is_anothers(name, queue.turn) for name, queue in zip(wanted, queues, strict=True)):
                raise OthersTurn
            settled = now is None or not [queue for queue in queues if queue.exists and queue.settle(now)]
            answer = (work(queues),) if settled else None
            _write(pipe, queues)
            return answer


def _opened(pipe: Any, queue_name: str, kept: Kept, made: Queue | None) -> WatchedQueue:
    """Return a queue. Raises `QueueNotFound` if it does not exist and is not to be created."""
    queue = WatchedQueue(pipe, queue_name, kept, made)
    if not queue.exists and made is None:
        raise QueueNotFound.among(queue_name, sorted(pipe.smembers(NAMES)))
    return queue


def _write(pipe: Any, queues: Sequence[WatchedQueue]) -> None:
    """Send all changes in one transaction. It fails if a queue changed since it was read, even if this one only reads."""
    writes = [write for queue in queues for write in queue.finish()]
    pipe.multi()
    for write in writes or [("EXISTS", queues[0].keys.meta)]:
        pipe.execute_command(*write)
    pipe.execute()


def _damaged(client: Any) -> list[str]:
    """Describe unreadable messages among the first thousand."""
    found: list[str] = []
    texts = ((name, *entry) for name in sorted(client.smembers(NAMES)) for entry in client.hscan_iter(keys_of(name).messages))
    for (queue_name, message_id, text), _ in zip(texts, range(1_000), strict=False):
        try:
            message_of(text)
        except (ValueError, TypeError, OverflowError) as error:
            found.append(f"message {message_id!r} of queue {queue_name!r}: {error}")
    return found


def _sum(one: Counts, other: Counts) -> Counts:
    return Counts(*map(sum, zip(one, other, strict=True)))
