"""Arguments and answers of a store: records of jobs, claims, outcomes and messages, and entries of the audit log."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple

from agentool.caller import Caller
from agentoolkit.system.scheduler.errors import SchedulerError
from agentoolkit.system.scheduler.execution_records import Execution, ExecutionStatus
from agentoolkit.system.scheduler.jobs import Job, JobState

WINDOW = 20_000
"""Maximum number of records that one page of a search reads if no index covers the search."""


CanRun = Callable[[Job], bool]
"""Tells whether this process can run a job's executions."""
Begins = Callable[[str, Job], bool]
"""Tells whether an execution, given its id and job, begins with its claim because it has room."""


def any_job(job: Job) -> bool:
    """Return True for every job that can be read."""
    return job.readable


def none_begins(execution_id: str, job: Job) -> bool:
    """Return False: every claimed execution waits for room."""
    return False


class StoredJob(NamedTuple):
    """A job and its state."""

    job: Job
    state: JobState


class Position(NamedTuple):
    """A place in a list: the next page begins after it."""

    at: datetime
    """Creation time of a job, or due time of an execution."""
    id: str


class FoundJobs(NamedTuple):
    """A page of the jobs that match a search."""

    jobs: Sequence[StoredJob]
    following: Position | None
    """Cursor of the next page; None on the last page. A page that is not the last can be short."""


class FoundExecutions(NamedTuple):
    """A page of the executions that match a search."""

    executions: Sequence[Execution]
    following: Position | None
    """As in `FoundJobs`."""


class DamagedJob(SchedulerError):
    """A job's stored record cannot be read.

    Args:
        job: The readable part of the job.
        why: The cause.
    """

    def __init__(self, job: Job, why: str) -> None:
        remedy = "Repair its row in the database, or remove it with operation 'cancel' and schedule it again."
        super().__init__(f"Job {job.job_id!r} cannot be read: {why}.", field="job_id", value=job.job_id, remedy=remedy)
        self.job = job


class Change(NamedTuple):
    """A job that was added, changed or removed, and its next due time; None means never."""

    job_id: str
    next_run_at: datetime | None


class Claimed(NamedTuple):
    """An execution that this process has to start, or the record of a skipped due time."""

    job: Job | None
    """None if the execution outlived its job."""
    execution: Execution


class Claims(NamedTuple):
    """The answer to one claim."""

    records: Sequence[Claimed]
    """All records that were written, in the order of due times for each job."""
    next_times: Sequence[Change]
    """The next due times of the claimed jobs that have one."""


class Finished(NamedTuple):
    """The answer to a written outcome. It is true if the outcome was written."""

    written: bool
    downstream: Sequence[Claimed] = ()
    """Downstream executions that this process has to start, and records of those that are skipped."""

    def __bool__(self) -> bool:
        return self.written


FINISHED = Finished(True)
NOT_FINISHED = Finished(False)


class Owner(NamedTuple):
    """A process that has the store open."""

    owner: str
    host: str
    pid: int
    started_at: datetime
    heartbeat_at: datetime


class Message(NamedTuple):
    """An outcome to be delivered to a queue."""

    execution_id: str
    queue_name: str
    payload: dict[str, object]
    attempts: int = 0


class Ending(NamedTuple):
    """An outcome and its message."""

    execution: Execution
    message: Message | None = None
    seen: ExecutionStatus | None = None
    """Write it only if the execution still has this status; None means any status."""


class Retried(NamedTuple):
    """The answer to a retry. It is true if anything was written."""

    waits: bool
    """True if the execution waits for its next attempt."""
    finished: Finished = Finished(False)
    """The answer to the ending, if that was written because the job is gone."""

    def __bool__(self) -> bool:
        return self.waits or self.finished.written


class Removed(NamedTuple):
    """The answer to a removal. It is true if the job existed."""

    removed: bool
    cancelled: Sequence[Execution] = ()
    """Its waiting executions, which are cancelled now."""
    running: Sequence[Execution] = ()
    """Its running executions, the latest due time first, without results."""

    def __bool__(self) -> bool:
        return self.removed


class PendingCancel(NamedTuple):
    """A request of another process to cancel an execution."""

    execution_id: str
    reason: str


Action = Literal["created", "changed", "paused", "resumed", "cancelled", "ran", "started", "backfilled", "cancelled_execution", "stopped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """An entry of the audit log: one action of a caller. Entries are added and never changed."""

    at: datetime
    caller: Caller
    action: Action
    owner: str
    """Owner of the job that was acted on."""
    job_id: str
    """Empty if the action concerned all jobs."""
    execution_id: str = ""
    before: Mapping[str, Any] | None = None
    """The job and its state before the action, with secrets hidden."""
    after: Mapping[str, Any] | None = None
