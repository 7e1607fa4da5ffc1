"""One queue inside one transaction: what `MemoryQueue` is for a process, with the database in place of dictionaries."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import islice

from agentoolkit.database.database import Session
from agentoolkit.system.queue.backends.sql import queues, statements
from agentoolkit.system.queue.backends.sql.passing import PAGE, MessageChange, after_time
from agentoolkit.system.queue.backends.sql.queues import COUNTED, Lock
from agentoolkit.system.queue.backends.sql.records import Known, QueueRow
from agentoolkit.system.queue.backends.sql.requests import AddRequest, KeptPerQueue, RemoveRequest, TakeRequest
from agentoolkit.system.queue.checks import check_current, check_dead, check_in_flight, check_room
from agentoolkit.system.queue.errors import MessageNotFound, QueueError, QueueNotFound
from agentoolkit.system.queue.messages import (
    Counts,
    Queue,
    QueueMessage,
    QueueSettings,
    Receipt,
    State,
    dead_lettered,
    leased,
    nacked,
    requeued,
)
from agentoolkit.system.queue.ports import Added, Requeue, Taken


class OpenQueue:
    """A queue on which time has done its part. Made by `opened`."""

    def __init__(self, session: Session, found: QueueRow, limits: KeptPerQueue) -> None:
        self.queue: Queue = found.queue
        self._session = session
        self._name = found.queue.queue_name
        self._found = found
        self._limits = limits
        self._before: Counts | None = None
        self._changes = dict.fromkeys(COUNTED, 0)

    def settle(self, now: datetime) -> None:
        """Write down everything that time alone has done until now."""
        if not self._found.is_due(now):
            return
        woken = statements.wake(self._session, self._name, now)
        self._move(State.DELAYED, State.READY, woken)
        while due := statements.due(self._session, self._name, now, PAGE):
            self._keep(after_time(due, now, self.queue.settings.max_retries))
        self._found = self._found._replace(next_change_at=statements.next_change(self._session, self._name, now))

    def write_counts(self) -> None:
        """Write down what was counted."""
        if any(self._changes.values()):
            queues.tally(self._session, self._name, self._limits.slot, self._changes)

    def counts(self) -> Counts:
        """Return how many messages are where now."""
        if self._before is None:
            self._before, _ = queues.sums(self._session, self._name)
        return Counts(*(number + self._changes[state.value] for state, number in zip(State, self._before, strict=True)))

    def add(self, addings: Sequence[AddRequest]) -> list[Added | QueueError]:
        """See `QueueBackend.add`, for many."""
        known = statements.known(self._session, self._name, (adding.message.message_id for adding in addings))
        fresh: dict[str, Known] = {}
        answers = [self._added(adding, known, fresh) for adding in addings]
        if fresh:
            statements.insert(self._session, (entry.message for entry in fresh.values() if entry.message))
            remembered = self._remember(fresh.values(), known)
            queues.note_growth(self._session, self._name, self._found.arrivals, remembered)
        return answers

    def take(self, takings: Sequence[TakeRequest]) -> list[Taken]:
        """See `QueueBackend.take` and `take_out`, for many."""
        ready = statements.ready(self._session, self._name, sum(taking.limit for taking in takings), lock=True)
        rest = iter(ready)
        shares = [[self._given(message, taking) for message in islice(rest, taking.limit)] for taking in takings]
        given = [message for share in shares for message in share]
        self._keep([MessageChange(before, after) for before, after in zip(ready, given, strict=True) if after is not before])
        self._drop([after for before, after in zip(ready, given, strict=True) if after is before])
        next_change = statements.next_change(self._session, self._name, takings[-1].now) if ready else self._found.next_change_at
        return [Taken(share, next_change) for share in shares]

    def remove(self, removals: Sequence[RemoveRequest]) -> list[QueueMessage | QueueError]:
        """See `QueueBackend.remove`, for many."""
        held = statements.by_id(self._session, self._name, (removal.receipt.message_id for removal in removals), lock=True)
        answers = [self._removed(removal.receipt, held) for removal in removals]
        self._drop([answer for answer in answers if isinstance(answer, QueueMessage)])
        return answers

    def nack(self, receipt: Receipt, available_at: datetime, reason: str, now: datetime) -> QueueMessage:
        """See `QueueBackend.give_back`."""
        message = self._held(receipt.message_id)
        check_in_flight(message, receipt)
        after = nacked(message, available_at, reason, self.queue.settings.max_retries, now)
        return self._keep([MessageChange(message, after)])[0]

    def dead_letter(self, receipt: Receipt, reason: str, now: datetime) -> QueueMessage:
        """See `QueueBackend.bury`."""
        message = self._held(receipt.message_id)
        check_current(message, receipt)
        return message if message.state is State.DEAD else self._keep([MessageChange(message, dead_lettered(message, reason, now))])[0]

    def requeue(self, revival: Requeue, now: datetime) -> Sequence[QueueMessage]:
        """See `QueueBackend.revive`."""
        chosen = self._chosen(revival)
        check_room(self.queue, self.counts(), len(chosen))
        return self._keep([MessageChange(message, requeued(message, revival.body, now)) for message in chosen])

    def clear(self, states: Collection[State]) -> Counts:
        """See `QueueBackend.clear`."""
        gone = {state: statements.delete_all(self._session, self._name, state) for state in states}
        for state, number in gone.items():
            self._changes[state.value] -= number
        return Counts(*(gone.get(state, 0) for state in State))

    def delete(self) -> Counts:
        """See `QueueBackend.delete`."""
        counts = self.counts()
        self._changes = dict.fromkeys(COUNTED, 0)
        queues.delete(self._session, self._name)
        return counts

    def _added(self, adding: AddRequest, known: Mapping[str, Known], fresh: dict[str, Known]) -> Added | QueueError:
        message = adding.message
        entry = fresh.get(message.message_id) or known.get(message.message_id) or Known()
        if entry.recognises(message):
            return Added(entry.message, duplicate=True)
        try:
            check_room(self.queue, self.counts(), 1)
        except QueueError as error:
            return error
        self._found = self._found._replace(arrivals=self._found.arrivals + 1)
        message = message._replace(arrival=self._found.arrivals)
        fresh[message.message_id] = Known(message, adding.remember_until)
        self._changes[message.state.value] += 1
        return Added(message, duplicate=False)

    def _remember(self, fresh: Iterable[Known], known: Mapping[str, Known]) -> int:
        """Remember what is to be remembered, and return how many ids are remembered then."""
        wanted = [(entry.message, entry.remembered_until) for entry in fresh if entry.message and entry.remembered_until]
        if not wanted:
            return self._found.remembered
        queues.remember(self._session, wanted)
        again = sum(known[message.message_id].remembered_until is not None for message, _ in wanted)
        remembered = self._found.remembered + len(wanted) - again
        excess = remembered - self._limits.remembered_ids
        return remembered - queues.forget(self._session, self._name, excess) if excess > 0 else remembered

    def _given(self, message: QueueMessage, taking: TakeRequest) -> QueueMessage:
        if taking.lease is None:
            return message
        seconds = self.queue.settings.visibility_timeout if taking.lease.seconds is None else taking.lease.seconds
        return leased(message, taking.lease.token, taking.now + timedelta(seconds=seconds))

    def _removed(self, receipt: Receipt, held: dict[str, QueueMessage]) -> QueueMessage | QueueError:
        message = held.get(receipt.message_id)
        if message is None:
            return MessageNotFound.in_queue(self._name, receipt.message_id)
        try:
            check_current(message, receipt)
        except QueueError as error:
            return error
        return held.pop(receipt.message_id)

    def _held(self, message_id: str) -> QueueMessage:
        if found := statements.by_id(self._session, self._name, [message_id], lock=True).get(message_id):
            return found
        raise MessageNotFound.in_queue(self._name, message_id)

    def _chosen(self, revival: Requeue) -> list[QueueMessage]:
        if revival.message_id is None:
            limit = self.counts().dead if revival.limit is None else revival.limit
            return statements.dead(self._session, self._name, limit, lock=True)
        message = self._held(revival.message_id)
        check_dead(message)
        return [message]

    def _keep(self, changes: Sequence[MessageChange]) -> list[QueueMessage]:
        after = [change.after for change in changes]
        statements.save(self._session, self._name, after)
        for change in changes:
            self._move(change.before.state, change.after.state)
        if any(message.state is State.DEAD for message in after):
            self._drop_oldest_dead()
        return after

    def _drop(self, messages: Sequence[QueueMessage]) -> None:
        statements.delete(self._session, self._name, (message.message_id for message in messages))
        for message in messages:
            self._changes[message.state.value] -= 1

    def _drop_oldest_dead(self) -> None:
        if (excess := self.counts().dead - self._limits.dead_letters) > 0:
            dropped = statements.drop_dead(self._session, self._name, excess)
            self._changes[State.DEAD.value] -= dropped
            self._changes["dropped"] += dropped

    def _move(self, before: State, after: State, number: int = 1) -> None:
        self._changes[before.value] -= number
        self._changes[after.value] += number


@contextmanager
def opened(session: Session, found: QueueRow, now: datetime, limits: KeptPerQueue) -> Generator[OpenQueue]:
    """Work on a queue inside a ``with`` block."""
    queue = OpenQueue(session, found, limits)
    queue.settle(now)
    yield queue
    queue.write_counts()


def find(session: Session, queue_name: str, lock: Lock = Lock.NOTHING) -> QueueRow:
    """Return a queue. Raises `QueueNotFound`."""
    if (found := queues.find(session, queue_name, lock)) is None:
        raise QueueNotFound.among(queue_name, queues.names(session))
    return found


def find_or_make(session: Session, queue_name: str, now: datetime) -> QueueRow:
    """Return a queue, made with default settings unless there is one, to which nobody else can add meanwhile."""
    while (found := queues.find(session, queue_name, Lock.GROW)) is None:
        queues.create(session, Queue(queue_name, QueueSettings(), now))
    return found
