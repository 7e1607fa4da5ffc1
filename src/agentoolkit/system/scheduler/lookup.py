"""Finds jobs and their records for a caller. A job of another owner counts as missing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple
from zoneinfo import ZoneInfo

from agentool.caller import get_caller
from agentool.errors import did_you_mean, excerpt
from agentoolkit.portions import AT_ONCE, done_in_portions
from agentoolkit.system.scheduler.engine.lifecycle import Lifecycle
from agentoolkit.system.scheduler.engine.parts import Parts
from agentoolkit.system.scheduler.errors import InvalidSchedule, JobNotFound, NotPermitted
from agentoolkit.system.scheduler.execution_records import Execution, ExecutionStatus
from agentoolkit.system.scheduler.jobs import Job, JobStatus, Policies
from agentoolkit.system.scheduler.ports import AuditEntry, DamagedJob, FoundJobs, JobStore, Position, StoredJob
from agentoolkit.system.scheduler.schedules import Upstream, upstream_in
from agentoolkit.system.scheduler.schedules.after import ANY
from agentoolkit.system.scheduler.search import Search, Subject, read_search

_PAGE = 1_000
MAX_SIMILAR = 10
"""Number of ids and names on each side of an unknown one that are searched for a similar one."""
NOBODY = " "
"""The owner that is searched for if a caller asks for another owner's jobs: no caller has this name."""

GONE = "its process has ended; the next process that serves settles it"
"""Reason of an execution that is recorded as running, and whose process has ended."""


class Near(NamedTuple):
    """The caller's jobs that an unknown name may mean."""

    advice: str
    """The nearest name, or all names; empty if none was found."""
    is_whole: bool
    """True if all jobs of the caller were searched."""


class JobLookup:
    """Finds jobs for the current caller. Every query starts the scheduler if necessary.

    Args:
        parts: The store.
        lifecycle: Starts the engine.
    """

    def __init__(self, parts: Parts, lifecycle: Lifecycle) -> None:
        self._parts = parts
        self._store = parts.store
        self._time = parts.time
        self._lifecycle = lifecycle

    async def job(self, job_id: str) -> StoredJob:
        """Return a job by its id or its unique name.

        Raises:
            JobNotFound: There is no such job, and the error names the nearest id; or it was cancelled, and the error says when.
            DamagedJob: Its record cannot be read.
        """
        await self._lifecycle.ready()
        stored = await self._store.find(job_id)
        if stored is not None and get_caller().owns(stored.job.owner):
            return stored
        gone = await self._store.find_cancelled(job_id) if stored is None else None
        if gone is not None and get_caller().owns(gone.job.owner):
            raise _cancelled(job_id, gone)
        raise self._not_found(job_id, await self.near(job_id))

    async def near(self, job_id: str) -> Near:
        """Find the most similar job of the caller: among the neighbours of an unknown id, and the caller's oldest thousand jobs.

        A newer job of an owner with more is missed if ten jobs of others are closer to the unknown id in sorted order.
        """
        beside = await self._store.find_similar(job_id, MAX_SIMILAR)
        if get_caller().is_admin:
            is_whole = len(beside) < MAX_SIMILAR  # neither side reached its limit
            return Near(did_you_mean(job_id, beside, is_whole=is_whole), is_whole)
        mine, following = await self._store.search_jobs(Search("jobs", owner=get_caller().name), _PAGE)
        if following is not None:
            mine = [*mine, *await self._own(beside)]
        names = {name for stored in mine for name in (stored.job.job_id, stored.job.job_name)}
        # In a thread, because comparing two thousand names takes 60 ms.
        is_whole = following is None
        return Near(await asyncio.to_thread(did_you_mean, job_id, names, is_whole=is_whole), is_whole)

    async def job_or_cancelled(self, job_id: str) -> StoredJob:
        """Return a job, also a cancelled one until it is purged. Raises as `job` does."""
        await self._lifecycle.ready()
        stored = await self._store.find(job_id) or await self._store.find_cancelled(job_id)
        if stored is not None and get_caller().owns(stored.job.owner):
            return stored
        return await self.job(job_id)

    async def without_tool(self, needed: Iterable[tuple[str, str]]) -> Sequence[tuple[str, str]]:
        """Return the pairs of job id and AgenTool whose AgenTool is missing here and waited for. See `Parts.waits_for_tool`."""
        missing = [(job_id, name) for job_id, name in dict.fromkeys(needed) if name not in self._parts.injector]

        async def waits(one: tuple[str, str]) -> bool:
            stored = await self._readable(one[0])
            return self._parts.waits_for_tool(one[1], stored.job.policies if stored else Policies())

        return [one for one, does in zip(missing, await done_in_portions(waits, missing, AT_ONCE), strict=True) if does]

    async def page(
        self, status: JobStatus | None, limit: int, after: Position | None, owner: str | None = None, query: str = ""
    ) -> FoundJobs:
        """Return one page of the matching jobs that the caller may see, the oldest first. See `JobStore.list_jobs`.

        Raises:
            InvalidInput: The query cannot be read.
        """
        await self._lifecycle.ready()
        if self.scope(owner) is None and not query:
            jobs = await self._store.list_jobs(status, limit, after)
            last = jobs[-1].job if len(jobs) == limit else None
            return FoundJobs(jobs, Position(last.created_at, last.job_id) if last else None)
        search = self.search(query, "jobs", owner)
        return await self._store.search_jobs(search if status is None else search.with_term("status", status.value), limit, after)

    async def due_next(self, limit: int, owner: str | None = None) -> Sequence[StoredJob]:
        """Return the jobs due next that the caller may see. See `JobStore.due_next`."""
        await self._lifecycle.ready()
        return await self._store.due_next(limit, self.scope(owner))

    def search(self, query: str, subject: Subject, owner: str | None = None) -> Search:
        """Read a query, limited to the records that the caller may see. Raises `InvalidInput`."""
        return replace(read_search(query, subject, me=get_caller().name, now=self._time.now()), owner=self.scope(owner))

    def scope(self, owner: str | None) -> str | None:
        """Return the owner whose jobs the caller sees when it asks for those of `owner` or of all; None means all owners."""
        caller = get_caller()
        return owner if caller.is_admin else caller.name if owner in (None, caller.name) else NOBODY

    async def count_jobs(self) -> Mapping[JobStatus, int]:
        """Return the number of jobs by status. The cost does not depend on the number of jobs."""
        await self._lifecycle.ready()
        return await self._store.count_jobs()

    async def jobs(self, owner: str | None = None) -> Sequence[StoredJob]:
        """Return all jobs that the caller may see, or those of one owner, the oldest first."""
        await self._lifecycle.ready()
        shown = (stored for stored in await self._store.jobs() if owner in (None, stored.job.owner))
        return [stored for stored in shown if get_caller().owns(stored.job.owner)]

    async def audit(self, job_id: str | None, owner: str | None, limit: int) -> Sequence[AuditEntry]:
        """Return audit entries, the newest first. A caller without the scope ``admin`` sees those of its own jobs.

        Raises:
            NotPermitted: The caller asks for entries of another owner.
            JobNotFound: There is neither such a job nor an entry of it.
        """
        await self._lifecycle.ready()
        caller = get_caller()
        if owner is not None and not caller.owns(owner):
            raise NotPermitted("That is another owner's.", field="owner", value=owner, remedy="Leave it out.")
        mine = owner if caller.is_admin else caller.name
        found = await self._store.entries(await self._id_of(job_id) if job_id else None, mine, limit)
        if job_id and not found:
            await self.job_or_cancelled(job_id)
        return found

    async def _id_of(self, job_id: str) -> str:
        """Return the id of the job of this id or name, else what is given: notes may have outlived their job."""
        found = await self._readable(job_id) or await self._store.find_cancelled(job_id)
        return found.job.job_id if found else job_id

    async def downstream(self, job: Job) -> Sequence[str]:
        """Return the ids of the caller's downstream jobs that can still fire. Those after any job are among them."""
        ids = [*await self._store.downstream(job.job_id), *await self._store.downstream(ANY)]
        return await self._own_ids(id_ for id_ in ids if id_ != job.job_id)

    async def left_by(self, job: Job) -> Sequence[str]:
        """Return the ids of the caller's jobs that this one alone starts."""
        return await self._own_ids(await self._store.downstream(job.job_id))

    async def _own_ids(self, ids: Iterable[str]) -> Sequence[str]:
        if get_caller().is_admin:
            return sorted(ids)
        return [stored.job.job_id for stored in await self._own(sorted(ids))]

    async def unfinished(self, besides: str) -> list[StoredJob]:
        """Return the caller's jobs besides one that can fire or be repaired, except those that it created with the scope ``admin``."""
        search = Search("jobs", owner=get_caller().name)
        page = await self._store.search_jobs(search, _PAGE)
        jobs = [*page.jobs]
        while page.following is not None:
            page = await self._store.search_jobs(search, _PAGE, page.following)
            jobs += page.jobs
        return [stored for stored in jobs if not stored.job.created_by.is_admin and stored.job.job_id != besides]

    async def _own(self, names: Iterable[str]) -> list[StoredJob]:
        """Return the caller's jobs among those named, without damaged ones."""
        found = [await self._readable(name) for name in names]
        return [stored for stored in found if stored is not None and get_caller().owns(stored.job.owner)]

    async def _readable(self, job_id: str) -> StoredJob | None:
        try:
            return await self._store.find(job_id)
        except DamagedJob:
            return None

    def _not_found(self, job_id: str, near: Near) -> JobNotFound:
        """Return the refusal of an id, with the nearest one. It says that nothing is scheduled only if all were searched."""
        remedy = near.advice or ("Nothing is scheduled." if near.is_whole else "Ask for a list, which shows those there are.")
        return JobNotFound(f"No job has the id or name {excerpt(job_id)}.", field="job_id", value=job_id, remedy=remedy)

    def check_owner(self, job: Job, job_id: str) -> None:
        """Refuse another owner's job as if it did not exist. Raises `JobNotFound`."""
        if not get_caller().owns(job.owner):
            raise self._not_found(job_id, Near("", is_whole=False))


async def with_gone_marked(store: JobStore, executions: Sequence[Execution]) -> Sequence[Execution]:
    """Return the records with `GONE` as the reason of those that are recorded as running in an ended process."""
    elsewhere = [one for one in executions if one.status is ExecutionStatus.RUNNING and one.owner and one.owner != store.owner]
    if not (store.shared and elsewhere):
        return executions
    alive = {owner.owner for owner in await store.owners()}
    gone = {one.execution_id for one in elsewhere if one.owner not in alive}
    return [one._replace(reason=GONE) if one.execution_id in gone else one for one in executions]


async def resolve_upstream(store: JobStore, lookup: JobLookup, schedule: str) -> str:
    """Return a schedule's text with the name of its upstream job replaced by its id; any other text is unchanged.

    Raises:
        InvalidSchedule: There is no such job, or it is another owner's. The error names the caller's nearest one.
    """
    before = upstream_in(schedule)
    if before is None:
        return schedule
    if not before.names_job:
        return before.text
    stored = await store.find(before.job_id)
    if stored is not None and get_caller().owns(stored.job.owner):
        return schedule if stored.job.job_id == before.job_id else Upstream(stored.job.job_id, before.outcome).text
    problem = f"No job has the id or name {excerpt(before.job_id)}."
    remedy = (await lookup.near(before.job_id)).advice or "Schedule the job first that this one is to come after."
    raise InvalidSchedule(problem, field="schedule", value=schedule, remedy=remedy)


async def describe_idle_upstream(store: JobStore, before: Upstream | None) -> list[str]:
    """Return a remark if an upstream job does not run by itself any more; empty if it does."""
    if before is None or not before.names_job:
        return []
    try:
        stored = await store.find(before.job_id)
    except DamagedJob as damaged:
        return [f"job {damaged.job.job_id!r} is broken: nothing starts this one until it is repaired or scheduled again"]
    if stored is not None and stored.state.status is not JobStatus.DONE:
        return []
    return [f"job {before.job_id!r} {'is over' if stored else 'is gone'}: only a run of it by hand starts this one"]


def _cancelled(job_id: str, gone: StoredJob) -> JobNotFound:
    """Return the refusal of a cancelled job: it is remembered, and cannot be changed or run."""
    ended = gone.state.ended_at and gone.state.ended_at.astimezone(ZoneInfo(gone.job.schedule.timezone))
    on = f" on {ended:%Y-%m-%d at %H:%M}" if ended else ""
    return JobNotFound(f"Job {excerpt(job_id)} was cancelled{on}.", field="job_id", value=job_id, remedy="Schedule it anew.")
