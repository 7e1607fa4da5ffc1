"""Tasks of an application in the words of *Agent Scheduler & Background Task Queue*: `TaskScheduler` and `TaskQueue`.

Both work with the AgenTools of the current injector; where nothing is registered yet, a toolkit with the settings of the
environment is. Their methods return at once, as the document has them called inside and outside of an event loop.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from agentool.caller import Caller, acting_as
from agentool.core.injector import Injector, get_injector
from agentool.errors import InvalidInput, excerpt
from agentoolkit.client import get_scheduler
from agentoolkit.entrypoints.rest.models import NewTask
from agentoolkit.entrypoints.taskfile import load_tasks

logger = logging.getLogger(__name__)

_under_way: set[asyncio.Task[None]] = set()
"""Calls that nobody waits for; an event loop alone would forget them."""


class TaskScheduler:
    """Loads tasks from a file and schedules them.

    Args:
        injector: Where the scheduler is; the current one by default.
    """

    def __init__(self, injector: Injector | None = None) -> None:
        self._injector = injector or get_injector()
        get_scheduler(self._injector)

    def load_tasks_from_yaml(self, path: str | Path, agent_name: str | None = None) -> Sequence[NewTask]:
        """Read a task file, without scheduling anything.

        Args:
            path: The file.
            agent_name: Whose tasks they are.

        Raises:
            TaskFileError: It cannot be read, or a task in it is wrong; with the line.
        """
        tasks = load_tasks(Path(path))
        return [NewTask.model_validate({**task.model_dump(by_alias=True, exclude_unset=True), "agent_name": agent_name}) for task in tasks]

    def register_task(self, task: NewTask) -> None:
        """Schedule a task, or change the one of its name into it. Inside an event loop that happens at once after; a refusal is logged.

        Raises:
            SchedulerError: Outside of an event loop: the task is refused.
        """
        call = {**task.scheduler_input(), "replace": True}
        _do(self._injector, call, task.agent_name, f"Task {task.name!r} was not scheduled")

    def unregister_task(self, task_id: str) -> None:
        """Cancel a task by its id or its name; its history stays."""
        _do(self._injector, {"operation": "cancel", "job_id": task_id}, None, f"Task {task_id!r} was not cancelled")


class TaskQueue:
    """Runs functions in the background, each once and as soon as there is room.

    Args:
        injector: Where the scheduler is; the current one by default.
    """

    def __init__(self, injector: Injector | None = None) -> None:
        self._injector = injector or get_injector()
        get_scheduler(self._injector)
        self._scheduling: dict[str, asyncio.Task[None]] = {}
        """By the ids of jobs that are being made."""

    def enqueue(
        self,
        func: Callable[..., Any] | None = None,
        agent_name: str | None = None,
        task_name: str | None = None,
        function_path: str | None = None,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> str:
        """Let a function run, and return the id of its job.

        Args:
            func: The function, where `function_path` is not given: one that can be imported by its name.
            agent_name: Whose task it is.
            task_name: What the job is called, with a number after it.
            function_path: ``module:function``, allowed by ``AGENTOOL_FUNCTIONS``.
            args: JSON values.
            kwargs: JSON values.

        Raises:
            InvalidInput: There is no function to call, or none that can be imported by its name.
            SchedulerError: Outside of an event loop: it is refused.
        """
        path = function_path or _path_of(func)
        name = f"{task_name or path.rpartition(':')[2]}-{uuid4().hex[:8]}"
        call = {"operation": "call", "function": path, "args": list(args), "kwargs": dict(kwargs or {})}
        asked = {"operation": "schedule", "job_id": name, "schedule": "now", "agentool_name": "function", "input_data": call}
        if (scheduling := _do(self._injector, asked, agent_name, f"{path} was not enqueued")) is not None:
            self._scheduling[name] = scheduling
            scheduling.add_done_callback(lambda _: self._scheduling.pop(name))
        return name

    async def get_status(self, job_id: str) -> str:
        """Return how a job's execution stands: queued, running, success, failed or cancelled."""
        executions = await self._executions(job_id)
        return executions[0]["status"] if executions else "queued"

    async def get_result(self, job_id: str) -> Any:
        """Return what the function has returned; None as long as it has not."""
        executions = await self._executions(job_id)
        answer = executions[0]["result"] if executions else None
        return None if answer is None else answer["result"]

    async def cancel(self, job_id: str) -> None:
        """End a job's execution, whether it waits or runs."""
        for execution in await self._executions(job_id):
            await self._injector.run("scheduler", {"operation": "cancel_execution", "execution_id": execution["execution_id"]})

    async def _executions(self, job_id: str) -> Sequence[Mapping[str, Any]]:
        """Return a job's newest execution, once the job that was enqueued inside this event loop is there."""
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


def _do(injector: Injector, call: Mapping[str, Any], agent_name: str | None, failure: str) -> asyncio.Task[None] | None:
    """Call the scheduler as an agent: in a task of its own inside an event loop, else until it has answered. Return that task."""
    with acting_as(Caller(agent_name or "code")):
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            injector.run_sync("scheduler", call)
            return None
        task = loop.create_task(_logged(injector, call, failure))
    _under_way.add(task)
    task.add_done_callback(_under_way.discard)
    return task


async def _logged(injector: Injector, call: Mapping[str, Any], failure: str) -> None:
    try:
        await injector.run("scheduler", call)
    except Exception as error:
        logger.error("%s: %s", failure, error)
