"""``/executions`` and ``/executions/…``: the list of executions, and the page of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from starlette.responses import Response

from agentool.errors import AgenToolError
from agentoolkit.agents.schemas import AgentOutput
from agentoolkit.entrypoints.dashboard.lists import Filters, find_page, list_address, saved_views
from agentoolkit.entrypoints.dashboard.page import Viewer, Viewing, all_of, go_to, page_router
from agentoolkit.entrypoints.dashboard.status_icons import SHAPES
from agentoolkit.system.scheduler.execution_ids import downstream_execution_id, origin_of, upstream_of
from agentoolkit.system.scheduler.execution_records import UNFINISHED

PAGE = 50
STATUSES = tuple(SHAPES)

router = page_router("executions")


@router.get("/executions")
async def get_executions(viewer: Viewing, status: str = "", job: str = "", q: str = "", cursor: str = "") -> Response:
    """List executions, the latest due first: by job, by status and by a query."""
    views = await saved_views(viewer, "executions")
    if not viewer.request.query_params and (first := next((each for each in views if each.is_default), None)):
        return go_to(list_address("executions", first.query))
    filters = Filters("execution", q, status, job)
    found, following = await find_page(viewer, "execution", filters.wanted, PAGE, cursor or None)
    return await viewer.page(
        "executions.html",
        title="Executions",
        executions=found,
        cursor=following,
        filters=filters,
        statuses=STATUSES,
        first=not cursor,
        views=views,
        list_address=list_address,
    )


@router.get("/executions/{execution_id:path}")
async def get_execution(viewer: Viewing, execution_id: str) -> Response:
    """Show an execution: its origin, its attempts, and its result or error."""
    execution = await viewer.scheduler("get_execution", execution_id=execution_id)
    id_ = execution["execution_id"]
    kept = await viewer.history(execution["job_id"], 100)
    return await viewer.page(
        "execution.html",
        title=f"{execution['status']}: {execution['job_id']}",
        execution=execution,
        attempts=[*execution["attempts"], {name: execution[name] for name in ("attempt", "started_at", "finished_at", "error", "status")}],
        under_way=execution["status"] in UNFINISHED,
        upstream=upstream_of(id_),
        downstream=await _started_by(viewer, execution),
        origin=origin_of(id_),
        repeats=[other for other in kept if origin_of(other["execution_id"]) == id_],
        run=_agent_run(execution),
    )


def _agent_run(execution: Mapping[str, Any]) -> AgentOutput | None:
    """Return the answer and the usage of an agent's run; None if the execution was not one."""
    if execution["agentool_name"] != "agent":
        return None
    try:
        return AgentOutput.model_validate(execution["result"])
    except ValidationError:  # written by an older version
        return None


async def _started_by(viewer: Viewer, execution: dict[str, Any]) -> list[str]:
    """Return the ids of the executions that this one started, if their jobs still exist."""
    try:
        downstream = (await viewer.scheduler("get_job", job_id=execution["job_id"]))["downstream"]
    except AgenToolError:
        return []
    id_ = execution["execution_id"]
    ids = [downstream_execution_id(job, id_, after_any=after_any) for job in downstream for after_any in (False, True)]
    return [one for one, is_kept in zip(ids, await all_of(*(_is_kept(viewer, one) for one in ids)), strict=True) if is_kept]


async def _is_kept(viewer: Viewer, execution_id: str) -> bool:
    """Tell whether there is a record of an execution that the viewer may see."""
    try:
        await viewer.scheduler("get_execution", execution_id=execution_id)
    except AgenToolError:
        return False
    return True
