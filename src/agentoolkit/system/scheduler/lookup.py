"""Jobs, and what was done to them, as their callers may see them: another owner's job is not there."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from agentool.caller import get_caller
from agentool.errors import did_you_mean, excerpt
from agentoolkit.portions import AT_ONCE, done_in_portions
from agentoolkit.system.scheduler.engine.lifecycle import Lifecycle
from agentoolkit.system.scheduler.engine.parts import Parts
from agentoolkit.system.scheduler.errors import JobNotFound, NotPermitted
from agentoolkit.system.scheduler.jobs import Job, JobStatus, Policies
from agentoolkit.system.scheduler.ports import AuditEntry, DamagedJob, FoundJobs, Position, StoredJob
from agentoolkit.system.scheduler.search import Search, Subject, read_search

_PAGE = 1_000
MAX_SIMILAR = 10
"""Ids and names on each side of an unknown one among which the nearest is looked for, others' too."""
NOBODY = " "
"""Whose jobs a caller sees who asks for another owner's: no caller has such a name."""


class Near(NamedTuple):
    """Which of a caller's jobs may be meant by an unknown name."""

    advice: str
    """The nearest, or those there are; empty: none was found."""
    is_whole: bool
    """Was it looked for among all of them?"""


class JobLookup:
    """Finds jobs for the caller that asks. Every question starts the scheduler, if nothing did.

    Args:
        parts: The store.
        lifecycle: What starts the engine.
    """

    def __init__(self, parts: Parts, lifecycle: Lifecycle) -> None:
        self._parts = parts
        self._store = parts.store
        self._time = parts.time
        self._lifecycle = lifecycle

    async def job(self, job_id: str) -> StoredJob:
        """Return a job by its id or its unique name.

        Raises:
            JobNotFound: There is no such job; the nearest id is named.
            DamagedJob: What is stored of it cannot be read.
        """
        await self._lifecycle.ready()
        stored = await self._store.find(job_id)
        if stored is not None and get_caller().owns(stored.job.owner):
            return stored
        raise self._not_found(job_id, await self.near(job_id))

    async def near(self, job_id: str) -> Near:
        """Look for the nearest of the caller's jobs among those beside an unknown one, and the caller's oldest thousand.

        Of an owner with more, one that was made later is missed where ten of others' are closer to the unknown one in their order.
        """
        beside = await self._store.find_similar(job_id, MAX_SIMILAR)
        if get_caller().is_admin:
            is_whole = len(beside) < MAX_SIMILAR  # neither side was cut
            return Near(did_you_mean(job_id, beside, is_whole=is_whole), is_whole)
        mine, following = await self._store.search_jobs(Search("jobs", owner=get_caller().name), _PAGE)
        if following is not None:
            mine = [*mine, *await self._own(beside)]
        names = {name for stored in mine for name in (stored.job.job_id, stored.job.job_name)}
        # In a thread, for to compare two thousand names takes 60 ms.
        is_whole = following is None
        return Near(await asyncio.to_thread(did_you_mean, job_id, names, is_whole=is_whole), is_whole)

    async def job_or_cancelled(self, job_id: str) -> StoredJob:
        """Return a job, also one that was cancelled, as long as it is remembered. Raises as `job` does."""
        await self._lifecycle.ready()
        stored = await self._store.find(job_id) or await self._store.find_cancelled(job_id)
        if stored is not None and get_caller().owns(stored.job.owner):
            return stored
        return await self.job(job_id)

    async def without_tool(self, needed: Iterable[tuple[str, str]]) -> Sequence[tuple[str, str]]:
        """Return which ids of jobs, each with the name of an AgenTool, wait for it to be registered here. See `Parts.waits_for_tool`."""
        lost = [(job_id, name) for job_id, name in dict.fromkeys(needed) if name not in self._parts.injector]

        async def waits(one: tuple[str, str]) -> bool:
            stored = await self._readable(one[0])
            return self._parts.waits_for_tool(one[1], stored.job.policies if stored else Policies())

        return [one for one, does in zip(lost, await done_in_portions(waits, lost, AT_ONCE), strict=True) if does]

    async def page(
        self, status: JobStatus | None, limit: int, after: Position | None, owner: str | None = None, query: str = ""
    ) -> FoundJobs:
        """Return one page of the jobs that the caller may see and that fit, the oldest first. See `JobStore.list_jobs`.

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
        """Return those of the jobs that the caller may see which are due next. See `JobStore.due_next`."""
        await self._lifecycle.ready()
        return await self._store.due_next(limit, self.scope(owner))

    def search(self, query: str, subject: Subject, owner: str | None = None) -> Search:
        """Read a query; it finds what the caller may see. Raises `InvalidInput`."""
        return replace(read_search(query, subject, me=get_caller().name, now=self._time.now()), owner=self.scope(owner))

    def scope(self, owner: str | None) -> str | None:
        """Return whose jobs the caller sees who asks for those of an owner, or of everybody; None: everybody's."""
        caller = get_caller()
        return owner if caller.is_admin else caller.name if owner in (None, caller.name) else NOBODY

    async def count_jobs(self) -> Mapping[JobStatus, int]:
        """Return how many jobs have each status. The cost does not depend on how many there are."""
        await self._lifecycle.ready()
        return await self._store.count_jobs()

    async def jobs(self, owner: str | None = None) -> Sequence[StoredJob]:
        """Return all jobs that the caller may see, or those of one owner, the oldest first."""
        await self._lifecycle.ready()
        shown = (stored for stored in await self._store.jobs() if owner in (None, stored.job.owner))
        return [stored for stored in shown if get_caller().owns(stored.job.owner)]

    async def audit(self, job_id: str | None, owner: str | None, limit: int) -> Sequence[AuditEntry]:
        """Return who did what, the newest first; a caller without the scope ``admin`` sees what was done to its own jobs.

        Raises:
            NotPermitted: The caller asks for another owner's.
        """
        await self._lifecycle.ready()
        caller = get_caller()
        if owner is not None and not caller.owns(owner):
            raise NotPermitted("That is another owner's.", field="owner", value=owner, remedy="Leave it out.")
        found = await self._store.find(job_id) if job_id else None
        mine = owner if caller.is_admin else caller.name
        return await self._store.entries(found.job.job_id if found else job_id, mine, limit)

    async def downstream(self, job: Job) -> Sequence[str]:
        """Return the ids of those of the caller's jobs that come after this one and can still fire."""
        ids = await self._store.downstream(job.job_id)
        if get_caller().is_admin:
            return ids
        return [stored.job.job_id for stored in await self._own(ids)]

    async def unfinished(self) -> list[StoredJob]:
        """Return the caller's jobs that can fire, but for those that it made with more scopes than it has here."""
        return [stored for stored in await self._live(get_caller().name) if not stored.job.created_by.is_admin]

    async def _live(self, owner: str) -> list[StoredJob]:
        """Return the jobs of an owner that can fire or be repaired. The cost does not depend on how many others have."""
        search = Search("jobs", owner=owner)
        page = await self._store.search_jobs(search, _PAGE)
        jobs = [*page.jobs]
        while page.following is not None:
            page = await self._store.search_jobs(search, _PAGE, page.following)
            jobs += page.jobs
        return jobs

    async def _own(self, names: Iterable[str]) -> list[StoredJob]:
        """Return those of some jobs that are the caller's, as far as they can be read."""
        found = [await self._readable(name) for name in names]
        return [stored for stored in found if stored is not None and get_caller().owns(stored.job.owner)]

    async def _readable(self, job_id: str) -> StoredJob | None:
        try:
            return await self._store.find(job_id)
        except DamagedJob:
            return None

    def _not_found(self, job_id: str, near: Near) -> JobNotFound:
        """Return the refusal of an id, with the nearest that is known; only where all were looked at, nothing may be scheduled."""
        remedy = near.advice or ("Nothing is scheduled." if near.is_whole else "Ask for a list, which shows those there are.")
        return JobNotFound(f"No job has the id or name {excerpt(job_id)}.", field="job_id", value=job_id, remedy=remedy)

    def check_owner(self, job: Job, job_id: str) -> None:
        """Refuse another owner's job as if it were not there. Raises `JobNotFound`."""
        if not get_caller().owns(job.owner):
            raise self._not_found(job_id, Near("", is_whole=False))
