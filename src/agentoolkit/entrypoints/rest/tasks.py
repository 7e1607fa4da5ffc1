"""``/tasks``: schedule, list, read, change, pause, resume and cancel tasks."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from agentoolkit.entrypoints.rest.models import (
    Body,
    NewTask,
    ScheduledTask,
    TaskChanges,
    TaskPage,
    TaskReading,
    TaskStatus,
    reading_of,
    task_of_details,
    task_of_summary,
)
from agentoolkit.entrypoints.rest.problems import ApiError
from agentoolkit.entrypoints.rest.request_tools import RequestTools, Tools
from agentoolkit.entrypoints.rest.routing import Named, guarded_router, links
from agentoolkit.system.scheduler.paging import UPCOMING
from agentoolkit.system.scheduler.search import status_word

PAGE = 100

router = guarded_router("tasks")


def _in_words_of_people(status: object) -> object:
    return status_word(status) if isinstance(status, str) else status


class TaskQuery(BaseModel):
    """Selects a page of tasks."""

    model_config = ConfigDict(extra="forbid")

    agent_name: str | None = Field(default=None, max_length=200, description="Only this agent's")
    status: Annotated[TaskStatus, BeforeValidator(_in_words_of_people)] | None = None
    limit: int = Field(default=PAGE, ge=1, le=1_000)
    cursor: str | None = Field(default=None, max_length=1_000, description="The cursor of the page before")
    query: str | None = Field(default=None, max_length=500, description="Only matching tasks", examples=["tag:nightly owner:me"])


class UpcomingQuery(BaseModel):
    """Selects tasks that are due next."""

    model_config = ConfigDict(extra="forbid")

    agent_name: str | None = Field(default=None, max_length=200, description="Only this agent's")
    limit: int = Field(default=UPCOMING, ge=1, le=1_000)


class PauseRequest(Body):
    """The end and the reason of a pause."""

    until: str | None = Field(default=None, max_length=100, description="ISO 8601 time, or words, at which it resumes by itself")
    reason: str | None = Field(default=None, max_length=1_000, description="Why")


_ON_TASK = (
    "get_task",
    "update_task",
    "delete_task",
    "enable_task",
    "disable_task",
    "pause_task",
    "resume_task",
    "run_task",
    "list_versions",
    "get_lineage",
)


@router.post(
    "/tasks",
    status_code=201,
    responses={
        200: {"model": TaskReading, "description": "An identical task exists already, `replace` changed one, or it was a dry run"},
        201: links("task_id", "task_id", *_ON_TASK),
    },
)
async def create_task(task: NewTask, tools: RequestTools, response: Response) -> TaskReading:
    """Schedule a task. Everything is checked first, and the answer says how its schedule was understood."""
    reading = await schedule_task(tools, task)
    if reading.dry_run or not reading.created:
        response.status_code = 200
    return reading


async def schedule_task(tools: Tools, task: NewTask) -> TaskReading:
    """Schedule a task for its agent.

    Raises:
        ApiError: The task is for another agent.
        AgenToolError: The scheduler refuses it.
    """
    asking = _for_agent(tools, task.agent_name)
    given = {name: value for name, value in task.scheduler_input().items() if name != "operation"}
    data = await asking.scheduler("schedule", **given, job_id=task.task_id, replace=task.replace or None, dry_run=task.dry_run or None)
    return reading_of(data, dry_run=task.dry_run)


@router.get("/tasks")
async def list_tasks(query: Annotated[TaskQuery, Query()], tools: RequestTools) -> TaskPage:
    """List tasks, the oldest first: all that can run again, or all with one status."""
    data = await tools.scheduler(
        "list", job_status=query.status, owner=query.agent_name, limit=query.limit, cursor=query.cursor, query=query.query
    )
    return TaskPage(tasks=[task_of_summary(job) for job in data["jobs"]], cursor=data["cursor"])


@router.get("/upcoming")
async def list_upcoming(query: Annotated[UpcomingQuery, Query()], tools: RequestTools) -> list[ScheduledTask]:
    """List the tasks that are due next, the soonest first."""
    data = await tools.scheduler("list_upcoming", owner=query.agent_name, limit=query.limit)
    return [task_of_summary(job) for job in data["jobs"]]


@router.get("/tasks/{task_id}")
async def get_task(task_id: Named, tools: RequestTools) -> ScheduledTask:
    """Return a task, also a cancelled one as long as it is remembered."""
    return task_of_details(await tools.scheduler("get_job", job_id=task_id))


@router.patch("/tasks/{task_id}")
async def update_task(task_id: Named, changes: TaskChanges, tools: RequestTools) -> TaskReading:
    """Change the given fields of a task, and take back those named in `clear`; the others stay."""
    more = {"clear": changes.clear, "version": changes.version, "dry_run": changes.dry_run or None}
    reading = reading_of(await tools.scheduler("update", job_id=task_id, **changes.given(), **more), dry_run=changes.dry_run)
    if changes.nulls:
        reading.remarks.append(f"null changes nothing, as in {', '.join(changes.nulls)}; 'clear' names the fields to take back")
    return reading


@router.delete("/tasks/{task_id}")
async def delete_task(task_id: Named, tools: RequestTools) -> ScheduledTask:
    """Cancel a task for good. Its history stays readable."""
    data = await tools.scheduler("cancel", job_id=task_id)
    return await get_task(data["job_id"], tools)


@router.post("/tasks/{task_id}/enable")
async def enable_task(task_id: Named, tools: RequestTools) -> ScheduledTask:
    """Let a paused task run again, from now on."""
    data = await tools.scheduler("resume", job_id=task_id)
    return await get_task(data["job_id"], tools)


@router.post("/tasks/{task_id}/resume")
async def resume_task(task_id: Named, tools: RequestTools) -> ScheduledTask:
    """Let a paused task run again, from now on."""
    return await enable_task(task_id, tools)


@router.post("/tasks/{task_id}/disable")
async def disable_task(task_id: Named, tools: RequestTools) -> ScheduledTask:
    """Pause a task until it is enabled."""
    return await pause_task(task_id, tools, PauseRequest(reason="disabled"))


@router.post("/tasks/{task_id}/pause")
async def pause_task(task_id: Named, tools: RequestTools, pause: PauseRequest | None = None) -> ScheduledTask:
    """Pause a task until it is resumed, or until a time."""
    wanted = pause or PauseRequest()
    data = await tools.scheduler("pause", job_id=task_id, until=wanted.until, reason=wanted.reason)
    return await get_task(data["job_id"], tools)


def _for_agent(tools: Tools, agent_name: str | None) -> Tools:
    """Return the AgenTools as called by the task's agent. Raises `ApiError` unless the caller is that agent or an administrator."""
    if agent_name is None or agent_name == tools.caller.name:
        return tools
    if not tools.caller.is_admin:
        remedy = f"Leave it out: your tasks belong to {tools.caller.name!r}."
        raise ApiError(403, "foreign-agent", "You may not make tasks for others.", field="agent_name", value=agent_name, remedy=remedy)
    return tools.acting_for(agent_name)
