"""``/executions`` and ``/executions/…``: all of them, and everything about one."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from agentoolkit.entrypoints.dashboard.found import find_execution_page
from agentoolkit.entrypoints.dashboard.marks import SHAPES
from agentoolkit.entrypoints.dashboard.page import Viewing, page_router
from agentoolkit.system.scheduler.jobs import UNFINISHED

PAGE = 100
STATUSES = tuple(SHAPES)

router = page_router("executions")


@router.get("/executions")
async def get_executions(view: Viewing, status: str = "", job: str = "", q: str = "", cursor: str = "") -> Response:
    """List executions, those due latest first: of all jobs or of one, with any status or with one, or those that fit a query."""
    wanted = status if status in STATUSES else None
    if q.strip():
        found, following = await find_execution_page(view, q, PAGE, cursor or None)
    else:
        data = await view.scheduler(
            "list_executions", execution_status=wanted, job_id=job or None, limit=PAGE, cursor=cursor or None, with_results=False
        )
        found, following = data["history"], data["cursor"]
    return await view.page(
        "executions.html",
        title="Executions",
        executions=found,
        cursor=following,
        q=q,
        status_wanted=wanted or "",
        job=job,
        statuses=STATUSES,
        first=not cursor,
    )


@router.get("/executions/{execution_id:path}")
async def get_execution(view: Viewing, execution_id: str) -> Response:
    """Show an execution: what it came of, each attempt, its result or error."""
    execution = await view.scheduler("get_execution", execution_id=execution_id)
    return await view.page(
        "execution.html",
        title=f"{execution['status']}: {execution['job_id']}",
        execution=execution,
        attempts=[*execution["attempts"], _last_attempt(execution)],
        under_way=execution["status"] in UNFINISHED,
        upstream=_upstream(execution),
    )


def _last_attempt(execution: dict[str, Any]) -> dict[str, Any]:
    """Return the attempt that the execution itself tells of."""
    kept = {name: execution[name] for name in ("attempt", "started_at", "finished_at", "error")}
    return {**kept, "status": execution["status"]}


def _upstream(execution: dict[str, Any]) -> str:
    """Return the id of the execution that this one came after; empty: of none."""
    return execution["execution_id"].partition("@after-")[2] if execution["trigger"] == "after" else ""
