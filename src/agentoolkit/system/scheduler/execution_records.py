"""Executions as immutable values, and their changes. An execution is one due time of one job, from claim to outcome."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, NamedTuple, get_args

from agentoolkit.quick_tuples import maker_of
from agentoolkit.system.scheduler.execution_ids import execution_id
from agentoolkit.system.scheduler.jobs import Job

Trigger = Literal["schedule", "run_now", "requested", "backfill", "after", "start"]
TRIGGERS = ", ".join(get_args(Trigger))
"""All triggers, as text."""


class ExecutionStatus(StrEnum):
    """The status of an execution. The first three are unfinished; the others are final."""

    QUEUED = "queued"
    RUNNING = "running"
    RETRYING = "retrying"
    SUCCESS = "success"
    FAILED = "failed"
    CANCELLED = "cancelled"
    MISSED = "missed"
    """Not started, because it was noticed too late or merged into another due time."""
    SKIPPED = "skipped"
    """Not started, because of a policy."""
    LOST = "lost"
    """Started, and its process ended before an outcome was known."""


UNFINISHED = frozenset({ExecutionStatus.QUEUED, ExecutionStatus.RUNNING, ExecutionStatus.RETRYING})


class DeliveryStatus(StrEnum):
    """The delivery of an outcome to its queue. It is separate, so that a full queue never changes the outcome."""

    NONE = "none"
    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


# Named tuples, because every firing creates several: a copy costs a quarter of a dataclass's.


class ErrorRecord(NamedTuple):
    """An exception of an execution, as data."""

    type: str
    message: str
    traceback: str = ""


class Attempt(NamedTuple):
    """An earlier attempt, which did not succeed."""

    attempt: int
    started_at: datetime | None
    finished_at: datetime | None
    error: ErrorRecord | None


class Execution(NamedTuple):
    """An execution of a job, from claim to outcome."""

    execution_id: str
    job_id: str
    agentool_name: str
    scheduled_at: datetime
    trigger: Trigger = "schedule"
    status: ExecutionStatus = ExecutionStatus.QUEUED
    reason: str = ""
    due_count: int = 1
    """Number of due times in this record; more than one only if they were skipped together."""
    attempt: int = 1
    started_at: datetime | None = None
    finished_at: datetime | None = None
    duration: float | None = None
    """Seconds that the handler took."""
    result: Any = None
    error: ErrorRecord | None = None
    delivery: DeliveryStatus = DeliveryStatus.NONE
    retry_at: datetime | None = None
    attempts: tuple[Attempt, ...] = ()
    """Earlier attempts, the oldest first."""
    owner: str = ""
    """The id of the process that owns it."""

    @property
    def finished(self) -> bool:
        return self.status not in UNFINISHED

    @property
    def first_start(self) -> datetime | None:
        """When its first attempt began; None if that has not begun, or if another one has begun since."""
        if self.attempt == 1:
            return self.started_at
        latest = self.attempts[-1] if self.attempts and self.started_at is None else None
        return latest.started_at if latest is not None and latest.attempt == 1 else None

    def begun(self, at: datetime) -> Execution:  # every firing creates these two copies: `_replace` takes three times as long
        """Return it as running since `at`."""
        fields = list(self)
        fields[5], fields[9], fields[15] = _RUNNING, at, None  # status, started_at, retry_at
        return _execution(fields)

    def succeeded(self, at: datetime, duration: float, result: Any, reason: str) -> Execution:
        """Return it as succeeded at `at`."""
        fields = list(self)
        fields[5], fields[6], fields[10:13] = _SUCCESS, reason, (at, duration, result)  # status, reason, and from finished_at on
        return _execution(fields)


_execution = maker_of(Execution)
_QUEUED, _RUNNING, _SUCCESS = ExecutionStatus.QUEUED, ExecutionStatus.RUNNING, ExecutionStatus.SUCCESS  # an enum is slow to look into
_NONE = DeliveryStatus.NONE


def queued_execution(job: Job, due: datetime, owner: str) -> Execution:
    """Return the new execution of a job's due time."""
    job_id = job.job_id
    said = (execution_id(job_id, due), job_id, job.agentool_name, due, "schedule", _QUEUED, "", 1, 1)
    not_begun = (None, None, None, None, None, _NONE, None, ())
    return _execution((*said, *not_begun, owner))
