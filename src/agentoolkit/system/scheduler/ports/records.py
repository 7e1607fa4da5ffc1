"""What a store is told and what it answers: facts of jobs, claims, outcomes and messages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from agentoolkit.system.scheduler.errors import SchedulerError
from agentoolkit.system.scheduler.jobs import Execution, ExecutionStatus, Job, JobState

WINDOW = 20_000
"""Records that one page of a search looks at, at most, where no index holds what is looked for."""


CanRun = Callable[[Job], bool]
"""Can this process run a job's executions?"""
Begins = Callable[[str, Job], bool]
"""Does an execution, by its id and job, have room as soon as it is claimed?"""


def any_job(job: Job) -> bool:
    """Say of every job that it can be run, if it can be read."""
    return job.readable


def none_begins(execution_id: str, job: Job) -> bool:
    """Say of every execution that it waits for room when it was claimed."""
    return False


class StoredJob(NamedTuple):
    """A job as a store holds it."""

    job: Job
    state: JobState


class Position(NamedTuple):
    """A place in a list: the next page begins after it."""

    at: datetime
    """When the job was created, or the execution was due."""
    id: str


class FoundJobs(NamedTuple):
    """A page of jobs that fit a search."""

    jobs: Sequence[StoredJob]
    following: Position | None
    """Where the next page begins; None: there is none. A page can be short, and yet not the last."""


class FoundExecutions(NamedTuple):
    """A page of executions that fit a search."""

    executions: Sequence[Execution]
    following: Position | None
    """As that of `FoundJobs`."""


class DamagedJob(SchedulerError):
    """What is stored of a job cannot be read.

    Args:
        job: What is known of it.
        why: What went wrong at reading.
    """

    def __init__(self, job: Job, why: str) -> None:
        remedy = "Repair its row in the database, or remove it with operation 'cancel' and schedule it again."
        super().__init__(f"Job {job.job_id!r} cannot be read: {why}.", field="job_id", value=job.job_id, remedy=remedy)
        self.job = job


class Change(NamedTuple):
    """A job that was added, changed or removed, and when it is due now; None: never."""

    job_id: str
    next_run_at: datetime | None


class Claimed(NamedTuple):
    """An execution that this process now has to start, or a record of a due time that was passed over."""

    job: Job | None
    """None where an execution outlived its job."""
    execution: Execution


class Claims(NamedTuple):
    """The answer to one claim."""

    records: Sequence[Claimed]
    """Every record written, in due order per job."""
    next_times: Sequence[Change]
    """Of the jobs asked about, those that are due again, and when."""


class Finished(NamedTuple):
    """The answer to an outcome. True if it was written."""

    written: bool
    downstream: Sequence[Claimed] = ()
    """Executions of downstream jobs that this process has to start, and records of those that do not start."""

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
    """An outcome on its way to a queue."""

    execution_id: str
    queue_name: str
    payload: dict[str, object]
    attempts: int = 0


class Ending(NamedTuple):
    """An outcome, and the message to deliver of it."""

    execution: Execution
    message: Message | None = None
    seen: ExecutionStatus | None = None
    """Write it only if the execution still has this status; None: whatever status it has."""


class Retried(NamedTuple):
    """The answer to a retry. True if anything was written."""

    waits: bool
    """Does the execution wait for its next attempt?"""
    finished: Finished = Finished(False)
    """The answer to the ending, where that was written because the job is gone."""

    def __bool__(self) -> bool:
        return self.waits or self.finished.written


class Removed(NamedTuple):
    """The answer to a removal. True if there was such a job."""

    removed: bool
    cancelled: Sequence[Execution] = ()
    """Executions of it that waited and are cancelled now."""
    running: Sequence[Execution] = ()
    """Executions of it that still run, those due latest first, without their results."""

    def __bool__(self) -> bool:
        return self.removed


class PendingCancel(NamedTuple):
    """Another process asks to cancel an execution."""

    execution_id: str
    reason: str
