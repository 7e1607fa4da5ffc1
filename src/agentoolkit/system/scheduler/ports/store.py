"""The interface of a store, written as obligations. A store is complete when the contract suite passes on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from agentoolkit.system.scheduler.execution_records import Execution, ExecutionStatus
from agentoolkit.system.scheduler.jobs import Job, JobState, JobStatus
from agentoolkit.system.scheduler.ports.records import (
    AuditEntry,
    Begins,
    Change,
    Claimed,
    Claims,
    Ending,
    Finished,
    FoundExecutions,
    FoundJobs,
    Message,
    PendingCancel,
    Position,
    Removed,
    Retried,
    StoredJob,
    none_begins,
)
from agentoolkit.system.scheduler.ports.sharing import SharedStore
from agentoolkit.system.scheduler.search import Search


class JobStore(SharedStore, Protocol):
    """Holds jobs, executions and messages. Every method is one transaction.

    A change takes a `note` of its caller, which is kept only if the change is made.
    """

    survives_restart: bool
    shared: bool
    """True if other processes can open it too."""
    owner: str
    """The id of this process. It owns the executions that it claims, and only the owner can change them."""

    async def open(self) -> None:
        """Make the store ready for use. Idempotent."""
        ...

    async def close(self) -> None:
        """Release what `open` acquired, the lead included. Idempotent."""
        ...

    async def add(self, job: Job, state: JobState, note: AuditEntry | None = None) -> None:
        """Add a new job.

        Raise `JobExists` if a job that can still fire has its id or name. Raise `InvalidSchedule` if the job would be
        downstream of itself, directly or through others (see `decisions.downstream.check_circle`).
        """
        ...

    async def note(self, entry: AuditEntry) -> None:
        """Add an audit entry of an action that changes nothing in the store."""
        ...

    async def entries(self, job_id: str | None, owner: str | None, limit: int) -> Sequence[AuditEntry]:
        """Return the newest audit entries, the newest first, of one job or all jobs and of one owner or all owners."""
        ...

    async def find(self, id_or_name: str) -> StoredJob | None:
        """Return the job with this id, else the one with this name. Raise `DamagedJob` if it cannot be read.

        Of several jobs with the name, the one that can still fire comes first, then the newest.
        """
        ...

    async def find_cancelled(self, id_or_name: str) -> StoredJob | None:
        """Return the cancelled job with this id, else the newest with this name, until it is purged."""
        ...

    async def find_similar(self, id_or_name: str, limit: int) -> Sequence[str]:
        """Return the ids and names next to this one in sorted order, of jobs that can still fire: up to `limit` on each side."""
        ...

    async def jobs(self) -> Sequence[StoredJob]:
        """Return all jobs, the oldest first. A damaged job is returned as `job_records.unreadable`, with status broken."""
        ...

    async def list_jobs(self, status: JobStatus | None = None, limit: int = 100, after: Position | None = None) -> Sequence[StoredJob]:
        """Return one page of jobs, the oldest first, from the position `after` on. Without a status: those of `jobs.LIVE`."""
        ...

    async def search_jobs(self, search: Search, limit: int, after: Position | None = None) -> FoundJobs:
        """Return one page of the jobs that match (see `search.matching.job_fits`), in the order of `list_jobs`."""
        ...

    async def count_jobs(self) -> Mapping[JobStatus, int]:
        """Return the number of jobs by status. The cost does not depend on the number of jobs."""
        ...

    async def last_outcomes(self, job_ids: Sequence[str]) -> Mapping[str, ExecutionStatus]:
        """Return the status of the execution that finished last, for each of these jobs that has one."""
        ...

    async def downstream(self, job_id: str) -> Sequence[str]:
        """Return the ids of the downstream jobs that can still fire."""
        ...

    async def replace(self, job: Job, state: JobState, before: JobState, note: AuditEntry | None = None) -> bool:
        """Replace a job only if its status still equals `before` (compare-and-set). Return False if it changed meanwhile.

        The new version is one higher than that of `before`. Raise as `add` does; a job that cannot fire may have another's name.
        """
        ...

    async def exchange(self, old: StoredJob, job: Job, state: JobState, at: datetime, note: AuditEntry | None = None) -> Removed:
        """Remove a job and add another in its place, only if the old job's state still equals `old.state`.

        Raise as `add` does; then the old job stays as it is. Return False if it changed meanwhile.
        """
        ...

    async def remove(self, job_id: str, at: datetime, reason: str = "", note: AuditEntry | None = None) -> Removed:
        """Cancel a job and its waiting executions. Keep its history, the time and the reason."""
        ...

    async def claim(self, job_ids: Sequence[str], now: datetime, begins: Begins = none_begins) -> Claims:
        """Decide on every due time of these jobs up to `now` (see `decisions.due_or_late.decide`), and write the records.

        Records come in the order of `job_ids`. For `begins`, see `claim_executions`. Each due time is claimed at most once,
        by whichever process and however often. A due time that has a record already, as after a backfill, does not count
        as a run of the job (see `decisions.due_or_late.recount`).
        """
        ...

    async def insert(
        self, executions: Sequence[Execution], messages: Sequence[Message] = (), note: AuditEntry | None = None
    ) -> Sequence[str]:
        """Add executions that are not claimed from a schedule, and the messages of those that are new.

        Return the ids of the new executions. One that is added as finished starts no downstream job.
        """
        ...

    async def begin(self, executions: Sequence[Execution]) -> Sequence[bool]:
        """Mark our executions as started. Return for each whether it was still waiting."""
        ...

    async def finish(self, endings: Sequence[Ending]) -> Sequence[Finished]:
        """Write outcomes, messages and downstream executions (see `decisions.downstream`), and prune each job's history.

        The hundred executions that finished last stay, and all that this call finishes. Return for each execution whether
        it was unfinished, ours and in the status `seen`; if not, it is not changed.
        """
        ...

    async def execution(self, execution_id: str) -> Execution | None:
        """Return one execution. A damaged one is returned as lost, with a reason that says so."""
        ...

    async def executions_by_id(self, execution_ids: Sequence[str]) -> Sequence[Execution]:
        """Return these executions without their results, in no order. Pruned ones are missing."""
        ...

    async def statuses(self, execution_ids: Sequence[str]) -> Mapping[str, ExecutionStatus]:
        """Return the statuses of these executions. Pruned ones are missing."""
        ...

    async def executions(
        self,
        job_id: str | None,
        limit: int,
        status: ExecutionStatus | None = None,
        before: Position | None = None,
        with_results: bool = True,
    ) -> Sequence[Execution]:
        """Return one page of executions, the latest due time first: of one job or all jobs, with one status or any.

        The page has at most `limit` executions and continues from the position `before`. Results may be large, and can be omitted.
        """
        ...

    async def search_executions(
        self, search: Search, limit: int, before: Position | None = None, with_results: bool = True
    ) -> FoundExecutions:
        """Return one page of the executions that match (see `search.matching.execution_fits`), in the order of `executions`."""
        ...

    async def retry(self, execution: Execution, ending: Ending | None = None, made_at: datetime | None = None) -> Retried:
        """Record that our execution waits for its next attempt, with its result so far.

        If its job was removed meanwhile, or replaced by a new one with the same id, write the outcome `ending` instead
        (see `decisions.retry.job_is_gone`; `made_at` is when the job was created that the attempt began with).
        """
        ...

    async def queue_retries(self, execution_ids: Sequence[str]) -> Sequence[Claimed]:
        """Queue our executions whose retries are due. Return those that still waited for them, in the given order, with their jobs."""
        ...

    async def release(self, execution: Execution) -> bool:
        """Release our interrupted execution, with its result so far; the next leader starts it. Return False if it was not ours."""
        ...

    async def take_over(self, now: datetime, held: Callable[[str], bool]) -> Sequence[Claimed]:
        """Take over abandoned unfinished executions: ours that are not `held` and, if we lead, those of ended processes.

        Each becomes ours, to be started again or at its `retry_at`, or is written as lost (see `decisions.recovery.recover`).
        The answer includes downstream executions of lost ones. A damaged execution is written as lost. The answer is a
        portion, the oldest first: call again until it is empty.
        """
        ...

    async def follow(self, ended: Execution) -> Sequence[Claimed]:
        """Create the executions downstream of an event that has no record, such as the scheduler's start, if we lead."""
        ...

    async def request_cancel(self, execution_id: str, reason: str = "", *, is_carried_out: bool = False) -> bool:
        """Request that the owner of an execution cancels it. Return True if it is unfinished.

        With `is_carried_out` we are the owner, and have cancelled it: only a process that takes it over is told.
        """
        ...

    async def cancel_requests(self) -> Sequence[PendingCancel]:
        """Return the cancel requests of other processes to us. Each is returned until `acknowledge_cancel`."""
        ...

    async def pending_cancels(self) -> Sequence[PendingCancel]:
        """Return the unfinished executions whose cancellation was requested, of all processes, also if it is being carried out."""
        ...

    async def acknowledge_cancel(self, execution_id: str) -> None:
        """Remove the request to cancel this execution: it was carried out."""
        ...

    async def upcoming(self) -> Iterable[Change]:
        """Return all jobs that have a next due time, with that time."""
        ...

    async def due_next(self, limit: int, owner: str | None = None) -> Sequence[StoredJob]:
        """Return up to `limit` active jobs with a due time, the earliest first, of one owner or all owners."""
        ...

    async def changes(self) -> Sequence[Change]:
        """Return the jobs that other processes changed since the last call, or since `open`."""
        ...

    async def outbox(self, limit: int) -> Sequence[Message]:
        """Return messages that we have to deliver, the oldest first: ours and, if we lead, those of ended processes."""
        ...

    async def messages(self, limit: int) -> Sequence[Message]:
        """Return the undelivered messages of all processes, the oldest first."""
        ...

    async def delivered(self, execution_ids: Sequence[str]) -> None:
        """Remove delivered messages from the outbox, and note that in the executions' records."""
        ...

    async def undelivered(self, message: Message, *, give_up: bool) -> None:
        """Count a failed delivery. With `give_up`, remove the message and note that in the execution's record."""
        ...

    async def damaged(self, limit: int) -> Sequence[str]:
        """Describe damaged records of executions and messages: up to `limit`, among the newest thousand."""
        ...

    async def purge(self, now: datetime) -> None:
        """Delete jobs that are over, history without a job, and records of ended processes.

        The newest `KEPT` of both kinds of history stay, and records younger than `RETENTION` may stay.
        """
        ...
