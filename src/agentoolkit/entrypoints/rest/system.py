"""``/health``, ``/metrics``, ``/workers`` and ``/audit``, and the start and stop of the scheduler."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated, Any

from fastapi import Query, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import PlainTextResponse

from agentoolkit.entrypoints.rest.models import Health
from agentoolkit.entrypoints.rest.request_tools import RequestTools
from agentoolkit.entrypoints.rest.routing import guarded_router, needing
from agentoolkit.system.scheduler.answer_schemas import WorkerList

router = guarded_router("system")


@router.get("/health", responses={503: {"model": Health, "description": "Due tasks are not run"}})
async def get_health(tools: RequestTools, response: Response) -> Health:
    """Tell whether due tasks are run; status 503 if not."""
    status = await tools.scheduler("status")
    is_well = status["running"] and not status["stopped"]
    if not is_well:
        response.status_code = 503
    same = ("running", "leading", "stopped", "leader", "executing", "waiting", "lag", "loop_delay")
    kept = {name: status[name] for name in same}
    return Health(status="ok" if is_well else "degraded", tasks=status["jobs_count"], version=version("agentool"), **kept)


@router.get("/metrics", response_class=PlainTextResponse)
async def get_metrics(tools: RequestTools) -> PlainTextResponse:
    """Return the metrics in the text format of Prometheus."""
    exported = await tools.run("metrics", "export", format="prometheus")
    return PlainTextResponse(exported.text, media_type=exported.content_type)


@router.post("/start", openapi_extra=needing("admin"))
async def start_scheduler(tools: RequestTools, response: Response) -> Health:
    """Start the scheduler again after ``/stop``."""
    await tools.scheduler("start")
    return await get_health(tools, response)


@router.post("/stop", openapi_extra=needing("admin"))
async def stop_scheduler(tools: RequestTools) -> Health:
    """Stop firing tasks in every process on the database, until ``/start``."""
    await tools.scheduler("stop")
    return await get_health(tools, Response())


@router.get("/workers", openapi_extra=needing("admin"))
async def list_workers(tools: RequestTools) -> WorkerList:
    """List the processes on the database, which one leads, and their running executions."""
    return WorkerList.model_validate(await tools.scheduler("list_workers"))


class AuditQuery(BaseModel):
    """Selects entries of the audit."""

    model_config = ConfigDict(extra="forbid")

    task_id: str | None = Field(default=None, max_length=200)
    agent_name: str | None = Field(default=None, max_length=200)
    limit: int = Field(default=100, ge=1, le=1_000)


class TaskAuditEntry(BaseModel):
    """One action of a caller."""

    at: str
    action: str
    task_id: str
    agent_name: str
    execution_id: str
    caller: dict[str, Any] = Field(description="Who: name, door and scopes")
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class AuditPage(BaseModel):
    """Entries of the audit, the newest first."""

    entries: list[TaskAuditEntry]


@router.get("/audit")
async def list_audit(query: Annotated[AuditQuery, Query()], tools: RequestTools) -> AuditPage:
    """List who created, changed, ran or cancelled which task, and from which door. Secrets are hidden."""
    data = await tools.scheduler("audit", job_id=query.task_id, owner=query.agent_name, limit=query.limit)
    return AuditPage(
        entries=[TaskAuditEntry(task_id=entry.pop("job_id"), agent_name=entry.pop("owner"), **entry) for entry in data["entries"]]
    )
