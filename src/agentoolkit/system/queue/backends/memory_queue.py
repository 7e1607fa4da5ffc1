"""One queue in memory: every change finds its message by id or on top of a heap, so none looks at all of them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from itertools import count, islice

from agentoolkit.system.queue.backends.ranking import Ranking
from agentoolkit.system.queue.checks import check_current, check_dead, check_in_flight, check_room
from agentoolkit.system.queue.errors import MessageNotFound
from agentoolkit.system.queue.messages import (
    Counts,
    Message,
    Queue,
    Receipt,
    State,
    buried,
    changed,
    given_back,
    leased,
    next_change_at,
    revived,
)
from agentoolkit.system.queue.ports import Added, DeadLetters, Lease, Revival, Taken


class MemoryQueue:
    """A queue's messages. Call `settle` first; every other method supposes that time has done its part."""

    def __init__(self, queue: Queue, dead_letters: int, remembered_ids: int) -> None:
        self.queue = queue
        self._held: dict[str, Message] = {}
        self._dead: OrderedDict[str, Message] = OrderedDict()
        self._remembered: OrderedDict[str, datetime] = OrderedDict()
        self._ready: Ranking[tuple[int, datetime, int]] = Ranking()
        self._timers: Ranking[tuple[datetime, int]] = Ranking()
        self._numbers = dict.fromkeys(State, 0)
        self._arrivals = count(1)
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

    def add(self, message: Message, remember_until: datetime | None) -> Added:
        message_id = message.message_id
        if message_id in self._held or message_id in self._dead or self._remembers(message_id, message.enqueued_at):
            return Added(self._held.get(message_id) or self._dead.get(message_id), duplicate=True)
        check_room(self.queue, self.counts(), 1)
        message = message._replace(arrival=next(self._arrivals))
        self._keep(message)
        if remember_until is not None:
            self._remember(message_id, remember_until)
        return Added(message, duplicate=False)

    def take(self, lease: Lease, now: datetime) -> Taken:
        seconds = self.queue.settings.visibility_timeout if lease.seconds is None else lease.seconds
        until = now + timedelta(seconds=seconds)
        taken: list[Message] = []
        while len(taken) < lease.limit and (first := self._ready.first()):
            taken.append(leased(self._held[first[1]], lease.token, until))
            self._keep(taken[-1])
        return Taken(taken, self._next_change_at())

    def take_out(self, limit: int) -> Taken:
        taken: list[Message] = []
        while len(taken) < limit and (first := self._ready.first()):
            taken.append(self._held[first[1]])
            self._without(first[1])
        return Taken(taken, self._next_change_at())

    def peek(self, limit: int) -> list[Message]:
        return [self._held[message_id] for message_id in self._ready.smallest(limit)]

    def messages(self) -> list[Message]:
        return sorted([*self._held.values(), *self._dead.values()], key=lambda message: message.arrival)

    def message(self, message_id: str) -> Message:
        if found := self._held.get(message_id) or self._dead.get(message_id):
            return found
        raise MessageNotFound.in_queue(self.queue.queue_name, message_id)

    def remove(self, receipt: Receipt) -> Message:
        message = self.message(receipt.message_id)
        check_current(message, receipt)
        self._without(receipt.message_id)
        return message

    def give_back(self, receipt: Receipt, available_at: datetime, reason: str, now: datetime) -> Message:
        message = self.message(receipt.message_id)
        check_in_flight(message, receipt)
        return self._keep(given_back(message, available_at, reason, self.queue.settings.max_retries, now))

    def bury(self, receipt: Receipt, reason: str, now: datetime) -> Message:
        message = self.message(receipt.message_id)
        check_current(message, receipt)
        return message if message.state is State.DEAD else self._keep(buried(message, reason, now))

    def dead_letters(self, limit: int) -> DeadLetters:
        return DeadLetters(list(islice(self._dead.values(), limit)), len(self._dead), self._dropped)

    def revive(self, revival: Revival, now: datetime) -> Sequence[Message]:
        chosen = self._chosen(revival)
        check_room(self.queue, self.counts(), len(chosen))
        return [self._keep(revived(message, revival.body, now)) for message in chosen]

    def clear(self, states: Collection[State]) -> Counts:
        before = self.counts()
        for message in [*self._held.values(), *self._dead.values()]:
            if message.state in states:
                self._without(message.message_id)
        return Counts(*(had - has for had, has in zip(before, self.counts(), strict=True)))

    def _chosen(self, revival: Revival) -> list[Message]:
        if revival.message_id is None:
            return list(islice(self._dead.values(), revival.limit))
        message = self.message(revival.message_id)
        check_dead(message)
        return [message]

    def _keep(self, message: Message) -> Message:
        """Put a message where its state says, and nowhere else."""
        message_id = message.message_id
        self._without(message_id)
        if message.state is State.DEAD:
            self._dead[message_id] = message
            self._drop_oldest_dead()
            return message
        self._held[message_id] = message
        self._numbers[message.state] += 1
        if message.state is State.READY:
            self._ready.put(message_id, (message.priority, message.available_at, message.arrival))
        if (due := next_change_at(message)) is not None:
            self._timers.put(message_id, (due, message.arrival))
        return message

    def _without(self, message_id: str) -> Message | None:
        """Take a message out of wherever it is."""
        message = self._held.pop(message_id, None)
        if message is None:
            return self._dead.pop(message_id, None)
        self._numbers[message.state] -= 1
        self._ready.discard(message_id)
        self._timers.discard(message_id)
        return message

    def _drop_oldest_dead(self) -> None:
        if len(self._dead) > self._dead_limit:
            self._dead.popitem(last=False)
            self._dropped += 1

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
