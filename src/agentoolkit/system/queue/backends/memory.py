"""The back end in memory, which lasts as long as the process."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from threading import Lock

from agentoolkit.system.queue.backends.memory_queue import MemoryQueue
from agentoolkit.system.queue.errors import QueueNotFound
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
from agentoolkit.system.queue.ports import AddedMessage, Created, DeadLetters, Lease, QueueContents, QueueStatus, Requeue, Restored, Taken


class MemoryQueueBackend:
    """Queues in dictionaries and heaps. No method suspends, and a lock keeps threads apart, so each is one transaction.

    Args:
        dead_letters: Dead letters kept per queue.
        remembered_ids: Message ids remembered per queue.
    """

    survives_restart: bool = False
    looks_every: float | None = None

    def __init__(self, dead_letters: int = DEAD_LETTERS, remembered_ids: int = REMEMBERED_IDS) -> None:
        self._queues: dict[str, MemoryQueue] = {}
        self._lock = Lock()
        self._dead_letters = dead_letters
        self._remembered_ids = remembered_ids

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def create(self, queue: Queue) -> Created:
        with self._lock:
            created = queue.queue_name not in self._queues
            return Created(self._made(queue).queue, created)

    async def delete(self, queue_name: str, now: datetime) -> Counts:
        with self._lock:
            counts = self._at(queue_name, now).counts()
            del self._queues[queue_name]
            return counts

    async def names(self) -> Sequence[str]:
        with self._lock:
            return sorted(self._queues)

    async def queues(self, now: datetime, limit: int | None = None) -> Sequence[QueueStatus]:
        with self._lock:
            return [self._status(queue_name, now) for queue_name in sorted(self._queues)[:limit]]

    async def status(self, queue_name: str, now: datetime) -> QueueStatus:
        with self._lock:
            return self._status(queue_name, now)

    async def add(self, message: QueueMessage, remember_until: datetime | None) -> AddedMessage:
        with self._lock:
            queue = self._queues.get(message.queue_name)
            if queue is None:
                queue = self._made(Queue(message.queue_name, QueueSettings(), message.enqueued_at))
            queue.settle(message.enqueued_at)
            return queue.add(message, remember_until)

    async def take(self, queue_name: str, lease: Lease, now: datetime) -> Taken:
        with self._lock:
            return self._at(queue_name, now).take(lease, now)

    async def take_out(self, queue_name: str, limit: int, now: datetime) -> Taken:
        with self._lock:
            return self._at(queue_name, now).take_out(limit)

    async def peek(self, queue_name: str, limit: int, now: datetime) -> Sequence[QueueMessage]:
        with self._lock:
            return self._at(queue_name, now).peek(limit)

    async def messages(self, queue_name: str, now: datetime) -> Sequence[QueueMessage]:
        with self._lock:
            return self._at(queue_name, now).messages()

    async def damaged(self, limit: int) -> Sequence[str]:
        return ()

    async def contents(self, queue_name: str, now: datetime) -> QueueContents:
        with self._lock:
            return self._at(queue_name, now).contents()

    async def restore(self, contents: Sequence[QueueContents], now: datetime) -> Restored:
        with self._lock:
            made = [each.queue.queue_name not in self._queues for each in contents]
            messages = 0
            for each, new in zip(contents, made, strict=True):
                queue = self._made(each.queue)
                queue.settle(now)
                messages += queue.restore(each, new, now)
            return Restored(sorted(each.queue.queue_name for each, new in zip(contents, made, strict=True) if new), messages)

    async def message(self, queue_name: str, message_id: str, now: datetime) -> QueueMessage:
        with self._lock:
            return self._at(queue_name, now).message(message_id)

    async def remove(self, queue_name: str, receipt: Receipt, now: datetime) -> QueueMessage:
        with self._lock:
            return self._at(queue_name, now).remove(receipt)

    async def nack(self, queue_name: str, receipt: Receipt, available_at: datetime, reason: str, now: datetime) -> QueueMessage:
        with self._lock:
            return self._at(queue_name, now).nack(receipt, available_at, reason, now)

    async def dead_letter(self, queue_name: str, receipt: Receipt, reason: str, now: datetime) -> QueueMessage:
        with self._lock:
            return self._at(queue_name, now).dead_letter(receipt, reason, now)

    async def dead_letters(self, queue_name: str, limit: int, now: datetime) -> DeadLetters:
        with self._lock:
            return self._at(queue_name, now).dead_letters(limit)

    async def requeue(self, queue_name: str, wanted: Requeue, now: datetime) -> Sequence[QueueMessage]:
        with self._lock:
            return self._at(queue_name, now).requeue(wanted, now)

    async def clear(self, queue_name: str, states: Collection[State], now: datetime) -> Counts:
        with self._lock:
            return self._at(queue_name, now).clear(states)

    def _made(self, queue: Queue) -> MemoryQueue:
        return self._queues.setdefault(queue.queue_name, MemoryQueue(queue, self._dead_letters, self._remembered_ids))

    def _at(self, queue_name: str, now: datetime) -> MemoryQueue:
        queue = self._queues.get(queue_name)
        if queue is None:
            raise QueueNotFound.among(queue_name, self._queues)
        queue.settle(now)
        return queue

    def _status(self, queue_name: str, now: datetime) -> QueueStatus:
        queue = self._at(queue_name, now)
        return QueueStatus(queue.queue, queue.counts())
