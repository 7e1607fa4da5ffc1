"""The queue's seam, written as obligations. A back end is done when the contract suite passes on it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from itertools import islice
from typing import NamedTuple, Protocol

from agentoolkit.fingerprints import fingerprint
from agentoolkit.system.queue.messages import Counts, Queue, QueueMessage, Receipt, State


class QueueStatus(NamedTuple):
    """A queue and what it holds."""

    queue: Queue
    counts: Counts


class Created(NamedTuple):
    """The answer to one `create`."""

    queue: Queue
    """The one that is kept."""
    created: bool
    """False if it was there already."""


class AddedMessage(NamedTuple):
    """The answer to one `add`."""

    message: QueueMessage | None
    """As the queue holds it; None if it was here before and is gone."""
    duplicate: bool


class Lease(NamedTuple):
    """How messages are to be taken."""

    token: str
    """New for every taking."""
    limit: int = 1
    """Messages at most."""
    seconds: float | None = None
    """How long they are hidden from others; None: the queue's visibility timeout."""


class Taken(NamedTuple):
    """The answer to one taking."""

    messages: Sequence[QueueMessage]
    next_change_at: datetime | None
    """The earliest instant at which time alone changes a message of this queue; None if nothing is under way."""


class DeadLetters(NamedTuple):
    """A page of a queue's dead letters."""

    messages: Sequence[QueueMessage]
    total: int
    """How many there are."""
    dropped: int
    """How many were dropped so far, the oldest ones, because there was no more room."""


class Requeue(NamedTuple):
    """Which dead letters are to live again."""

    message_id: str | None = None
    """None: all, the oldest first."""
    limit: int | None = None
    body: str | None = None
    """JSON text in place of the payload."""
    fingerprint: str | None = None
    """Of all, only those whose reason has it."""

    def most_read(self, dead: int) -> int:
        """Return how many of so many dead letters have to be looked at."""
        return dead if self.limit is None or self.fingerprint is not None else self.limit

    def among(self, dead: Iterable[QueueMessage]) -> list[QueueMessage]:
        """Return those that are wanted of all dead letters, the first to die first."""
        fits = (letter for letter in dead if self.fingerprint in (None, fingerprint(letter.reason)))
        return list(islice(fits, self.limit))


class QueueContents(NamedTuple):
    """All there is of a queue, to be kept outside of it."""

    queue: Queue
    messages: Sequence[QueueMessage]
    """Those alive in order of arrival, then dead letters, the first to die first."""
    remembered: Sequence[tuple[str, datetime]]
    """Ids and until when, the oldest first."""
    arrivals: int = 0
    """Messages that were ever added."""
    dropped: int = 0
    """Dead letters that were dropped."""

    def ids(self) -> set[str]:
        """Return every message id that is held or remembered."""
        return {message.message_id for message in self.messages} | {message_id for message_id, _ in self.remembered}


class Restored(NamedTuple):
    """The answer to one `restore`."""

    made: Sequence[str]
    """Names of the queues that were made, in order."""
    messages: int
    """Messages that were added."""


class QueueBackend(Protocol):
    """Holds queues and messages. Every method is one transaction: all of it happens, or none.

    What time alone does to a message (see `decisions.changed`) shows in every answer, whenever it was last asked. Every
    method that takes a `queue_name` raises `QueueNotFound` where there is no such queue. Facts go in and out;
    payloads are JSON text, and nothing asks a clock.
    """

    survives_restart: bool

    looks_every: float | None
    """Seconds after which who waits must look again, because other processes add messages; None: none does."""

    async def open(self) -> None:
        """Make ready for use. Idempotent."""
        ...

    async def close(self) -> None:
        """Give back what `open` took. Idempotent."""
        ...

    async def create(self, queue: Queue) -> Created:
        """Keep a new queue, unless one has its name."""
        ...

    async def delete(self, queue_name: str, now: datetime) -> Counts:
        """Forget a queue, its messages, dead letters and remembered ids. Return what it held. Many go in portions, as in `clear`."""
        ...

    async def queues(self, now: datetime) -> Sequence[QueueStatus]:
        """Return every queue, by name."""
        ...

    async def status(self, queue_name: str, now: datetime) -> QueueStatus:
        """Return a queue and how many messages are where, in constant time or nearly."""
        ...

    async def add(self, message: QueueMessage, remember_until: datetime | None) -> AddedMessage:
        """Keep a new message as of its `enqueued_at`; if its queue does not exist, make it with default settings.

        An id that the queue holds, dead letters included, or remembers adds nothing. With `remember_until` the id is
        remembered so long, the newest `REMEMBERED_IDS` of them, also when the message is gone.

        Raises:
            QueueFull: As many messages as `max_size` are held.
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
        """Return every message, dead or alive, in order of arrival."""
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
        """Return a message, dead or alive. Raise `MessageNotFound` if the queue does not hold it."""
        ...

    async def remove(self, queue_name: str, receipt: Receipt, now: datetime) -> QueueMessage:
        """Remove a message for good, dead or alive; return it. Check the receipt with `checks.check_current`."""
        ...

    async def nack(self, queue_name: str, receipt: Receipt, available_at: datetime, reason: str, now: datetime) -> QueueMessage:
        """Return a message in flight to the queue, see `decisions.nacked`. Check the receipt with `checks.check_in_flight`."""
        ...

    async def dead_letter(self, queue_name: str, receipt: Receipt, reason: str, now: datetime) -> QueueMessage:
        """Move a message to the dead letters, see `messages.dead_lettered`. Check the receipt with `checks.check_current`.

        Of more than `DEAD_LETTERS` the oldest are dropped, and counted, however they died.
        """
        ...

    async def dead_letters(self, queue_name: str, limit: int, now: datetime) -> DeadLetters:
        """Return dead letters, the first to die first."""
        ...

    async def requeue(self, queue_name: str, wanted: Requeue, now: datetime) -> Sequence[QueueMessage]:
        """Make dead letters ready again, see `messages.requeued`, in the order they died.

        Raises:
            MessageNotFound: The one asked for is not among them.
            QueueFull: Not all of them have room; none is moved.
        """
        ...

    async def clear(self, queue_name: str, states: Collection[State], now: datetime) -> Counts:
        """Remove all messages in these states; return how many there were in each. Remembered ids stay.

        Many are removed in portions, each in a transaction, so that nobody waits long. What arrives meanwhile stays.
        """
        ...

    async def damaged(self, limit: int) -> Sequence[str]:
        """Describe messages whose rows cannot be read: at most `limit`, among a thousand."""
        ...
