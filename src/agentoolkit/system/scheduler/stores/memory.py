"""The store that lives as long as its process."""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime

from agentoolkit.system.scheduler.decisions.downstream import check_circle, decide_downstream
from agentoolkit.system.scheduler.decisions.due import Decision, decide, recount
from agentoolkit.system.scheduler.decisions.outcomes import outcome_message
from agentoolkit.system.scheduler.decisions.recovery import recover, release
from agentoolkit.system.scheduler.errors import JobExists
from agentoolkit.system.scheduler.jobs import HISTORY_LENGTH, Delivery, Execution, ExecutionStatus, Job, JobState, JobStatus, job_id_of
from agentoolkit.system.scheduler.ports import FINISHED, NOT_FINISHED, Change, Claimed, Claims, Ending, Finished, Message, Owner, StoredJob

RETIRED_JOBS = 1_000
"""Jobs that can no longer fire, or were cancelled, whose history is kept."""


class MemoryJobStore:
    """Jobs, executions and messages in dictionaries. No method suspends, so each is one transaction by itself."""

    survives_restart = False
    shared = False
    owner = ""

    def __init__(self, retired_jobs: int = RETIRED_JOBS) -> None:
        self._jobs: dict[str, StoredJob] = {}
        self._names: dict[str, str] = {}
        self._downstream: defaultdict[str, dict[str, None]] = defaultdict(dict)
        """Jobs that come after others, by the id of those."""
        self._unfinished: dict[str, Execution] = {}
        self._running: Counter[str] = Counter()
        self._history: dict[str, dict[str, Execution]] = {}
        self._outbox: dict[str, Message] = {}
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

    async def add(self, job: Job, standing: JobState) -> None:
        self._check_free(job)
        check_circle(job, self._upstream_of)
        self._keep(StoredJob(job, standing))

    async def find(self, id_or_name: str) -> StoredJob | None:
        return self._jobs.get(id_or_name) or self._jobs.get(self._names.get(id_or_name, ""))

    async def jobs(self) -> Sequence[StoredJob]:
        return list(self._jobs.values())

    async def downstream(self, job_id: str) -> Sequence[str]:
        found = [self._jobs[id_] for id_ in self._downstream.get(job_id, ())]
        return sorted(stored.job.job_id for stored in found if stored.standing.state is not JobStatus.DONE)

    async def replace(self, job: Job, standing: JobState, before: JobState) -> bool:
        stored = self._jobs.get(job.job_id)
        if stored is None or stored.standing != before:
            return False
        if standing.state is not JobStatus.DONE:
            self._check_free(job, but=job.job_id)
        check_circle(job, self._upstream_of)
        self._keep(StoredJob(job, standing._replace(version=before.version + 1)))
        return True

    async def remove(self, job_id: str) -> bool:
        stored = self._jobs.pop(job_id, None)
        if stored is None:
            return False
        self._unlink(stored.job)
        for waiting in [left for left in self._unfinished.values() if left.job_id == job_id and left.status is not ExecutionStatus.RUNNING]:
            self._finish(waiting._replace(status=ExecutionStatus.CANCELLED, reason="its job was cancelled"), None)
        self._retire(job_id)
        return True

    async def claim(self, job_ids: Sequence[str], now: datetime) -> Claims:
        records: list[Claimed] = []
        next_times: list[Change] = []
        for job_id in job_ids:
            if stored := self._jobs.get(job_id):
                records += self._decided(stored.job, decide(*stored, now, self._running.get(job_id, 0)))
            stored = self._jobs.get(job_id)
            next_times.append(Change(job_id, stored.standing.due_at if stored else None))
        return Claims(records, next_times)

    async def insert(self, executions: Sequence[Execution], messages: Sequence[Message] = ()) -> Sequence[str]:
        new = [execution for execution in executions if await self.execution(execution.execution_id) is None]
        for execution in new:
            self._write(execution)
        ids = {execution.execution_id for execution in new}
        self._outbox |= {message.execution_id: message for message in messages if message.execution_id in ids}
        return [execution.execution_id for execution in new]

    async def begin(self, executions: Sequence[Execution]) -> Sequence[bool]:
        return list(map(self._begin, executions))

    async def finish(self, endings: Sequence[Ending]) -> Sequence[Finished]:
        return [self._finish(*ending) for ending in endings]

    async def execution(self, execution_id: str) -> Execution | None:
        if execution := self._unfinished.get(execution_id):
            return execution
        return self._history.get(job_id_of(execution_id), {}).get(execution_id)

    async def executions(self, job_id: str | None, limit: int, status: ExecutionStatus | None = None) -> Sequence[Execution]:
        waiting = [found for found in self._unfinished.values() if job_id in (None, found.job_id)]
        histories = self._history.values() if job_id is None else [self._history.get(job_id, {})]
        finished = [found for history in histories for found in history.values()]
        found = [execution for execution in waiting + finished if status in (None, execution.status)]
        return sorted(found, key=_newest_last, reverse=True)[:limit]

    async def retry(self, execution: Execution) -> bool:
        if execution.execution_id not in self._unfinished:
            return False
        self._unfinished[execution.execution_id] = execution
        return True

    async def release(self, execution: Execution) -> bool:
        return await self.retry(release(execution, execution.started_at or execution.scheduled_at))

    async def request_cancel(self, execution_id: str) -> bool:
        return False

    async def cancel_requests(self) -> Sequence[str]:
        return ()

    async def take_over(self, now: datetime, held: Callable[[str], bool]) -> Sequence[Claimed]:
        taken: list[Claimed] = []
        for execution in [left for left in self._unfinished.values() if not held(left.execution_id)]:
            stored = self._jobs.get(execution.job_id)
            after = recover(execution, stored.job if stored else None, self.owner, now)
            if not after.finished:
                self._unfinished[after.execution_id] = after
            taken.append(Claimed(stored.job if stored else None, after))
            if after.finished:
                taken += self._finish(after, outcome_message(stored.job.work, after) if stored else None).downstream
        return taken

    async def upcoming(self) -> Sequence[Change]:
        return [_change(stored) for stored in self._jobs.values() if stored.standing.state in (JobStatus.ACTIVE, JobStatus.PAUSED)]

    async def changes(self) -> Sequence[Change]:
        return ()

    async def outbox(self, limit: int) -> Sequence[Message]:
        return list(self._outbox.values())[:limit]

    async def messages(self, limit: int) -> Sequence[Message]:
        return list(self._outbox.values())[:limit]

    async def delivered(self, execution_id: str) -> None:
        if message := self._outbox.pop(execution_id, None):
            self._note_delivery(message, Delivery.DELIVERED)

    async def undelivered(self, message: Message, *, give_up: bool) -> None:
        if give_up:
            self._outbox.pop(message.execution_id, None)
            self._note_delivery(message, Delivery.FAILED)
        else:
            self._outbox[message.execution_id] = message._replace(attempts=message.attempts + 1)

    async def purge(self, now: datetime) -> None:
        """There is nothing to forget: never are more than so many kept."""

    def _begin(self, execution: Execution) -> bool:
        before = self._unfinished.get(execution.execution_id)
        if before is None or before.status is ExecutionStatus.RUNNING:
            return False
        self._unfinished[execution.execution_id] = execution
        return True

    def _finish(self, execution: Execution, message: Message | None) -> Finished:
        if self._unfinished.pop(execution.execution_id, None) is None:
            return NOT_FINISHED
        running = self._running[execution.job_id] - 1
        if running:
            self._running[execution.job_id] = running
        else:
            del self._running[execution.job_id]
        if message is not None:
            self._outbox[execution.execution_id] = message
            execution = execution._replace(delivery=Delivery.PENDING)
        self._remember(execution)
        if self._downstream and (after := self._downstream.get(execution.job_id)):
            return Finished(True, [claimed for job_id in tuple(after) for claimed in self._start_downstream(job_id, execution)])
        return FINISHED

    def _check_free(self, job: Job, but: str = "") -> None:
        for key in (job.job_id, job.job_name):
            for job_id in (key, self._names.get(key, "")):
                taken = self._jobs.get(job_id)
                if taken and job_id != but and taken.standing.state is not JobStatus.DONE:
                    raise JobExists(f"Job {job_id!r} exists.", field="job_id", value=job.job_id)

    def _keep(self, stored: StoredJob) -> None:
        if before := self._jobs.get(stored.job.job_id):
            self._unlink(before.job)
        self._jobs[stored.job.job_id] = stored
        if stored.job.upstream_id is not None:
            self._downstream[stored.job.upstream_id][stored.job.job_id] = None
        if stored.standing.state is JobStatus.DONE:
            self._names.setdefault(stored.job.job_name, stored.job.job_id)  # it may be another's by now
            self._retire(stored.job.job_id)
        else:
            self._names[stored.job.job_name] = stored.job.job_id
            self._retired.pop(stored.job.job_id, None)

    def _unlink(self, job: Job) -> None:
        if self._names.get(job.job_name) == job.job_id:
            del self._names[job.job_name]
        if job.upstream_id is not None:
            self._downstream[job.upstream_id].pop(job.job_id, None)
            if not self._downstream[job.upstream_id]:
                del self._downstream[job.upstream_id]

    def _upstream_of(self, job_id: str) -> str | None:
        return stored.job.upstream_id if (stored := self._jobs.get(job_id)) else None

    def _start_downstream(self, job_id: str, ended: Execution) -> Sequence[Claimed]:
        """Decide on a job that comes after one that ended, and return what is new."""
        if (stored := self._jobs.get(job_id)) is None:
            return ()
        return self._decided(stored.job, decide_downstream(*stored, [ended], self._running.get(job_id, 0)))

    def _decided(self, job: Job, decision: Decision) -> Sequence[Claimed]:
        """Write down what was decided on a job, and return what is new."""
        executions, standing = decision
        history = self._history.get(job.job_id, {})
        new = [
            execution
            for execution in executions
            if execution.execution_id not in self._unfinished and execution.execution_id not in history
        ]
        if len(new) < len(executions):
            standing = recount(job, decision, new)
        self._jobs[job.job_id] = StoredJob(job, standing)
        for execution in new:
            self._write(execution)
        if standing.state is JobStatus.DONE:
            self._retire(job.job_id)
        return [Claimed(job, execution) for execution in new]

    def _write(self, execution: Execution) -> None:
        if execution.status is ExecutionStatus.QUEUED:
            self._unfinished[execution.execution_id] = execution
            self._running[execution.job_id] += 1
            self._retired.pop(execution.job_id, None)
        else:
            self._remember(execution)

    def _remember(self, execution: Execution) -> None:
        job_id = execution.job_id
        history = self._history.get(job_id)
        if history is None:
            history = self._history[job_id] = {}
        history[execution.execution_id] = execution
        if len(history) > HISTORY_LENGTH:
            del history[next(iter(history))]
        stored = self._jobs.get(job_id)
        if stored is None or stored.standing.state is JobStatus.DONE:
            self._retire(job_id)

    def _retire(self, job_id: str) -> None:
        """Let a job, or a history without one, be the newest to be forgotten; while executions of it are under way, it is not."""
        if job_id in self._running:
            return
        self._retired[job_id] = None
        if len(self._retired) > self._retired_jobs:
            oldest, _ = self._retired.popitem(last=False)
            self._history.pop(oldest, None)
            if stored := self._jobs.pop(oldest, None):
                self._unlink(stored.job)

    def _note_delivery(self, message: Message, delivery: Delivery) -> None:
        history = self._history.get(job_id_of(message.execution_id), {})
        if execution := history.get(message.execution_id):
            history[message.execution_id] = execution._replace(delivery=delivery)


def _change(stored: StoredJob) -> Change:
    return Change(stored.job.job_id, stored.standing.due_at)


def _newest_last(execution: Execution) -> tuple[datetime, str]:
    return execution.scheduled_at, execution.execution_id
