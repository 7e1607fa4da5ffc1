"""The scheduler's use cases. The operations, and every other door, call them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import replace as dataclass_replace
from datetime import datetime

from agentool.caller import get_caller
from agentoolkit.system.scheduler.audit import Auditor
from agentoolkit.system.scheduler.checks import check_executor
from agentoolkit.system.scheduler.decisions.admission import (
    admit,
    check_not_waiting,
    check_pace,
    check_write,
    ends_soon,
    fires,
    is_waiting,
    narrowed,
)
from agentoolkit.system.scheduler.engine.lifecycle import Lifecycle
from agentoolkit.system.scheduler.engine.parts import Parts
from agentoolkit.system.scheduler.errors import InvalidJob, JobExists, NotPermitted, changed_meanwhile
from agentoolkit.system.scheduler.events import Listener, PortionListener
from agentoolkit.system.scheduler.executions import ExecutionService
from agentoolkit.system.scheduler.job_fields import JobChanges, JobFields
from agentoolkit.system.scheduler.job_writer import Added, Cancelled, JobWriter, check_owner_meant
from agentoolkit.system.scheduler.jobs import Job, JobState, JobStatus
from agentoolkit.system.scheduler.lookup import JobLookup, resolve_upstream
from agentoolkit.system.scheduler.named_calendars import Calendars, F, with_calendars
from agentoolkit.system.scheduler.planning import Plan, id_from_name, plan, read_when, redefine, replan, with_defaults
from agentoolkit.system.scheduler.ports import DamagedJob, StoredJob
from agentoolkit.system.scheduler.schedules import Reading, ReadingHabits, upstream_in
from agentoolkit.system.scheduler.schedules.after import ANY
from agentoolkit.system.scheduler.schedules.describe import describe
from agentoolkit.system.scheduler.schedules.machine_zone import machine_zone

_TRIES = 5
"""Tries of a change if a firing changes the job in between."""

_PLAIN_HABITS = ReadingHabits()
Names = Collection[str]


class SchedulerService:
    """One scheduler, with all use cases of its jobs.

    Args:
        parts: Store, injector and time source.
        habits: Defaults for reading schedules: the zone, the times of the day's parts, languages.
        calendars: Calendars by name.

    Attributes:
        lifecycle: Starts and stops the engine.
        lookup: Finds jobs.
        executions: Runs jobs at once, and finds and cancels executions.
        audit: Creates audit entries.
    """

    def __init__(self, parts: Parts, habits: ReadingHabits = _PLAIN_HABITS, calendars: Calendars | None = None) -> None:
        self.parts = parts
        self.store = parts.store
        self.lifecycle = Lifecycle(parts)
        self.lookup = JobLookup(parts, self.lifecycle)
        self.audit = Auditor(parts.store, parts.time)
        self.executions = ExecutionService(parts, self.lifecycle, self.lookup, self.audit)
        self._writer = JobWriter(parts, self.lifecycle, self.audit)
        self.habits = habits
        self.calendars = calendars or {}

    def now(self) -> datetime:
        """Return the current instant."""
        return self.parts.time.now()

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call a listener with every event. Return a function that removes it."""
        return self.parts.announcer.subscribe(listener)

    def subscribe_to_portions(self, listener: PortionListener) -> Callable[[], None]:
        """Call a listener with all events of one moment together. Return a function that removes it."""
        return self.parts.announcer.subscribe_to_portions(listener)

    @property
    def timezone(self) -> str:
        """IANA name of the zone of jobs that name none."""
        return self.habits.timezone or machine_zone()

    async def add(
        self, asked: JobFields, job_id: str | None = None, *, replace_existing: bool = False, dry_run: bool = False, assumed: Names = ()
    ) -> Added:
        """Create a job. If an identical job exists, it is left unchanged.

        Args:
            asked: The fields of the job.
            job_id: Its id; derived from its name if not given.
            replace_existing: If true, a different job of this id or name is changed to this one, in one step.
            dry_run: Return the result without storing anything.
            assumed: Ids and names of jobs that a dry run assumes to exist.

        Raises:
            JobExists: The id or name belongs to a different job.
            InvalidSchedule, InvalidJob, UnknownTarget: See `planning.plan`.
        """
        asked = with_defaults(asked, self.parts.error_queue, self.parts.pause_after_failures)
        asked = await self._with_upstream(asked, assumed if dry_run else ())
        if replace_existing and (replaced := await self._redefined(asked, job_id, dry_run=dry_run, assumed=assumed)):
            return replaced
        if not dry_run and get_caller().is_admin:
            planned = self._planned(asked, job_id)
            with suppress(JobExists, InvalidJob):  # an identical job may exist, even one that could not be added any more
                return await self._write_new(planned)
        return await self._look_first(asked, job_id, dry_run=dry_run, assumed=assumed)

    def _planned(self, asked: JobFields, job_id: str | None) -> Plan:
        return plan(asked, job_id, self.parts.injector, self.now(), self.habits)

    async def _write_new(self, planned: Plan) -> Added:
        """Write a new job without looking for an existing one: the store refuses an id or name in use."""
        planned = await self._admitted(planned)
        await self._writer.add(StoredJob(planned.job, planned.state))
        return Added(*planned, created=True)

    async def _look_first(self, asked: JobFields, job_id: str | None, *, dry_run: bool, assumed: Names) -> Added:
        """Return an identical job if it exists; else write the job, or plan it in a dry run."""
        named = await self._named(asked, None) if job_id is None else None
        planned = self._planned(asked, named.job.job_id if named and named.state.status is not JobStatus.DONE else job_id)
        is_unknown = named is None and job_id is None and asked.job_name is not None  # neither by its name nor by the id derived from it
        if not is_unknown and (there := await self._writer.find_same(planned.job)):
            return await self._as_it_is(there, planned.reading, writes=not dry_run)
        await self._writer.check_former(planned.job)
        if dry_run:
            planned = await self._admitted(planned)
            await self._writer.check_circle(planned.job, assumed)
            return Added(*planned, created=True)
        try:
            return await self._write_new(planned)
        except JobExists:  # another caller was faster: an identical job is a success too
            if there := await self._writer.find_same(planned.job):
                return await self._as_it_is(there, planned.reading)
            raise

    async def _redefined(self, asked: JobFields, job_id: str | None, *, dry_run: bool, assumed: Names) -> Added | None:
        """Change an existing job to the requested one; None if no job has this id or name."""
        for _ in range(_TRIES):
            stored = await self._named(asked, job_id)
            if stored is None:
                return None
            self.lookup.check_owner(stored.job, job_id or asked.job_name or "")
            check_owner_meant(stored.job)
            if not dry_run:
                stored = await self._with_late_claimed(stored)
            planned = redefine(stored, asked, self.parts.injector, self.now(), self.habits)
            if planned is None:
                return Added(*stored, Reading(stored.job.schedule, describe(stored.job.schedule), ()), created=False)
            if changed := await self._changed(stored, planned, dry_run=dry_run, assumed=assumed):
                return changed
        raise changed_meanwhile(job_id or asked.job_name or "", None)

    async def _named(self, asked: JobFields, job_id: str | None) -> StoredJob | None:
        if job_id is not None:
            return await self.store.find(job_id)
        if asked.job_name is None:
            return None
        return await self.store.find(asked.job_name) or await self.store.find(id_from_name(asked.job_name))

    async def update(self, job_id: str, changes: JobChanges, version: int | None = None, *, dry_run: bool = False) -> Added:
        """Change some fields of a job; all others stay. If nothing changes, neither does the version.

        A dry run returns the result without storing anything.

        Raises:
            JobNotFound: There is no such job.
            SchedulerError: The job was changed since `version`.
            JobExists: Another job has the new name.
            InvalidSchedule, InvalidJob, UnknownTarget: See `planning.replan`.
        """
        changes = await self._with_upstream(changes)
        for _ in range(_TRIES):
            stored = await (self.lookup.job(job_id) if dry_run else self._caught_up(job_id))
            if version not in (None, stored.state.version):
                break
            planned = replan(stored, changes, self.parts.injector, self.now(), self.habits)
            if planned.job.same_as(stored.job) and planned.state == stored.state:
                return await self._as_it_is(stored, planned.reading, writes=not dry_run)
            if changed := await self._changed(stored, planned, dry_run=dry_run):
                return changed
        raise changed_meanwhile(job_id, version)

    async def _as_it_is(self, stored: StoredJob, reading: Reading, *, writes: bool = True) -> Added:
        """Return an identical job unchanged. If the rules set its end and that is near, the end is renewed."""
        goes_on = writes and not get_caller().is_admin and ends_soon(*stored)
        renewed = await self._changed(stored, Plan(*stored, reading)) if goes_on else None
        return renewed or Added(*stored, dataclass_replace(reading, schedule=stored.job.schedule), created=False)  # whose times are kept

    async def _admitted(self, planned: Plan, before: StoredJob | None = None) -> Plan:
        """Apply the admission rules to a plan. Raises `InvalidJob`, `NotPermitted` or `LimitExceeded`."""
        caller, (job, state, reading) = get_caller(), planned
        check_executor(job.policies, self.parts.default_executor, self.parts.unavailable)
        if caller.is_admin:
            return planned
        if job.upstream_id == ANY:
            problem = "Other owners' jobs are among those that it would come after."
            raise NotPermitted(problem, field="schedule", value=job.schedule.text, remedy="Name one job, as in 'after extract failed'.")
        if (upstream := job.schedule.after) is not None and upstream.names_job:
            await self.lookup.job(upstream.job_id)  # another owner's job counts as missing
        mine = await self.lookup.unfinished(job.job_id)
        job, state, remarks = admit(caller, job, state, mine, self.parts.admission, self.now(), before)
        return Plan(job, state, Reading(job.schedule, reading.words, (*reading.remarks, *remarks)))

    def check_write(self) -> None:
        """Refuse a caller that may not change jobs. Raises `NotPermitted`."""
        check_write(get_caller(), self.parts.admission)

    async def _changed(self, before: StoredJob, planned: Plan, *, dry_run: bool = False, assumed: Names = ()) -> Added | None:
        """Write a changed job. Return None if it fired, or was changed, since it was read."""
        job, state, reading = await self._admitted(planned, before)
        job = dataclass_replace(job, created_by=narrowed(job.created_by, get_caller()), changed_by=get_caller())
        await self._writer.check_name(job)
        if dry_run:
            await self._writer.check_circle(job, assumed)
            return Added(job, state, reading, created=False, changed=True)
        changed = await self._writer.change(before, job, state, "changed")
        return Added(*changed, reading, created=False, changed=True) if changed else None

    async def cancel(self, job_id: str, reason: str = "") -> Cancelled:
        """Cancel a job permanently, with its waiting executions. Its history, the caller and the time are kept.

        Raises:
            JobNotFound: There is no such job.
        """
        self.check_write()
        try:
            stored = await self._caught_up(job_id)
        except DamagedJob as damaged:  # cancelling is the remedy for it
            stored = StoredJob(damaged.job, JobState())
            self.lookup.check_owner(stored.job, job_id)
        job, caller = stored.job, get_caller()
        why = f"cancelled by {caller.name}{f': {reason}' if reason else ''}"
        removed = await self._writer.remove(stored, why)
        return Cancelled(job, why, removed.cancelled, removed.running)

    async def pause(self, job_id: str, until: datetime | None = None, reason: str = "") -> StoredJob:
        """Pause a job. Due times during the pause leave no records; if none comes after it, its end leaves one missed record.

        A job that waits for a person's approval keeps waiting, with that reason.

        Args:
            job_id: Its id or name.
            until: Time at which it resumes by itself.
            reason: The reason, for later readers.
        """
        self.check_write()
        if until is not None:
            await self._check_pace(job_id)
        return await self._change_state(job_id, lambda job, state: state if is_waiting(state) else state.paused(until, reason))

    async def resume(self, job_id: str, version: int | None = None) -> StoredJob:
        """Resume a paused job: it fires again from now on. Raises `SchedulerError` if it was changed since `version`."""

        def resume(job: Job, state: JobState) -> JobState:
            if state.status is JobStatus.ACTIVE:
                return state
            check_not_waiting(get_caller(), StoredJob(job, state))
            now = self.now()
            return state.resumed()._replace(next_run_at=job.schedule.first_from(now), failures_from=now)

        self.check_write()
        await self._check_pace(job_id)
        return await self._change_state(job_id, resume, version)

    async def _check_pace(self, job_id: str) -> None:
        """Refuse that a job fires again where the owner's jobs would run too often then. Raises `LimitExceeded`."""
        job, state = await self.lookup.job(job_id)
        if not (get_caller().is_admin or fires(state)):
            check_pace(job, await self.lookup.unfinished(job.job_id), self.parts.admission, self.now())

    async def preview(self, asked: JobFields) -> Reading:
        """Read a schedule, with its bounds, without scheduling anything."""
        now = self.now()
        return read_when((await with_calendars(asked, self.calendars)).given(), "", now, self.habits)

    async def _with_upstream(self, asked: F, assumed: Names = ()) -> F:
        """Return the fields with the upstream job's name replaced by its id, if there is one."""
        await self.lifecycle.ready()
        asked = await with_calendars(asked, self.calendars)
        upstream = upstream_in(asked.schedule) if asked.schedule is not None else None
        if upstream is None or upstream.job_id in assumed:
            return asked
        return asked.model_copy(update={"schedule": await resolve_upstream(self.store, self.lookup, asked.schedule or "")})

    async def _change_state(self, job_id: str, change: Callable[[Job, JobState], JobState], version: int | None = None) -> StoredJob:
        for _ in range(_TRIES):
            job, state = stored = await self._caught_up(job_id)
            if version not in (None, state.version):
                break
            changed = state if state.status is JobStatus.DONE else change(job, state)
            if changed == state:
                return stored
            action = "paused" if changed.status is JobStatus.PAUSED else "resumed"
            if written := await self._writer.change(stored, job, changed, action):
                return written
        raise changed_meanwhile(job_id, version)

    async def _caught_up(self, job_id: str) -> StoredJob:
        """Return a job whose past due times are claimed: a change applies from now on, even if the store was slow."""
        return await self._with_late_claimed(await self.lookup.job(job_id))

    async def _with_late_claimed(self, stored: StoredJob) -> StoredJob:
        due, engine = stored.state.due_at, self.lifecycle.engine
        if due is None or due >= self.now() or engine is None or not engine.leading:
            return stored
        await engine.claiming.claim([stored.job.job_id])
        return await self.lookup.job(stored.job.job_id)
