"""The job that a schedule comes after: from what somebody calls it to its id."""

from __future__ import annotations

from agentool.errors import excerpt
from agentoolkit.system.scheduler.errors import InvalidSchedule
from agentoolkit.system.scheduler.jobs import JobStatus
from agentoolkit.system.scheduler.lookup import JobLookup
from agentoolkit.system.scheduler.ports import DamagedJob, JobStore
from agentoolkit.system.scheduler.schedules import Upstream, upstream_in


async def resolve_upstream(store: JobStore, lookup: JobLookup, schedule: str) -> str:
    """Return a schedule's text with the job that it comes after by its id; any other text as it is.

    Raises:
        InvalidSchedule: There is no such job; the nearest one of the caller's is named.
    """
    before = upstream_in(schedule)
    if before is None:
        return schedule
    if not before.names_job:
        return before.text
    if (stored := await store.find(before.job_id)) is not None:
        return schedule if stored.job.job_id == before.job_id else Upstream(stored.job.job_id, before.outcome).text
    problem = f"No job has the id or name {excerpt(before.job_id)}."
    remedy = (await lookup.near(before.job_id)).advice or "Schedule the job first that this one is to come after."
    raise InvalidSchedule(problem, field="schedule", value=schedule, remedy=remedy)


async def describe_idle_upstream(store: JobStore, before: Upstream | None) -> list[str]:
    """Say of a job that another one comes after that it does not run by itself any more; nothing if it does."""
    if before is None or not before.names_job:
        return []
    try:
        stored = await store.find(before.job_id)
    except DamagedJob as damaged:
        return [f"job {damaged.job.job_id!r} is broken: nothing starts this one before that is mended, or made anew"]
    if stored is not None and stored.state.status is not JobStatus.DONE:
        return []
    return [f"job {before.job_id!r} {'is over' if stored else 'is gone'}: only a run of it by hand starts this one"]
