"""`TaskScheduler` and `TaskQueue`, the classes of *Agent Scheduler & Background Task Queue*.

Both use the AgenTools of the current injector. If it has none, they register a toolkit with settings from the environment. Their
methods return at once, because the document calls them both inside and outside of an event loop.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from agentool.caller import CODE, Caller, acting_as
from agentool.core.injector import Injector, get_injector
from agentool.errors import InvalidInput, excerpt
from agentoolkit.client import get_scheduler
from agentoolkit.entrypoints.rest.models import NewTask
from agentoolkit.entrypoints.taskfile import load_tasks

logger = logging.getLogger(__name__)

_under_way: set[asyncio.Task[None]] = set()
"""Calls that nothing awaits; the event loop alone would let them be collected as garbage."""


class TaskScheduler:
    """Loads tasks from a file and schedules them.

    Args:
        injector: Has the scheduler; the current injector by default.
    """

    def __init__(self, injector: Injector | None = None) -> None:
        self._injector = injector or get_injector()
        get_scheduler(self._injector)

    def load_tasks_from_yaml(self, path: str | Path, agent_name: str | None = None) -> Sequence[NewTask]:
        """Read a task file, without scheduling anything.

        Args:
            path: The file.
            agent_name: Owner of the tasks.

        Raises:
            TaskFileError: The file cannot be read, or a task is wrong; the message has the line.
        """
        tasks = load_tasks(Path(path))
        return [NewTask.model_validate({**task.model_dump(by_alias=True, exclude_unset=True), "agent_name": agent_name}) for task in tasks]

    def register_task(self, task: NewTask) -> None:
        """Create or update the job of a task. Inside an event loop this happens right afterwards, and a refusal is logged.

        A task of another agent is never changed: names are unique, also across agents.

        Raises:
            SchedulerError: The task is refused; only outside of an event loop.
        """
        call = {**task.scheduler_input(), "replace": True}
        _call_scheduler(self._injector, call, task.agent_name, f"Task {task.name!r} was not scheduled")

    def unregister_task(self, task_id: str) -> None:
        """Cancel a task by its id or its name; its history stays."""
        _call_scheduler(self._injector, {"operation": "cancel", "job_id": task_id}, None, f"Task {task_id!r} was not cancelled")


class TaskQueue:
    """Runs functions in the background, each once, as soon as there is room.

    Args:
        injector: Has the scheduler; the current injector by default.
    """

    def __init__(self, injector: Injector | None = None) -> None:
        self._injector = injector or get_injector()
        get_scheduler(self._injector)
        self._scheduling: dict[str, asyncio.Task[None]] = {}
        """Calls that are creating jobs, by the job's id."""

    def enqueue(
        self,
        func: Callable[..., Any] | None = None,
        agent_name: str | None = None,
        task_name: str | None = None,
        function_path: str | None = None,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> str:
        """Schedule a call of a function, and return the id of its job.

        Args:
            func: A function that can be imported by its name; not needed with `function_path`.
            agent_name: Owner of the job.
            task_name: Beginning of the job's name; a random part follows.
            function_path: ``module:function``, allowed by ``AGENTOOL_FUNCTIONS``.
            args: JSON values.
            kwargs: JSON values.

        Raises:
            InvalidInput: There is no function to call, or it cannot be imported by its name.
            SchedulerError: The job is refused; only outside of an event loop.
        """
        path = function_path or _path_of(func)
        name = f"{task_name or path.rpartition(':')[2]}-{uuid4().hex[:8]}"
        call = {"operation": "call", "function": path, "args": list(args), "kwargs": dict(kwargs or {})}
        asked = {"operation": "schedule", "job_id": name, "schedule": "now", "agentool_name": "function", "input_data": call}
        if (scheduling := _call_scheduler(self._injector, asked, agent_name, f"{path} was not enqueued")) is not None:
            self._scheduling[name] = scheduling
            scheduling.add_done_callback(lambda _: self._scheduling.pop(name))
        return name

    async def get_status(self, job_id: str) -> str:
        """Return the status of a job's execution: queued, running, success, failed or cancelled."""
        executions = await self._executions(job_id)
        return executions[0]["status"] if executions else "queued"

    async def get_result(self, job_id: str) -> Any:
        """Return the function's result; None until it has returned."""
        executions = await self._executions(job_id)
        answer = executions[0]["result"] if executions else None
        return None if answer is None else answer["result"]

    async def cancel(self, job_id: str) -> None:
        """Cancel a job's execution, waiting or running."""
        for execution in await self._executions(job_id):
            await self._injector.run("scheduler", {"operation": "cancel_execution", "execution_id": execution["execution_id"]})

    async def _executions(self, job_id: str) -> Sequence[Mapping[str, Any]]:
        """Return a job's newest execution, after waiting for a job that is being created inside this event loop."""
        if (scheduling := self._scheduling.get(job_id)) is not None:
            await asyncio.wait({scheduling})
        return (await self._injector.run("scheduler", {"operation": "get_history", "job_id": job_id, "limit": 1})).data["history"]


def _path_of(function: Callable[..., Any] | None) -> str:
    """Return ``module:function`` of a function at the top of a module. Raises `InvalidInput` for any other."""
    remedy = "Give a function at the top of a module, or `function_path`: 'package.module:function'."
    if function is None:
        raise InvalidInput("There is no function to call.", field="function_path", remedy=remedy)
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", "")
    if not module or not name.isidentifier():
        raise InvalidInput(f"{excerpt(function)} cannot be imported by its name.", field="func", remedy=remedy)
    return f"{module}:{name}"


def _call_scheduler(injector: Injector, call: Mapping[str, Any], agent_name: str | None, failure: str) -> asyncio.Task[None] | None:
    """Call the scheduler as an agent. Inside an event loop return a task for the call; outside wait for the answer."""
    with acting_as(Caller(agent_name, acts_for=agent_name) if agent_name else CODE):
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            injector.run_sync("scheduler", call)
            return None
        task = loop.create_task(_run_and_log(injector, call, failure))
    _under_way.add(task)
    task.add_done_callback(_under_way.discard)
    return task


async def _run_and_log(injector: Injector, call: Mapping[str, Any], failure: str) -> None:
    try:
        await injector.run("scheduler", call)
    except Exception as error:
        logger.error("%s: %s", failure, error)
