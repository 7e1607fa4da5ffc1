"""Queues and messages: frozen facts. What becomes of a message is decided in `decisions`."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

MAX_SIZE = 100_000
"""Messages a queue holds at most, unless made with another limit."""
MAX_MESSAGE_SIZE = 10_000_000
"""Characters of a payload as JSON, unless set otherwise: what a command or a web page answers at most fits in."""
VISIBILITY_TIMEOUT = 30.0
"""Seconds that a taken message is hidden from others, unless set otherwise."""
MAX_RETRIES = 3
"""Failed attempts after which a message is dead, unless its queue was made with another limit."""
PAGE = 500
"""Messages that time changed, read at once."""
DEAD_LETTERS = 10_000
"""Dead letters kept per queue; beyond that the oldest is dropped, and counted."""
REMEMBERED_IDS = 100_000
"""Message ids remembered per queue, so that a second delivery is recognised after the first was acknowledged."""
DEDUP_WINDOW = 86_400.0
"""Seconds that an id is remembered."""


class State(StrEnum):
    """Where a message is: in exactly one of these until it is acknowledged."""

    READY = "ready"
    DELAYED = "delayed"
    """Not available yet."""
    IN_FLIGHT = "in_flight"
    """Taken, and neither acknowledged nor given back."""
    DEAD = "dead"
    """In the dead-letter queue; the reason says why."""


class QueueSettings(NamedTuple):
    """A queue's limits."""

    max_size: int = MAX_SIZE
    visibility_timeout: float = VISIBILITY_TIMEOUT
    """Seconds."""
    max_retries: int = MAX_RETRIES
    description: str = ""


class Queue(NamedTuple):
    """A named queue."""

    queue_name: str
    settings: QueueSettings
    created_at: datetime


class Counts(NamedTuple):
    """How many messages are where."""

    ready: int = 0
    delayed: int = 0
    in_flight: int = 0
    dead: int = 0

    @property
    def held(self) -> int:
        """What `max_size` limits: everything that is neither acknowledged nor dead."""
        return self.ready + self.delayed + self.in_flight


class QueueMessage(NamedTuple):
    """One message and where it stands. A named tuple, because every delivery makes several."""

    message_id: str
    queue_name: str
    body: str
    """The payload as JSON text, so that nobody can change it from outside."""
    enqueued_at: datetime
    available_at: datetime
    """When it may be taken; also its place in the order."""
    priority: int = 0
    """A lower number goes first."""
    expires_at: datetime | None = None
    arrival: int = 0
    """Numbered by the back end; decides between messages of equal priority and time."""
    state: State = State.READY
    attempts: int = 0
    """Failed attempts so far."""
    token: str = ""
    """Names the latest lease. Kept when that runs out, so that late news still count until another takes the message."""
    leased_until: datetime | None = None
    reason: str = ""
    """Why it was last given back, or why it is dead."""
    died_at: datetime | None = None

    @property
    def receipt(self) -> Receipt:
        """What its present holder acknowledges it with."""
        return Receipt(self.message_id, self.token)


class Receipt(NamedTuple):
    """Which message is meant, and by which lease; without a token, any."""

    message_id: str
    token: str = ""

    def __str__(self) -> str:
        return f"{self.token}:{self.message_id}"
