"""``/executions``: list, read and cancel executions."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from agentoolkit.entrypoints.rest.models import Body, ExecutionPage, TaskExecution, execution_of
from agentoolkit.entrypoints.rest.request_tools import RequestTools
from agentoolkit.entrypoints.rest.routing import Named, guarded_router
from agentoolkit.system.scheduler.execution_records import ExecutionStatus

router = guarded_router("executions")


class ExecutionQuery(BaseModel):
    """Selects a page of executions."""

    model_config = ConfigDict(extra="forbid")

    task_id: str | None = Field(default=None, max_length=200, description="Only executions of the task with this id or name")
    status: ExecutionStatus | None = None
    limit: int = Field(default=100, ge=1, le=1_000)
    cursor: str | None = Field(default=None, max_length=1_000, description="The cursor of the page before")
    query: str | None = Field(default=None, max_length=500, description="Only matching executions", examples=["status:failed since:24h"])
    results: bool = Field(default=False, description="With the results, which may be large")


class CancelRequest(Body):
    """The reason of a cancellation."""

    reason: str | None = Field(default=None, max_length=1_000)


@router.get("/executions")
async def list_executions(query: Annotated[ExecutionQuery, Query()], tools: RequestTools) -> ExecutionPage:
    """List executions, the latest due first: of one task or of all, with one status or any."""
    data = await tools.scheduler(
        "list_executions",
        job_id=query.task_id,
        execution_status=query.status,
        limit=query.limit,
        cursor=query.cursor,
        with_results=query.results,
        query=query.query,
    )
    return ExecutionPage(executions=[execution_of(record) for record in data["history"]], cursor=data["cursor"])


@router.get("/executions/{execution_id}")
async def get_execution(execution_id: Named, tools: RequestTools) -> TaskExecution:
    """Return one execution with its result or error and its earlier attempts."""
    return execution_of(await tools.scheduler("get_execution", execution_id=execution_id))


@router.post("/executions/{execution_id}/cancel")
async def cancel_execution(execution_id: Named, tools: RequestTools, cancel: CancelRequest | None = None) -> TaskExecution:
    """Cancel a waiting or running execution. An ended execution stays as it is."""
    reason = cancel.reason if cancel else None
    return execution_of(await tools.scheduler("cancel_execution", execution_id=execution_id, reason=reason))
