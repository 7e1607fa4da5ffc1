"""What is under way in this process: each execution with its phase, how late they began, and the one timer that watches all deadlines."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from itertools import islice
from typing import NamedTuple

from agentoolkit.quick_tuples import maker_of
from agentoolkit.system.scheduler.jobs import Execution, Job, Priority, Work
from agentoolkit.system.scheduler.ports import HERE, Limit, Order, Route
from agentoolkit.system.scheduler.retention import RESULT_SIZE
from agentoolkit.time_source import Cancellable, TimeSource

_URGENCY: dict[Priority, int] = {"critical": 0, "high": 1, "medium": 2, "low": 3}
_BACKFILL_URGENCY = 4
"""Added for past due times: those of today do not wait for them."""


MEASURED = 1_000
"""Starts whose lateness is remembered."""


_order = maker_of(Order)


class Phase(IntEnum):
    """How far an execution has come here. One that is gone is in no table."""

    EXPECTED = 0
    """Between the store and the executor: its record is being written."""
    WAITING = 1
    """With the executor, for room."""
    STARTING = 2
    """It has room, and it is being written down that it begins."""
    RUNNING = 3
    WRITING = 4
    """Its handler has ended, and its outcome is being written down."""


class Outcome(NamedTuple):
    """How an attempt ended: its record, and what the handler raised."""

    execution: Execution
    error: BaseException | None = None


class Interrupted(asyncio.CancelledError):
    """The scheduler stopped while the handler ran."""


@dataclass(slots=True, eq=False)
class ActiveExecution:
    """An execution under way, from its submission until its outcome is written down."""

    work: Work | Job
    execution: Execution
    timeout: float | None
    """Seconds that its handler may take; None: any."""
    phase: Phase = Phase.WAITING
    route: Route = HERE
    began: float | None = None
    """When its handler was called, by the monotonic clock, as every deadline is."""
    deadline: float | None = None
    """When its time is up: first to be cancelled, then to be given up; None: never."""
    cancel_reason: str = ""
    timed_out: bool = False
    given_up: bool = False
    secrets: Sequence[str] = ()
    """What references with a secret's name stood for, the longest first: neither its record nor its output shows it."""
    names: frozenset[str] = frozenset()
    """The jobs and concurrency keys that whoever waits for it holds, its own included: it may not wait for these."""
    outcome: asyncio.Future[Outcome] | None = None
    """For a caller that waits for it."""

    @property
    def order(self) -> Order:
        """How it is to run: how urgent it is, and what it holds meanwhile.

        One that a caller waits for goes before all, waits for its key alone, and others wait for it.
        """
        policies, execution = self.work.policies, self.execution
        trigger = execution.trigger
        now = trigger == "run_now"
        urgency = 0 if now else _URGENCY[policies.priority]
        if trigger == "backfill":
            urgency += _BACKFILL_URGENCY
        # A plain tuple for a `Limit`: every firing makes one, and the garbage collector leaves it out while it waits.
        limits: tuple[tuple[str, int, bool], ...] = (
            (f"job:{execution.job_id}", policies.max_instances, not now and policies.overlap != "allow"),
        )
        if policies.concurrency_key is not None:
            limits += (Limit(f"key:{policies.concurrency_key}", 1),)
        return _order((execution.execution_id, urgency, limits, now, self.route))

    @property
    def goes_away(self) -> bool:
        """Is it carried out by another process?"""
        return self.route is not HERE

    def settle(self, outcome: Outcome) -> None:
        """Tell a caller that waits how it ended."""
        if self.outcome is not None and not self.outcome.done():
            self.outcome.set_result(outcome)


class Lateness:
    """Seconds between due time and start, of the last executions, wherever they ran."""

    def __init__(self) -> None:
        self._starts: deque[tuple[datetime, datetime]] = deque(maxlen=MEASURED)
        """When executions were due, and when they began."""

    def note(self, execution: Execution) -> None:
        """Remember how late an execution began, if a schedule asked for it."""
        if execution.started_at is not None and execution.trigger == "schedule" and execution.attempt == 1:
            self._starts.append((execution.scheduled_at, execution.started_at))

    @property
    def worst(self) -> float | None:
        """The longest of the last hundred; None without any."""
        return max(map(_seconds_late, islice(reversed(self._starts), 100)), default=None)

    def of(self, share: float) -> float | None:
        """Return the seconds that so large a share of the last thousand were late at most; None without any."""
        ordered = sorted(map(_seconds_late, self._starts))
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None


def _seconds_late(start: tuple[datetime, datetime]) -> float:
    due, began = start
    return (began - due).total_seconds()


class ActiveExecutions(dict[str, ActiveExecution]):
    """The executions under way in this process, by their ids. A timer for each of them would cost more than most of them take.

    Args:
        time: Where the time comes from.
        expired: Called with an execution whose deadline has passed, which has none then.
        result_size: Bytes of JSON that a result may have.
    """

    def __init__(self, time: TimeSource, expired: Callable[[ActiveExecution], None], result_size: int = RESULT_SIZE) -> None:
        super().__init__()
        self._time = time
        self._expired = expired
        self.result_size = result_size
        self._timer: Cancellable | None = None
        self._rings_at = math.inf
        """The instant of the next ring, by the monotonic clock."""
        self.lateness = Lateness()
        self.stopping = False
        """Does the scheduler cancel handlers because it stops?"""

    def all(self) -> Iterable[ActiveExecution]:
        """Return them all, as they are at this moment."""
        return list(self.values())

    def waiting_jobs(self) -> set[str]:
        """Return the ids of the jobs that have executions which wait here for room."""
        return {active.execution.job_id for active in self.values() if active.phase is Phase.WAITING}

    def redefine(self, job: Job, timeout: float | None) -> Sequence[ActiveExecution]:
        """Let what waits of a job run as the job is defined now. Return those that are to wait under other limits than before.

        What a caller waits for runs as it was asked for.
        """
        others: list[ActiveExecution] = []
        for active in self.values():
            execution = active.execution
            if execution.job_id == job.job_id and active.phase is Phase.WAITING and execution.trigger != "run_now":
                before = active.order.limits
                active.work, active.timeout = job, timeout
                if active.order.limits != before:
                    others.append(active)
        return others

    def remove(self, active: ActiveExecution) -> None:
        """Forget an execution; another one of that id, as its next attempt, stays."""
        execution_id = active.execution.execution_id
        if self.get(execution_id) is active:
            del self[execution_id]

    def watch(self, active: ActiveExecution) -> None:
        """A handler is called: from now on its time runs."""
        active.began = now = self._time.monotonic()
        if active.timeout is not None:
            active.deadline = now + active.timeout
            if active.deadline < self._rings_at:
                self._ring_at(active.deadline, now)

    def extend(self, active: ActiveExecution, seconds: float) -> None:
        """Give a handler that was cancelled so long to end."""
        active.deadline = self._time.monotonic() + seconds

    def close(self) -> None:
        """Let the timer go; until then it stays set, also for handlers that end long before it rings."""
        self._ring_at(math.inf, 0.0)

    def _ring(self) -> None:
        self._timer, self._rings_at = None, math.inf
        now = self._time.monotonic()
        for active in self.all():
            if active.deadline is not None and active.deadline <= now:
                active.deadline = None
                self._expired(active)
        self._ring_at(min((active.deadline for active in self.values() if active.deadline is not None), default=math.inf), now)

    def _ring_at(self, at: float, now: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._rings_at = None, at
        if at != math.inf:
            self._timer = self._time.call_later(at - now, self._ring)
