"""``/``: what needs somebody; then what comes next and how the jobs do."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from agentoolkit.entrypoints.dashboard.attention import find_troubles, headline
from agentoolkit.entrypoints.dashboard.jobs import rows_of
from agentoolkit.entrypoints.dashboard.moments import Clock, read_moment
from agentoolkit.entrypoints.dashboard.page import Viewing, all_of, page_router, remember_troubles

SHOWN = 12
"""Jobs on the home page."""

router = page_router("home")


@router.get("/")
async def get_home(view: Viewing) -> Response:
    """Say whether anything is wrong, and what is due next."""
    troubles, data = await all_of(find_troubles(view), view.scheduler("list", limit=100))
    remember_troubles(view, len(troubles))
    jobs = sorted(data["jobs"], key=_due)
    rows = await rows_of(view, jobs[:SHOWN])
    return await view.page(
        "home.html",
        title="Attention" if troubles else "All quiet",
        headline=headline(troubles) if troubles else _all_quiet(view.clock, jobs),
        troubles=troubles,
        rows=rows,
    )


def _all_quiet(clock: Clock, jobs: list[dict[str, Any]]) -> str:
    """Say that nothing is wrong, and what comes next."""
    if not jobs:
        return "All quiet. There is no job yet."
    due = read_moment(jobs[0]["next_run"])
    return f"All quiet. Next: {jobs[0]['job_id']} {clock.away(due)}." if due else "All quiet. Nothing is due."


def _due(job: dict[str, Any]) -> tuple[bool, float]:
    due = read_moment(job["next_run"])
    return (due is None, due.timestamp() if due else 0.0)
