"""One queue inside one transaction: as `MemoryQueue`, with a database in place of dictionaries."""

from __future__ import annotations

import operator
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import NamedTuple

from agentoolkit.database.database import Session
from agentoolkit.system.queue.backends.sql import queues, statements
from agentoolkit.system.queue.backends.sql.queues import COUNTED
from agentoolkit.system.queue.backends.sql.records import KnownMessage, QueueRow
from agentoolkit.system.queue.backends.sql.requests import (
    AddRequest,
    DeadLetterRequest,
    NackRequest,
    PutBackRequest,
    ReceiptRequest,
    TakeRequest,
)
from agentoolkit.system.queue.checks import check_current, check_dead, check_in_flight, check_room
from agentoolkit.system.queue.decisions import MessageChange, after_time, dead_lettered, leased, nacked, renumbered, requeued, waiting
from agentoolkit.system.queue.errors import MessageNotFound, QueueError
from agentoolkit.system.queue.messages import PAGE, Counts, Queue, QueueMessage, Receipt, State
from agentoolkit.system.queue.ports import AddedMessage, QueueContents, Requeue, Taken

PORTION = 1_000
"""Messages removed in one transaction."""


class KeptPerQueue(NamedTuple):
    """The limits of each queue."""

    dead_letters: int
    remembered_ids: int


class Cleared(NamedTuple):
    """The messages that one transaction of a `clear` removed."""

    counts: Counts
    until: int
    """Later arrivals stay."""
    after: str | None
    """The last examined id; None at the end."""


class OpenQueue:
    """A queue with locked rows. Call `settle` first, and `write_counts` last."""

    def __init__(self, session: Session, row: QueueRow, kept: KeptPerQueue) -> None:
        self.queue: Queue = row.queue
        self.deleted = False
        self.session = session
        self.name = row.queue.queue_name
        self._row = row
        self._kept = kept
        self._before: Counts | None = None
        self._changes = dict.fromkeys(COUNTED, 0)

    def settle(self, now: datetime) -> bool:
        """Write all changes due by now, and tell whether there were any."""
        if not self._row.is_due(now):
            return False
        woken = statements.wake(self.session, self.name, now)
        self._move(State.DELAYED, State.READY, woken)
        while due := statements.due(self.session, self.name, now, PAGE):
            self._save(after_time(due, now, self.queue.settings.max_retries))
        self._row = self._row._replace(next_change_at=statements.next_change(self.session, self.name, now))
        return True

    def write_counts(self) -> None:
        """Write the counters. Call it last: other transactions may wait for these rows until the commit."""
        if not self.deleted and any(self._changes.values()):
            queues.tally(self.session, self.name, self._changes)

    def counts(self) -> Counts:
        """Return the number of messages in each state."""
        if self._before is None:
            self._before, _ = queues.sums(self.session, self.name)
        return Counts(*map(operator.add, self._before, self._changes.values()))  # `dropped`, the last change, is no state

    def add(self, requests: Sequence[AddRequest]) -> list[AddedMessage | QueueError]:
        """Add many messages; see `QueueBackend.add`."""
        known = statements.known(self.session, self.name, (request.message.message_id for request in requests))
        fresh: dict[str, KnownMessage] = {}
        answers = [self._add(request, known, fresh) for request in requests]
        if fresh:
            self._row = self._row._replace(arrivals=self._row.arrivals + len(fresh))
            statements.insert(self.session, self.name, [entry.message for entry in fresh.values() if entry.message])
            wanted = [(entry.message, entry.remembered_until) for entry in fresh.values() if entry.message and entry.remembered_until]
            if wanted:
                queues.remember(self.session, self.name, [(message.message_id, message.arrival, until) for message, until in wanted])
                self._forget(sum(known[message.message_id].remembered_until is None for message, _ in wanted))
            queues.note_growth(self.session, self.name, self._row)
        return answers

    def take(self, requests: Sequence[TakeRequest]) -> list[Taken]:
        """Take for many callers; see `QueueBackend.take` and `take_out`."""
        ready = statements.ready(self.session, self.name, sum(request.limit for request in requests), lock=True)
        rest = iter(ready)
        shares = [[self._given(message, request) for message in islice(rest, request.limit)] for request in requests]
        given = [message for share in shares for message in share]
        self._save([MessageChange(before, after) for before, after in zip(ready, given, strict=True) if after is not before])
        self._drop([after for before, after in zip(ready, given, strict=True) if after is before])
        next_change = statements.next_change(self.session, self.name, requests[-1].now) if ready else self._row.next_change_at
        return [Taken(share, next_change) for share in shares]

    def end_leases(self, requests: Sequence[ReceiptRequest], held: Mapping[str, QueueMessage]) -> list[QueueMessage | QueueError]:
        """Handle many receipts one by one; see `QueueBackend.remove`, `nack` and `dead_letter`."""
        left, changes, removed = dict(held), dict[str, QueueMessage](), list[QueueMessage]()
        answers: list[QueueMessage | QueueError] = []
        for request in requests:
            try:
                before = _at(left, self.name, request.receipt)
                after = self._after(before, request)
            except QueueError as error:
                answers.append(error)
                continue
            changes.pop(before.message_id, None)
            if after is None:
                removed.append(held[left.pop(before.message_id).message_id])
            elif after is not before:
                left[before.message_id] = changes[before.message_id] = after
            answers.append(before if after is None else after)
        self._save([MessageChange(held[message_id], after) for message_id, after in changes.items()])
        self._drop(removed)
        return answers

    def put_back(self, requests: Sequence[PutBackRequest], held: Mapping[str, QueueMessage]) -> list[None]:
        """Restore taken messages to their earlier state, except those that changed since."""
        for request in requests:
            if request.taken_out:
                known = statements.known(self.session, self.name, (message.message_id for message in request.messages))
                self._insert([message for message in request.messages if known[message.message_id].message is None])
            else:
                mine = [message for message in request.messages if held.get(message.message_id) == message]
                self._save([MessageChange(message, waiting(message._replace(token=""), request.now)) for message in mine])
        return [None] * len(requests)

    def requeue(self, wanted: Requeue, now: datetime) -> Sequence[QueueMessage]:
        """See `QueueBackend.requeue`."""
        if wanted.message_id is None:
            chosen = wanted.among(statements.dead(self.session, self.name, wanted.most_read(self.counts().dead)))
        else:
            held = statements.by_id(self.session, self.name, [wanted.message_id])
            chosen = [_at(held, self.name, Receipt(wanted.message_id))]
            check_dead(chosen[0])
        check_room(self.queue, self.counts(), len(chosen))
        return self._save([MessageChange(message, requeued(message, wanted.body, now)) for message in chosen])

    def clear(self, states: Collection[State], until: int | None, after: str) -> Cleared:
        """Remove the next messages in these states by id, up to an arrival number."""
        until = self._row.arrivals if until is None else until
        portion = statements.portion(self.session, self.name, after, PORTION)
        gone = [(message_id, state) for message_id, state, arrival in portion if arrival <= until and state in states]
        statements.delete(self.session, self.name, (message_id for message_id, _ in gone))
        for _, state in gone:
            self._changes[state] -= 1
        counts = Counts(*(sum(state == found for _, found in gone) for state in State))
        return Cleared(counts, until, portion[-1][0] if len(portion) == PORTION else None)

    def delete(self) -> Counts:
        """See `QueueBackend.delete`."""
        counts = self.counts()
        queues.delete(self.session, self.name)
        self.deleted = True
        return counts

    def contents(self) -> QueueContents:
        """See `QueueBackend.contents`."""
        dead = statements.dead(self.session, self.name, self.counts().dead)
        alive = [message for message in statements.all_of(self.session, self.name) if message.state is not State.DEAD]
        _, dropped = queues.sums(self.session, self.name)
        return QueueContents(self.queue, (*alive, *dead), queues.remembered(self.session, self.name), self._row.arrivals, dropped)

    def restore(self, contents: QueueContents, new: bool, now: datetime) -> int:
        """See `QueueBackend.restore`."""
        known = statements.known(self.session, self.name, contents.ids())
        fresh = [message for message in contents.messages if not known[message.message_id].recognises(message._replace(enqueued_at=now))]
        numbered = renumbered(fresh, None if new else self._row.arrivals)
        arrivals = max(contents.arrivals if new else self._row.arrivals, *(message.arrival for message in numbered), 0)
        self._row = self._row._replace(arrivals=arrivals)
        self._insert(numbered)
        self._changes["dropped"] += contents.dropped if new else 0
        ids = [(id_, until) for id_, until in contents.remembered if known[id_].remembered_until is None]
        first = arrivals - len(ids)
        queues.remember(self.session, self.name, [(id_, first + place, until) for place, (id_, until) in enumerate(ids, 1)])
        self._forget(len(ids))
        queues.note_growth(self.session, self.name, self._row)
        return len(fresh)

    def _add(self, request: AddRequest, known: Mapping[str, KnownMessage], fresh: dict[str, KnownMessage]) -> AddedMessage | QueueError:
        message = request.message
        entry = fresh.get(message.message_id) or known[message.message_id]
        if entry.recognises(message):
            return AddedMessage(entry.message, duplicate=True)
        try:
            check_room(self.queue, self.counts(), 1)
        except QueueError as error:
            return error
        message = message._replace(arrival=self._row.arrivals + len(fresh) + 1)
        fresh[message.message_id] = KnownMessage(message, request.remember_until)
        self._changes[message.state.value] += 1
        return AddedMessage(message, duplicate=False)

    def _forget(self, more: int) -> None:
        """Count newly remembered ids, and forget the oldest beyond the limit."""
        remembered = self._row.remembered + more
        if (excess := remembered - self._kept.remembered_ids) > 0:
            remembered -= queues.forget(self.session, self.name, excess)
        self._row = self._row._replace(remembered=remembered)

    def _given(self, message: QueueMessage, request: TakeRequest) -> QueueMessage:
        if request.lease is None:
            return message
        seconds = self.queue.settings.visibility_timeout if request.lease.seconds is None else request.lease.seconds
        return leased(message, request.lease.token, request.now + timedelta(seconds=seconds))

    def _after(self, message: QueueMessage, request: ReceiptRequest) -> QueueMessage | None:
        """Return a message changed as requested; None if it is removed."""
        if isinstance(request, NackRequest):
            check_in_flight(message, request.receipt)
            return nacked(message, request.available_at, request.reason, self.queue.settings.max_retries, request.now)
        check_current(message, request.receipt)
        return dead_lettered(message, request.reason, request.now) if isinstance(request, DeadLetterRequest) else None

    def _save(self, changes: Sequence[MessageChange]) -> list[QueueMessage]:
        after = [change.after for change in changes]
        statements.save(self.session, self.name, after)
        for change in changes:
            self._move(change.before.state, change.after.state)
        self._drop_oldest_dead(after)
        return after

    def _insert(self, messages: Sequence[QueueMessage]) -> None:
        statements.insert(self.session, self.name, messages)
        for message in messages:
            self._changes[message.state.value] += 1
        self._drop_oldest_dead(messages)

    def _drop(self, messages: Sequence[QueueMessage]) -> None:
        statements.delete(self.session, self.name, (message.message_id for message in messages))
        for message in messages:
            self._changes[message.state.value] -= 1

    def _drop_oldest_dead(self, changed: Iterable[QueueMessage]) -> None:
        if not any(message.state is State.DEAD for message in changed):
            return
        if (excess := self.counts().dead - self._kept.dead_letters) > 0:
            dropped = statements.drop_dead(self.session, self.name, excess)
            self._changes[State.DEAD.value] -= dropped
            self._changes["dropped"] += dropped

    def _move(self, before: State, after: State, number: int = 1) -> None:
        self._changes[before.value] -= number
        self._changes[after.value] += number


def _at(held: Mapping[str, QueueMessage], queue_name: str, receipt: Receipt) -> QueueMessage:
    if (message := held.get(receipt.message_id)) is None:
        raise MessageNotFound.in_queue(queue_name, receipt.message_id)
    return message
