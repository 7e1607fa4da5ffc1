"""The table of executions under way in this process: their phases, how late they started, and one timer for all deadlines."""

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
from agentoolkit.system.scheduler.decisions.outcomes import record_cancellation
from agentoolkit.system.scheduler.execution_records import Execution
from agentoolkit.system.scheduler.jobs import Job, Priority, Work
from agentoolkit.system.scheduler.ports import HERE, Limit, Order, Route
from agentoolkit.system.scheduler.retention import RESULT_SIZE
from agentoolkit.time_source import Cancellable, TimeSource

_URGENCY: dict[Priority, int] = {"critical": 0, "high": 1, "medium": 2, "low": 3}
_BACKFILL_URGENCY = 4
"""Added to the urgency of a backfill, so that current due times do not wait for past ones."""


MEASURED = 1_000
"""Number of starts whose lateness is kept."""


_order = maker_of(Order)


class Phase(IntEnum):
    """The phase of an execution in this process. An execution that is gone is in no table."""

    EXPECTED = 0
    """Its record is being written; the executor does not have it yet."""
    WAITING = 1
    """The executor has it, and has no room for it yet."""
    STARTING = 2
    """It has room, and its start is being written."""
    RUNNING = 3
    WRITING = 4
    """Its handler has ended, and its outcome is being written."""


class Outcome(NamedTuple):
    """The outcome of an attempt: its record, and the handler's exception."""

    execution: Execution
    error: BaseException | None = None


class Interrupted(asyncio.CancelledError):
    """The scheduler stopped while the handler ran."""


@dataclass(slots=True, eq=False)
class ActiveExecution:
    """An execution under way, from its submission until its outcome is written."""

    work: Work | Job
    execution: Execution
    timeout: float | None
    """Seconds that its handler may take; None means no limit."""
    phase: Phase = Phase.WAITING
    route: Route = HERE
    began: float | None = None
    """Time of the handler's call, by the monotonic clock."""
    deadline: float | None = None
    """Time at which the handler is cancelled, and later given up, by the monotonic clock; None means never."""
    cancel_reason: str = ""
    timed_out: bool = False
    given_up: bool = False
    secrets: Sequence[str] = ()
    """Values of secret references, the longest first. Neither its record nor its output shows them."""
    names: frozenset[str] = frozenset()
    """Jobs and concurrency keys held by this execution and the executions that wait for it. It may not wait for these."""
    outcome: asyncio.Future[Outcome] | None = None
    """The future of a caller that waits for the outcome."""

    @property
    def order(self) -> Order:
        """The order for the executor: urgency, and the limits it counts against.

        An execution that a caller waits for goes first and waits only for its concurrency key. Others wait for it.
        """
        policies, execution = self.work.policies, self.execution
        trigger = execution.trigger
        now = trigger == "run_now"
        urgency = 0 if now else _URGENCY[policies.priority]
        if trigger == "backfill":
            urgency += _BACKFILL_URGENCY
        # A plain tuple in place of a `Limit`: one is created for every firing, and the garbage collector untracks it.
        limits: tuple[tuple[str, int, bool], ...] = (
            (f"job:{execution.job_id}", policies.max_instances, not now and policies.overlap != "allow"),
        )
        if policies.concurrency_key is not None:
            limits += (Limit(f"key:{policies.concurrency_key}", 1),)
        return _order((execution.execution_id, urgency, limits, now, self.route))

    @property
    def goes_away(self) -> bool:
        """True if another process runs it."""
        return self.route is not HERE


class Lateness:
    """Seconds between due time and start of the latest executions, in any process."""

    def __init__(self) -> None:
        self._starts: deque[tuple[datetime, datetime]] = deque(maxlen=MEASURED)
        """Pairs of due time and start."""

    def note(self, execution: Execution) -> None:
        """Keep the due time and first start of an execution that a schedule triggered."""
        if execution.trigger == "schedule" and (began := execution.first_start) is not None:
            self._starts.append((execution.scheduled_at, began))

    @property
    def worst(self) -> float | None:
        """The longest of the last hundred; None if there were none."""
        return max(map(_seconds_late, islice(reversed(self._starts), 100)), default=None)

    def of(self, share: float) -> float | None:
        """Return the quantile `share` of the last thousand, in seconds; None if there were none."""
        ordered = sorted(map(_seconds_late, self._starts))
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None


def _seconds_late(start: tuple[datetime, datetime]) -> float:
    due, began = start
    return (began - due).total_seconds()


class ActiveExecutions(dict[str, ActiveExecution]):
    """The executions under way in this process, by id. One timer serves them all: one each would cost more than most handlers.

    Args:
        time: The time source.
        expired: Called with an execution whose deadline has passed and was removed.
        result_size: Maximum size of a result, in bytes of JSON.
    """

    def __init__(self, time: TimeSource, expired: Callable[[ActiveExecution], None], result_size: int = RESULT_SIZE) -> None:
        super().__init__()
        self._time = time
        self._expired = expired
        self.result_size = result_size
        self._timer: Cancellable | None = None
        self._rings_at = math.inf
        """Time of the timer's next ring, by the monotonic clock."""
        self.lateness = Lateness()
        self.stopping = False
        """True if the scheduler stops, and therefore cancels handlers."""
        self.in_doubt = False
        """True if the store may hold executions of ours that are not under way."""

    def all(self) -> Iterable[ActiveExecution]:
        """Return a copy of the list of executions."""
        return list(self.values())

    def waiting_jobs(self) -> set[str]:
        """Return the ids of jobs with executions that wait here for room."""
        return {active.execution.job_id for active in self.values() if active.phase is Phase.WAITING}

    def redefine(self, job: Job, timeout: float | None) -> Sequence[ActiveExecution]:
        """Apply a job's new definition to its waiting executions. Return those whose limits changed.

        An execution that a caller waits for runs as it was requested.
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
        """Remove an execution. Another one with the same id, such as its next attempt, stays."""
        execution_id = active.execution.execution_id
        if self.get(execution_id) is active:
            del self[execution_id]

    def end(self, active: ActiveExecution, outcome: Outcome | None) -> None:
        """Remove an execution, and give its outcome to a caller that waits for it. None means that the scheduler stopped first."""
        self.remove(active)
        if active.outcome is not None and not active.outcome.done():
            stopped = "the scheduler stopped"
            active.outcome.set_result(outcome or Outcome(record_cancellation(active.execution, stopped, self._time.now())))

    def watch(self, active: ActiveExecution) -> None:
        """Start the timeout of an execution whose handler is called now."""
        active.began = now = self._time.monotonic()
        if active.timeout is not None:
            active.deadline = now + active.timeout
            if active.deadline < self._rings_at:
                self._ring_at(active.deadline, now)

    def extend(self, active: ActiveExecution, seconds: float) -> None:
        """Set the deadline of a cancelled handler to `seconds` from now."""
        active.deadline = self._time.monotonic() + seconds

    def close(self) -> None:
        """Cancel the timer. It stays set until then, even if the handlers it was set for have ended."""
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
