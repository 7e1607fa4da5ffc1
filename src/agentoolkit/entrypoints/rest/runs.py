"""Run a task: now, again after a failure, or with other input."""

from __future__ import annotations

import hashlib
from typing import Any
from uuid import uuid4

from fastapi import Request, Response
from pydantic import Field

from agentoolkit.entrypoints.rest.models import Body, TaskExecution, execution_of
from agentoolkit.entrypoints.rest.request_tools import RequestTools, Tools
from agentoolkit.entrypoints.rest.routing import Named, guarded_router, links
from agentoolkit.system.scheduler.errors import ExecutionFailed

router = guarded_router("runs")


class RunRequest(Body):
    """Options of a run."""

    input_data: dict[str, Any] | None = Field(default=None, description="Input instead of the task's own; the answer waits for the end")
    wait: bool = Field(default=False, description="Answer when the execution has ended")


class ReplayRequest(Body):
    """The input of a replay."""

    input_data: dict[str, Any] = Field(description="Checked by the schema of the AgenTool before it runs")


_ON_EXECUTION = ("get_execution", "cancel_execution", "retry_execution", "replay_execution")


@router.post(
    "/tasks/{task_id}/run",
    status_code=202,
    responses={
        200: {"model": TaskExecution, "description": "The execution has ended"},
        202: links("execution_id", "execution_id", *_ON_EXECUTION),
    },
)
async def run_task(
    task_id: Named, tools: RequestTools, request: Request, response: Response, run: RunRequest | None = None
) -> TaskExecution:
    """Run a task as soon as there is room; its schedule does not change."""
    wanted = run or RunRequest()
    if wanted.wait or wanted.input_data is not None:
        response.status_code = 200
        return await _run_and_wait(tools, task_id, wanted.input_data)
    key = request.headers.get("idempotency-key", "")
    name = hashlib.sha256(f"{tools.caller.name}\0{key}".encode()).hexdigest()[:24] if key else uuid4().hex
    return execution_of(await tools.scheduler("start_run", job_id=task_id, run_key=name))


@router.post("/executions/{execution_id}/retry", status_code=202)
async def retry_execution(execution_id: Named, tools: RequestTools) -> TaskExecution:
    """Run the task of an execution again, with its present input. An execution is retried once; its retry can be retried in turn."""
    return execution_of(await start_retry(tools, execution_id))


@router.post("/executions/{execution_id}/replay")
async def replay_execution(execution_id: Named, replay: ReplayRequest, tools: RequestTools) -> TaskExecution:
    """Run the task of an execution with other input, and answer when it has ended. The original stays as it is."""
    original = await tools.scheduler("get_execution", execution_id=execution_id)
    return await _run_and_wait(tools, original["job_id"], replay.input_data, replay_of=execution_id)


async def start_retry(tools: Tools, execution_id: str) -> dict[str, Any]:
    """Retry an ended execution, and return the new one."""
    original = await tools.scheduler("get_execution", execution_id=execution_id)
    return await start_again(tools, original["job_id"], execution_id)


async def start_again(tools: Tools, job_id: str, execution_id: str) -> dict[str, Any]:
    """Retry an execution of a job whose id is known."""
    return await tools.scheduler("start_run", job_id=job_id, execution_id=execution_id)


async def _run_and_wait(tools: Tools, task_id: str, input_data: dict[str, Any] | None, replay_of: str | None = None) -> TaskExecution:
    try:
        execution_id = (await tools.scheduler("run_now", job_id=task_id, input_data=input_data, execution_id=replay_of))["execution_id"]
    except ExecutionFailed as error:
        execution_id = str(error.value)
    return execution_of(await tools.scheduler("get_execution", execution_id=execution_id))
