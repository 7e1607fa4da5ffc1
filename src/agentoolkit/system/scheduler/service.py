"""The scheduler's use cases, over its ports. Operations, and every other door, end here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

from agentool.errors import did_you_mean, excerpt
from agentoolkit.system.scheduler.engine import STOP_SECONDS, Engine, Parts
from agentoolkit.system.scheduler.errors import InvalidSchedule, JobExists, JobNotFound, SchedulerError, changed_meanwhile
from agentoolkit.system.scheduler.events import Listener
from agentoolkit.system.scheduler.jobs import Job, JobState, Standing, execution_id
from agentoolkit.system.scheduler.loops import done_on
from agentoolkit.system.scheduler.planning import JobRequest, changes_wanted, id_from_name, plan, replan
from agentoolkit.system.scheduler.ports import DamagedJob, StoredJob
from agentoolkit.system.scheduler.predecessors import with_predecessor
from agentoolkit.system.scheduler.schedules import Kind, Reading, preview, read_schedule

_TRIES = 5
"""How often a change is repeated that a firing came between."""


class Added(NamedTuple):
    """A job that is scheduled now."""

    job: Job
    standing: Standing
    reading: Reading
    created: bool
    """False if the very same job was there already."""
    changed: bool = False
    """True if it was there, and other than it is now."""


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
        self._starting: asyncio.Task[None] | None = None
        self._closed = False

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call a listener with every event; the answer ends that."""
        return self._parts.announcer.subscribe(listener)

    @property
    def parts(self) -> Parts:
        """What it works with."""
        return self._parts

    @property
    def engine(self) -> Engine | None:
        """The engine on the running event loop, if there is one."""
        engine = self._engine
        return engine if engine is not None and engine.loop is asyncio.get_running_loop() else None

    @property
    def elsewhere(self) -> asyncio.AbstractEventLoop | None:
        """The event loop of another thread on which the engine runs: only there may jobs and alarms be touched."""
        loop = self._engine.loop if self._engine is not None else None
        return None if loop is None or loop is asyncio.get_running_loop() or not loop.is_running() else loop

    def now(self) -> datetime:
        """Return the present instant, by the scheduler's own time source."""
        return self._parts.time.now()

    async def open(self) -> None:
        """Make ready and, unless it was stopped, start. A second time does nothing."""
        self._closed = False
        await self.ready()

    async def start(self) -> None:
        """Go on after `stop`, also one that another process asked for. A second time does nothing."""
        await self.open()
        await self.store.halt(False)
        if engine := self.engine:
            await engine.upkeep.look_after()

    async def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Stop every process that shares the store, and this one within so many seconds, until `start`. Jobs are kept.

        Running executions here may end, and are cancelled if they do not. The stop outlives the process if the store does.
        """
        await self.ready()
        await self.store.halt(True)
        await self._end(seconds)

    async def close(self, seconds: float = STOP_SECONDS) -> None:
        """End this process's part and give back the store. What is due later is due when it is opened again."""
        await self._end(seconds)
        await self.store.close()

    @asynccontextmanager
    async def holding(self) -> AsyncGenerator[None]:
        """Claim nothing that is due while a ``with`` block lasts, and all of it after: for jobs that belong together."""
        await self.ready()
        clock = self.running_engine().clock
        clock.pause()
        try:
            yield
        finally:
            if clock.running:
                clock.resume()

    async def is_well(self) -> bool:
        """Does this process lead, and do its claims and its store work? Raises what the store raises."""
        engine = self.engine
        return engine is not None and engine.leading and not engine.claiming.failing and not await self.store.halted()

    async def settled(self) -> None:
        """Wait for claims and deliveries under way, not for handlers."""
        if engine := self.engine:
            await engine.settled()

    async def add(self, request: JobRequest, *, dry_run: bool = False) -> Added:
        """Schedule a job; the very same one again changes nothing. With `dry_run`, tell what would be so, and leave it at that.

        Raises:
            JobExists: The id or name belongs to a different job.
            InvalidSchedule, InvalidJob, UnknownTarget: See `planning.plan`.
        """
        request = await self._placed(request, dry_run)
        planned = plan(request, self._parts.injector, self.now(), self._timezone)
        for taken in (await self.store.find(planned.job.job_id), await self.store.find(planned.job.job_name)):
            if taken and taken.standing.state is not JobState.DONE:
                return _already_there(taken, planned.job, planned.reading)
        if not dry_run:
            await self.store.add(planned.job, planned.standing)
            self._set_alarm(planned.job, planned.standing)
            self._parts.announcer.scheduled(planned.job)
        return Added(*planned, created=True)

    async def put(self, request: JobRequest, *, dry_run: bool = False) -> Added:
        """Schedule a job, or change the one of this id or name into it. One that is the very same stays, also when it is done.

        Raises:
            InvalidSchedule, InvalidJob, UnknownTarget: See `planning.plan`.
        """
        request = await self._placed(request, dry_run)
        stored = await self.store.find(request.job_id or id_from_name(request.job_name))
        if stored is None:
            return await self.add(request, dry_run=dry_run)
        job = stored.job
        changes = changes_wanted(job, request, self._parts.injector, self._timezone)
        if not changes:
            return Added(*stored, Reading(job.schedule, preview(job.schedule, now=self.now(), count=0).words, ()), created=False)
        if "schedule" in changes and job.schedule.kind == "once":
            # Made anew, because what 'in an hour' means counts from when a job was made; planned first, so that none is lost.
            planned = plan(request, self._parts.injector, self.now(), self._timezone)
            if dry_run:
                return Added(*planned, created=False, changed=True)
            await self.cancel(job.job_id)
            return (await self.add(request))._replace(created=False, changed=True)
        return await self.update(job.job_id, changes, dry_run=dry_run)

    async def update(self, job_id: str, changes: Mapping[str, Any], version: int | None = None, *, dry_run: bool = False) -> Added:
        """Change some fields of a job; all of the others stay. What changes nothing leaves the version as well.

        Raises:
            JobNotFound: There is no such job.
            SchedulerError: The job was changed since `version`.
            JobExists: Another job has the new name.
            InvalidSchedule, InvalidJob, UnknownTarget: See `planning.replan`.
        """
        if isinstance(schedule := changes.get("schedule"), str):
            changes = {**changes, "schedule": await with_predecessor(self.store, schedule)}
        for _ in range(_TRIES):
            stored = await self._caught_up(job_id)
            if version not in (None, stored.standing.version):
                break
            changed, after, reading = replan(stored, changes, self._parts.injector, self.now(), self._timezone)
            await self._check_name(changed)
            if (changed, after) == stored:
                return Added(*stored, reading, created=False)
            if dry_run:
                return Added(changed, after, reading, created=False, changed=True)
            if replaced := await self._replaced(stored, changed, after):
                return Added(*replaced, reading, created=False, changed=True)
        raise changed_meanwhile(job_id, version)

    async def cancel(self, job_id: str) -> Job:
        """Remove a job for good; its history stays readable.

        Raises:
            JobNotFound: There is no such job.
        """
        try:
            job, _ = await self._caught_up(job_id)
        except DamagedJob as damaged:  # this is the way out of it
            job = damaged.job
        await self.store.remove(job.job_id)
        if engine := self.engine:
            engine.set_alarm(job.job_id, None)
        self._parts.announcer.cancelled(job)
        return job

    async def pause(self, job_id: str, until: datetime | None = None, reason: str = "") -> StoredJob:
        """Keep a job and let it not fire. Due times while it is paused are not its own, so they leave no record.

        Args:
            job_id: Its id or name.
            until: When it resumes by itself.
            reason: Why, for whoever looks at it later.
        """
        return await self._change_state(job_id, Standing(JobState.PAUSED, paused_until=until, reason=reason))

    async def resume(self, job_id: str) -> StoredJob:
        """Let a paused job fire again, from now on."""
        return await self._change_state(job_id, Standing(JobState.ACTIVE))

    async def job(self, job_id: str) -> StoredJob:
        """Return a job by its id or its unique name.

        Raises:
            JobNotFound: There is no such job; the nearest id is named.
            DamagedJob: What is stored of it cannot be read.
        """
        await self.ready()
        if stored := await self.store.find(job_id):
            return stored
        known = [stored.job.job_id for stored in await self.store.jobs()]
        remedy = did_you_mean(job_id, known) or "Nothing is scheduled."
        raise JobNotFound(f"No job has the id or name {excerpt(job_id)}.", field="job_id", value=job_id, remedy=remedy)

    async def jobs(self) -> Sequence[StoredJob]:
        """Return all jobs, the oldest first."""
        await self.ready()
        return await self.store.jobs()

    async def preview(self, schedule: str, kind: Kind | None, timezone: str | None) -> Reading:
        """Read a schedule without scheduling anything."""
        return read_schedule(schedule, now=self.now(), kind=kind, timezone=timezone or self._timezone)

    async def _placed(self, request: JobRequest, dry_run: bool) -> JobRequest:
        """Return a request that names the job it comes after, if it does, by its id; for a dry run, that one may be still to come."""
        await self.ready()
        with suppress(InvalidSchedule) if dry_run else nullcontext():
            return replace(request, schedule=await with_predecessor(self.store, request.schedule))
        return request

    async def _change_state(self, job_id: str, wanted: Standing) -> StoredJob:
        for _ in range(_TRIES):
            job, standing = stored = await self._caught_up(job_id)
            if standing.state is JobState.DONE or (standing.state is wanted.state and wanted.state is JobState.ACTIVE):
                return stored
            changed = standing._replace(state=wanted.state, paused_until=wanted.paused_until, reason=wanted.reason)
            if wanted.state is JobState.ACTIVE:
                changed = changed._replace(next_run_at=job.schedule.first_from(self.now()))
            if replaced := await self._replaced(stored, job, changed):
                return replaced
        raise changed_meanwhile(job_id, None)

    async def _caught_up(self, job_id: str) -> StoredJob:
        """Return a job when what it was due for is claimed: a change counts from now, whatever a slow store left undone."""
        stored = await self.job(job_id)
        due, engine = stored.standing.due_at, self.engine
        if due is None or due >= self.now() or engine is None or not engine.leading:
            return stored
        engine.claiming.ring([stored.job.job_id])
        await engine.claiming.settled()
        return await self.job(job_id)

    async def _check_name(self, job: Job) -> None:
        taken = await self.store.find(job.job_name)
        if taken and taken.job.job_id != job.job_id and taken.standing.state is not JobState.DONE:
            raise JobExists.taken(taken.job.job_id, taken.job.job_name, "job_name", job.job_name)

    async def _replaced(self, before: StoredJob, job: Job, standing: Standing) -> StoredJob | None:
        """Write a changed job; None if it fired, or was changed, since it was read."""
        standing = await self._past_given_out(job, standing)
        if not await self.store.replace(job, standing, before.standing):
            return None
        self._set_alarm(job, standing)
        return StoredJob(job, standing._replace(version=before.standing.version + 1))

    async def _past_given_out(self, job: Job, standing: Standing) -> Standing:
        """Pass over a next due time that has its execution already: it fell on this very instant."""
        due = standing.next_run_at
        if due is not None and await self.store.execution(execution_id(job.job_id, due)):
            standing = standing._replace(next_run_at=job.schedule.next_after(due))
        return standing if standing.next_run_at or job.follows else standing._replace(state=JobState.DONE)

    def _set_alarm(self, job: Job, standing: Standing) -> None:
        if engine := self.engine:
            engine.set_alarm(job.job_id, standing.due_at)

    def running_engine(self) -> Engine:
        """Return the engine. Raises `SchedulerError` if the scheduler is stopped."""
        if (engine := self.engine) is None:
            raise SchedulerError("The scheduler is stopped.", remedy="Call operation 'start' first.")
        return engine

    async def ready(self) -> None:
        """Start at first use, and again on another event loop."""
        if self._closed or self.elsewhere:
            return
        if self.engine is None:
            self._engine = Engine(self._parts)
            self._starting = asyncio.get_running_loop().create_task(self._engine.start())
        if self._starting is not None and not self._starting.done():
            await asyncio.wait({self._starting})
        if self._starting is not None and (error := self._starting.exception()):
            self._engine = None
            raise error

    async def _end(self, seconds: float) -> None:
        self._closed = True
        elsewhere, engine = self.elsewhere, self._engine
        self._engine = None
        if engine is not None and (elsewhere or engine.loop is asyncio.get_running_loop()):
            await done_on(elsewhere, lambda: engine.stop(seconds))


def _already_there(taken: StoredJob, job: Job, reading: Reading) -> Added:
    if taken.job.same_as(job):
        return Added(*taken, reading, created=False)
    raise JobExists.taken(taken.job.job_id, taken.job.job_name, "job_id", job.job_id)
