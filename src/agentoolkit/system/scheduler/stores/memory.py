"""The store in memory, which lives as long as its process."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import datetime

from agentoolkit.quick_tuples import maker_of
from agentoolkit.system.scheduler.decisions.decision_records import Decision
from agentoolkit.system.scheduler.decisions.downstream import decide_downstream
from agentoolkit.system.scheduler.decisions.due_or_late import begin_some, decide, recount
from agentoolkit.system.scheduler.decisions.outcomes import outcome_message
from agentoolkit.system.scheduler.decisions.pausing import FAILURES, failures_since, pause_if_failing
from agentoolkit.system.scheduler.decisions.recovery import recover, release
from agentoolkit.system.scheduler.decisions.retry import job_is_gone
from agentoolkit.system.scheduler.execution_records import UNFINISHED, DeliveryStatus, Execution, ExecutionStatus
from agentoolkit.system.scheduler.jobs import Job, JobState, JobStatus
from agentoolkit.system.scheduler.ports import (
    FINISHED,
    NOT_FINISHED,
    AuditEntry,
    Begins,
    CanRun,
    Change,
    Claimed,
    Claims,
    Ending,
    Finished,
    Message,
    PendingCancel,
    Removed,
    Retried,
    StoredJob,
    any_job,
    none_begins,
)
from agentoolkit.system.scheduler.retention import HISTORY_LENGTH, HISTORY_SIZE
from agentoolkit.system.scheduler.schedules.after import ANY
from agentoolkit.system.scheduler.stores.memory_history import may_start, place_of
from agentoolkit.system.scheduler.stores.memory_queries import MemoryQueries
from agentoolkit.system.scheduler.stores.one_process import OneProcess

RETIRED_JOBS = 1_000
"""Number of jobs kept with their history that can no longer fire or were cancelled."""

_claimed = maker_of(Claimed)
_DONE, _RUNNING = JobStatus.DONE, ExecutionStatus.RUNNING  # an enum is slow to look into


class MemoryJobStore(MemoryQueries, OneProcess):
    """Jobs, executions and messages in dictionaries.

    Only searches, `jobs` and `due_next` suspend, and they only read. So every method that writes is one transaction.

    Args:
        retired_jobs: Number of jobs kept that are over.
        history_length: Number of finished executions kept for each job.
        history_size: Maximum bytes of JSON of a job's results together.
    """

    def __init__(self, retired_jobs: int = RETIRED_JOBS, history_length: int = HISTORY_LENGTH, history_size: int = HISTORY_SIZE) -> None:
        super().__init__(history_length, history_size)
        self._retired: OrderedDict[str, None] = OrderedDict()
        self._retired_jobs = retired_jobs
        self._cancels: dict[str, str] = {}
        """Reasons of the executions whose cancellation was requested, by id, until they have ended."""

    async def add(self, job: Job, state: JobState, note: AuditEntry | None = None) -> None:
        self._jobs.check(job)
        self._put(StoredJob(job, state))
        self._add_note(note)

    async def note(self, entry: AuditEntry) -> None:
        self._add_note(entry)

    async def replace(self, job: Job, state: JobState, before: JobState, note: AuditEntry | None = None) -> bool:
        stored = self._jobs.get(job.job_id)
        if stored is None or stored.state != before:
            return False
        self._jobs.check(job, free=state.status is not _DONE, but=job.job_id)
        self._put(StoredJob(job, state._replace(version=before.version + 1)))
        self._add_note(note)
        return True

    async def exchange(self, old: StoredJob, job: Job, state: JobState, at: datetime, note: AuditEntry | None = None) -> Removed:
        stored = self._jobs.get(old.job.job_id)
        if stored is None or stored.state != old.state:
            return Removed(False)
        self._jobs.check(job, but=old.job.job_id)
        removed = self._remove(old.job.job_id, at, "replaced")
        self._put(StoredJob(job, state))
        self._add_note(note)
        return removed

    async def remove(self, job_id: str, at: datetime, reason: str = "", note: AuditEntry | None = None) -> Removed:
        removed = self._remove(job_id, at, reason)
        self._add_note(note if removed else None)
        return removed

    async def claim(self, job_ids: Sequence[str], now: datetime, begins: Begins = none_begins) -> Claims:
        records, next_times = list[Claimed](), list[Change]()
        for job_id in job_ids:
            if stored := self._jobs.get(job_id):
                decision = decide(*stored, now, self._history.count_unfinished(job_id))
                claimed, state = self._decided(stored, begin_some(stored.job, decision, now, begins))
                records += claimed
                if (at := state.due_at) is not None:
                    next_times.append(Change(job_id, at))
        return Claims(records, next_times)

    async def insert(
        self, executions: Sequence[Execution], messages: Sequence[Message] = (), note: AuditEntry | None = None
    ) -> Sequence[str]:
        new: list[str] = []
        for execution in executions:
            if execution not in self._history:
                self._write(execution)
                new.append(execution.execution_id)
        ids = set(new)
        self._outbox |= {message.execution_id: message for message in messages if message.execution_id in ids}
        self._add_note(note if new else None)
        return new

    async def claim_executions(
        self, execution_ids: Sequence[str], now: datetime, can_run: CanRun = any_job, begins: Begins = none_begins
    ) -> Sequence[Claimed]:
        claimed: list[Claimed] = []
        for execution in [found for id_ in execution_ids if (found := self._history.get(id_)) and may_start(found, now)]:
            job = stored.job if (stored := self._jobs.get(execution.job_id)) else None
            if job is not None and not can_run(job):
                continue
            if job is not None and begins(execution.execution_id, job):
                execution = self._history.current[execution.execution_id] = execution.begun(now)
            claimed.append(Claimed(job, execution))
        return claimed

    async def begin(self, executions: Sequence[Execution]) -> Sequence[bool]:
        begun: list[bool] = []
        for execution in executions:
            before = self._history.current.get(execution.execution_id)
            if is_begun := before is not None and before.status is not _RUNNING:
                self._history.current[execution.execution_id] = execution
            begun.append(is_begun)
        return begun

    async def finish(self, endings: Sequence[Ending]) -> Sequence[Finished]:
        # All outcomes first, so that a downstream job finds the room that another outcome has freed.
        written = [self._end(ending) for ending in endings]
        if not self._jobs.downstream:
            return [NOT_FINISHED if execution is None else FINISHED for execution in written]
        return [NOT_FINISHED if execution is None else Finished(True, self._start_after(execution)) for execution in written]

    async def retry(self, execution: Execution, ending: Ending | None = None, made_at: datetime | None = None) -> Retried:
        stored = self._jobs.get(execution.job_id)
        if job_is_gone(made_at, stored.job.created_at if stored else None):
            return Retried(False, self._finish(ending) if ending is not None else NOT_FINISHED)
        return Retried(self._change(execution))

    async def queue_retries(self, execution_ids: Sequence[str]) -> Sequence[Claimed]:
        queued: list[Claimed] = []
        for execution in [found for id_ in execution_ids if (found := self._history.current.get(id_))]:
            if execution.status is not _RUNNING and (stored := self._jobs.get(execution.job_id)) is not None:
                waits = execution._replace(status=ExecutionStatus.QUEUED, retry_at=None)
                self._history.current[execution.execution_id] = waits
                queued.append(Claimed(stored.job, waits))
        return queued

    async def release(self, execution: Execution) -> bool:
        return self._change(release(execution, execution.started_at or execution.scheduled_at))

    async def take_over(self, now: datetime, held: Callable[[str], bool]) -> Sequence[Claimed]:
        taken: list[Claimed] = []
        for execution in [left for left in self._history.unfinished() if not held(left.execution_id)]:
            stored = self._jobs.get(execution.job_id)
            after = recover(execution, stored.job if stored else None, self.owner, now)
            if not after.finished:
                self._history.current[after.execution_id] = after
            taken.append(Claimed(stored.job if stored else None, after))
            if after.finished:
                message = outcome_message(stored.job, after) if stored else None
                taken += self._finish(Ending(after, message)).downstream
        return taken

    async def request_cancel(self, execution_id: str, reason: str = "", *, is_carried_out: bool = False) -> bool:
        is_unfinished = execution_id in self._history.current
        if is_unfinished:
            self._cancels[execution_id] = reason
        return is_unfinished

    async def pending_cancels(self) -> Sequence[PendingCancel]:
        return [PendingCancel(*asked) for asked in sorted(self._cancels.items())]

    async def delivered(self, execution_ids: Sequence[str]) -> None:
        for execution_id in execution_ids:
            if self._outbox.pop(execution_id, None):
                self._note_delivery(execution_id, DeliveryStatus.DELIVERED)

    async def undelivered(self, message: Message, *, give_up: bool) -> None:
        if give_up:
            self._outbox.pop(message.execution_id, None)
            self._note_delivery(message.execution_id, DeliveryStatus.FAILED)
        else:
            self._outbox[message.execution_id] = message._replace(attempts=message.attempts + 1)

    def _change(self, execution: Execution) -> bool:
        if self._history.current.get(execution.execution_id) is None:
            return False
        self._history.current[execution.execution_id] = execution
        return True

    def _finish(self, ending: Ending) -> Finished:
        execution = self._end(ending)
        return NOT_FINISHED if execution is None else Finished(True, self._start_after(execution))

    def _end(self, ending: Ending) -> Execution | None:
        """Write one outcome. Return the record, or None if the execution was finished already."""
        execution, message, seen = ending
        before = self._history.current.get(execution.execution_id)
        if before is None or seen not in (None, before.status):
            return None
        if message is not None:
            self._outbox[execution.execution_id] = message
            execution = execution._replace(delivery=DeliveryStatus.PENDING)
        self._history.finish(execution)
        self._cancels.pop(execution.execution_id, None)
        if execution.status in FAILURES and (stored := self._jobs.get(execution.job_id)) is not None:
            outcomes = self._history.newest_outcomes(execution.job_id, failures_since(*stored))
            if (paused := pause_if_failing(*stored, outcomes)) is not None:
                self._jobs.move(stored, paused)
        self._retire_if_over(execution.job_id)
        return execution

    async def follow(self, ended: Execution) -> Sequence[Claimed]:
        return self._start_after(ended)

    def _start_after(self, ended: Execution) -> Sequence[Claimed]:
        """Create the executions downstream of one that has ended."""
        started: list[Claimed] = []
        for job_id in sorted({**self._jobs.downstream.get(ended.job_id, {}), **self._jobs.downstream.get(ANY, {})}):
            if (stored := self._jobs.get(job_id)) is not None:
                unfinished = self._history.count_unfinished(job_id)
                started += self._decided(stored, decide_downstream(*stored, [ended], unfinished))[0]
        return started

    def _put(self, stored: StoredJob) -> None:
        """Add a job, or replace the one with its id."""
        self._jobs.put(stored)
        if stored.state.status is _DONE:
            self._retire(stored.job.job_id)
        else:
            self._retired.pop(stored.job.job_id, None)

    def _remove(self, job_id: str, at: datetime, reason: str) -> Removed:
        stored = self._jobs.get(job_id)
        if stored is None:
            return Removed(False)
        self._jobs.cancel(stored, at, reason)
        unfinished = self._history.unfinished(job_id)
        running = sorted((each for each in unfinished if each.status is _RUNNING), key=place_of, reverse=True)
        waiting = [each for each in unfinished if each.status is not _RUNNING]
        why = "its job was cancelled"
        cancelled = [each._replace(status=ExecutionStatus.CANCELLED, reason=why, finished_at=at) for each in waiting]
        for ended in cancelled:
            self._history.finish(ended)
            self._cancels.pop(ended.execution_id, None)
        self._retire(job_id)
        return Removed(True, cancelled, running)

    def _decided(self, stored: StoredJob, decision: Decision) -> tuple[Sequence[Claimed], JobState]:
        """Write a decision on a job. Return the new executions, and the job's state."""
        job, (executions, state) = stored.job, decision
        new = [_claimed((job, execution)) for execution in executions if execution not in self._history]
        if len(new) < len(executions):
            state = recount(job, decision, [claimed.execution for claimed in new])
        self._jobs.move(stored, state)
        for _, execution in new:
            self._write(execution)
        if not new and state.status is _DONE:
            self._retire(job.job_id)
        return new, state

    def _write(self, execution: Execution) -> None:
        self._history.add(execution)
        if execution.status not in UNFINISHED:
            self._retire_if_over(execution.job_id)
        elif self._retired:
            self._retired.pop(execution.job_id, None)

    def _retire_if_over(self, job_id: str) -> None:
        stored = self._jobs.get(job_id)
        if stored is None or stored.state.status is _DONE:
            self._retire(job_id)

    def _retire(self, job_id: str) -> None:
        """Queue a job, or a history without a job, to be forgotten, unless executions of it are under way. Forget the oldest."""
        if self._history.count_unfinished(job_id):
            return
        self._retired[job_id] = None
        if len(self._retired) > self._retired_jobs:
            oldest, _ = self._retired.popitem(last=False)
            self._history.forget(oldest)
            self._jobs.forget(oldest)

    def _add_note(self, note: AuditEntry | None) -> None:
        if note is not None:
            self._notes.append(note)

    def _note_delivery(self, execution_id: str, delivery: DeliveryStatus) -> None:
        execution = self._history.get(execution_id)
        if execution is not None and execution.finished:
            self._history.change_finished(execution._replace(delivery=delivery))
