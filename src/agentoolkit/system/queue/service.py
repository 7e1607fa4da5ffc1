"""The queue service, on top of the port. Operations and all other doors call it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

from pydantic import JsonValue

from agentoolkit.system.queue.enqueue import EnqueueRequest, encoded, new_message
from agentoolkit.system.queue.errors import QueueExists, QueueNotFound
from agentoolkit.system.queue.messages import DEDUP_WINDOW, MAX_MESSAGE_SIZE, Counts, Queue, QueueMessage, QueueSettings, Receipt, State
from agentoolkit.system.queue.ports import AddedMessage, Created, DeadLetters, Lease, QueueBackend, QueueStatus, Requeue, Taken
from agentoolkit.system.queue.waiters import Waiters, earliest
from agentoolkit.time_source import TimeSource

LIVE = frozenset(State) - {State.DEAD}
"""States that ``clear`` removes by default."""


@dataclass(frozen=True, slots=True)
class DequeueRequest:
    """Options of a ``dequeue``. Meanings and units: see `schemas.QueueInput`."""

    queue_name: str
    timeout: float = 0.0
    count: int = 1
    visibility_timeout: float | None = None
    auto_ack: bool = False


class QueueService:
    """All queues of one back end. Between calls it holds only the waiting consumers.

    Args:
        backend: Stores queues and messages.
        time: The time source.
        dedup_window: Seconds for which a message id given by a caller is remembered.
        largest_message: Characters of a payload as JSON.
    """

    def __init__(
        self, backend: QueueBackend, time: TimeSource, dedup_window: float = DEDUP_WINDOW, largest_message: int = MAX_MESSAGE_SIZE
    ) -> None:
        self.backend = backend
        self._time = time
        self._dedup_window = timedelta(seconds=dedup_window)
        self._largest_message = largest_message
        self._waiters = Waiters(time)
        self._open = False

    @property
    def is_open(self) -> bool:
        """True if it was used and not closed since."""
        return self._open

    async def close(self) -> None:
        """Close the back end, even while it is being opened. The next use opens it again."""
        self._open = False
        await self.backend.close()

    async def create(self, queue_name: str, settings: Mapping[str, Any]) -> Created:
        """Create a queue. Do nothing if it exists with the given settings.

        Raises:
            QueueExists: A queue of this name has other settings.
        """
        await self._ready()
        made = await self.backend.create(Queue(queue_name, QueueSettings(**settings), self._time.now()))
        for name, value in settings.items():
            if (has := getattr(made.queue.settings, name)) != value:
                raise QueueExists(
                    f"Queue {queue_name!r} exists with {name} {has!r}, not {value!r}.",
                    field=name,
                    value=value,
                    remedy="Leave it out to use the queue as it is, choose another name, or delete the queue first.",
                )
        return made

    async def delete(self, queue_name: str) -> Counts:
        """Delete a queue with everything in it, and wake its waiting consumers. Raises `QueueNotFound`."""
        await self._ready()
        counts = await self.backend.delete(queue_name, self._time.now())
        self._waiters.call_all(queue_name)
        return counts

    async def names(self) -> Sequence[str]:
        """Return the name of every queue, in order."""
        await self._ready()
        return await self.backend.names()

    async def queues(self, limit: int | None = None) -> Sequence[QueueStatus]:
        """Return the first queues by name, by default all."""
        await self._ready()
        return await self.backend.queues(self._time.now(), limit)

    async def status(self, queue_name: str) -> QueueStatus:
        """Return a queue, and the number of messages in each state. Raises `QueueNotFound`."""
        await self._ready()
        return await self.backend.status(queue_name, self._time.now())

    async def enqueue(self, request: EnqueueRequest) -> AddedMessage:
        """Add a message, and create a missing queue. A known message id adds nothing.

        Raises:
            InvalidInput: The payload is not JSON, or the times contradict each other.
            MessageTooLarge: The payload is too large.
            QueueFull: The queue is full.
        """
        await self._ready()
        now = self._time.now()
        message = new_message(request, now, self._largest_message)
        added = await self.backend.add(message, now + self._dedup_window if request.message_id else None)
        if not added.duplicate:
            self._announce(message)
        return added

    async def dequeue(self, taking: DequeueRequest) -> Sequence[QueueMessage]:
        """Take messages. With a timeout, wait for the first message, and for a queue that does not exist yet.

        Raises:
            QueueNotFound: The queue does not exist, or was deleted meanwhile.
        """
        await self._ready()
        if not taking.timeout:
            return (await self._take(taking)).messages
        try:
            exists, taken = True, await self._take(taking)
        except QueueNotFound:
            exists, taken = False, Taken([], None)
        if taken.messages:
            return taken.messages
        with self._waiters.waiter(taking.queue_name, taking.timeout) as waiter:
            while True:
                try:
                    exists, taken = True, await self._take(taking)
                except QueueNotFound:
                    if exists or waiter.over:
                        raise
                if taken.messages or waiter.over:
                    return taken.messages
                await waiter.wait(earliest(taken.next_change_at, self._time.now(), self.backend.looks_every))

    async def peek(self, queue_name: str, limit: int) -> Sequence[QueueMessage]:
        """Return the messages that would be taken next. Raises `QueueNotFound`."""
        await self._ready()
        return await self.backend.peek(queue_name, limit, self._time.now())

    async def message(self, queue_name: str, message_id: str) -> QueueMessage:
        """Return a message, dead or alive. Raises `QueueNotFound`, `MessageNotFound`."""
        await self._ready()
        return await self.backend.message(queue_name, message_id, self._time.now())

    async def ack(self, queue_name: str, receipt: Receipt) -> QueueMessage:
        """Remove a message for good. Raises `QueueNotFound`, `MessageNotFound`, `StaleReceipt`."""
        await self._ready()
        return await self.backend.remove(queue_name, receipt, self._time.now())

    async def nack(self, queue_name: str, receipt: Receipt, delay: float, reason: str) -> QueueMessage:
        """Return an unprocessed message to the queue, after a delay in seconds. Raises as `ack`."""
        await self._ready()
        now = self._time.now()
        message = await self.backend.nack(queue_name, receipt, now + timedelta(seconds=delay), reason, now)
        self._announce(message)
        return message

    async def dead_letter(self, queue_name: str, receipt: Receipt, reason: str) -> QueueMessage:
        """Move a message to the dead letters. Raises as `ack`."""
        await self._ready()
        return await self.backend.dead_letter(queue_name, receipt, reason, self._time.now())

    async def dead_letters(self, queue_name: str, limit: int) -> DeadLetters:
        """Return dead letters, first dead first. Raises `QueueNotFound`."""
        await self._ready()
        return await self.backend.dead_letters(queue_name, limit, self._time.now())

    async def requeue(
        self, queue_name: str, message_id: str | None, limit: int | None, message: JsonValue, fingerprint: str | None = None
    ) -> Sequence[QueueMessage]:
        """Make one dead letter, or the oldest ones, ready again. `message` replaces the payload unless it is None.

        Args:
            queue_name: The queue.
            message_id: The dead letter; None for all.
            limit: Largest number of dead letters.
            message: The new payload.
            fingerprint: Only dead letters whose reason has this fingerprint.

        Raises:
            QueueNotFound, MessageNotFound: The queue or the dead letter does not exist.
            MessageTooLarge: `message` is too large.
            QueueFull: They do not all fit; none was moved.
        """
        await self._ready()
        body = None if message is None else encoded(message, self._largest_message)
        wanted = Requeue(message_id, limit, body, fingerprint)
        requeued = await self.backend.requeue(queue_name, wanted, self._time.now())
        self._waiters.call(queue_name, len(requeued))
        return requeued

    async def clear(self, queue_name: str, states: Collection[State] = LIVE) -> Counts:
        """Remove all messages in these states. Raises `QueueNotFound`."""
        await self._ready()
        return await self.backend.clear(queue_name, states, self._time.now())

    async def _take(self, taking: DequeueRequest) -> Taken:
        now = self._time.now()
        if taking.auto_ack:
            return await self.backend.take_out(taking.queue_name, taking.count, now)
        lease = Lease(uuid4().hex, taking.count, taking.visibility_timeout)
        taken = await self.backend.take(taking.queue_name, lease, now)
        if taken.messages and (until := taken.messages[0].leased_until):
            self._waiters.expect(taking.queue_name, until)
        return taken

    def _announce(self, message: QueueMessage) -> None:
        if message.state is State.READY:
            self._waiters.call(message.queue_name)
        elif message.state is State.DELAYED:
            self._waiters.expect(message.queue_name, message.available_at)

    async def _ready(self) -> None:
        if not self._open:
            await self.backend.open()
            self._open = True
