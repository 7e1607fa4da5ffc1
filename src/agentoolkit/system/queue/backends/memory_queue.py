"""One queue in memory: messages in dictionaries, and in heaps by order and by time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from itertools import islice

from agentoolkit.heap import LazyHeap
from agentoolkit.system.queue.checks import check_current, check_dead, check_in_flight, check_room
from agentoolkit.system.queue.decisions import changed, dead_lettered, leased, nacked, next_change_at, renumbered, requeued
from agentoolkit.system.queue.errors import MessageNotFound
from agentoolkit.system.queue.messages import Counts, Queue, QueueMessage, Receipt, State
from agentoolkit.system.queue.ports import AddedMessage, DeadLetters, Lease, QueueContents, Requeue, Taken


class MemoryQueue:
    """One queue. Every change finds its message by id or at the top of a heap, and never scans all messages.

    Call `settle` first: every other method assumes that the changes due by time are done.
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
        """Apply all changes due by now: delayed messages become ready, leases and messages expire."""
        while (first := self._timers.first()) and first[0][0] <= now:
            (due, _), message_id = first
            self._keep(changed(self._held[message_id], due, self.queue.settings.max_retries))

    def counts(self) -> Counts:
        numbers = self._numbers
        return Counts(numbers[State.READY], numbers[State.DELAYED], numbers[State.IN_FLIGHT], len(self._dead))

    def add(self, message: QueueMessage, remember_until: datetime | None) -> AddedMessage:
        message_id = message.message_id
        if message_id in self._held or message_id in self._dead or self._remembers(message_id, message.enqueued_at):
            return AddedMessage(self._held.get(message_id) or self._dead.get(message_id), duplicate=True)
        check_room(self.queue, self.counts(), 1)
        self._arrivals += 1
        message = message._replace(arrival=self._arrivals)
        self._keep(message)
        if remember_until is not None:
            self._remember(message_id, remember_until)
        return AddedMessage(message, duplicate=False)

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
            return wanted.among(self._dead.values())
        message = self.message(wanted.message_id)
        check_dead(message)
        return [message]

    def _keep(self, message: QueueMessage) -> QueueMessage:
        """Put a message into the collections of its state only."""
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
        """Remove a message from all collections."""
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
