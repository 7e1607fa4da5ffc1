"""The scheduler's use cases, over its ports. Operations, and every other door, end here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple
from uuid import uuid4

from agentool.errors import did_you_mean, excerpt
from agentoolkit.system.scheduler.checks import check_queues, checked_id, checked_input
from agentoolkit.system.scheduler.engine import STOP_SECONDS, Engine, Parts
from agentoolkit.system.scheduler.errors import ExecutionFailed, JobExists, JobNotFound, SchedulerError
from agentoolkit.system.scheduler.events import Listener
from agentoolkit.system.scheduler.jobs import HISTORY_LENGTH, Execution, Job, JobState, Standing, Status, Work
from agentoolkit.system.scheduler.planning import JobRequest, plan
from agentoolkit.system.scheduler.ports import StoredJob
from agentoolkit.system.scheduler.schedules import Kind, Reading, read_schedule


class Added(NamedTuple):
    """A job that is scheduled now."""

    job: Job
    standing: Standing
    reading: Reading
    created: bool
    """False if the very same job was there already."""


class SchedulerService:
    """One scheduler: its store, and the engine that runs it on the current event loop.

    The engine starts by itself at first use, and again on another event loop; `stop` keeps it stopped until `start`.

    Args:
        parts: Store, injector and time source.
        timezone: IANA name of the zone of jobs that name none; the machine's by default.
    """

    def __init__(self, parts: Parts, timezone: str | None = None) -> None:
        self._parts = parts
        self.store = parts.store
        self._timezone = timezone
        self._engine: Engine | None = None
        self._stopped = False

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call a listener with every event; the answer ends that."""
        return self._parts.announcer.subscribe(listener)

    @property
    def engine(self) -> Engine | None:
        """The engine on the running event loop, if there is one."""
        engine = self._engine
        return engine if engine is not None and engine.loop is asyncio.get_running_loop() else None

    def now(self) -> datetime:
        """Return the present instant, by the scheduler's own time source."""
        return self._parts.time.now()

    async def start(self) -> None:
        """Start, or go on after `stop`. A second time does nothing."""
        self._stopped = False
        await self._ready()

    async def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Stop within so many seconds: no new executions, running ones ended or cancelled. Jobs are kept."""
        self._stopped = True
        engine, self._engine = self.engine, None
        if engine is not None:
            await engine.stop(seconds)

    async def close(self) -> None:
        """Stop and give back the store."""
        await self.stop()
        await self.store.close()

    async def settled(self) -> None:
        """Wait for claims and deliveries under way, not for handlers."""
        if engine := self.engine:
            await engine.settled()

    async def add(self, request: JobRequest) -> Added:
        """Schedule a job; the very same one again changes nothing.

        Raises:
            JobExists: The id or name belongs to a different job.
            InvalidSchedule, InvalidJob, UnknownTarget: See `planning.plan`.
        """
        await self._ready()
        planned = plan(request, self._parts.injector, self.now(), self._timezone)
        for taken in (await self.store.find(planned.job.job_id), await self.store.find(planned.job.job_name)):
            if taken and taken.standing.state is not JobState.DONE:
                return _already_there(taken, planned.job, planned.reading)
        await self.store.add(planned.job, planned.standing)
        self._set_alarm(planned.job, planned.standing)
        self._parts.announcer.scheduled(planned.job)
        return Added(*planned, created=True)

    async def update(self, job_id: str, changes: Mapping[str, Any], version: int | None = None) -> Added:
        """Change some fields of a job; all of the others stay.

        Raises:
            JobNotFound: There is no such job.
            SchedulerError: The job was changed since `version`.
        """
        job, standing = await self.job(job_id)
        if version is not None and version != standing.version:
            raise _changed_meanwhile(job, version, standing)
        if "schedule" in changes:
            changes = {"schedule_type": None, **changes}
        planned = plan(replace(JobRequest.again(job), **changes), self._parts.injector, self.now(), self._timezone)
        changed = replace(planned.job, created_at=job.created_at)
        same_times = changed.schedule == job.schedule or "schedule" not in changes
        after = planned.standing._replace(state=standing.state, runs=standing.runs, reason=standing.reason)
        if same_times and standing.next_run_at is not None:
            after = after._replace(next_run_at=standing.next_run_at)
        elif standing.state is JobState.DONE:
            after = after._replace(state=JobState.ACTIVE)
        if not await self.store.replace(changed, after, standing.version):
            raise _changed_meanwhile(job, standing.version, standing)
        self._set_alarm(changed, after)
        return Added(changed, after._replace(version=standing.version + 1), planned.reading, created=False)

    async def cancel(self, job_id: str) -> Job:
        """Remove a job for good; its history stays readable.

        Raises:
            JobNotFound: There is no such job.
        """
        job, _ = await self.job(job_id)
        await self.store.remove(job.job_id)
        if engine := self.engine:
            engine.set_alarm(job.job_id, None)
        self._parts.announcer.cancelled(job)
        return job

    async def pause(self, job_id: str) -> StoredJob:
        """Keep a job and let it not fire. Due times while it is paused are not its own, so they leave no record."""
        return await self._change_state(job_id, JobState.PAUSED)

    async def resume(self, job_id: str) -> StoredJob:
        """Let a paused job fire again, from now on."""
        return await self._change_state(job_id, JobState.ACTIVE)

    async def job(self, job_id: str) -> StoredJob:
        """Return a job by its id or its unique name.

        Raises:
            JobNotFound: There is no such job; the nearest id is named.
        """
        await self._ready()
        if stored := await self.store.find(job_id):
            return stored
        known = [stored.job.job_id for stored in await self.store.jobs()]
        remedy = did_you_mean(job_id, known) or "Nothing is scheduled."
        raise JobNotFound(f"No job has the id or name {excerpt(job_id)}.", field="job_id", value=job_id, remedy=remedy)

    async def jobs(self) -> Sequence[StoredJob]:
        """Return all jobs, the oldest first."""
        await self._ready()
        return await self.store.jobs()

    async def history(self, job_id: str | None, limit: int = HISTORY_LENGTH) -> Sequence[Execution]:
        """Return the newest executions of a job, also of a cancelled one, or of all; the newest first."""
        await self._ready()
        stored = await self.store.find(job_id) if job_id else None
        found = await self.store.executions(stored.job.job_id if stored else job_id, limit)
        if job_id and not stored and not found:
            await self.job(job_id)
        return found

    async def work_of(self, job_id: str) -> Work:
        """Return what a job's executions do. Raises `JobNotFound`."""
        return (await self.job(job_id)).job.work

    async def run_now(self, work: Work, job_id: str | None = None) -> Execution:
        """Run an AgenTool at once and wait for it. It leaves history under `job_id`, else under an id of its own.

        Raises:
            ExecutionFailed: It did not succeed; the cause is what it raised.
            UnknownTarget, InvalidJob: Nothing was run.
        """
        await self._ready()
        work = work._replace(input_data=checked_input(work.agentool_name, work.input_data, self._parts.injector))
        check_queues(self._parts.injector, result_queue=work.result_queue, error_queue=work.error_queue)
        stored = await self.store.find(job_id) if job_id else None
        name = stored.job.job_id if stored else f"run-{uuid4().hex[:12]}" if job_id is None else checked_id(job_id)
        asked = Execution(f"{name}@now-{uuid4().hex}", name, work.agentool_name, self.now(), trigger="run_now")
        execution, error = await self._running_engine().run_now(work, asked)
        if execution.status is Status.SUCCESS:
            return execution
        why = f"{execution.error.type}: {execution.error.message}" if execution.error else execution.reason
        raise ExecutionFailed(f"AgenTool {work.agentool_name!r} did not succeed: {why}", value=execution.execution_id) from error

    async def preview(self, schedule: str, kind: Kind | None, timezone: str | None) -> Reading:
        """Read a schedule without scheduling anything."""
        return read_schedule(schedule, now=self.now(), kind=kind, timezone=timezone or self._timezone)

    async def _change_state(self, job_id: str, state: JobState) -> StoredJob:
        job, standing = await self.job(job_id)
        if standing.state in (state, JobState.DONE):
            return StoredJob(job, standing)
        changed = standing._replace(state=state)
        if state is JobState.ACTIVE:
            changed = changed._replace(next_run_at=job.schedule.first_from(self.now()))
        if changed.next_run_at is None:
            changed = changed._replace(state=JobState.DONE)
        if not await self.store.replace(job, changed, standing.version):
            raise _changed_meanwhile(job, standing.version, standing)
        self._set_alarm(job, changed)
        return StoredJob(job, changed)

    def _set_alarm(self, job: Job, standing: Standing) -> None:
        if engine := self.engine:
            engine.set_alarm(job.job_id, standing.due_at)

    def _running_engine(self) -> Engine:
        if (engine := self.engine) is None:
            raise SchedulerError("The scheduler is stopped.", remedy="Call operation 'start' first.")
        return engine

    async def _ready(self) -> None:
        if self._stopped or self.engine is not None:
            return
        self._engine = engine = Engine(self._parts)
        await engine.start()


def _already_there(taken: StoredJob, job: Job, reading: Reading) -> Added:
    if taken.job.same_as(job):
        return Added(*taken, reading, created=False)
    raise JobExists(
        f"A different job has the id {taken.job.job_id!r} and the name {taken.job.job_name!r}.",
        field="job_id",
        value=job.job_id,
        remedy="Change it with operation 'update', cancel it first, or choose another job_id and job_name.",
    )


def _changed_meanwhile(job: Job, version: int, standing: Standing) -> SchedulerError:
    return SchedulerError(
        f"Job {job.job_id!r} was changed meanwhile: version {version} was expected, and it is {standing.version}.",
        field="version",
        value=version,
        remedy="Read it again with operation 'get_job' and repeat the change.",
    )
