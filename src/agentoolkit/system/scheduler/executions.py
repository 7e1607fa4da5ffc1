"""The use cases of executions: run now, start, find, cancel and backfill."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from itertools import islice
from typing import NamedTuple
from uuid import uuid4

from agentool.caller import get_caller
from agentoolkit.system.scheduler.asked_runs import AskedRuns
from agentoolkit.system.scheduler.audit import Auditor
from agentoolkit.system.scheduler.checks import check_new_references, check_queues, checked_id, checked_input
from agentoolkit.system.scheduler.decisions.admission import check_not_waiting, check_work, check_write, narrowed
from agentoolkit.system.scheduler.engine.engine import Engine
from agentoolkit.system.scheduler.engine.lifecycle import Lifecycle
from agentoolkit.system.scheduler.engine.parts import Parts
from agentoolkit.system.scheduler.errors import ExecutionFailed, ExecutionNotFound, InvalidJob
from agentoolkit.system.scheduler.execution_ids import (
    APPROVED,
    asked_execution_id,
    execution_id,
    job_id_of,
    requested_execution_id,
    retry_execution_id,
)
from agentoolkit.system.scheduler.execution_records import Execution, ExecutionStatus
from agentoolkit.system.scheduler.jobs import Work
from agentoolkit.system.scheduler.lookup import JobLookup, with_gone_marked
from agentoolkit.system.scheduler.ports import Claimed, FoundExecutions, Position, StoredJob
from agentoolkit.system.scheduler.retention import HISTORY_LENGTH
from agentoolkit.system.scheduler.schedules import firings

MAX_BACKFILLED = HISTORY_LENGTH
"""Maximum due times of one backfill: a repeated call would run those again that the history no longer keeps."""


class Backfill(NamedTuple):
    """The progress of a backfill."""

    created: int
    """Number of executions that this call added."""
    statuses: Counter[str]
    """Number of the range's executions by status, without those pruned from the history."""
    total: int


class ExecutionService:
    """Runs, finds and cancels executions.

    Args:
        parts: Store, injector and time source.
        lifecycle: Has the engine.
        lookup: Finds jobs.
        audit: Writes audit entries.
    """

    def __init__(self, parts: Parts, lifecycle: Lifecycle, lookup: JobLookup, audit: Auditor) -> None:
        self._parts = parts
        self._store = parts.store
        self._lifecycle = lifecycle
        self._lookup = lookup
        self._audit = audit
        self._asked = AskedRuns(parts.store, parts.time, parts.admission.runs_per_day)

    async def work_of(self, job_id: str) -> Work:
        """Return the work of a job. Raises `JobNotFound`."""
        return (await self._lookup.job(job_id)).job.work

    async def run_now(self, work: Work, job_id: str | None = None, replay_of: str = "") -> Execution:
        """Run an AgenTool at once and wait for it. It leaves history under `job_id`, else under an id of its own.

        The id of the execution names the one that it replays, if that is of the same job.

        Raises:
            ExecutionFailed: It did not succeed; the cause is its exception.
            UnknownTarget, InvalidJob: Nothing was run.
            LimitExceeded: The caller has asked for the maximum number of runs in a day.
        """
        await self._lifecycle.ready()
        stored = await self._may_run(work, job_id)
        if stored is None or work != stored.job.work:  # work that differs from the job's runs with the caller's scopes only
            work = work._replace(caller=narrowed(work.caller, get_caller()))
        work = work._replace(input_data=checked_input(work.agentool_name, work.input_data, self._parts.injector).values)
        check_new_references("input_data", work.input_data, stored and stored.job.input_data)
        check_queues(self._parts.injector, result_queue=work.result_queue, error_queue=work.error_queue)
        await self._asked.count()
        now = self._parts.time.now()
        name = stored.job.job_id if stored else f"run-{uuid4().hex[:12]}" if job_id is None else checked_id(job_id)
        asked = Execution(
            asked_execution_id(name, now, replay_of if job_id_of(replay_of) == name else ""),
            name,
            work.agentool_name,
            now,
            trigger="run_now",
        )
        engine = self._lifecycle.running_engine()
        if stored is not None:
            await self._audit.note("ran", stored, asked.execution_id)
        execution, error = await engine.dispatch.run_now(work, asked)
        if execution.status is ExecutionStatus.SUCCESS:
            return execution
        why = f"{execution.error.type}: {execution.error.message}" if execution.error else execution.reason
        raise ExecutionFailed(f"AgenTool {work.agentool_name!r} did not succeed: {why}", value=execution.execution_id) from error

    async def _may_run(self, work: Work, job_id: str | None) -> StoredJob | None:
        """Return the job of this id, if there is one. Refuse work that the caller may not run.

        Raises:
            JobNotFound: The job belongs to another owner, or there is none and the caller is no administrator.
            NotPermitted: The caller may run nothing here, or the job or its target waits for approval.
        """
        check_write(get_caller(), self._parts.admission)
        caller, stored = get_caller(), await self._store.find(job_id) if job_id else None
        if stored is not None:
            stored = await self._lookup.job(stored.job.job_id)
            check_not_waiting(caller, stored)
        elif job_id and not caller.is_admin and not await self._had(job_id):
            await self._lookup.job(job_id)  # refuses: a later job of this id, of anybody's, would take the run for one of its own
        check_work(caller, work, self._parts.admission, stored.job.work if stored else None)
        return stored

    async def _had(self, job_id: str) -> bool:
        """Tell whether the caller had a job of exactly this id, which was cancelled: the history under it is the caller's."""
        former = await self._store.find_cancelled(job_id)
        return former is not None and former.job.job_id == job_id and get_caller().owns(former.job.owner)

    async def run_claimed(self, execution_ids: Sequence[str]) -> None:
        """Claim executions by their ids, as a worker does, and run them until their outcomes are written."""
        await self._lifecycle.ready()
        await self._lifecycle.running_engine().dispatch.run_claimed(execution_ids)

    async def start(self, job_id: str, key: str | None = None, origin: str | None = None) -> Execution:
        """Run a job once more as soon as there is room, without waiting for it.

        Args:
            job_id: The job's id or name.
            key: The same key never starts a second execution.
            origin: Instead of a key: the execution to repeat, once.

        Raises:
            JobNotFound: There is no such job.
            ExecutionNotFound: There is no record of the execution to repeat, or it is no longer kept.
            InvalidJob: Neither a key nor an execution of the job is given, or both are.
            LimitExceeded: The caller has requested the maximum number of runs in a day.
        """
        stored = await self._runnable(job_id)
        job, engine = stored.job, self._lifecycle.running_engine()
        owner = self._store.owner if self._parts.claims else ""  # a visitor leaves it to the leader
        name = await self._started_name(job.job_id, key, origin)
        if await self._store.execution(name) is None:
            await self._asked.count()
        asked = Execution(name, job.job_id, job.agentool_name, self._parts.time.now(), trigger="requested", owner=owner)
        is_new = await self._store.insert([asked], note=self._audit.entry("started", stored, stored, name))
        if is_new and owner == self._store.owner:
            await self._start_new(engine, job.job_id, [asked])
        return asked if is_new else await self.get(name)

    async def _start_new(self, engine: Engine, job_id: str, new: Sequence[Execution]) -> None:
        """Start executions that were added, with their job as it is now. If it was cancelled meanwhile, so are they."""
        stored = await self._store.find(job_id)
        for execution in new:
            if stored is not None and stored.job.job_id == job_id:
                engine.dispatch.start(Claimed(stored.job, execution))
            else:
                await engine.dispatch.cancelling.cancel_execution(execution, "its job was cancelled")

    async def _started_name(self, job_id: str, key: str | None, origin: str | None) -> str:
        """Return the id of the execution that `start` creates."""
        if (key is None) == (origin is None):
            remedy = "A key is any text of yours; the same one never starts a second run."
            raise InvalidJob("Give either a key or the execution that is repeated.", field="run_key", value=key, remedy=remedy)
        if key is not None:
            _check_key(key)
            return requested_execution_id(job_id, checked_id(key))
        repeated = await self.get(origin or "")
        if repeated.job_id != job_id:
            remedy = f"Name the job {repeated.job_id!r}, or an execution of this one."
            raise InvalidJob(f"It is no execution of the job {job_id!r}.", field="execution_id", value=origin, remedy=remedy)
        return retry_execution_id(job_id, repeated.execution_id)

    async def _runnable(self, job_id: str) -> StoredJob:
        check_write(get_caller(), self._parts.admission)
        stored = await self._lookup.job(job_id)
        check_not_waiting(get_caller(), stored)
        return stored

    async def history(
        self,
        job_id: str | None,
        limit: int = HISTORY_LENGTH,
        status: ExecutionStatus | None = None,
        before: Position | None = None,
        *,
        with_results: bool = True,
        query: str = "",
    ) -> FoundExecutions:
        """Return executions of a job, also of a cancelled one, or of all jobs; the newest first. See `JobStore.executions`.

        A caller without the scope ``admin`` sees those of its own jobs, until the jobs are purged.

        Raises:
            JobNotFound: There is neither such a job nor a record of it.
            InvalidInput: The query cannot be read.
        """
        await self._lifecycle.ready()
        job_id = await self._known(job_id) if job_id else None
        if query or (job_id is None and not get_caller().is_admin):
            search = self._lookup.search(query, "executions")
            for key, value in (("status", status), ("job", job_id)):
                search = search if value is None else search.with_term(key, str(value))
            page = await self._store.search_executions(search, limit, before, with_results)
            if job_id and not page.executions and before is None:
                await self._check_known(job_id)
            return page._replace(executions=await with_gone_marked(self._store, page.executions))
        found = await with_gone_marked(self._store, await self._store.executions(job_id, limit, status, before, with_results))
        if job_id and not found and before is None:
            await self._check_known(job_id)
        last = found[-1] if len(found) == limit else None
        return FoundExecutions(found, Position(last.scheduled_at, last.execution_id) if last else None)

    async def _check_known(self, job_id: str) -> None:
        """Refuse the id of a job of which nothing is known: neither itself nor a record. Raises `JobNotFound`."""
        if not await self._store.executions(job_id, 1, None, None, False):
            await self._lookup.job_or_cancelled(job_id)

    async def _known(self, job_id: str) -> str:
        """Return the id of the job of this id or name, else the given text: history may outlive its job."""
        if not get_caller().is_admin:
            return (await self._lookup.job_or_cancelled(job_id)).job.job_id
        stored = await self._store.find(job_id) or await self._store.find_cancelled(job_id)
        return stored.job.job_id if stored else job_id

    async def get(self, execution_id: str) -> Execution:
        """Return one execution. Raises `ExecutionNotFound`."""
        await self._lifecycle.ready()
        execution = await self._store.execution(execution_id)
        if execution is not None and await self._is_visible(execution):
            return (await with_gone_marked(self._store, [execution]))[0]
        raise ExecutionNotFound(
            "There is no record of this execution.",
            field="execution_id",
            value=execution_id,
            remedy="List them with operation 'list_executions'; the newest hundred of each job are kept.",
        )

    async def _is_visible(self, execution: Execution) -> bool:
        caller = get_caller()
        if caller.is_admin:
            return True
        stored = await self._store.find(execution.job_id) or await self._store.find_cancelled(execution.job_id)
        return stored is not None and stored.job.job_id == execution.job_id and caller.owns(stored.job.owner)

    async def cancel(self, execution_id: str, reason: str) -> Execution:
        """Cancel an execution that waits or runs; one that has ended stays as it is. Return its record.

        Raises:
            ExecutionNotFound: There is no record of it.
        """
        check_write(get_caller(), self._parts.admission)
        execution = await self.get(execution_id)
        if not execution.finished:
            ends = await self._lifecycle.running_engine().dispatch.cancelling.cancel_execution(execution, reason)
            if ends and (stored := await self._store.find(execution.job_id)) is not None:
                await self._audit.note("cancelled_execution", stored, execution_id)
        return await self.get(execution_id)

    async def backfill(self, job_id: str, start: datetime, end: datetime) -> Backfill:
        """Run a job for the due times of a past range without a record, at most `max_instances` at once.

        Repeating the call adds nothing and returns the progress, as long as the records are among the job's newest hundred.

        Raises:
            JobNotFound: There is no such job.
            InvalidJob: The range is not in the past, is empty, or has more than `MAX_BACKFILLED` due times.
            LimitExceeded: They are more than the caller may ask for in a day.
        """
        stored = await self._runnable(job_id)
        job, engine = stored.job, self._lifecycle.running_engine()
        if end <= start:
            problem = f"{end.isoformat()} is not after {start.isoformat()}, where the range begins."
            raise InvalidJob(problem, field="end_at", value=end, remedy="Give the earlier time first.")
        due = list(islice(firings(job.schedule, start, min(end, self._parts.time.now())), MAX_BACKFILLED + 1))
        if not due or len(due) > MAX_BACKFILLED:
            found = f"more than {MAX_BACKFILLED} due times" if due else "no past due time"
            problem = f"From {start.isoformat()} to {end.isoformat()} the job has {found}."
            remedy = "Give a shorter range, and the next one when this one has run." if due else "Give another range."
            raise InvalidJob(problem, field="start_at", value=start, remedy=remedy)
        owner = self._store.owner if self._parts.claims else ""  # a visitor leaves them to the leader
        wanted = [
            Execution(execution_id(job.job_id, moment), job.job_id, job.agentool_name, moment, trigger="backfill", owner=owner)
            for moment in due
        ]
        known = await self._store.statuses([execution.execution_id for execution in wanted])
        await self._asked.count(len(wanted) - len(known))
        new = set(await self._store.insert(wanted, note=self._audit.entry("backfilled", stored, stored)))
        if owner == self._store.owner:
            await self._start_new(engine, job.job_id, [execution for execution in wanted if execution.execution_id in new])
        found_now = [await self._store.execution(execution.execution_id) for execution in wanted]
        return Backfill(len(new), Counter(execution.status.value for execution in found_now if execution), len(due))


def _check_key(key: str) -> None:
    """Refuse a key of the application's own: who is no administrator would take the place of a run that a person approves."""
    if key.startswith(APPROVED) and not get_caller().is_admin:
        problem = f"Keys that begin with {APPROVED!r} are the application's own."
        raise InvalidJob(problem, field="run_key", value=key, remedy="Give another one.")
