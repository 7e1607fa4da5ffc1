"""The scheduler's seams, written as obligations. A back end is done when the contract suite passes on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from agentoolkit.system.scheduler.errors import SchedulerError
from agentoolkit.system.scheduler.jobs import Execution, ExecutionStatus, Job, JobState

KEPT = 1_000
"""Jobs that are over, and executions without a job, that are kept however old they are."""
RETENTION = timedelta(days=30)
"""How long others of them are kept at least, where they outlive the process."""


class StoredJob(NamedTuple):
    """A job as a store holds it."""

    job: Job
    standing: JobState


class DamagedJob(SchedulerError):
    """What is stored of a job cannot be read.

    Args:
        job: What is known of it.
        why: What went wrong at reading.
    """

    def __init__(self, job: Job, why: str) -> None:
        remedy = "Mend its row in the database; or remove it with operation 'cancel', and schedule it again."
        super().__init__(f"Job {job.job_id!r} cannot be read: {why}.", field="job_id", value=job.job_id, remedy=remedy)
        self.job = job


class Change(NamedTuple):
    """A job that was added, changed or removed, and when it is due now; None: never."""

    job_id: str
    next_run_at: datetime | None


class Claimed(NamedTuple):
    """A due time that now is this process's to deal with, or a record that it was passed over."""

    job: Job | None
    """None where an execution outlived its job."""
    execution: Execution


class Claims(NamedTuple):
    """The answer to one claim."""

    records: Sequence[Claimed]
    """Every record written, in due order per job."""
    next_times: Sequence[Change]
    """For every job asked about: when it is due next; None if it is not."""


class Finished(NamedTuple):
    """The answer to an outcome. True if it was written."""

    written: bool
    downstream: Sequence[Claimed] = ()
    """What comes after it, and is this process's to start; and records of what does not start."""

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
    """An outcome, and what is to be forwarded of it."""

    execution: Execution
    message: Message | None = None


class JobStore(Protocol):
    """Holds jobs, executions and messages under way. Every method is one transaction: all of it happens, or none."""

    survives_restart: bool
    shared: bool
    """Can other processes have it open too?"""
    owner: str
    """The id this process gave itself. Executions it claims bear it, and only their owner can change them."""

    async def open(self) -> None:
        """Make ready for use. Idempotent."""
        ...

    async def close(self) -> None:
        """Give back what `open` took, leadership included. Idempotent."""
        ...

    async def lead(self, now: datetime) -> bool:
        """Become or stay the one process that claims; tell whether that holds now."""
        ...

    async def release_all(self) -> None:
        """Give up the lead, and what waits of our executions: whoever leads next starts it."""
        ...

    async def leader(self) -> Owner | None:
        """Return the process that claims, if there is one."""
        ...

    async def owners(self) -> Sequence[Owner]:
        """Return the processes that have the store open, the oldest first; none where it is not shared."""
        ...

    async def set_stopped(self, stopped: bool) -> None:
        """Keep every process from claiming, or let them again, until this is called again."""
        ...

    async def is_stopped(self) -> bool:
        """Are all processes kept from claiming?"""
        ...

    async def add(self, job: Job, standing: JobState) -> None:
        """Keep a new job.

        Raise `JobExists` if its id, or its name, belongs to a job that can still fire, and `InvalidSchedule` if it
        would come after itself, also by way of others (see `decisions.check_circle`).
        """
        ...

    async def find(self, id_or_name: str) -> StoredJob | None:
        """Return the job with this id, else the one with this name. Raise `DamagedJob` if it cannot be read."""
        ...

    async def jobs(self) -> Sequence[StoredJob]:
        """Return every job, the oldest first; one that cannot be read as `jobs.unreadable`, broken."""
        ...

    async def downstream(self, job_id: str) -> Sequence[str]:
        """Return the ids of the jobs that come after this one and can still fire."""
        ...

    async def replace(self, job: Job, standing: JobState, before: JobState) -> bool:
        """Change a job, to a version one higher than that of `before`, and tell whether it was changed.

        It is not if it does not stand as `before` says any more: then whoever changes it has not seen where it stands, and
        would put a due time back that was decided on meanwhile. Raise as `add` does; a job that cannot fire may bear the name of another.
        """
        ...

    async def remove(self, job_id: str) -> bool:
        """Forget a job and keep its history; what waits of it is cancelled. Tell whether there was one."""
        ...

    async def claim(self, job_ids: Sequence[str], now: datetime) -> Claims:
        """Decide, for each job, on every due time up to `now` (see `decisions.decide`), and write it all down.

        Each due time is given out at most once, whoever asks and however often; one that has its record already, as after a
        backfill, is no run of the job (see `decisions.recount`).
        """
        ...

    async def insert(self, executions: Sequence[Execution], messages: Sequence[Message] = ()) -> Sequence[str]:
        """Write down executions that no schedule asked for now, and the messages of those that were not there yet.

        Return the ids of those. Nothing comes after an execution that is recorded as finished.
        """
        ...

    async def begin(self, executions: Sequence[Execution]) -> Sequence[bool]:
        """Mark executions of ours as started. Tell of each whether it was still waiting to be."""
        ...

    async def finish(self, endings: Sequence[Ending]) -> Sequence[Finished]:
        """Write outcomes, put their messages into the outbox and prune the jobs' histories to the newest 100.

        Where jobs come after these, write down their executions as well (see `decisions.decide_downstream`). Tell of each execution
        whether it was still unfinished and ours; if not, nothing changes.
        """
        ...

    async def execution(self, execution_id: str) -> Execution | None:
        """Return one execution."""
        ...

    async def executions(self, job_id: str | None, limit: int, status: ExecutionStatus | None = None) -> Sequence[Execution]:
        """Return the newest executions, of a job or of all, in one status or in any; the newest first."""
        ...

    async def retry(self, execution: Execution) -> bool:
        """Let an execution of ours wait for its next attempt. Tell whether it was still ours."""
        ...

    async def release(self, execution: Execution) -> bool:
        """Give back an execution of ours that was interrupted, for whoever leads next. Tell whether it was ours."""
        ...

    async def take_over(self, now: datetime, held: Callable[[str], bool]) -> Sequence[Claimed]:
        """Settle unfinished executions that nobody works on: ours that are not `held` and, if we lead, of ended processes.

        Each becomes ours, to be started again or at its `retry_at`, or is written down as lost (see `recovery.recover`).
        What comes after a lost one is among the answers.
        """
        ...

    async def request_cancel(self, execution_id: str) -> bool:
        """Ask the process that runs an execution to cancel it. Tell whether it is unfinished."""
        ...

    async def cancel_requests(self) -> Sequence[str]:
        """Return executions of ours that other processes ask us to cancel; each is returned once."""
        ...

    async def upcoming(self) -> Sequence[Change]:
        """Return every job that is due some time, and when."""
        ...

    async def changes(self) -> Sequence[Change]:
        """Return the jobs that other processes changed since this was last asked, or since `open`."""
        ...

    async def outbox(self, limit: int) -> Sequence[Message]:
        """Return messages to be delivered by us: ours and, if we lead, those of processes that ended. The oldest first."""
        ...

    async def messages(self, limit: int) -> Sequence[Message]:
        """Return every message that is still to be delivered, by whomever. The oldest first."""
        ...

    async def delivered(self, execution_id: str) -> None:
        """Take a message out of the outbox: it arrived."""
        ...

    async def undelivered(self, message: Message, *, give_up: bool) -> None:
        """Note a failed attempt at delivery; with `give_up`, take the message out and say so in the history."""
        ...

    async def purge(self, now: datetime) -> None:
        """Forget what nobody will ask for: jobs that are over, history without a job, processes that ended.

        Of both kinds of history the newest `KEPT` and whatever is younger than `RETENTION` may stay.
        """
        ...
