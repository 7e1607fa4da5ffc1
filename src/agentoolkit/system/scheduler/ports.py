"""What the scheduler asks of a back end, written as obligations. A back end is done when the contract suite passes on it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from agentoolkit.system.scheduler.errors import SchedulerError
from agentoolkit.system.scheduler.jobs import Execution, ExecutionStatus, Job, JobState, JobStatus

KEPT = 1_000
"""Jobs that are over, and executions without a job, that are kept however old they are."""
RETENTION = timedelta(days=30)
"""How long others of them are kept at least, where they outlive the process."""


class StoredJob(NamedTuple):
    """A job as a store holds it."""

    job: Job
    state: JobState


class Position(NamedTuple):
    """A place in a list: the next page begins after it."""

    at: datetime
    """When the job was created, or the execution was due."""
    id: str


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
    """For every job asked about: when it is due next; None if it is not."""


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

    def __bool__(self) -> bool:
        return self.removed


class PendingCancel(NamedTuple):
    """Another process asks to cancel an execution."""

    execution_id: str
    reason: str


class JobStore(Protocol):
    """Holds jobs, executions and messages. Every method is one transaction: all of it happens, or nothing."""

    survives_restart: bool
    shared: bool
    """Can other processes open it too?"""
    owner: str
    """The id of this process. The executions it claims bear it, and only their owner can change them."""

    async def open(self) -> None:
        """Make the store ready for use. Idempotent."""
        ...

    async def close(self) -> None:
        """Release what `open` acquired, the lead included. Idempotent."""
        ...

    async def lead(self, now: datetime) -> bool:
        """Become or stay the one process that claims. Return whether this process leads now."""
        ...

    async def release_all(self) -> None:
        """Give up the lead and our waiting executions; the next leader starts them."""
        ...

    async def leader(self) -> Owner | None:
        """Return the process that claims, if there is one."""
        ...

    async def owners(self) -> Sequence[Owner]:
        """Return the processes that have the store open, the oldest first; none where it is not shared."""
        ...

    async def set_stopped(self, stopped: bool) -> None:
        """Forbid every process to claim, or allow it again. It holds until the next call."""
        ...

    async def is_stopped(self) -> bool:
        """Return whether claiming is forbidden."""
        ...

    async def add(self, job: Job, state: JobState) -> None:
        """Add a new job.

        Raise `JobExists` if a job that can still fire has its id or name, and `InvalidSchedule` if the job would come
        after itself, directly or through others (see `decisions.downstream.check_circle`).
        """
        ...

    async def find(self, id_or_name: str) -> StoredJob | None:
        """Return the job with this id, else the one with this name. Raise `DamagedJob` if it cannot be read.

        Of several jobs with the name, the one that can still fire comes first, then the newest.
        """
        ...

    async def find_cancelled(self, id_or_name: str) -> StoredJob | None:
        """Return the cancelled job with this id, else the newest with this name, as long as it is remembered."""
        ...

    async def find_similar(self, id_or_name: str, limit: int) -> Sequence[str]:
        """Return ids and names near this one in their order, of jobs that can still fire. At most `limit` on each side."""
        ...

    async def jobs(self) -> Sequence[StoredJob]:
        """Return every job, the oldest first; one that cannot be read as `jobs.unreadable`, broken."""
        ...

    async def list_jobs(self, status: JobStatus | None = None, limit: int = 100, after: Position | None = None) -> Sequence[StoredJob]:
        """Return one page of jobs, the oldest first: those created after a position, with one status.

        Without a status: all that can still fire or be repaired (see `jobs.LIVE`).
        """
        ...

    async def count_jobs(self) -> Mapping[JobStatus, int]:
        """Return how many jobs have each status. The cost does not depend on how many there are."""
        ...

    async def last_outcomes(self, job_ids: Sequence[str]) -> Mapping[str, ExecutionStatus]:
        """Return how the execution that finished last ended, for each of these jobs that has one."""
        ...

    async def downstream(self, job_id: str) -> Sequence[str]:
        """Return the ids of the jobs that come after this one and can still fire."""
        ...

    async def replace(self, job: Job, state: JobState, before: JobState) -> bool:
        """Replace a job only if its status still equals `before` (compare-and-set). Return False if it changed meanwhile.

        The new version is one higher than that of `before`. Raise as `add` does; a job that cannot fire may have another's name.
        """
        ...

    async def exchange(self, old: StoredJob, job: Job, state: JobState, at: datetime) -> Removed:
        """Remove a job and add another in its place, only if the old one's status still equals `old.state`.

        Raise as `add` does; then the old job stays as it is. Return False if it changed meanwhile.
        """
        ...

    async def remove(self, job_id: str, at: datetime, reason: str = "") -> Removed:
        """Cancel a job and its waiting executions, and keep its history. Remember when, and why."""
        ...

    async def claim(self, job_ids: Sequence[str], now: datetime) -> Claims:
        """Decide on every due time of these jobs up to `now` (see `decisions.due.decide`), and write the records.

        Each due time is given out at most once, whoever asks and however often. One that has a record already, as after a
        backfill, does not count as a run of the job (see `decisions.due.recount`).
        """
        ...

    async def insert(self, executions: Sequence[Execution], messages: Sequence[Message] = ()) -> Sequence[str]:
        """Add executions that no schedule asked for now, and the messages of those that are new.

        Return the ids of the new ones. Nothing comes after an execution that is added as finished.
        """
        ...

    async def claim_executions(self, execution_ids: Sequence[str]) -> Sequence[Claimed]:
        """Make executions ours that wait, for room or for a retry that is due. Return those of them that did, with their jobs.

        Of several processes that claim one execution, or claim it twice, one gets it once.
        """
        ...

    async def begin(self, executions: Sequence[Execution]) -> Sequence[bool]:
        """Mark executions of ours as started. Return for each whether it was still waiting."""
        ...

    async def finish(self, endings: Sequence[Ending]) -> Sequence[Finished]:
        """Write outcomes and their messages, and prune each job's history to the newest hundred, by when they finished.

        What this call finishes is never pruned by it. Executions of downstream jobs are written too (see
        `decisions.downstream`). Return for each execution whether it was still unfinished, ours and as `seen`; if not,
        nothing changes.
        """
        ...

    async def execution(self, execution_id: str) -> Execution | None:
        """Return one execution; a damaged one as lost, with a reason that says so."""
        ...

    async def executions(
        self,
        job_id: str | None,
        limit: int,
        status: ExecutionStatus | None = None,
        before: Position | None = None,
        with_results: bool = True,
    ) -> Sequence[Execution]:
        """Return one page of executions, those due latest first: of one job or all, with one status or any.

        Args:
            job_id: The job's id; None: all jobs.
            limit: How many at most.
            status: The status they have; None: any.
            before: Where the page before ended; None: the first page.
            with_results: Load the results, which may be large.
        """
        ...

    async def retry(self, execution: Execution, ending: Ending | None = None) -> Retried:
        """Let an execution of ours wait for its next attempt. If its job is gone, write `ending` instead.

        A job is gone if there is none of this id, or if it was created after the attempt began.
        """
        ...

    async def release(self, execution: Execution) -> bool:
        """Give up an interrupted execution of ours; the next leader starts it. Return whether it was ours."""
        ...

    async def take_over(self, now: datetime, held: Callable[[str], bool]) -> Sequence[Claimed]:
        """Take over unfinished executions that nobody works on: ours that are not `held` and, if we lead, of ended processes.

        Each becomes ours, to be started again or at its `retry_at`, or is written as lost (see `decisions.recovery.recover`).
        The answer includes downstream executions of lost ones. A damaged execution is written as lost.
        """
        ...

    async def request_cancel(self, execution_id: str, reason: str = "") -> bool:
        """Ask the process that runs an execution to cancel it. Return whether it is unfinished."""
        ...

    async def cancel_requests(self) -> Sequence[PendingCancel]:
        """Return what other processes ask us to cancel, again and again until `acknowledge_cancel`."""
        ...

    async def acknowledge_cancel(self, execution_id: str) -> None:
        """Forget the request to cancel this execution: it was acted on."""
        ...

    async def upcoming(self) -> Sequence[Change]:
        """Return every job that is due some time, and when."""
        ...

    async def changes(self) -> Sequence[Change]:
        """Return the jobs that other processes changed since the last call, or since `open`."""
        ...

    async def outbox(self, limit: int) -> Sequence[Message]:
        """Return messages that we have to deliver: ours and, if we lead, those of ended processes. The oldest first."""
        ...

    async def messages(self, limit: int) -> Sequence[Message]:
        """Return the messages that are still to be delivered by any process. The oldest first."""
        ...

    async def delivered(self, execution_id: str) -> None:
        """Remove a message from the outbox: it arrived."""
        ...

    async def undelivered(self, message: Message, *, give_up: bool) -> None:
        """Count a failed attempt at delivery; with `give_up`, remove the message and say so in the history."""
        ...

    async def damaged(self, limit: int) -> Sequence[str]:
        """Describe records that cannot be read, of executions and messages: at most `limit`, among the newest thousand."""
        ...

    async def purge(self, now: datetime) -> None:
        """Delete jobs that are over, history without a job, and processes that ended.

        Of both kinds of history the newest `KEPT` stay, and what is younger than `RETENTION` may stay.
        """
        ...


class Limit(NamedTuple):
    """A name that executions hold while they run, and how many of them may do so at once."""

    name: str
    capacity: int
    waits: bool = True
    """False: this one starts though the name has no room; whoever comes after it may have to wait for it."""


class Order(NamedTuple):
    """An execution that is to run."""

    execution_id: str
    urgency: int = 0
    """A lower number goes first."""
    limits: Sequence[Limit] = ()
    """What it holds while it runs. Of two that name one limit, the later one's capacity holds for both."""
    at_once: bool = False
    """Somebody waits for its outcome: it needs no room besides that of its limits, for the two could wait for each other's."""


class Attempts(Protocol):
    """Begins and carries out executions by their ids, in the process that has claimed them. An executor calls it."""

    def begin(self, execution_ids: Sequence[str]) -> Awaitable[Sequence[bool]]:
        """Have it written down that executions have room now. Answer for each whether `run` is to be called."""
        ...

    async def run(self, execution_id: str) -> None:
        """Carry out one execution that has begun. It returns at its handler's end, before the outcome is written down."""
        ...

    def forget(self, execution_ids: Sequence[str]) -> None:
        """Other processes have these executions now, and finish them in the store."""
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

    def submit(self, order: Order) -> None:
        """Run an execution as soon as there is room, in all and under each of its limits. Returns at once."""
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

    async def drain(self, seconds: float, grace: float) -> None:
        """Start nothing more; let what runs end by itself for so many seconds, then cancel it and wait for `grace` more."""
        ...
