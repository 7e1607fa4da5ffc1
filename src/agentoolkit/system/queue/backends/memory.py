"""The back end that lives as long as its process."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from itertools import islice
from threading import Lock

from agentoolkit.heap import LazyHeap
from agentoolkit.system.queue.checks import check_current, check_dead, check_in_flight, check_room
from agentoolkit.system.queue.errors import MessageNotFound, QueueNotFound
from agentoolkit.system.queue.messages import (
    DEAD_LETTERS,
    REMEMBERED_IDS,
    Counts,
    Queue,
    QueueMessage,
    QueueSettings,
    Receipt,
    State,
    changed,
    dead_lettered,
    leased,
    nacked,
    next_change_at,
    renumbered,
    requeued,
)
from agentoolkit.system.queue.ports import Added, Created, DeadLetters, Lease, QueueContents, QueueStatus, Requeue, Restored, Taken


class MemoryQueueBackend:
    """Queues in dictionaries and heaps. No method suspends, and a lock keeps threads apart, so each is one transaction.

    Args:
        dead_letters: Kept per queue.
        remembered_ids: Kept per queue.
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

    async def queues(self, now: datetime) -> Sequence[QueueStatus]:
        with self._lock:
            return [self._status(queue_name, now) for queue_name in sorted(self._queues)]

    async def status(self, queue_name: str, now: datetime) -> QueueStatus:
        with self._lock:
            return self._status(queue_name, now)

    async def add(self, message: QueueMessage, remember_until: datetime | None) -> Added:
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


class MemoryQueue:
    """One queue: every change finds its message by id or on top of a heap, so none looks at all of them.

    Call `settle` first; every other method supposes that time has done its part.
    """

    def __init__(self, queue: Queue, dead_letters: int, remembered_ids: int) -> None:
        self.queue = queue
        self._held: dict[str, QueueMessage] = {}
        self._dead: OrderedDict[str, QueueMessage] = OrderedDict()
        self._remembered: OrderedDict[str, datetime] = OrderedDict()
        self._ready: LazyHeap[str, tuple[int, datetime, int]] = LazyHeap()
        self._timers: LazyHeap[str, tuple[datetime, int]] = LazyHeap()
        self._numbers = dict.fromkeys(State, 0)
        self._arrivals = 0
        self._dead_limit = dead_letters
        self._remembered_limit = remembered_ids
        self._dropped = 0

    def settle(self, now: datetime) -> None:
        """Let everything happen that time alone does until now."""
        while (first := self._timers.first()) and first[0][0] <= now:
            (due, _), message_id = first
            self._keep(changed(self._held[message_id], due, self.queue.settings.max_retries))

    def counts(self) -> Counts:
        numbers = self._numbers
        return Counts(numbers[State.READY], numbers[State.DELAYED], numbers[State.IN_FLIGHT], len(self._dead))

    def add(self, message: QueueMessage, remember_until: datetime | None) -> Added:
        message_id = message.message_id
        if message_id in self._held or message_id in self._dead or self._remembers(message_id, message.enqueued_at):
            return Added(self._held.get(message_id) or self._dead.get(message_id), duplicate=True)
        check_room(self.queue, self.counts(), 1)
        self._arrivals += 1
        message = message._replace(arrival=self._arrivals)
        self._keep(message)
        if remember_until is not None:
            self._remember(message_id, remember_until)
        return Added(message, duplicate=False)

    def take(self, lease: Lease, now: datetime) -> Taken:
        seconds = self.queue.settings.visibility_timeout if lease.seconds is None else lease.seconds
        until = now + timedelta(seconds=seconds)
        taken: list[QueueMessage] = []
        while len(taken) < lease.limit and (first := self._ready.first()):
            taken.append(leased(self._held[first[1]], lease.token, until))
            self._keep(taken[-1])
        return Taken(taken, self._next_change_at())

    def take_out(self, limit: int) -> Taken:
        taken: list[QueueMessage] = []
        while len(taken) < limit and (first := self._ready.first()):
            taken.append(self._held[first[1]])
            self._without(first[1])
        return Taken(taken, self._next_change_at())

    def peek(self, limit: int) -> list[QueueMessage]:
        return [self._held[message_id] for message_id in self._ready.smallest(limit)]

    def messages(self) -> list[QueueMessage]:
        return sorted([*self._held.values(), *self._dead.values()], key=lambda message: message.arrival)

    def message(self, message_id: str) -> QueueMessage:
        if found := self._held.get(message_id) or self._dead.get(message_id):
            return found
        raise MessageNotFound.in_queue(self.queue.queue_name, message_id)

    def remove(self, receipt: Receipt) -> QueueMessage:
        message = self.message(receipt.message_id)
        check_current(message, receipt)
        self._without(receipt.message_id)
        return message

    def nack(self, receipt: Receipt, available_at: datetime, reason: str, now: datetime) -> QueueMessage:
        message = self.message(receipt.message_id)
        check_in_flight(message, receipt)
        return self._keep(nacked(message, available_at, reason, self.queue.settings.max_retries, now))

    def dead_letter(self, receipt: Receipt, reason: str, now: datetime) -> QueueMessage:
        message = self.message(receipt.message_id)
        check_current(message, receipt)
        return message if message.state is State.DEAD else self._keep(dead_lettered(message, reason, now))

    def dead_letters(self, limit: int) -> DeadLetters:
        return DeadLetters(list(islice(self._dead.values(), limit)), len(self._dead), self._dropped)

    def requeue(self, wanted: Requeue, now: datetime) -> Sequence[QueueMessage]:
        chosen = self._chosen(wanted)
        check_room(self.queue, self.counts(), len(chosen))
        return [self._keep(requeued(message, wanted.body, now)) for message in chosen]

    def clear(self, states: Collection[State]) -> Counts:
        before = self.counts()
        if set(states) >= set(State) - {State.DEAD}:  # one by one, that many would stop everything else
            self._held, self._ready, self._timers = {}, LazyHeap(), LazyHeap()
            self._numbers = dict.fromkeys(State, 0)
        for message in [*self._held.values(), *self._dead.values()]:
            if message.state in states:
                self._without(message.message_id)
        return Counts(*(had - has for had, has in zip(before, self.counts(), strict=True)))

    def contents(self) -> QueueContents:
        alive = sorted(self._held.values(), key=lambda message: message.arrival)
        return QueueContents(self.queue, (*alive, *self._dead.values()), [*self._remembered.items()], self._arrivals, self._dropped)

    def restore(self, contents: QueueContents, new: bool, now: datetime) -> int:
        held = self._held.keys() | self._dead.keys()
        fresh = [each for each in contents.messages if each.message_id not in held and not self._remembers(each.message_id, now)]
        for message in (numbered := renumbered(fresh, None if new else self._arrivals)):
            self._keep(message)
        arrived = contents.arrivals if new else self._arrivals
        self._arrivals = max(arrived, *(message.arrival for message in numbered), 0)
        self._dropped += contents.dropped if new else 0
        for message_id, until in contents.remembered:
            if message_id not in self._remembered:
                self._remember(message_id, until)
        return len(fresh)

    def _chosen(self, wanted: Requeue) -> list[QueueMessage]:
        if wanted.message_id is None:
            return list(islice(self._dead.values(), wanted.limit))
        message = self.message(wanted.message_id)
        check_dead(message)
        return [message]

    def _keep(self, message: QueueMessage) -> QueueMessage:
        """Put a message where its state says, and nowhere else."""
        message_id = message.message_id
        self._without(message_id)
        if message.state is State.DEAD:
            self._dead[message_id] = message
            if len(self._dead) > self._dead_limit:
                self._dead.popitem(last=False)
                self._dropped += 1
            return message
        self._held[message_id] = message
        self._numbers[message.state] += 1
        if message.state is State.READY:
            self._ready.put(message_id, (message.priority, message.available_at, message.arrival))
        if (due := next_change_at(message)) is not None:
            self._timers.put(message_id, (due, message.arrival))
        return message

    def _without(self, message_id: str) -> QueueMessage | None:
        """Take a message out of wherever it is."""
        message = self._held.pop(message_id, None)
        if message is None:
            return self._dead.pop(message_id, None)
        self._numbers[message.state] -= 1
        self._ready.discard(message_id)
        self._timers.discard(message_id)
        return message

    def _next_change_at(self) -> datetime | None:
        first = self._timers.first()
        return first[0][0] if first else None

    def _remembers(self, message_id: str, now: datetime) -> bool:
        until = self._remembered.get(message_id)
        return until is not None and until > now

    def _remember(self, message_id: str, until: datetime) -> None:
        self._remembered.pop(message_id, None)
        self._remembered[message_id] = until
        if len(self._remembered) > self._remembered_limit:
            self._remembered.popitem(last=False)
