"""The scheduler's use cases, over its ports. Operations, and every other door, end here."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace as dataclass_replace
from datetime import datetime
from typing import NamedTuple

from agentool.caller import get_caller
from agentool.errors import did_you_mean, excerpt
from agentoolkit.system.scheduler.audit import Action, AuditEntry, snapshot
from agentoolkit.system.scheduler.decisions.admission import admit, check_not_waiting, check_write, narrowed
from agentoolkit.system.scheduler.decisions.downstream import check_circle
from agentoolkit.system.scheduler.engine.lifecycle import Lifecycle
from agentoolkit.system.scheduler.engine.parts import Parts
from agentoolkit.system.scheduler.errors import JobExists, JobNotFound, NotPermitted, changed_meanwhile
from agentoolkit.system.scheduler.job_fields import JobFields
from agentoolkit.system.scheduler.jobs import HISTORY_LENGTH, LIVE, Execution, ExecutionStatus, Job, JobState, JobStatus, execution_id
from agentoolkit.system.scheduler.planning import Plan, id_from_name, plan, redefine, replan
from agentoolkit.system.scheduler.ports import DamagedJob, Position, StoredJob
from agentoolkit.system.scheduler.schedules import Kind, Reading, preview, read_schedule, upstream_in
from agentoolkit.system.scheduler.schedules.machine_zone import machine_zone
from agentoolkit.system.scheduler.upstream import resolve_upstream

MAX_SIMILAR = 10
"""Ids and names on each side of an unknown one among which the nearest is looked for."""
MAX_LISTED = 100_000
"""Cancelled jobs among which those of one owner are looked for."""
_TRIES = 5
"""How often a change is repeated that a firing came between."""


class Added(NamedTuple):
    """A job that is scheduled now."""

    job: Job
    state: JobState
    reading: Reading
    created: bool
    """False if the very same job was there already."""
    changed: bool = False
    """True if it was there, and other than it is now."""


class Cancelled(NamedTuple):
    """A job that is cancelled now."""

    job: Job
    reason: str
    cancelled: Sequence[Execution]
    """Executions of it that waited, and do not run."""
    running: Sequence[Execution]
    """Executions of it that still run."""


class SchedulerService(Lifecycle):
    """One scheduler: what can be done with its jobs, and the life of the engine that runs them.

    Args:
        parts: Store, injector and time source.
        timezone: IANA name of the zone of jobs that name none; the machine's by default.
    """

    def __init__(self, parts: Parts, timezone: str | None = None) -> None:
        super().__init__(parts)
        self._timezone = timezone

    @property
    def timezone(self) -> str:
        """IANA name of the zone of jobs that name none."""
        return self._timezone or machine_zone()

    async def add(
        self,
        asked: JobFields,
        job_id: str | None = None,
        *,
        replace_existing: bool = False,
        dry_run: bool = False,
        assumed: Collection[str] = (),
    ) -> Added:
        """Schedule a job; the very same one again changes nothing.

        Args:
            asked: The fields of the job.
            job_id: Its id; made from its name if not given.
            replace_existing: A different job of this id or name becomes the one that is asked for, in one step.
            dry_run: Tell what would be so, and leave it at that.
            assumed: Ids and names of jobs that are taken to be there, for a dry run.

        Raises:
            JobExists: The id or name belongs to a different job.
            InvalidSchedule, InvalidJob, UnknownTarget: See `planning.plan`.
        """
        asked = await self._with_upstream(asked, assumed if dry_run else ())
        if replace_existing and (replaced := await self._redefined(asked, job_id, assumed if dry_run else None)):
            return replaced
        named = await self._named(asked, None) if job_id is None else None
        id_ = named.job.job_id if named and named.state.status is not JobStatus.DONE else job_id
        planned = plan(asked, id_, self._parts.injector, self.now(), self._timezone)
        planned = planned._replace(job=dataclass_replace(planned.job, created_by=get_caller()))
        if there := await self._already_there(planned):
            return there
        planned = await self._admitted(planned)
        if dry_run:
            await self._check_circle(planned.job, assumed)
        else:
            try:
                await self.store.add(planned.job, planned.state)
            except JobExists:
                # Somebody else was quicker. If it is the very same job, it is there as wanted.
                if there := await self._already_there(planned):
                    return there
                raise
            self._set_alarm(planned.job, planned.state)
            self._parts.announcer.scheduled(planned.job)
            await self.note("created", None, StoredJob(planned.job, planned.state))
        return Added(*planned, created=True)

    async def _redefined(self, asked: JobFields, job_id: str | None, assumed: Collection[str] | None) -> Added | None:
        """Make an existing job the one that is asked for; None if there is none of this id or name. A dry run says what to assume."""
        for _ in range(_TRIES):
            stored = await self._named(asked, job_id)
            if stored is None:
                return None
            self._check_owner(stored.job, job_id or asked.job_name or "")
            planned = redefine(stored, asked, self._parts.injector, self.now(), self._timezone)
            if planned is None:
                words = preview(stored.job.schedule, now=self.now(), count=0).words
                return Added(*stored, Reading(stored.job.schedule, words, ()), created=False)
            if changed := await self._changed(stored, planned, assumed):
                return changed
        raise changed_meanwhile(job_id or asked.job_name or "", None)

    async def _named(self, asked: JobFields, job_id: str | None) -> StoredJob | None:
        if job_id is not None:
            return await self.store.find(job_id)
        if asked.job_name is None:
            return None
        return await self.store.find(asked.job_name) or await self.store.find(id_from_name(asked.job_name))

    async def update(self, job_id: str, changes: JobFields, version: int | None = None) -> Added:
        """Change some fields of a job; all of the others stay. What changes nothing leaves the version as well.

        Raises:
            JobNotFound: There is no such job.
            SchedulerError: The job was changed since `version`.
            JobExists: Another job has the new name.
            InvalidSchedule, InvalidJob, UnknownTarget: See `planning.replan`.
        """
        changes = await self._with_upstream(changes)
        for _ in range(_TRIES):
            stored = await self._caught_up(job_id)
            if version not in (None, stored.state.version):
                break
            planned = replan(stored, changes, self._parts.injector, self.now(), self._timezone)
            if planned.job.same_as(stored.job) and planned.state == stored.state:
                return Added(*stored, planned.reading, created=False)
            if changed := await self._changed(stored, planned):
                return changed
        raise changed_meanwhile(job_id, version)

    async def note(self, action: Action, before: StoredJob | None, after: StoredJob | None, execution_id: str = "") -> None:
        """Keep who did what to a job."""
        if (known := after or before) is None:
            return
        job = known.job
        entry = AuditEntry(
            at=self.now(),
            caller=get_caller(),
            action=action,
            owner=job.owner,
            job_id=job.job_id,
            execution_id=execution_id,
            before=snapshot(*before) if before else None,
            after=snapshot(*after) if after else None,
        )
        await self._parts.audit.append(entry)

    async def audit(self, job_id: str | None, owner: str | None, limit: int) -> Sequence[AuditEntry]:
        """Return who did what, the newest first; a caller without the scope ``admin`` sees what was done to its own jobs.

        Raises:
            NotPermitted: The caller asks for another owner's.
        """
        await self.ready()
        caller = get_caller()
        if owner is not None and not caller.owns(owner):
            raise NotPermitted("That is another owner's.", field="owner", value=owner, remedy="Leave it out.")
        found = await self.store.find(job_id) if job_id else None
        mine = owner if caller.is_admin else caller.name
        return await self._parts.audit.newest(found.job.job_id if found else job_id, mine, limit)

    async def _admitted(self, planned: Plan, before: StoredJob | None = None) -> Plan:
        """Return what is planned as its caller may have it. Raises `NotPermitted` or `LimitExceeded`."""
        caller, (job, state, reading) = get_caller(), planned
        if caller.is_admin:
            return planned
        if job.upstream_id is not None:
            await self.job(job.upstream_id)  # another owner's is not there for this caller
        mine = [each for each in await self._mine() if each.job.job_id != job.job_id]
        job, state, remarks = admit(caller, job, state, mine, self._parts.admission, self.now(), before)
        return Plan(job, state, Reading(job.schedule, reading.words, (*reading.remarks, *remarks)))

    async def _mine(self) -> list[StoredJob]:
        """Return the caller's jobs that can fire, but for those that it made with more scopes than it has here."""
        caller = get_caller()
        jobs = [stored for stored in await self.store.jobs() if stored.state.status is not JobStatus.DONE]
        return [stored for stored in jobs if stored.job.owner == caller.name and not stored.job.created_by.is_admin]

    def check_write(self) -> None:
        """Refuse a caller that may change nothing here. Raises `NotPermitted`."""
        check_write(get_caller(), self._parts.admission)

    async def _changed(self, before: StoredJob, planned: Plan, assumed: Collection[str] | None = None) -> Added | None:
        """Write a changed job; None if it fired, or was changed, since it was read."""
        job, state, reading = await self._admitted(planned, before)
        job = narrowed(job, get_caller())
        await self._check_name(job)
        if assumed is not None:
            await self._check_circle(job, assumed)
            return Added(job, state, reading, created=False, changed=True)
        anew = job.created_at != before.job.created_at
        if replaced := await (self._exchanged if anew else self._replaced)(before, job, state):
            await self.note("changed", before, replaced)
            return Added(*replaced, reading, created=False, changed=True)
        return None

    async def cancel(self, job_id: str, reason: str = "") -> Cancelled:
        """Cancel a job for good, with what waits of it; its history stays readable. It is remembered who did so, and when.

        Raises:
            JobNotFound: There is no such job.
        """
        self.check_write()
        state = JobState()
        try:
            job, state = await self._caught_up(job_id)
        except DamagedJob as damaged:  # this is the way out of it
            job = damaged.job
            self._check_owner(job, job_id)
        caller = get_caller()
        why = f"cancelled by {caller.name}{f': {reason}' if reason else ''}"
        removed = await self.store.remove(job.job_id, self.now(), why)
        if engine := self.engine:
            engine.set_alarm(job.job_id, None)
        self._parts.announcer.cancelled(job)
        self._announce(removed.cancelled)
        await self.note("cancelled", StoredJob(job, state), None)
        running = await self.store.executions(job.job_id, HISTORY_LENGTH, ExecutionStatus.RUNNING, with_results=False)
        return Cancelled(job, why, removed.cancelled, running)

    async def pause(self, job_id: str, until: datetime | None = None, reason: str = "") -> StoredJob:
        """Keep a job and let it not fire. Due times while it is paused are not its own, so they leave no record.

        Args:
            job_id: Its id or name.
            until: When it resumes by itself.
            reason: Why, for whoever looks at it later.
        """
        self.check_write()
        return await self._change_state(job_id, lambda job, state: state.paused(until, reason))

    async def resume(self, job_id: str) -> StoredJob:
        """Let a paused job fire again, from now on."""

        def resume(job: Job, state: JobState) -> JobState:
            if state.status is JobStatus.ACTIVE:
                return state
            check_not_waiting(get_caller(), StoredJob(job, state))
            return state.resumed()._replace(next_run_at=job.schedule.first_from(self.now()))

        self.check_write()
        return await self._change_state(job_id, resume)

    async def job(self, job_id: str) -> StoredJob:
        """Return a job by its id or its unique name.

        Raises:
            JobNotFound: There is no such job; the nearest id is named.
            DamagedJob: What is stored of it cannot be read.
        """
        await self.ready()
        stored = await self.store.find(job_id)
        if stored is not None and get_caller().owns(stored.job.owner):
            return stored
        raise self._not_found(job_id, await self._similar(job_id))

    async def job_or_cancelled(self, job_id: str) -> StoredJob:
        """Return a job, also one that was cancelled, as long as it is remembered. Raises as `job` does."""
        await self.ready()
        stored = await self.store.find(job_id) or await self.store.find_cancelled(job_id)
        if stored is not None and get_caller().owns(stored.job.owner):
            return stored
        return await self.job(job_id)

    async def page(self, status: JobStatus | None, limit: int, after: Position | None, owner: str | None = None) -> Sequence[StoredJob]:
        """Return one page of the jobs, the oldest first. See `JobStore.list_jobs`."""
        await self.ready()
        if get_caller().is_admin and owner is None:
            return await self.store.list_jobs(status, limit, after)
        mine = [stored for stored in await self._with_status(status) if self._shows(stored, owner)]
        places = [(each.job.created_at, each.job.job_id) for each in mine]
        return [each for each, place in zip(mine, places, strict=True) if after is None or place > after][:limit]

    async def count_jobs(self) -> Mapping[JobStatus, int]:
        """Return how many jobs have each status. The cost does not depend on how many there are."""
        await self.ready()
        return await self.store.count_jobs()

    async def jobs(self, owner: str | None = None) -> Sequence[StoredJob]:
        """Return all jobs that the caller may see, or those of one owner, the oldest first."""
        await self.ready()
        return [stored for stored in await self.store.jobs() if self._shows(stored, owner)]

    async def _with_status(self, status: JobStatus | None) -> Sequence[StoredJob]:
        """Return all jobs with one status, or all that can still fire or be repaired, the oldest first."""
        if status is JobStatus.CANCELLED:
            return await self.store.list_jobs(status, MAX_LISTED)
        wanted = LIVE if status is None else {status}
        return [stored for stored in await self.store.jobs() if stored.state.status in wanted]

    def _shows(self, stored: StoredJob, owner: str | None) -> bool:
        return get_caller().owns(stored.job.owner) and owner in (None, stored.job.owner)

    async def _similar(self, job_id: str) -> Sequence[str]:
        if get_caller().is_admin:
            return await self.store.find_similar(job_id, MAX_SIMILAR)
        return [name for stored in await self.jobs() for name in (stored.job.job_id, stored.job.job_name)]

    def _not_found(self, job_id: str, known: Sequence[str]) -> JobNotFound:
        remedy = did_you_mean(job_id, known) or "Nothing is scheduled."
        return JobNotFound(f"No job has the id or name {excerpt(job_id)}.", field="job_id", value=job_id, remedy=remedy)

    def _check_owner(self, job: Job, job_id: str) -> None:
        """Refuse another owner's job as if it were not there. Raises `JobNotFound`."""
        if not get_caller().owns(job.owner):
            raise self._not_found(job_id, ())

    async def preview(self, schedule: str, kind: Kind | None, timezone: str | None) -> Reading:
        """Read a schedule without scheduling anything."""
        return read_schedule(schedule, now=self.now(), kind=kind, timezone=timezone or self._timezone)

    async def _already_there(self, planned: Plan) -> Added | None:
        """Return a live job that is the very same. Raises `JobExists` if the id or name belongs to one that is not."""
        job = planned.job
        for taken in (await self.store.find(job.job_id), await self.store.find(job.job_name)):
            if taken and taken.state.status is not JobStatus.DONE:
                if not get_caller().owns(taken.job.owner):
                    problem = f"The name {excerpt(job.job_name)} is taken."
                    raise JobExists(problem, field="job_name", value=job.job_name, remedy="Choose another job_id and job_name.")
                if taken.job.job_id == job.job_id and taken.job.same_as(job):
                    return Added(*taken, planned.reading, created=False)
                raise JobExists.taken(taken.job.job_id, taken.job.job_name, "job_id", job.job_id)
        return None

    async def _with_upstream(self, asked: JobFields, assumed: Collection[str] = ()) -> JobFields:
        """Return fields that name the job it comes after, if it does, by its id."""
        await self.ready()
        upstream = upstream_in(asked.schedule) if asked.schedule is not None else None
        if upstream is None or upstream.job_id in assumed:
            return asked
        return asked.model_copy(update={"schedule": await resolve_upstream(self.store, asked.schedule or "")})

    async def _check_circle(self, job: Job, assumed: Collection[str]) -> None:
        """Say of a dry run what the store says when a job is written. What assumed jobs come after may still change."""
        way: dict[str, str | None] = {}
        before = job.upstream_id
        while before is not None and before not in way and before not in assumed:
            stored = await self.store.find(before)
            way[before] = stored.job.upstream_id if stored else None
            before = way[before]
        check_circle(job, way.get)

    async def _change_state(self, job_id: str, change: Callable[[Job, JobState], JobState]) -> StoredJob:
        for _ in range(_TRIES):
            job, state = stored = await self._caught_up(job_id)
            changed = state if state.status is JobStatus.DONE else change(job, state)
            if changed == state:
                return stored
            if replaced := await self._replaced(stored, job, changed):
                await self.note("paused" if changed.status is JobStatus.PAUSED else "resumed", stored, replaced)
                return replaced
        raise changed_meanwhile(job_id, None)

    async def _caught_up(self, job_id: str) -> StoredJob:
        """Return a job when what it was due for is claimed: a change counts from now, whatever a slow store left undone."""
        stored = await self.job(job_id)
        due, engine = stored.state.due_at, self.engine
        if due is None or due >= self.now() or engine is None or not engine.leading:
            return stored
        await engine.claiming.claim([stored.job.job_id])
        return await self.job(job_id)

    async def _check_name(self, job: Job) -> None:
        taken = await self.store.find(job.job_name)
        if taken and taken.job.job_id != job.job_id and taken.state.status is not JobStatus.DONE:
            if not get_caller().owns(taken.job.owner):
                problem = f"The name {excerpt(job.job_name)} is taken."
                raise JobExists(problem, field="job_name", value=job.job_name, remedy="Choose another job_name.")
            raise JobExists.taken(taken.job.job_id, taken.job.job_name, "job_name", job.job_name)

    async def _replaced(self, before: StoredJob, job: Job, state: JobState) -> StoredJob | None:
        """Write a changed job; None if it fired, or was changed, since it was read."""
        state = await self._past_given_out(job, state)
        if not await self.store.replace(job, state, before.state):
            return None
        self._set_alarm(job, state)
        return StoredJob(job, state._replace(version=before.state.version + 1))

    async def _exchanged(self, before: StoredJob, job: Job, state: JobState) -> StoredJob | None:
        """Put a job that counts as made now in the place of another, in one step; None if that one fired, or was changed."""
        state = (await self._past_given_out(job, state))._replace(version=before.state.version + 1)
        exchanged = await self.store.exchange(before, job, state, self.now())
        if not exchanged:
            return None
        self._set_alarm(job, state)
        self._announce(exchanged.cancelled)
        return StoredJob(job, state)

    def _announce(self, executions: Sequence[Execution]) -> None:
        for execution in executions:
            self._parts.announcer.execution_changed(execution)

    async def _past_given_out(self, job: Job, state: JobState) -> JobState:
        """Pass over a next due time that has its execution already: it fell on this very instant."""
        due = state.next_run_at
        if due is not None and await self.store.execution(execution_id(job.job_id, due)):
            state = state._replace(next_run_at=job.schedule.next_after(due))
        return state if state.next_run_at or job.upstream_id else state._replace(status=JobStatus.DONE)

    def _set_alarm(self, job: Job, state: JobState) -> None:
        if engine := self.engine:
            engine.set_alarm(job.job_id, state.due_at)
