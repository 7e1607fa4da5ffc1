"""One queue inside one transaction: reads run at once, and all writes are sent together at the end."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from agentoolkit.database.times import micros
from agentoolkit.system.queue import decisions
from agentoolkit.system.queue.backends.redis.keys import (
    NAMES,
    keys_of,
    message_of,
    message_text,
    place_of,
    placed_id,
    queue_of,
    queue_text,
    set_of,
    timed_id,
    timer_of,
    timers_until,
)
from agentoolkit.system.queue.backends.redis.remembered import RememberedIds
from agentoolkit.system.queue.backends.rows import damaged_message
from agentoolkit.system.queue.checks import check_current, check_dead, check_in_flight, check_room
from agentoolkit.system.queue.errors import MessageNotFound
from agentoolkit.system.queue.messages import PAGE, Counts, Queue, QueueMessage, Receipt, State
from agentoolkit.system.queue.ports import AddedMessage, DeadLetters, Lease, QueueContents, Requeue, Taken

PORTION = 1_000
"""Messages removed in one transaction."""


class Kept(NamedTuple):
    """The limits of each queue."""

    dead_letters: int
    remembered_ids: int


class Given(NamedTuple):
    """A taken message, and its state before."""

    taken: Taken
    before: Sequence[QueueMessage]


class WatchedQueue:
    """A watched queue. Call `settle` first: the other methods assume that no change by time is due.

    Args:
        pipe: A pipeline that watches the queue's `meta`.
        queue_name: The queue's name.
        kept: The limits.
        made: The queue to create if it does not exist.
    """

    def __init__(self, pipe: Any, queue_name: str, kept: Kept, made: Queue | None = None) -> None:
        self.keys = keys_of(queue_name)
        self.writes: list[tuple[Any, ...]] = []
        self._pipe = pipe
        self._kept = kept
        meta = pipe.hgetall(self.keys.meta)
        self.exists = bool(meta)
        self.turn: str | None = meta.get("turn")
        """The change that has, or had, a turn at this queue."""
        if meta:
            self.queue = queue_of(queue_name, meta["queue"])
        elif made is not None:
            self.queue = made
            self.writes += [("SADD", NAMES, queue_name), ("HSET", self.keys.meta, "queue", queue_text(made))]
        self._numbers = {name: int(meta.get(name, 0)) for name in ("arrivals", "dropped", "deaths")}
        self._remembered = RememberedIds(pipe, self.keys, kept.remembered_ids, int(meta.get("memories", 0)), self.writes)
        self._is_deleted = False
        self._died: list[str] = []
        self._more_dead = 0

    def settle(self, now: datetime) -> bool:
        """Apply one page of the changes due by now, and tell whether there were any."""
        until = timers_until(micros(now) or 0)
        due = self._load(timed_id(timer) for timer in self._pipe.zrangebylex(self.keys.timers, "-", until, 0, PAGE))
        for change in decisions.after_time(due, now, self.queue.settings.max_retries):
            self._put(change.before, change.after)
        return bool(due)

    def finish(self) -> list[tuple[Any, ...]]:
        """Drop messages beyond the limits, and return all writes."""
        if self._died:
            excess = self._pipe.zcard(self.keys.dead) + self._more_dead - self._kept.dead_letters
            if excess > 0:
                gone = [*self._pipe.zrange(self.keys.dead, 0, excess - 1), *self._died][:excess]
                self.writes += [("ZREM", key, *gone) for key in (self.keys.dead, self.keys.arrivals)]
                self.writes.append(("HDEL", self.keys.messages, *gone))
                self._numbers["dropped"] += excess
        self._remembered.forget_oldest()
        if self.writes and not self._is_deleted:
            counters = [part for pair in {**self._numbers, "memories": self._remembered.number}.items() for part in pair]
            self.writes += [("HSET", self.keys.meta, *counters), ("HINCRBY", self.keys.meta, "version", 1)]
        return self.writes

    def counts(self) -> Counts:
        """Return the number of messages in each state."""
        pipe, keys = self._pipe, self.keys
        return Counts(pipe.zcard(keys.ready), pipe.scard(keys.delayed), pipe.scard(keys.in_flight), pipe.zcard(keys.dead))

    def add(self, message: QueueMessage, remember_until: datetime | None) -> AddedMessage:
        """See `QueueBackend.add`."""
        if held := self._load([message.message_id]):
            return AddedMessage(held[0], duplicate=True)
        if self._remembered.knows(message.message_id, message.enqueued_at):
            return AddedMessage(None, duplicate=True)
        check_room(self.queue, self.counts(), 1)
        message = message._replace(arrival=self._next("arrivals"))
        self._put(None, message)
        if remember_until is not None:
            self._remembered.add(message.message_id, remember_until)
        return AddedMessage(message, duplicate=False)

    def take(self, lease: Lease, now: datetime) -> Given:
        """See `QueueBackend.take`."""
        seconds = self.queue.settings.visibility_timeout if lease.seconds is None else lease.seconds
        until = now + timedelta(seconds=seconds)
        ready = self.peek(lease.limit)
        taken = [self._put(message, decisions.leased(message, lease.token, until)) for message in ready]
        return Given(Taken(taken, self._next_change_at([until] * bool(taken), ready)), ready)

    def take_out(self, limit: int) -> Given:
        """See `QueueBackend.take_out`."""
        ready = self.peek(limit)
        for message in ready:
            self._drop(message)
        return Given(Taken(ready, self._next_change_at([], ready)), ready)

    def put_back(self, given: Given) -> None:
        """Restore taken messages to their earlier state, except those that changed since."""
        held = {message.message_id: message for message in self._load(message.message_id for message in given.before)}
        for before, taken in zip(given.before, given.taken.messages, strict=True):
            found = held.get(before.message_id)
            if found == taken or (found is None and taken is before):
                self._put(found, before)

    def peek(self, limit: int) -> list[QueueMessage]:
        """See `QueueBackend.peek`."""
        found: list[QueueMessage] = []
        place = 0
        while len(found) < limit and (members := self._pipe.zrange(self.keys.ready, place, place + limit - len(found) - 1)):
            place += len(members)
            found += [message for message in self._load(map(placed_id, members)) if message.state is State.READY]
        return found

    def messages(self) -> list[QueueMessage]:
        """See `QueueBackend.messages`."""
        return self._load(self._pipe.zrange(self.keys.arrivals, 0, -1))

    def message(self, message_id: str) -> QueueMessage:
        """See `QueueBackend.message`."""
        if not (found := self._load([message_id])):
            raise MessageNotFound.in_queue(self.queue.queue_name, message_id)
        return found[0]

    def remove(self, receipt: Receipt) -> QueueMessage:
        """See `QueueBackend.remove`."""
        message = self.message(receipt.message_id)
        check_current(message, receipt)
        self._drop(message)
        return message

    def nack(self, receipt: Receipt, available_at: datetime, reason: str, now: datetime) -> QueueMessage:
        """See `QueueBackend.nack`."""
        message = self.message(receipt.message_id)
        check_in_flight(message, receipt)
        return self._put(message, decisions.nacked(message, available_at, reason, self.queue.settings.max_retries, now))

    def dead_letter(self, receipt: Receipt, reason: str, now: datetime) -> QueueMessage:
        """See `QueueBackend.dead_letter`."""
        message = self.message(receipt.message_id)
        check_current(message, receipt)
        return message if message.state is State.DEAD else self._put(message, decisions.dead_lettered(message, reason, now))

    def dead_letters(self, limit: int) -> DeadLetters:
        """See `QueueBackend.dead_letters`."""
        found = self._load(self._pipe.zrange(self.keys.dead, 0, limit - 1)) if limit > 0 else []
        return DeadLetters(found, self._pipe.zcard(self.keys.dead), self._numbers["dropped"])

    def requeue(self, wanted: Requeue, now: datetime) -> list[QueueMessage]:
        """See `QueueBackend.requeue`."""
        if wanted.message_id is None:
            chosen = wanted.among(self.dead_letters(wanted.most_read(self.counts().dead)).messages)
        else:
            chosen = [self.message(wanted.message_id)]
            check_dead(chosen[0])
        check_room(self.queue, self.counts(), len(chosen))
        return [self._put(message, decisions.requeued(message, wanted.body, now)) for message in chosen]

    def clear(self, states: Collection[State], until: int | None, after: int) -> tuple[Counts, int, int | None]:
        """Remove the next page of messages in these states, by arrival. Return their numbers, and the range of the next page."""
        until = self._numbers["arrivals"] if until is None else until
        portion = self._load(self._pipe.zrangebyscore(self.keys.arrivals, f"({after}", until, 0, PORTION))
        gone = [message for message in portion if message.state in states]
        for message in gone:
            self._drop(message)
        counts = Counts(*(sum(message.state == state for message in gone) for state in State))
        return counts, until, portion[-1].arrival if len(portion) == PORTION else None

    def delete(self) -> Counts:
        """See `QueueBackend.delete`."""
        counts = self.counts()
        self._is_deleted = True
        self.writes += [("SREM", NAMES, self.queue.queue_name), ("DEL", *self.keys)]
        return counts

    def contents(self) -> QueueContents:
        """See `QueueBackend.contents`."""
        alive = [message for message in self.messages() if message.state is not State.DEAD]
        dead = self._load(self._pipe.zrange(self.keys.dead, 0, -1))
        remembered = self._remembered.everything()
        return QueueContents(self.queue, (*alive, *dead), remembered, self._numbers["arrivals"], self._numbers["dropped"])

    def restore(self, contents: QueueContents, now: datetime) -> int:
        """See `QueueBackend.restore`."""
        held = {message.message_id for message in self._load(message.message_id for message in contents.messages)}
        fresh = [each for each in contents.messages if each.message_id not in held and not self._remembered.knows(each.message_id, now)]
        numbers = self._numbers
        arrivals = numbers["arrivals"] if self.exists else contents.arrivals
        numbered = decisions.renumbered(fresh, numbers["arrivals"] if self.exists else None)
        for message in numbered:
            self._put(None, message)
        numbers["arrivals"] = max(arrivals, *(message.arrival for message in numbered), 0)
        numbers["dropped"] += 0 if self.exists else contents.dropped
        known = dict(self._remembered.everything())
        for message_id, until in contents.remembered:
            if message_id not in known:
                self._remembered.add(message_id, until)
        return len(fresh)

    def _load(self, ids: Iterable[str]) -> list[QueueMessage]:
        """Return the existing messages of these ids, in this order. A damaged one becomes a dead letter."""
        wanted = list(ids)
        texts: list[str | None] = self._pipe.hmget(self.keys.messages, wanted) if wanted else []
        return [self._read(id_, text) for id_, text in zip(wanted, texts, strict=True) if text is not None]

    def _read(self, message_id: str, text: str) -> QueueMessage:
        try:
            return message_of(text)
        except (ValueError, TypeError, OverflowError) as error:
            # Its own state cannot be trusted, so it is removed from every set.
            keys = self.keys
            for key, id_of in ((keys.ready, placed_id), (keys.timers, timed_id)):
                found = [member for member, _ in self._pipe.zscan_iter(key, f"*{message_id}") if id_of(member) == message_id]
                self.writes += [("ZREM", key, member) for member in found]
            self.writes += [("SREM", key, message_id) for key in (keys.delayed, keys.in_flight)]
            return self._put(None, damaged_message(message_id, self.queue.queue_name, error))

    def _put(self, before: QueueMessage | None, after: QueueMessage) -> QueueMessage:
        """Put a message into the sets of its state only."""
        keys, id_, where = self.keys, after.message_id, set_of(self.keys, after.state)
        if before is not None:
            self._leave(before)
        self.writes += [("HSET", keys.messages, id_, message_text(after)), ("ZADD", keys.arrivals, after.arrival, id_)]
        if after.state is State.DEAD:
            self._died.append(id_)
            self._more_dead += 1
            self.writes.append(("ZADD", where, self._next("deaths"), id_))
        else:
            self.writes.append(("ZADD", where, 0, place_of(after)) if after.state is State.READY else ("SADD", where, id_))
        if (timer := timer_of(after)) is not None:
            self.writes.append(("ZADD", keys.timers, 0, timer))
        return after

    def _drop(self, message: QueueMessage) -> None:
        self._leave(message)
        self.writes += [("HDEL", self.keys.messages, message.message_id), ("ZREM", self.keys.arrivals, message.message_id)]

    def _leave(self, message: QueueMessage) -> None:
        """Remove a message from its sets."""
        where = set_of(self.keys, message.state)
        member = place_of(message) if message.state is State.READY else message.message_id
        self._more_dead -= message.state is State.DEAD
        self.writes.append(("ZREM" if message.state in (State.READY, State.DEAD) else "SREM", where, member))
        if (timer := timer_of(message)) is not None:
            self.writes.append(("ZREM", self.keys.timers, timer))

    def _next(self, counter: str) -> int:
        self._numbers[counter] += 1
        return self._numbers[counter]

    def _next_change_at(self, new: list[datetime], without: Sequence[QueueMessage]) -> datetime | None:
        """Return the time of the next change by time, with these new instants and without these messages."""
        gone = {message.message_id for message in without}
        timers = self._pipe.zrange(self.keys.timers, 0, len(gone))
        rest = self._load([id_ for timer in timers if (id_ := timed_id(timer)) not in gone][:1])
        return min([*new, *(at for message in rest if (at := decisions.next_change_at(message)) is not None)], default=None)
