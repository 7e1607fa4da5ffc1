"""``/health``, ``/metrics`` and ``/audit``: is anything wrong, the figures, and who did what; start and stop of everything."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated, Any

from fastapi import Query, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import PlainTextResponse

from agentoolkit.entrypoints.rest.asking import Asking
from agentoolkit.entrypoints.rest.models import Health
from agentoolkit.entrypoints.rest.routing import guarded_router, needing
from agentoolkit.system.scheduler.schemas import WorkerList

router = guarded_router("system")


@router.get("/health", responses={503: {"model": Health, "description": "Nothing that is due is run"}})
async def get_health(tools: Asking, response: Response) -> Health:
    """Tell whether what is due is run; with status 503 if not."""
    status = await tools.scheduler("status")
    is_well = status["running"] and not status["stopped"]
    if not is_well:
        response.status_code = 503
    same = ("running", "leading", "stopped", "leader", "executing", "waiting", "lag", "loop_delay")
    kept = {name: status[name] for name in same}
    return Health(status="ok" if is_well else "degraded", tasks=status["jobs_count"], version=version("agentool"), **kept)


@router.get("/metrics", response_class=PlainTextResponse)
async def get_metrics(tools: Asking) -> PlainTextResponse:
    """Return the figures in the text form of Prometheus."""
    exported = await tools.run("metrics", "export", format="prometheus")
    return PlainTextResponse(exported.text, media_type=exported.content_type)


@router.post("/start", openapi_extra=needing("admin"))
async def start_scheduler(tools: Asking, response: Response) -> Health:
    """Let everything run again after ``/stop``."""
    await tools.scheduler("start")
    return await get_health(tools, response)


@router.post("/stop", openapi_extra=needing("admin"))
async def stop_scheduler(tools: Asking) -> Health:
    """Pause everything, in every process that shares the database, until ``/start``."""
    await tools.scheduler("stop")
    return await get_health(tools, Response())


@router.get("/workers", openapi_extra=needing("admin"))
async def list_workers(tools: Asking) -> WorkerList:
    """Tell which processes share the database, which one leads, and what runs in each."""
    return WorkerList.model_validate(await tools.scheduler("list_workers"))


class AuditQuery(BaseModel):
    """Which entries of the audit."""

    model_config = ConfigDict(extra="forbid")

    task_id: str | None = Field(default=None, max_length=200)
    agent_name: str | None = Field(default=None, max_length=200)
    limit: int = Field(default=100, ge=1, le=1_000)


class TaskAuditEntry(BaseModel):
    """One thing that somebody did."""

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
async def list_audit(query: Annotated[AuditQuery, Query()], tools: Asking) -> AuditPage:
    """Return who created, changed, ran and cancelled what, from which door; secrets are hidden."""
    data = await tools.scheduler("audit", job_id=query.task_id, owner=query.agent_name, limit=query.limit)
    return AuditPage(
        entries=[TaskAuditEntry(task_id=entry.pop("job_id"), agent_name=entry.pop("owner"), **entry) for entry in data["entries"]]
    )
