"""The interface between scheduler and executor. An executor is complete when the contract suite passes on it."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from contextvars import Context
from typing import NamedTuple, Protocol

from agentoolkit.system.scheduler.execution_records import ExecutionStatus
from agentoolkit.system.scheduler.jobs import ExecutorName, Priority

COMMON_QUEUE = "agentool"
"""The queue of executions whose job names none."""


class Limit(NamedTuple):
    """A name that executions hold while they run, and how many of them may hold it at once."""

    name: str
    capacity: int
    waits: bool = True
    """False: this execution starts even if the name has no room. It still counts, so that others may have to wait."""


class Route(NamedTuple):
    """The executor and queue that an execution is sent to."""

    executor: ExecutorName = "local"
    queue: str | None = None
    """The queue that workers take it from; None means the common queue."""
    priority: Priority = "medium"
    seconds: float | None = None
    """Timeout of its handler; None means no limit."""
    label: str = ""
    """Its name in the tools that monitor workers: the job's name."""


HERE = Route()


class Portion(NamedTuple):
    """Executions that are sent to a worker in one message."""

    execution_ids: Sequence[str]
    route: Route
    """The route of the first execution, with the longest timeout of all."""


class Courier(Protocol):
    """Sends the ids of executions to the workers of one engine."""

    async def send(self, portions: Sequence[Portion]) -> None:
        """Send messages to the engine, in order. Raise its errors: the executions are then sent again, and claimed once."""
        ...

    def close(self) -> None:
        """Close the connections. Idempotent."""
        ...


class Order(NamedTuple):
    """An execution that is to run."""

    execution_id: str
    urgency: int = 0
    """The lowest number goes first."""
    limits: Sequence[tuple[str, int, bool]] = ()
    """The limits that it holds while it runs, each as a `Limit`. If two orders name one limit, the later capacity applies to both."""
    at_once: bool = False
    """True if a caller waits for its outcome. It then needs room only under its limits, so that the two cannot deadlock."""
    route: Route = HERE


class Attempts(Protocol):
    """Begins and runs executions by id, in the process that has claimed them. An executor calls it."""

    def begin(self, execution_ids: Sequence[str]) -> Awaitable[Sequence[bool]]:
        """Record that executions begin now. Return for each whether to call `run`; False for unknown ids."""
        ...

    async def run(self, execution_id: str) -> None:
        """Run an execution that has begun. Return when its handler ends, before the outcome is written."""
        ...

    def forget(self, execution_ids: Sequence[str]) -> None:
        """Forget executions that other processes have finished in the store, or have released."""
        ...

    def unclaimed(self, routes: Mapping[str, Route], *, too_long: bool) -> None:
        """Note executions that were sent some time ago and that no worker has begun. With `too_long`, fail those that workers refuse."""
        ...

    async def statuses(self, execution_ids: Sequence[str]) -> Mapping[str, ExecutionStatus]:
        """See `JobStore.statuses`."""
        ...


class Executor(Protocol):
    """Decides when and where executions run. It knows only ids and limits: the store and `Attempts` know the rest.

    An executor with workers sends them the ids, up to fifty in a message. A worker claims them by
    `JobStore.claim_executions`, and runs them as any process does; a message that arrives twice claims nothing.
    """

    @property
    def running(self) -> int:
        """Number of executions that have room."""
        ...

    @property
    def waiting(self) -> int:
        """Number of executions that wait for room."""
        ...

    @property
    def room(self) -> int:
        """Number of further executions that would have room; 0 while others wait."""
        ...

    def submit(self, order: Order) -> None:
        """Run an execution as soon as there is room, in the executor and under each limit. Return at once."""
        ...

    def reserve(self, order: Order) -> bool:
        """Reserve room for an execution until `run_begun` or `unreserve`. Return False if there is none.

        There is none while others wait or hold one of its limits, because the limit's capacity is not known yet.
        """
        ...

    def unreserve(self, execution_id: str) -> None:
        """Free the room that is reserved for an execution, if any."""
        ...

    def run_begun(self, order: Order) -> None:
        """Run an execution that is recorded as begun, in its reserved room."""
        ...

    def withdraw(self, execution_id: str) -> bool:
        """Remove an execution that still waits for room. Return False if it does not; it may have begun."""
        ...

    def cancel(self, execution_id: str) -> bool:
        """Cancel an execution that runs here. Return False if it does not."""
        ...

    def abandon(self, execution_id: str) -> None:
        """Free an execution's room although its handler has not ended, and do not cancel it any more."""
        ...

    def started(self, context: Context) -> bool:
        """Tell whether a context belongs to a handler of this executor, or to a task that a handler started."""
        ...

    async def drain(self, seconds: float, grace: float) -> None:
        """Start nothing more. Wait `seconds` for running executions, then cancel them and wait `grace` seconds more."""
        ...
