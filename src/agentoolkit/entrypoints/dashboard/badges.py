"""``/jobs/…/badge.svg``: the latest outcome of a job, as a small image for other pages."""

from __future__ import annotations

from markupsafe import Markup
from starlette.responses import Response

from agentoolkit.entrypoints.dashboard.moments import read_moment
from agentoolkit.entrypoints.dashboard.page import Viewing, page_router
from agentoolkit.entrypoints.dashboard.status_icons import SHAPES
from agentoolkit.system.scheduler.execution_records import UNFINISHED

COLOURS = {"success": "#1d7a46", "failed": "#b3261e", "lost": "#7a3fb0", "missed": "#8a5a00", "running": "#2458c5"}
"""Colours of outcomes; others are grey. The shape shows the outcome too."""
LONGEST = 40
"""Characters of a name; the rest is cut."""
_LETTER = 6.6
"""Width of a letter in pixels."""

router = page_router("badges")


@router.get("/jobs/{job_id}/badge.svg")
async def get_badge(viewer: Viewing, job_id: str) -> Response:
    """Draw a job's name with the outcome of its latest run, or why it does not run."""
    details = await viewer.scheduler("get_job", job_id=job_id)
    executions = await viewer.history(details["job_id"], 20)
    ended = next((execution for execution in executions if execution["status"] not in UNFINISHED), None)
    state = details["info"]["state"]
    outcome, told = "skipped", "no run yet" if state == "active" else state
    if ended is not None and state in ("active", "done"):  # a missed or lost execution has no end: its due time is shown
        at = read_moment(ended["finished_at"] or ended["scheduled_at"])
        outcome, told = ended["status"], f"{ended['status']} {viewer.clock.away(at) if at else ''}"
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return Response(_draw_badge(details["job_name"], told, outcome), media_type="image/svg+xml", headers=headers)


def _draw_badge(name: str, told: str, outcome: str) -> str:
    name = name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"
    left, right = round(len(name) * _LETTER) + 14, round(len(told) * _LETTER) + 32
    drawing = (
        '<svg xmlns="http://www.w3.org/2000/svg" width="{0}" height="20" role="img" aria-label="{1}: {2}"><title>{1}: {2}</title>'
        '<rect width="{0}" height="20" rx="4" fill="#3a4048"/><path d="M{3} 0h{4}a4 4 0 0 1 4 4v12a4 4 0 0 1-4 4h-{4}z" fill="{5}"/>'
        '<g transform="translate({6} 4)" fill="#fff" class="mark">{7}</g>'
        '<g font-family="system-ui,sans-serif" font-size="11" fill="#fff"><text x="7" y="14">{1}</text>'
        '<text x="{8}" y="14">{2}</text></g>'
        "<style>.line{{fill:none;stroke:#fff;stroke-width:1.9;stroke-linecap:round}}</style></svg>"
    )
    shape = Markup(SHAPES.get(outcome, SHAPES["skipped"]))  # noqa: S704  drawings of ours
    colour = COLOURS.get(outcome, "#6b7280")
    return Markup(drawing).format(left + right, name, told, left, right - 4, colour, left + 6, shape, left + 22)  # noqa: S704  a drawing of ours
