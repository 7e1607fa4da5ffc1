"""What the scheduler asks of a store, written as obligations. A store is done when the contract suite passes on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from agentoolkit.system.scheduler.jobs import Execution, ExecutionStatus, Job, JobState, JobStatus
from agentoolkit.system.scheduler.ports.audit import AuditEntry
from agentoolkit.system.scheduler.ports.records import (
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
    """Holds jobs, executions and messages. Every method is one transaction: all of it happens, or nothing.

    A change takes a `note` of who makes it, which is kept where the change is made and nowhere else.
    """

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

    async def add(self, job: Job, state: JobState, note: AuditEntry | None = None) -> None:
        """Add a new job.

        Raise `JobExists` if a job that can still fire has its id or name, and `InvalidSchedule` if the job would come
        after itself, directly or through others (see `decisions.downstream.check_circle`).
        """
        ...

    async def note(self, entry: AuditEntry) -> None:
        """Keep what was done without a change to the store."""
        ...

    async def entries(self, job_id: str | None, owner: str | None, limit: int) -> Sequence[AuditEntry]:
        """Return the newest notes, of a job or of all, of an owner or of all; the newest first."""
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
        """Return every job, the oldest first; one that cannot be read as `job_records.unreadable`, broken."""
        ...

    async def list_jobs(self, status: JobStatus | None = None, limit: int = 100, after: Position | None = None) -> Sequence[StoredJob]:
        """Return one page of jobs, the oldest first: created after a position, with one status; None: any of `jobs.LIVE`."""
        ...

    async def search_jobs(self, search: Search, limit: int, after: Position | None = None) -> FoundJobs:
        """Return one page of the jobs that fit (see `search.matching.job_fits`), in the order of `list_jobs`."""
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

    async def replace(self, job: Job, state: JobState, before: JobState, note: AuditEntry | None = None) -> bool:
        """Replace a job only if its status still equals `before` (compare-and-set). Return False if it changed meanwhile.

        The new version is one higher than that of `before`. Raise as `add` does; a job that cannot fire may have another's name.
        """
        ...

    async def exchange(self, old: StoredJob, job: Job, state: JobState, at: datetime, note: AuditEntry | None = None) -> Removed:
        """Remove a job and add another in its place, only if the old one's status still equals `old.state`.

        Raise as `add` does; then the old job stays as it is. Return False if it changed meanwhile.
        """
        ...

    async def remove(self, job_id: str, at: datetime, reason: str = "", note: AuditEntry | None = None) -> Removed:
        """Cancel a job and its waiting executions, and keep its history. Remember when, and why."""
        ...

    async def claim(self, job_ids: Sequence[str], now: datetime, begins: Begins = none_begins) -> Claims:
        """Decide on every due time of these jobs up to `now` (see `decisions.due_or_late.decide`), and write the records.

        They come in the order in which the jobs were asked for; those that `begins` as started, see `claim_executions`.
        Each due time is given out at most once, whoever asks and however often. One that has a record already, as after a
        backfill, does not count as a run of the job (see `decisions.due_or_late.recount`).
        """
        ...

    async def insert(
        self, executions: Sequence[Execution], messages: Sequence[Message] = (), note: AuditEntry | None = None
    ) -> Sequence[str]:
        """Add executions that no schedule asked for now, and the messages of those that are new.

        Return the ids of the new ones. Nothing comes after an execution that is added as finished.
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

    async def executions_by_id(self, execution_ids: Sequence[str]) -> Sequence[Execution]:
        """Return these executions without their results, in no order; those that are not kept any more are missing."""
        ...

    async def statuses(self, execution_ids: Sequence[str]) -> Mapping[str, ExecutionStatus]:
        """Return how these executions stand; those that are not kept any more are missing."""
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

        It has `limit` at most, and goes on after `before`, where the page before ended. Results, which may be large, can be left out.
        """
        ...

    async def search_executions(
        self, search: Search, limit: int, before: Position | None = None, with_results: bool = True
    ) -> FoundExecutions:
        """Return one page of the executions that fit (see `search.matching.execution_fits`), in the order of `executions`."""
        ...

    async def retry(self, execution: Execution, ending: Ending | None = None) -> Retried:
        """Let an execution of ours wait, with its ``result`` so far, for its next attempt; if its job is gone or new, write `ending`."""
        ...

    async def queue_retries(self, execution_ids: Sequence[str]) -> Sequence[Claimed]:
        """Let executions of ours, whose retries are due, wait for room. Return those that still waited, in this order, with their jobs."""
        ...

    async def release(self, execution: Execution) -> bool:
        """Give up an interrupted execution of ours, with its ``result`` so far; the next leader starts it. Return whether it was ours."""
        ...

    async def take_over(self, now: datetime, held: Callable[[str], bool]) -> Sequence[Claimed]:
        """Take over unfinished executions that nobody works on: ours that are not `held` and, if we lead, of ended processes.

        Each becomes ours, to be started again or at its `retry_at`, or is written as lost (see `decisions.recovery.recover`).
        The answer includes downstream executions of lost ones. A damaged execution is written as lost. Where there are many, the
        answer is a portion of them, the oldest first: ask again until it is empty.
        """
        ...

    async def follow(self, ended: Execution) -> Sequence[Claimed]:
        """Start what comes after something that ended and that no store holds, such as the scheduler's start, if we lead."""
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

    async def upcoming(self) -> Iterable[Change]:
        """Return every job that is due some time, and when."""
        ...

    async def due_next(self, limit: int, owner: str | None = None) -> Sequence[StoredJob]:
        """Return at most `limit` active jobs with a due time, of an owner or of all, those due first at first."""
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
