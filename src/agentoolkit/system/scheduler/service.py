"""The scheduler's use cases, over its ports. Operations, and every other door, end here."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import replace as dataclass_replace
from datetime import datetime

from agentool.caller import get_caller
from agentoolkit.system.scheduler.audit import Auditor
from agentoolkit.system.scheduler.changed_jobs import Added, Cancelled
from agentoolkit.system.scheduler.checks import check_executor
from agentoolkit.system.scheduler.decisions.admission import admit, check_not_waiting, check_write, ends_soon, is_waiting, narrowed
from agentoolkit.system.scheduler.engine.lifecycle import Lifecycle
from agentoolkit.system.scheduler.engine.parts import Parts
from agentoolkit.system.scheduler.errors import InvalidJob, JobExists, NotPermitted, changed_meanwhile
from agentoolkit.system.scheduler.events import Listener, PortionListener
from agentoolkit.system.scheduler.executions import ExecutionService
from agentoolkit.system.scheduler.job_fields import JobFields
from agentoolkit.system.scheduler.job_writer import JobWriter
from agentoolkit.system.scheduler.jobs import Job, JobState, JobStatus
from agentoolkit.system.scheduler.lookup import JobLookup
from agentoolkit.system.scheduler.named_calendars import Calendars, with_calendars
from agentoolkit.system.scheduler.planning import Plan, id_from_name, plan, read_when, redefine, replan, with_defaults
from agentoolkit.system.scheduler.ports import DamagedJob, StoredJob
from agentoolkit.system.scheduler.schedules import Reading, ReadingHabits, upstream_in
from agentoolkit.system.scheduler.schedules.after import ANY
from agentoolkit.system.scheduler.schedules.describe import describe
from agentoolkit.system.scheduler.schedules.machine_zone import machine_zone
from agentoolkit.system.scheduler.upstream import resolve_upstream

_TRIES = 5
"""How often a change is repeated that a firing came between."""

_PLAIN_HABITS = ReadingHabits()
Names = Collection[str]


class SchedulerService:
    """One scheduler: what can be done with its jobs.

    Args:
        parts: Store, injector and time source.
        habits: What schedules are read with: the zone of jobs that name none, the times of the day's parts, languages.
        calendars: What the names of calendars stand for.

    Attributes:
        lifecycle: Starts and stops the engine.
        lookup: Finds jobs.
        executions: Runs jobs at once, and finds and cancels executions.
        audit: Notes who did what.
    """

    def __init__(self, parts: Parts, habits: ReadingHabits = _PLAIN_HABITS, calendars: Calendars | None = None) -> None:
        self.parts = parts
        self.store = parts.store
        self.lifecycle = Lifecycle(parts)
        self.lookup = JobLookup(parts, self.lifecycle)
        self.audit = Auditor(parts.store, parts.time)
        self.executions = ExecutionService(parts, self.lifecycle, self.lookup, self.audit)
        self._writer = JobWriter(parts, self.lifecycle, self.audit)
        self._habits = habits
        self._calendars = calendars or {}

    def now(self) -> datetime:
        """Return the present instant."""
        return self.parts.time.now()

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call a listener with every event; the answer ends that."""
        return self.parts.announcer.subscribe(listener)

    def subscribe_to_portions(self, listener: PortionListener) -> Callable[[], None]:
        """Call a listener with all events of one moment together; the answer ends that."""
        return self.parts.announcer.subscribe_to_portions(listener)

    @property
    def timezone(self) -> str:
        """IANA name of the zone of jobs that name none."""
        return self._habits.timezone or machine_zone()

    async def add(
        self, asked: JobFields, job_id: str | None = None, *, replace_existing: bool = False, dry_run: bool = False, assumed: Names = ()
    ) -> Added:
        """Schedule a job; the very same one again changes nothing.

        Args:
            asked: The fields of the job.
            job_id: Its id; made from its name if not given.
            replace_existing: A different job of this id or name becomes the one that is asked for, in one step.
            dry_run: Tell what would be so, and leave it at that.
            assumed: Ids and names of jobs that a dry run takes to be there.

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
            with suppress(JobExists, InvalidJob):  # the very same job may be there, also one that could not be added any more
                return await self._write_new(planned)
        return await self._look_first(asked, job_id, dry_run=dry_run, assumed=assumed)

    def _planned(self, asked: JobFields, job_id: str | None) -> Plan:
        return plan(asked, job_id, self.parts.injector, self.now(), self._habits)

    async def _write_new(self, planned: Plan) -> Added:
        """Write a new job, without a look whether it is there: the store refuses an id or name that is taken."""
        planned = await self._admitted(planned)
        await self._writer.add(StoredJob(planned.job, planned.state))
        return Added(*planned, created=True)

    async def _look_first(self, asked: JobFields, job_id: str | None, *, dry_run: bool, assumed: Names) -> Added:
        """Answer with the very same job where it is there; else write it, or tell in a dry run what would be so."""
        named = await self._named(asked, None) if job_id is None else None
        planned = self._planned(asked, named.job.job_id if named and named.state.status is not JobStatus.DONE else job_id)
        is_unknown = named is None and job_id is None and asked.job_name is not None  # neither by its name nor by the id made of that
        if not is_unknown and (there := await self._writer.find_same(planned.job)):
            return await self._as_it_is(there, planned.reading, writes=not dry_run)
        await self._writer.check_former(planned.job)
        if dry_run:
            planned = await self._admitted(planned)
            await self._writer.check_circle(planned.job, assumed)
            return Added(*planned, created=True)
        try:
            return await self._write_new(planned)
        except JobExists:  # somebody else was quicker: if it is the very same job, it is there as wanted
            if there := await self._writer.find_same(planned.job):
                return await self._as_it_is(there, planned.reading)
            raise

    async def _redefined(self, asked: JobFields, job_id: str | None, *, dry_run: bool, assumed: Names) -> Added | None:
        """Make an existing job the one that is asked for; None if there is none of this id or name. A dry run says what to assume."""
        for _ in range(_TRIES):
            stored = await self._named(asked, job_id)
            if stored is None:
                return None
            self.lookup.check_owner(stored.job, job_id or asked.job_name or "")
            planned = redefine(stored, asked, self.parts.injector, self.now(), self._habits)
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

    async def update(self, job_id: str, changes: JobFields, version: int | None = None, *, dry_run: bool = False) -> Added:
        """Change some fields of a job; all of the others stay. What changes nothing leaves the version as well.

        A dry run tells what would be so, and leaves it at that.

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
            planned = replan(stored, changes, self.parts.injector, self.now(), self._habits)
            if planned.job.same_as(stored.job) and planned.state == stored.state:
                return await self._as_it_is(stored, planned.reading, writes=not dry_run)
            if changed := await self._changed(stored, planned, dry_run=dry_run):
                return changed
        raise changed_meanwhile(job_id, version)

    async def _as_it_is(self, stored: StoredJob, reading: Reading, *, writes: bool = True) -> Added:
        """Answer that the very same job is there. One that was given an end, and comes near it, is given another."""
        goes_on = writes and not get_caller().is_admin and ends_soon(*stored)
        renewed = await self._changed(stored, Plan(*stored, reading)) if goes_on else None
        return renewed or Added(*stored, reading, created=False)

    async def _admitted(self, planned: Plan, before: StoredJob | None = None) -> Plan:
        """Return what is planned as its caller may have it. Raises `InvalidJob`, `NotPermitted` or `LimitExceeded`."""
        caller, (job, state, reading) = get_caller(), planned
        check_executor(job.policies, self.parts.default_executor, self.parts.unavailable)
        if caller.is_admin:
            return planned
        if job.upstream_id == ANY:
            problem = "Other owners' jobs are among those that it would come after."
            raise NotPermitted(problem, field="schedule", value=job.schedule.text, remedy="Name one job, as in 'after extract failed'.")
        if (upstream := job.schedule.after) is not None and upstream.names_job:
            await self.lookup.job(upstream.job_id)  # another owner's is not there for this caller
        mine = [each for each in await self.lookup.unfinished() if each.job.job_id != job.job_id]
        job, state, remarks = admit(caller, job, state, mine, self.parts.admission, self.now(), before)
        return Plan(job, state, Reading(job.schedule, reading.words, (*reading.remarks, *remarks)))

    def check_write(self) -> None:
        """Refuse a caller that may change nothing here. Raises `NotPermitted`."""
        check_write(get_caller(), self.parts.admission)

    async def _changed(self, before: StoredJob, planned: Plan, *, dry_run: bool = False, assumed: Names = ()) -> Added | None:
        """Write a changed job; None if it fired, or was changed, since it was read."""
        job, state, reading = await self._admitted(planned, before)
        job = dataclass_replace(job, created_by=narrowed(job.created_by, get_caller()), changed_by=get_caller())
        await self._writer.check_name(job)
        if dry_run:
            await self._writer.check_circle(job, assumed)
            return Added(job, state, reading, created=False, changed=True)
        changed = await self._writer.change(before, job, state, "changed")
        return Added(*changed, reading, created=False, changed=True) if changed else None

    async def cancel(self, job_id: str, reason: str = "") -> Cancelled:
        """Cancel a job for good, with what waits of it; its history stays readable. It is remembered who did so, and when.

        Raises:
            JobNotFound: There is no such job.
        """
        self.check_write()
        try:
            stored = await self._caught_up(job_id)
        except DamagedJob as damaged:  # this is the way out of it
            stored = StoredJob(damaged.job, JobState())
            self.lookup.check_owner(stored.job, job_id)
        job, caller = stored.job, get_caller()
        why = f"cancelled by {caller.name}{f': {reason}' if reason else ''}"
        removed = await self._writer.remove(stored, why)
        return Cancelled(job, why, removed.cancelled, removed.running)

    async def pause(self, job_id: str, until: datetime | None = None, reason: str = "") -> StoredJob:
        """Keep a job and let it not fire. Due times while it is paused are not its own, so they leave no record.

        One that waits for a person's approval goes on waiting, and says so.

        Args:
            job_id: Its id or name.
            until: When it resumes by itself.
            reason: Why, for whoever looks at it later.
        """
        self.check_write()
        return await self._change_state(job_id, lambda job, state: state if is_waiting(state) else state.paused(until, reason))

    async def resume(self, job_id: str, version: int | None = None) -> StoredJob:
        """Let a paused job fire again, from now on. Raises `SchedulerError` if it was changed since `version`."""

        def resume(job: Job, state: JobState) -> JobState:
            if state.status is JobStatus.ACTIVE:
                return state
            check_not_waiting(get_caller(), StoredJob(job, state))
            now = self.now()
            return state.resumed()._replace(next_run_at=job.schedule.first_from(now), failures_from=now)

        self.check_write()
        return await self._change_state(job_id, resume, version)

    async def preview(self, asked: JobFields) -> Reading:
        """Read a schedule, with its bounds, without scheduling anything."""
        now = self.now()
        return read_when((await with_calendars(asked, self._calendars)).given(), "", now, self._habits)

    async def _with_upstream(self, asked: JobFields, assumed: Names = ()) -> JobFields:
        """Return fields that name the job it comes after, if it does, by its id."""
        await self.lifecycle.ready()
        asked = await with_calendars(asked, self._calendars)
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
        """Return a job when what it was due for is claimed: a change counts from now, whatever a slow store left undone."""
        stored = await self.lookup.job(job_id)
        due, engine = stored.state.due_at, self.lifecycle.engine
        if due is None or due >= self.now() or engine is None or not engine.leading:
            return stored
        await engine.claiming.claim([stored.job.job_id])
        return await self.lookup.job(job_id)
