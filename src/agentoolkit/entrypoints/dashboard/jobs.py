"""``/jobs`` and ``/jobs/…``: the list of jobs, the page of one, and its versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from statistics import median
from typing import Any, NamedTuple

from starlette.responses import Response

from agentool.errors import AgenToolError
from agentoolkit.entrypoints.dashboard.addresses import job_address
from agentoolkit.entrypoints.dashboard.drawing import draw_durations
from agentoolkit.entrypoints.dashboard.lists import Filters, find_page, list_address, saved_views
from agentoolkit.entrypoints.dashboard.page import WRITES, Viewer, Viewing, all_of, go_to, page_router
from agentoolkit.entrypoints.dashboard.status_icons import STRIP
from agentoolkit.entrypoints.job_versions import read_versions, restore_version
from agentoolkit.system.scheduler.answers import runs_to_come, with_most_runs
from agentoolkit.system.scheduler.execution_records import UNFINISHED
from agentoolkit.system.scheduler.job_fields import options_of
from agentoolkit.system.scheduler.schedules import Schedule, preview
from agentoolkit.system.scheduler.schedules.describe import describe

PAGE = 50
NEXT_RUNS = 10
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
_WORDS = {"active": "Scheduled", "paused": "Paused", "broken": "Broken", "done": "Done", "cancelled": "Cancelled"}

router = page_router("jobs")


class JobRow(NamedTuple):
    """A job in a list, with its latest executions."""

    job: Mapping[str, Any]
    words: str
    executions: Sequence[Mapping[str, Any]]

    @property
    def took(self) -> float | None:
        """Duration of its latest execution in seconds."""
        return next((execution["duration"] for execution in self.executions if execution["duration"] is not None), None)


@router.get("/jobs")
async def get_jobs(viewer: Viewing, state: str = "", q: str = "", cursor: str = "") -> Response:
    """List jobs: all that can run again, or those in one state and those that match a query."""
    views = await saved_views(viewer, "jobs")
    if not viewer.request.query_params and (first := next((each for each in views if each.is_default), None)):
        return go_to(list_address("jobs", first.query))
    filters = Filters("job", q, state)
    jobs, following = await find_page(viewer, "job", filters.wanted, PAGE, cursor or None)
    rows = await rows_of(viewer, jobs)
    return await viewer.page(
        "jobs.html",
        title="Jobs",
        rows=rows,
        cursor=following,
        filters=filters,
        states=[("", "Live"), *_WORDS.items()],
        first=not cursor,
        views=views,
        list_address=list_address,
    )


async def rows_of(viewer: Viewer, jobs: Sequence[Mapping[str, Any]]) -> list[JobRow]:
    """Return jobs with their schedules in words and their latest executions."""
    histories = await all_of(*(viewer.history(job["job_id"], STRIP) for job in jobs))
    schedules = [listed_schedule(job, _LONG_AGO) for job in jobs]
    words = [describe(each) if each else job["schedule"] for each, job in zip(schedules, jobs, strict=True)]
    return [JobRow(job, text, history) for job, text, history in zip(jobs, words, histories, strict=True)]


@router.get("/jobs/{job_id}")
async def get_job(viewer: Viewing, job_id: str) -> Response:
    """Show a job: its schedule in words, next due times, history, definition and changes."""
    details = await viewer.scheduler("get_job", job_id=job_id)
    id_ = details["job_id"]
    executions, audit = await all_of(viewer.history(id_, 100), viewer.scheduler("audit", job_id=id_, limit=50))
    info = details["info"]
    schedule = schedule_of(info)
    count = runs_to_come(NEXT_RUNS, info["max_runs"], info["runs"])
    ahead = preview(schedule, now=viewer.clock.now, count=count) if schedule else None
    durations = [execution["duration"] for execution in executions if execution["duration"] is not None]
    return await viewer.page(
        "job.html",
        title=details["job_name"],
        job=details,
        info=info,
        words=with_most_runs(ahead.words if ahead else info["schedule"], info["schedule_type"], info["max_runs"]),
        next_runs=[due.isoformat() for due in ahead.next_runs] if ahead and info["state"] == "active" else [],
        remarks=ahead.warnings if ahead else (),
        executions=executions,
        typical=median(durations) if durations else None,
        chart=draw_durations(executions, info["timeout"], viewer.clock),
        why_not=_why_not_now(details, executions, await viewer.scheduler("status")),
        audit=audit["entries"],
        options=options_of(info),
    )


@router.get("/jobs/{job_id}/versions")
async def get_versions(viewer: Viewing, job_id: str) -> Response:
    """Show each change of a job, the newest first."""
    job, versions = await read_versions(viewer.tools, job_id)
    return await viewer.page(
        "versions.html", title=f"Versions of {job['job_name']}", job=job, versions=versions, zone=job["info"]["timezone"]
    )


@router.get("/jobs/{job_id}/versions/{at}", openapi_extra=WRITES)
async def ask_restore(viewer: Viewing, job_id: str, at: str) -> Response:
    """Ask before an earlier version of a job is restored."""
    versions = await read_versions(viewer.tools, job_id)
    job = versions.job
    return await viewer.page("restore.html", title=f"Restore {job['job_name']}?", job=job, version=versions.at(at))


@router.post("/jobs/{job_id}/versions/{at}")
async def restore(viewer: Viewing, job_id: str, at: str) -> Response:
    """Restore an earlier version of a job. Its running executions go on."""
    return go_to(job_address(await restore_version(viewer.tools, job_id, at)))


def listed_schedule(job: Mapping[str, Any], anchor: datetime) -> Schedule | None:
    """Return a job's schedule from its summary, without its bounds; None if it cannot be read.

    Args:
        job: The job's summary.
        anchor: Start of an interval.
    """
    record = {"kind": job["schedule_type"], "text": job["schedule"], "timezone": job["timezone"]}
    try:
        return Schedule.from_json(record | ({"anchor": anchor.isoformat()} if job["schedule_type"] == "interval" else {}))
    except (AgenToolError, ValueError):
        return None


def schedule_of(info: Mapping[str, Any]) -> Schedule | None:
    """Return a job's schedule; None if it cannot be read."""
    try:
        return Schedule.from_json({field.name: info[field.name] for field in fields(Schedule) if field.name in info})
    except (AgenToolError, ValueError):
        return None


def _why_not_now(details: Mapping[str, Any], executions: Sequence[Mapping[str, Any]], status: Mapping[str, Any]) -> str:
    """Return the first reason why a job does not run now."""
    info, state = details["info"], details["info"]["state"]
    under_way = [execution for execution in executions if execution["status"] in UNFINISHED]
    if any(execution["status"] == "running" for execution in under_way):
        return "It runs now."
    if under_way:
        return f"One of its runs is {under_way[0]['status']}: {under_way[0]['reason'] or 'it waits for room'}."
    if state != "active":
        reason = f": {info['reason']}" if info["reason"] else ""
        return f"It is {state}{reason}."
    if status["stopped"]:
        return "The scheduler is stopped."
    if not status["running"]:
        return "No scheduler is running."
    return "It is not due yet." if details["next_run"] else "It waits for the job that it comes after."
