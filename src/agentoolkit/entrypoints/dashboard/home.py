"""``/`` and ``/health``: troubles and the next jobs; and the state of the scheduler."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

from starlette.responses import Response

from agentoolkit.entrypoints.dashboard.addresses import job_address
from agentoolkit.entrypoints.dashboard.attention import Trouble, find_troubles, headline
from agentoolkit.entrypoints.dashboard.jobs import rows_of, schedule_of
from agentoolkit.entrypoints.dashboard.moments import read_moment
from agentoolkit.entrypoints.dashboard.page import Viewer, Viewing, all_of, page_router, remember_troubles
from agentoolkit.entrypoints.dashboard.timeline import MAX_AHEAD, Lane, coming, draw_timeline
from agentoolkit.system.scheduler.answers import runs_to_come
from agentoolkit.system.scheduler.errors import JobNotFound

LANES = 8
"""Jobs on the timeline."""
RECENT = 100
"""The newest executions, whose jobs are on the timeline if it has room."""
SHOWN = 12
"""Jobs on the home page."""

router = page_router("home")


@router.get("/")
async def get_home(viewer: Viewing) -> Response:
    """Show the troubles, and the jobs that are due next."""
    troubles, jobs = await all_of(find_troubles(viewer), _soonest(viewer))
    remember_troubles(viewer, len(troubles))
    due = read_moment(jobs[0]["next_run"]) if jobs else None
    next_ = f"Next: {jobs[0]['job_id']} {viewer.clock.away(due)}." if due else "Nothing is due." if jobs else "There is no job yet."
    rows, lanes = await all_of(rows_of(viewer, jobs), _lanes(viewer, troubles, jobs))
    return await viewer.page(
        "home.html",
        title="Attention" if troubles else "All quiet",
        headline=headline(troubles) if troubles else f"All quiet. {next_}",
        troubles=troubles,
        rows=rows,
        drawing=draw_timeline(lanes, viewer.clock) if lanes else None,
    )


@router.get("/health")
async def get_health(viewer: Viewing) -> Response:
    """Show the state of the scheduler, its queues and its workers."""
    queues: list[dict[str, Any]] = []
    workers: list[dict[str, Any]] = []
    outbox: int | None = None
    if viewer.may("admin"):
        listed, known = await all_of(viewer.tools.run("queue", "list_queues", limit=500), viewer.scheduler("list_workers"))
        queues, workers, outbox = listed.data["queues"], known["workers"], known["outbox"]
    return await viewer.page(
        "health.html",
        title="Health",
        queues=[queue for queue in queues if queue["size"] or queue["dead"]],
        workers=workers,
        outbox=outbox,
        tools=sorted(viewer.tools.injector.names()),
        version=version("agentool"),
    )


async def _soonest(viewer: Viewer) -> list[dict[str, Any]]:
    """Return the jobs that are due next, the soonest first, then other jobs until the page is full."""
    due, some = await all_of(viewer.scheduler("list_upcoming", limit=SHOWN), viewer.scheduler("list", limit=2 * SHOWN))
    jobs = {job["job_id"]: job for job in (*due["jobs"], *some["jobs"])}.values()
    return sorted(jobs, key=lambda job: (job["next_run"] is None, read_moment(job["next_run"])))[:SHOWN]


async def _lanes(viewer: Viewer, troubles: Sequence[Trouble], due: Sequence[Mapping[str, Any]]) -> list[Lane]:
    """Return the lanes of the timeline: jobs in trouble, those due next, and those that ran last."""
    lately = await viewer.scheduler("list_executions", limit=RECENT, with_results=False)
    troubled = [one.subject for one in troubles if one.address == job_address(one.subject)]
    job_ids = dict.fromkeys([*troubled, *(job["job_id"] for job in due), *(run["job_id"] for run in lately["history"])])
    return await all_of(*(_lane(viewer, job_id) for job_id in list(job_ids)[:LANES]))


async def _lane(viewer: Viewer, job_id: str) -> Lane:
    """Return the lane of a job. Its executions may have outlived it."""
    executions = await viewer.history(job_id, 100)
    try:
        job = await viewer.scheduler("get_job", job_id=job_id)
    except JobNotFound:
        return Lane(job_id, job_address(job_id), executions, [])
    info = job["info"]
    to_come = runs_to_come(MAX_AHEAD, info["max_runs"], info["runs"])
    ahead = coming(schedule_of(info), viewer.clock, to_come) if info["state"] == "active" else []
    return Lane(job["job_name"], job_address(job_id), executions, ahead)
