"""The port of queue back ends, written as obligations. A back end is complete when it passes the contract suite."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from itertools import islice
from typing import NamedTuple, Protocol

from agentoolkit.dead_letter_causes import fingerprint
from agentoolkit.system.queue.messages import Counts, Queue, QueueMessage, Receipt, State


class QueueStatus(NamedTuple):
    """A queue and what it holds."""

    queue: Queue
    counts: Counts


class Created(NamedTuple):
    """The answer to one `create`."""

    queue: Queue
    """The queue as it is stored."""
    created: bool
    """False if it existed already."""


class AddedMessage(NamedTuple):
    """The answer to one `add`."""

    message: QueueMessage | None
    """The message as stored; None if it was in the queue before and is gone."""
    duplicate: bool


class Lease(NamedTuple):
    """The options of a taking."""

    token: str
    """The lease's token, new for every taking."""
    limit: int = 1
    """Largest number of messages."""
    seconds: float | None = None
    """Duration of the lease; None for the queue's visibility timeout."""


class Taken(NamedTuple):
    """The answer to one taking."""

    messages: Sequence[QueueMessage]
    next_change_at: datetime | None
    """Time of the queue's next change by time; None if there is none."""


class DeadLetters(NamedTuple):
    """A page of a queue's dead letters."""

    messages: Sequence[QueueMessage]
    total: int
    """How many there are."""
    dropped: int
    """Number of dead letters dropped so far, oldest first, because of the limit."""


class Requeue(NamedTuple):
    """The dead letters to requeue."""

    message_id: str | None = None
    """None for all, oldest first."""
    limit: int | None = None
    body: str | None = None
    """JSON text that replaces the payload."""
    fingerprint: str | None = None
    """Only dead letters whose reason has this fingerprint."""

    def most_read(self, dead: int) -> int:
        """Return how many of so many dead letters have to be looked at."""
        return dead if self.limit is None or self.fingerprint is not None else self.limit

    def among(self, dead: Iterable[QueueMessage]) -> list[QueueMessage]:
        """Return those that are wanted of all dead letters, the first to die first."""
        fits = (letter for letter in dead if self.fingerprint in (None, fingerprint(letter.reason)))
        return list(islice(fits, self.limit))


class QueueContents(NamedTuple):
    """The whole content of a queue, for a backup."""

    queue: Queue
    messages: Sequence[QueueMessage]
    """Live messages in order of arrival, then dead letters, first dead first."""
    remembered: Sequence[tuple[str, datetime]]
    """Remembered ids with the end of their remembering, oldest first."""
    arrivals: int = 0
    """Number of all messages ever added."""
    dropped: int = 0
    """Number of dropped dead letters."""

    def ids(self) -> set[str]:
        """Return every message id that is held or remembered."""
        return {message.message_id for message in self.messages} | {message_id for message_id, _ in self.remembered}


class Restored(NamedTuple):
    """The answer to one `restore`."""

    made: Sequence[str]
    """Names of the created queues, sorted."""
    messages: int
    """Number of added messages."""


class QueueBackend(Protocol):
    """Stores queues and messages. Every method is one transaction.

    Every answer includes all changes due by time (see `decisions.changed`). Every
    method that takes a `queue_name` raises `QueueNotFound` if the queue does not exist. Facts go in and out;
    payloads are JSON text, and no method reads a clock.
    """

    survives_restart: bool

    looks_every: float | None
    """Seconds after which a waiter must poll, because other processes add messages; None if no other process does."""

    async def open(self) -> None:
        """Open the back end. Idempotent."""
        ...

    async def close(self) -> None:
        """Close the back end. Idempotent."""
        ...

    async def create(self, queue: Queue) -> Created:
        """Add a queue, unless its name exists."""
        ...

    async def delete(self, queue_name: str, now: datetime) -> Counts:
        """Delete a queue, its messages, dead letters and remembered ids. Return what it held. Many go in portions, as in `clear`."""
        ...

    async def names(self) -> Sequence[str]:
        """Return the name of every queue, in order."""
        ...

    async def queues(self, now: datetime, limit: int | None = None) -> Sequence[QueueStatus]:
        """Return the first queues by name, by default all. The cost is that of the queues returned."""
        ...

    async def status(self, queue_name: str, now: datetime) -> QueueStatus:
        """Return a queue and the number of messages in each state, in about constant time."""
        ...

    async def add(self, message: QueueMessage, remember_until: datetime | None) -> AddedMessage:
        """Add a message as of its `enqueued_at`; create a missing queue with default settings.

        An id that the queue holds, dead letters included, or remembers adds nothing. With `remember_until` the id is
        remembered so long, the newest `REMEMBERED_IDS` of them, also when the message is gone.

        Raises:
            QueueFull: The queue holds `max_size` messages.
        """
        ...

    async def take(self, queue_name: str, lease: Lease, now: datetime) -> Taken:
        """Lease ready messages, in order of priority, then availability, then arrival, each to one taker only.

        A taker that is cancelled takes nothing: the messages are as they were, without a failed attempt.
        """
        ...

    async def take_out(self, queue_name: str, limit: int, now: datetime) -> Taken:
        """Remove and return ready messages, in the order of `take`."""
        ...

    async def peek(self, queue_name: str, limit: int, now: datetime) -> Sequence[QueueMessage]:
        """Return the messages that `take` would give, and change nothing."""
        ...

    async def messages(self, queue_name: str, now: datetime) -> Sequence[QueueMessage]:
        """Return every message, dead letters included, in order of arrival."""
        ...

    async def contents(self, queue_name: str, now: datetime) -> QueueContents:
        """Return everything that `restore` needs to make the same queue elsewhere."""
        ...

    async def restore(self, contents: Sequence[QueueContents], now: datetime) -> Restored:
        """Add queues, messages as they are, dead ones too, and remembered ids; all of them in one transaction.

        A queue of the same name stays, and gains what it lacks, even beyond its `max_size`: the new messages arrive after
        its own. An id that it holds or remembers adds nothing.
        """
        ...

    async def message(self, queue_name: str, message_id: str, now: datetime) -> QueueMessage:
        """Return a message or dead letter. Raise `MessageNotFound` if the queue does not hold it."""
        ...

    async def remove(self, queue_name: str, receipt: Receipt, now: datetime) -> QueueMessage:
        """Remove a message for good, dead or alive; return it. Check the receipt with `checks.check_current`."""
        ...

    async def nack(self, queue_name: str, receipt: Receipt, available_at: datetime, reason: str, now: datetime) -> QueueMessage:
        """Return a message in flight to the queue, see `decisions.nacked`. Check the receipt with `checks.check_in_flight`."""
        ...

    async def dead_letter(self, queue_name: str, receipt: Receipt, reason: str, now: datetime) -> QueueMessage:
        """Move a message to the dead letters, see `messages.dead_lettered`. Check the receipt with `checks.check_current`.

        Dead letters beyond `DEAD_LETTERS` are dropped, oldest first, and counted.
        """
        ...

    async def dead_letters(self, queue_name: str, limit: int, now: datetime) -> DeadLetters:
        """Return dead letters, first dead first."""
        ...

    async def requeue(self, queue_name: str, wanted: Requeue, now: datetime) -> Sequence[QueueMessage]:
        """Make dead letters ready again, see `messages.requeued`, in the order they died.

        Raises:
            MessageNotFound: The requested one is not a dead letter.
            QueueFull: They do not all fit; none is moved.
        """
        ...

    async def clear(self, queue_name: str, states: Collection[State], now: datetime) -> Counts:
        """Remove all messages in these states; return their numbers by state. Remembered ids stay.

        Many are removed in portions, each in a transaction, so that no other call waits long. Later arrivals stay.
        """
        ...

    async def damaged(self, limit: int) -> Sequence[str]:
        """Describe at most `limit` messages with unreadable rows, among the first thousand."""
        ...
