"""A Python client in the words of *Nagatha Assistant Task Scheduler*: tasks with a type and named arguments.

Each method makes one call of the scheduler AgenTool and follows its rules. A task is checked when it is scheduled, and its
id is its job's id.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentool.core.injector import Injector, get_injector
from agentool.errors import InvalidInput, did_you_mean, excerpt
from agentoolkit.actions.services import NotificationType
from agentoolkit.actions.task_types import TaskTypes
from agentoolkit.paging import all_pages
from agentoolkit.system.scheduler.answer_schemas import JobList
from agentoolkit.system.scheduler.execution_records import ExecutionStatus
from agentoolkit.system.scheduler.job_fields import JobFields
from agentoolkit.system.scheduler.jobs import JobStatus
from agentoolkit.system.scheduler.search import status_word
from agentoolkit.wiring import Toolkit

MAX_RETRIES = 3
"""Retries of a failing task. Source: *Nagatha Assistant Task Scheduler*, "Celery Configuration"."""
MAX_LISTED = 1_000
"""Newest executions that are searched for a status; also jobs in one page of a list."""

_STATES: Mapping[str, str] = {
    status_word(status): status for status in (JobStatus.ACTIVE, JobStatus.PAUSED, JobStatus.BROKEN, JobStatus.DONE)
}

_OPTIONS = ("task_name", *(name for name in JobFields.model_fields if name not in ("job_name", "schedule", "agentool_name", "input_data")))
"""What can be said of a task besides what it does and when."""


class SchedulerClient:
    """Schedules, lists and cancels tasks.

    Args:
        injector: The injector that has the scheduler and the AgenTools of the tasks.
    """

    def __init__(self, injector: Injector) -> None:
        self._injector = injector

    async def schedule_task(self, task_type: str, task_args: Mapping[str, Any], schedule_spec: str, **options: Any) -> str:
        """Schedule a task of any type and return its id.

        Args:
            task_type: ``mcp_tool``, ``plugin_command``, ``notification``, ``shell_command``, ``sequence``, ``function``,
                ``agent``, ``http``, ``agentool``, or a registered one (see `register_task_type`).
            task_args: Arguments of this task type.
            schedule_spec: The schedule: words, a crontab expression or an ISO 8601 time.
            options: ``task_name``, which is unique, and any other field of a job (see `JobFields`).

        Raises:
            InvalidInput: The type or an option is unknown.
            InvalidSchedule, InvalidJob, UnknownTarget, JobExists: As for the scheduler's ``schedule``.
        """
        types = self._injector.get("sequence").deps.types if "sequence" in self._injector else TaskTypes()
        call = types.call(task_type, task_args)
        named: dict[str, Any] = {"max_retries": MAX_RETRIES, **options}
        if unknown := next((name for name in named if name not in _OPTIONS), None):
            raise InvalidInput(f"{unknown!r} is no option of a task.", field=unknown, remedy=did_you_mean(unknown, _OPTIONS))
        if "task_name" in named:
            named["job_name"] = named.pop("task_name")
        return (await self._ask("schedule", **call._asdict(), schedule=schedule_spec, **named))["job_id"]

    async def schedule_notification(
        self,
        message: str,
        schedule_spec: str,
        notification_type: NotificationType = "info",
        **options: Any,
    ) -> str:
        """Schedule a notification and return the task's id."""
        args = {"message": message, "notification_type": notification_type}
        return await self.schedule_task("notification", args, schedule_spec, **options)

    async def schedule_mcp_tool(
        self, server_name: str, tool_name: str, arguments: Mapping[str, Any], schedule_spec: str, **options: Any
    ) -> str:
        """Schedule a call of a tool on an MCP server and return the task's id."""
        args = {"server_name": server_name, "tool_name": tool_name, "arguments": dict(arguments)}
        return await self.schedule_task("mcp_tool", args, schedule_spec, **options)

    async def schedule_plugin_command(
        self, plugin_name: str, command_name: str, arguments: Mapping[str, Any], schedule_spec: str, **options: Any
    ) -> str:
        """Schedule an operation of any AgenTool and return the task's id. A plugin is an AgenTool, a command its operation."""
        args = {"plugin_name": plugin_name, "command_name": command_name, "arguments": dict(arguments)}
        return await self.schedule_task("plugin_command", args, schedule_spec, **options)

    async def schedule_shell_command(self, command: str | list[str], schedule_spec: str, **options: Any) -> str:
        """Schedule a program and return the task's id."""
        return await self.schedule_task("shell_command", {"command": command}, schedule_spec, **options)

    async def cancel_task(self, task_id: str) -> None:
        """Cancel a task for good; its history stays.

        Raises:
            JobNotFound: There is no such task.
        """
        await self._ask("cancel", job_id=task_id)

    async def get_task(self, task_id: str) -> dict[str, Any]:
        """Return a task's definition, its status and its latest executions, by its id or its name.

        Raises:
            JobNotFound: There is no such task.
        """
        job = await self._ask("get_job", job_id=task_id)
        return {"task_id": job["job_id"], **job}

    async def list_tasks(self, status: str | None = None) -> list[dict[str, Any]]:
        """List tasks, each as a line of a list has it; `get_task` has more.

        Args:
            status: ``scheduled``, ``paused``, ``broken`` or ``done``; or the status of an execution, such as ``failed``, for tasks
                that have such an execution. By default, all tasks that can fire again.

        Raises:
            InvalidInput: There is no such status.
        """
        if status is None or status in _STATES:
            return [{"task_id": job["job_id"], **job} for job in await self._jobs(None if status is None else _STATES[status])]
        if status not in set(ExecutionStatus):
            remedy = did_you_mean(status, [*_STATES, *ExecutionStatus])
            raise InvalidInput(f"Unknown status {excerpt(status)}.", field="status", value=status, remedy=remedy)
        found = await self._ask("list_executions", execution_status=status, limit=MAX_LISTED)
        ran = dict.fromkeys(about["job_id"] for about in found["history"])
        gone = await self._jobs(JobStatus.CANCELLED)
        known = {job["job_id"]: job for job in [*await self._jobs(None), *await self._jobs(JobStatus.DONE), *gone]}
        ids = [*(job["job_id"] for job in gone if status == JobStatus.CANCELLED), *ran]
        return [{"task_id": job_id, **known[job_id]} for job_id in dict.fromkeys(ids) if job_id in known]

    async def _jobs(self, status: str | None) -> list[dict[str, Any]]:
        async def page(cursor: str | None) -> JobList:
            return JobList.model_validate(await self._ask("list", job_status=status, limit=MAX_LISTED, cursor=cursor))

        return [job.model_dump(mode="json") async for found in all_pages(page) for job in found.jobs]

    async def _ask(self, operation: str, **fields: Any) -> dict[str, Any]:
        return (await self._injector.run("scheduler", {"operation": operation, **fields})).data


def get_scheduler(injector: Injector | None = None) -> SchedulerClient:
    """Return a client of the current injector's scheduler.

    If the injector has no toolkit yet, one with the settings of the environment is registered. It takes over a scheduler
    that is registered already; its scheduler starts at the first use.

    Raises:
        ConfigurationError: A setting names a database, but a scheduler in memory is in use already.
    """
    injector = injector or get_injector()
    if not ("scheduler" in injector and "sequence" in injector):
        Toolkit(injector=injector).log_package()
    return SchedulerClient(injector)
