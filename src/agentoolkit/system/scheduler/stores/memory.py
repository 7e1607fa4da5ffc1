"""The store that lives as long as its process."""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from heapq import merge, nsmallest
from itertools import islice

from agentoolkit.system.scheduler.decisions.downstream import check_circle, decide_downstream
from agentoolkit.system.scheduler.decisions.due import Decision, decide, recount
from agentoolkit.system.scheduler.decisions.failures import FAILURES, pause_if_failing
from agentoolkit.system.scheduler.decisions.keeping import HISTORY_SIZE
from agentoolkit.system.scheduler.decisions.outcomes import outcome_message
from agentoolkit.system.scheduler.decisions.recovery import recover, release
from agentoolkit.system.scheduler.decisions.retry import job_is_gone
from agentoolkit.system.scheduler.errors import JobExists
from agentoolkit.system.scheduler.jobs import (
    HISTORY_LENGTH,
    LIVE,
    UNFINISHED,
    DeliveryStatus,
    Execution,
    ExecutionStatus,
    Job,
    JobState,
    JobStatus,
)
from agentoolkit.system.scheduler.ports import (
    FINISHED,
    NOT_FINISHED,
    AuditEntry,
    Change,
    Claimed,
    Claims,
    Ending,
    Finished,
    FoundExecutions,
    FoundJobs,
    Message,
    Owner,
    PendingCancel,
    Position,
    Removed,
    Retried,
    StoredJob,
)
from agentoolkit.system.scheduler.schedules.after import ANY
from agentoolkit.system.scheduler.search import Search
from agentoolkit.system.scheduler.search.matching import execution_fits, job_fits
from agentoolkit.system.scheduler.stores.memory_history import MemoryHistory, place_of
from agentoolkit.system.scheduler.stores.memory_search import page_of
from agentoolkit.system.scheduler.stores.ordered import OrderedKeys

RETIRED_JOBS = 1_000
"""Jobs that can no longer fire, or were cancelled, that are kept with their history."""
NOTES = 10_000
"""Notes of who did what that are kept."""


_DONE, _RUNNING = JobStatus.DONE, ExecutionStatus.RUNNING  # an enum is slow to look into


class MemoryJobStore:
    """Jobs, executions and messages in dictionaries. No method suspends, so each is one transaction by itself.

    Args:
        retired_jobs: How many jobs that are over are kept.
        history_length: Finished executions kept for each job.
        history_size: Bytes of JSON that are kept of their results together.
    """

    survives_restart = False
    shared = False
    owner = ""

    def __init__(self, retired_jobs: int = RETIRED_JOBS, history_length: int = HISTORY_LENGTH, history_size: int = HISTORY_SIZE) -> None:
        self._jobs: dict[str, StoredJob] = {}
        self._names: dict[str, str] = {}
        self._order: dict[JobStatus, OrderedKeys[tuple[datetime, str]]] = {status: OrderedKeys() for status in LIVE}
        self._over: dict[JobStatus, dict[str, None]] = {status: {} for status in JobStatus if status not in LIVE}
        """The others in no order: they are few, and come and go with every job that runs once."""
        self._called: OrderedKeys[str] = OrderedKeys()
        """Ids and names of jobs that can still fire."""
        self._counts: Counter[JobStatus] = Counter()
        self._cancelled: dict[str, StoredJob] = {}
        self._downstream: defaultdict[str, dict[str, None]] = defaultdict(dict)
        """Jobs that come after others, by the id of those."""
        self._history = MemoryHistory(history_length, history_size)
        self._outbox: dict[str, Message] = {}
        self._notes: deque[AuditEntry] = deque(maxlen=NOTES)
        self._retired: OrderedDict[str, None] = OrderedDict()
        self._retired_jobs = retired_jobs
        self._stopped = False

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def lead(self, now: datetime) -> bool:
        return True

    async def release_all(self) -> None: ...

    async def leader(self) -> Owner | None:
        return None

    async def owners(self) -> Sequence[Owner]:
        return ()

    async def set_stopped(self, stopped: bool) -> None:
        self._stopped = stopped

    async def is_stopped(self) -> bool:
        return self._stopped

    async def add(self, job: Job, state: JobState, note: AuditEntry | None = None) -> None:
        self._check_free(job)
        check_circle(job, self._upstream_of)
        self._keep(StoredJob(job, state))
        self._add_note(note)

    async def note(self, entry: AuditEntry) -> None:
        self._add_note(entry)

    async def entries(self, job_id: str | None, owner: str | None, limit: int) -> Sequence[AuditEntry]:
        fitting = (note for note in reversed(self._notes) if job_id in (None, note.job_id) and owner in (None, note.owner))
        return list(islice(fitting, limit))

    async def find(self, id_or_name: str) -> StoredJob | None:
        return self._jobs.get(id_or_name) or self._jobs.get(self._names.get(id_or_name, ""))

    async def find_cancelled(self, id_or_name: str) -> StoredJob | None:
        named = [stored for stored in self._cancelled.values() if stored.job.job_name == id_or_name]
        return self._cancelled.get(id_or_name) or max(named, key=_created, default=None)

    async def find_similar(self, id_or_name: str, limit: int) -> Sequence[str]:
        after = islice(self._called.from_(id_or_name, included=True), limit)
        return sorted([*after, *islice(self._called.before(id_or_name), limit)])

    async def jobs(self) -> Sequence[StoredJob]:
        return sorted(self._jobs.values(), key=_created)

    async def list_jobs(self, status: JobStatus | None = None, limit: int = 100, after: Position | None = None) -> Sequence[StoredJob]:
        if status is not None and status not in LIVE:
            held = self._cancelled if status is JobStatus.CANCELLED else self._jobs
            over = (held[job_id] for job_id in self._over[status] if after is None or _created(held[job_id]) > after)
            return nsmallest(limit, over, key=_created)
        orders = [self._order[one].from_(after) for one in (LIVE if status is None else (status,))]
        return [self._jobs[job_id] for _, job_id in islice(merge(*orders), limit)]

    async def search_jobs(self, search: Search, limit: int, after: Position | None = None) -> FoundJobs:
        over = [await self.list_jobs(status, len(self._over[status]), after) for status in search.job_statuses - LIVE]
        live = [map(self._at, self._order[status].from_(after)) for status in search.job_statuses & LIVE]

        def fits(stored: StoredJob) -> bool:
            last = self._history.last_finished(stored.job.job_id)
            return job_fits(search, *stored, last.status if last else None)

        return FoundJobs(*page_of(merge(*over, *live, key=_created), fits, _created, limit))

    async def count_jobs(self) -> Mapping[JobStatus, int]:
        return {status: number for status, number in self._counts.items() if number}

    async def downstream(self, job_id: str) -> Sequence[str]:
        found = [self._jobs[id_] for id_ in self._downstream.get(job_id, ())]
        return sorted(stored.job.job_id for stored in found if stored.state.status is not JobStatus.DONE)

    async def replace(self, job: Job, state: JobState, before: JobState, note: AuditEntry | None = None) -> bool:
        stored = self._jobs.get(job.job_id)
        if stored is None or stored.state != before:
            return False
        if state.status is not JobStatus.DONE:
            self._check_free(job, but=job.job_id)
        check_circle(job, self._upstream_of)
        self._keep(StoredJob(job, state._replace(version=before.version + 1)))
        self._add_note(note)
        return True

    async def exchange(self, old: StoredJob, job: Job, state: JobState, at: datetime, note: AuditEntry | None = None) -> Removed:
        stored = self._jobs.get(old.job.job_id)
        if stored is None or stored.state != old.state:
            return Removed(False)
        self._check_free(job, but=old.job.job_id)
        check_circle(job, self._upstream_of)
        removed = self._remove(old.job.job_id, at, "replaced")
        self._keep(StoredJob(job, state))
        self._add_note(note)
        return removed

    async def remove(self, job_id: str, at: datetime, reason: str = "", note: AuditEntry | None = None) -> Removed:
        removed = self._remove(job_id, at, reason)
        self._add_note(note if removed else None)
        return removed

    async def claim(self, job_ids: Sequence[str], now: datetime) -> Claims:
        records: list[Claimed] = []
        next_times: list[Change] = []
        for job_id in job_ids:
            if stored := self._jobs.get(job_id):
                records += self._decided(stored, decide(*stored, now, self._history.count_unfinished(job_id)))
                stored = self._jobs.get(job_id)
            next_times.append(Change(job_id, stored.state.due_at if stored else None))
        return Claims(records, next_times)

    async def insert(
        self, executions: Sequence[Execution], messages: Sequence[Message] = (), note: AuditEntry | None = None
    ) -> Sequence[str]:
        new: list[str] = []
        for execution in executions:
            if self._history.get(execution.execution_id) is None:
                self._write(execution)
                new.append(execution.execution_id)
        ids = set(new)
        self._outbox |= {message.execution_id: message for message in messages if message.execution_id in ids}
        self._add_note(note if new else None)
        return new

    async def claim_executions(self, execution_ids: Sequence[str], now: datetime) -> Sequence[Claimed]:
        waits = (ExecutionStatus.QUEUED, ExecutionStatus.RETRYING)
        waiting = [found for id_ in execution_ids if (found := self._history.get(id_)) and found.status in waits]
        return [Claimed(stored.job if (stored := self._jobs.get(found.job_id)) else None, found) for found in waiting]

    async def begin(self, executions: Sequence[Execution]) -> Sequence[bool]:
        return list(map(self._begin, executions))

    async def finish(self, endings: Sequence[Ending]) -> Sequence[Finished]:
        # All outcomes first: what comes after one of them finds room that another one has left.
        written = [self._end(ending) for ending in endings]
        return [self._start_after(execution) if execution is not None else NOT_FINISHED for execution in written]

    async def last_outcomes(self, job_ids: Sequence[str]) -> Mapping[str, ExecutionStatus]:
        found = {job_id: self._history.last_finished(job_id) for job_id in job_ids}
        return {job_id: execution.status for job_id, execution in found.items() if execution}

    async def execution(self, execution_id: str) -> Execution | None:
        return self._history.get(execution_id)

    async def statuses(self, execution_ids: Sequence[str]) -> Mapping[str, ExecutionStatus]:
        return {id_: found.status for id_ in execution_ids if (found := self._history.get(id_))}

    async def executions(
        self,
        job_id: str | None,
        limit: int,
        status: ExecutionStatus | None = None,
        before: Position | None = None,
        with_results: bool = True,
    ) -> Sequence[Execution]:
        found = self._history.page(job_id, limit, status, before)
        return found if with_results else [execution._replace(result=None) for execution in found]

    async def search_executions(
        self, search: Search, limit: int, before: Position | None = None, with_results: bool = True
    ) -> FoundExecutions:
        def fits(execution: Execution) -> bool:
            stored = self._jobs.get(execution.job_id) or self._cancelled.get(execution.job_id)
            return execution_fits(search, execution, stored.job if stored else None)

        found, following = page_of(self._history.newest(before), fits, place_of, limit)
        return FoundExecutions(found if with_results else [execution._replace(result=None) for execution in found], following)

    async def retry(self, execution: Execution, ending: Ending | None = None) -> Retried:
        stored = self._jobs.get(execution.job_id)
        if job_is_gone(execution, stored.job.created_at if stored else None):
            return Retried(False, self._finish(ending) if ending is not None else NOT_FINISHED)
        return Retried(self._postpone(execution))

    async def release(self, execution: Execution) -> bool:
        return self._postpone(release(execution, execution.started_at or execution.scheduled_at))

    async def request_cancel(self, execution_id: str, reason: str = "") -> bool:
        return False

    async def cancel_requests(self) -> Sequence[PendingCancel]:
        return ()

    async def acknowledge_cancel(self, execution_id: str) -> None:
        """Nobody asks: there is no other process."""

    async def take_over(self, now: datetime, held: Callable[[str], bool]) -> Sequence[Claimed]:
        taken: list[Claimed] = []
        for execution in [left for left in self._history.unfinished() if not held(left.execution_id)]:
            stored = self._jobs.get(execution.job_id)
            after = recover(execution, stored.job if stored else None, self.owner, now)
            if not after.finished:
                self._history.current[after.execution_id] = after
            taken.append(Claimed(stored.job if stored else None, after))
            if after.finished:
                message = outcome_message(stored.job.work, after) if stored else None
                taken += self._finish(Ending(after, message)).downstream
        return taken

    async def upcoming(self) -> Sequence[Change]:
        return [_change(stored) for stored in self._jobs.values() if stored.state.status in (JobStatus.ACTIVE, JobStatus.PAUSED)]

    async def changes(self) -> Sequence[Change]:
        return ()

    async def outbox(self, limit: int) -> Sequence[Message]:
        return list(islice(self._outbox.values(), limit))

    async def messages(self, limit: int) -> Sequence[Message]:
        return list(islice(self._outbox.values(), limit))

    async def delivered(self, execution_id: str) -> None:
        if self._outbox.pop(execution_id, None):
            self._note_delivery(execution_id, DeliveryStatus.DELIVERED)

    async def undelivered(self, message: Message, *, give_up: bool) -> None:
        if give_up:
            self._outbox.pop(message.execution_id, None)
            self._note_delivery(message.execution_id, DeliveryStatus.FAILED)
        else:
            self._outbox[message.execution_id] = message._replace(attempts=message.attempts + 1)

    async def damaged(self, limit: int) -> Sequence[str]:
        return ()

    async def purge(self, now: datetime) -> None:
        """There is nothing to delete: never are more kept than the limits say."""

    def _add_note(self, note: AuditEntry | None) -> None:
        if note is not None:
            self._notes.append(note)

    def _begin(self, execution: Execution) -> bool:
        before = self._history.current.get(execution.execution_id)
        if before is None or before.status is _RUNNING:
            return False
        self._history.current[execution.execution_id] = execution
        return True

    def _postpone(self, execution: Execution) -> bool:
        if self._history.current.get(execution.execution_id) is None:
            return False
        self._history.current[execution.execution_id] = execution
        return True

    def _finish(self, ending: Ending) -> Finished:
        execution = self._end(ending)
        return self._start_after(execution) if execution is not None else NOT_FINISHED

    def _end(self, ending: Ending) -> Execution | None:
        """Write one outcome, and return the execution as it is kept; None if it was not unfinished any more."""
        execution, message, seen = ending
        before = self._history.current.get(execution.execution_id)
        if before is None or seen not in (None, before.status):
            return None
        if message is not None:
            self._outbox[execution.execution_id] = message
            execution = execution._replace(delivery=DeliveryStatus.PENDING)
        self._history.finish(execution)
        if execution.status in FAILURES:
            self._pause_if_failing(execution.job_id)
        self._retire_if_over(execution.job_id)
        return execution

    async def follow(self, ended: Execution) -> Sequence[Claimed]:
        return self._start_after(ended).downstream

    def _start_after(self, ended: Execution) -> Finished:
        """Start the jobs that come after one that has ended."""
        if not self._downstream:
            return FINISHED
        after = {**self._downstream.get(ended.job_id, {}), **self._downstream.get(ANY, {})}
        return Finished(True, [claimed for job_id in sorted(after) for claimed in self._start_downstream(job_id, ended)])

    def _pause_if_failing(self, job_id: str) -> None:
        if (stored := self._jobs.get(job_id)) is None:
            return
        job, state = stored
        if (paused := pause_if_failing(job, state, self._history.newest_outcomes(job_id, state.failures_from))) is not None:
            self._leave_order(stored)
            self._jobs[job_id] = StoredJob(job, paused)
            self._enter_order(self._jobs[job_id])

    def _check_free(self, job: Job, but: str = "") -> None:
        for key in (job.job_id, job.job_name):
            for job_id in (key, self._names.get(key, "")):
                taken = self._jobs.get(job_id)
                if taken and job_id != but and taken.state.status is not JobStatus.DONE:
                    raise JobExists(f"Job {job_id!r} exists.", field="job_id", value=job.job_id)

    def _keep(self, stored: StoredJob) -> None:
        """Add a job, or put it in the place of the one with its id."""
        job = stored.job
        if before := self._jobs.pop(job.job_id, None):
            self._unlink(before)
        if forgotten := self._cancelled.pop(job.job_id, None):
            self._leave_order(forgotten)
        self._jobs[job.job_id] = stored
        self._enter_order(stored)
        if job.upstream_id is not None:
            self._downstream[job.upstream_id][job.job_id] = None
        if stored.state.status is JobStatus.DONE:
            self._names.setdefault(job.job_name, job.job_id)  # it may be another's by now
            self._retire(job.job_id)
        else:
            self._names[job.job_name] = job.job_id
            self._retired.pop(job.job_id, None)

    def _remove(self, job_id: str, at: datetime, reason: str) -> Removed:
        stored = self._jobs.pop(job_id, None)
        if stored is None:
            return Removed(False)
        self._unlink(stored)
        state = stored.state._replace(status=JobStatus.CANCELLED, next_run_at=None, reason=reason, ended_at=at)
        self._cancelled[job_id] = StoredJob(stored.job, state)
        self._enter_order(self._cancelled[job_id])
        cancelled: list[Execution] = []
        for waiting in self._history.unfinished(job_id):
            if waiting.status is not ExecutionStatus.RUNNING:
                ended = waiting._replace(status=ExecutionStatus.CANCELLED, reason="its job was cancelled", finished_at=at)
                self._history.finish(ended)
                cancelled.append(ended)
        self._retire(job_id)
        return Removed(True, cancelled)

    def _unlink(self, stored: StoredJob) -> None:
        """Take a job out of all that leads to it, but for its id."""
        job = stored.job
        self._leave_order(stored)
        if self._names.get(job.job_name) == job.job_id:
            del self._names[job.job_name]
        if job.upstream_id is not None:
            self._downstream[job.upstream_id].pop(job.job_id, None)
            if not self._downstream[job.upstream_id]:
                del self._downstream[job.upstream_id]

    def _enter_order(self, stored: StoredJob) -> None:
        status, job = stored.state.status, stored.job
        self._counts[status] += 1
        if status not in LIVE:
            self._over[status][job.job_id] = None
            return
        self._order[status].add((job.created_at, job.job_id))
        self._called.add(job.job_id)
        if job.job_name != job.job_id:
            self._called.add(job.job_name)

    def _leave_order(self, stored: StoredJob) -> None:
        status, job = stored.state.status, stored.job
        self._counts[status] -= 1
        if status not in LIVE:
            del self._over[status][job.job_id]
            return
        self._order[status].discard((job.created_at, job.job_id))
        self._called.discard(job.job_id)
        if job.job_name != job.job_id:
            self._called.discard(job.job_name)

    def _at(self, place: tuple[datetime, str]) -> StoredJob:
        return self._jobs[place[1]]

    def _upstream_of(self, job_id: str) -> str | None:
        return stored.job.upstream_id if (stored := self._jobs.get(job_id)) else None

    def _start_downstream(self, job_id: str, ended: Execution) -> Sequence[Claimed]:
        """Decide on a job that comes after one that ended, and return what is new."""
        if (stored := self._jobs.get(job_id)) is None:
            return ()
        return self._decided(stored, decide_downstream(*stored, [ended], self._history.count_unfinished(job_id)))

    def _decided(self, stored: StoredJob, decision: Decision) -> Sequence[Claimed]:
        """Write down what was decided on a job, and return what is new."""
        job, before = stored
        executions, state = decision
        new = [execution for execution in executions if self._history.get(execution.execution_id) is None]
        if len(new) < len(executions):
            state = recount(job, decision, new)
        after = self._jobs[job.job_id] = StoredJob(job, state)
        if state.status is not before.status:
            self._leave_order(stored)
            self._enter_order(after)
        for execution in new:
            self._write(execution)
        if state.status is _DONE:
            self._retire(job.job_id)
        return [Claimed(job, execution) for execution in new]

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
        """Let a job, or a history without one, be the newest to be forgotten; while executions of it are under way, it is not."""
        if self._history.count_unfinished(job_id):
            return
        self._retired[job_id] = None
        if len(self._retired) > self._retired_jobs:
            oldest, _ = self._retired.popitem(last=False)
            self._history.forget(oldest)
            if stored := self._jobs.pop(oldest, None):
                self._unlink(stored)
            if cancelled := self._cancelled.pop(oldest, None):
                self._leave_order(cancelled)

    def _note_delivery(self, execution_id: str, delivery: DeliveryStatus) -> None:
        execution = self._history.get(execution_id)
        if execution is not None and execution.finished:
            self._history.change_finished(execution._replace(delivery=delivery))


def _change(stored: StoredJob) -> Change:
    return Change(stored.job.job_id, stored.state.due_at)


def _created(stored: StoredJob) -> tuple[datetime, str]:
    return stored.job.created_at, stored.job.job_id
