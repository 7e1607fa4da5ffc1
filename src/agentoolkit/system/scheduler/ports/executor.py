"""What the scheduler asks of an executor, and an executor of the scheduler. It is done when the contract suite passes on it."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from contextvars import Context
from typing import NamedTuple, Protocol

from agentoolkit.system.scheduler.jobs import ExecutionStatus, ExecutorName, Priority

COMMON_QUEUE = "agentool"
"""Where executions go whose job names no queue."""


class Limit(NamedTuple):
    """A name that executions hold while they run, and how many of them may do so at once."""

    name: str
    capacity: int
    waits: bool = True
    """False: this one starts though the name has no room; whoever comes after it may have to wait for it."""


class Route(NamedTuple):
    """Which way an execution goes to where it runs."""

    executor: ExecutorName = "local"
    queue: str | None = None
    """Whose workers take it; None: those of the common queue."""
    priority: Priority = "medium"
    seconds: float | None = None
    """What its handler may take; None: any time."""
    label: str = ""
    """What it is called where workers are watched: its job's name."""


HERE = Route()


class Portion(NamedTuple):
    """Executions that go to a worker in one message."""

    execution_ids: Sequence[str]
    route: Route
    """That of the first of them; the longest time that any of their handlers may take."""


class Courier(Protocol):
    """Brings the ids of executions to the workers of one engine."""

    async def send(self, portions: Sequence[Portion]) -> None:
        """Hand messages to the engine, in their order. Raise whatever it raises; what is unsure is sent again, and claimed once."""
        ...

    def close(self) -> None:
        """Let go of connections. Idempotent."""
        ...


class Order(NamedTuple):
    """An execution that is to run."""

    execution_id: str
    urgency: int = 0
    """A lower number goes first."""
    limits: Sequence[tuple[str, int, bool]] = ()
    """What it holds while it runs, each as a `Limit`. Of two that name one limit, the later one's capacity holds for both."""
    at_once: bool = False
    """Somebody waits for its outcome: it needs no room besides that of its limits, for the two could wait for each other's."""
    route: Route = HERE


class Attempts(Protocol):
    """Begins and carries out executions by their ids, in the process that has claimed them. An executor calls it."""

    def begin(self, execution_ids: Sequence[str]) -> Awaitable[Sequence[bool]]:
        """Have it written down that executions have room now. Answer for each whether `run` is to be called; not if unknown."""
        ...

    async def run(self, execution_id: str) -> None:
        """Carry out one execution that has begun. It returns at its handler's end, before the outcome is written down."""
        ...

    def forget(self, execution_ids: Sequence[str]) -> None:
        """Other processes had these executions, and have finished them in the store, or have given them back to it."""
        ...

    def unclaimed(self, routes: Mapping[str, Route], *, too_long: bool) -> None:
        """No worker has begun these, which went their ways some time ago. Those that workers refuse end if it was too long ago."""
        ...

    async def statuses(self, execution_ids: Sequence[str]) -> Mapping[str, ExecutionStatus]:
        """See `JobStore.statuses`."""
        ...


class Executor(Protocol):
    """Decides when executions run, and where. It is told ids and limits; what they do, the store and `Attempts` know.

    One that runs elsewhere sends the ids, up to fifty in a message. A worker there makes them its own by
    `JobStore.claim_executions`, and carries them out as any process does; a message that comes twice claims nothing.
    """

    @property
    def running(self) -> int:
        """How many executions have room."""
        ...

    @property
    def waiting(self) -> int:
        """How many executions wait for room."""
        ...

    @property
    def room(self) -> int:
        """How many more executions have room in all; none where anybody waits."""
        ...

    def submit(self, order: Order) -> None:
        """Run an execution as soon as there is room, in all and under each of its limits. Returns at once."""
        ...

    def reserve(self, order: Order) -> bool:
        """Hold room for an execution until `run_begun` or `unreserve`. Tell whether there is room for it here.

        There is none where anybody waits, or holds one of its limits: how many may hold that is not known yet.
        """
        ...

    def unreserve(self, execution_id: str) -> None:
        """Give back what `reserve` holds for an execution, if it does."""
        ...

    def run_begun(self, order: Order) -> None:
        """Run an execution that was written down as begun already, in the room that is reserved for it."""
        ...

    def withdraw(self, execution_id: str) -> bool:
        """Take out an execution that still waits. Tell whether it did; if not, it may have begun."""
        ...

    def cancel(self, execution_id: str) -> bool:
        """Cancel an execution that runs here. Tell whether it does."""
        ...

    def abandon(self, execution_id: str) -> None:
        """Give an execution's room to others though its handler has not ended, and cancel it no more."""
        ...

    def started(self, context: Context) -> bool:
        """Does what runs in a context run here: a handler, or what one has begun?"""
        ...

    async def drain(self, seconds: float, grace: float) -> None:
        """Start nothing more; let what runs end by itself for so many seconds, then cancel it and wait for `grace` more."""
        ...
