"""Put the twelve tools together, with names, schemas, titles and hints, and call them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agentool.agentool import create_agentool
from agentool.core.injector import Injector
from agentool.describe import OperationDescription, describe
from agentool.errors import AgenToolError, InvalidInput, UnknownAgenTool, did_you_mean, excerpt
from agentool.flat_calls import checked_arguments, cut_answer, with_example
from agentool.hints import Hints
from agentoolkit.agents.scheduling_desk import on_trial
from agentoolkit.entrypoints.mcp_server import daemon_tools, task_tools
from agentoolkit.entrypoints.mcp_server.answer_size import shorten
from agentoolkit.entrypoints.mcp_server.confirmation import ConfirmationNeeded
from agentoolkit.entrypoints.mcp_server.task_input import TaskInput, TaskOutput
from agentoolkit.entrypoints.mcp_server.task_tools import TaskDesk, approve_task

NAME = "scheduler"

HANDLERS = {
    "add_task": task_tools.add_task,
    "list_tasks": task_tools.list_tasks,
    "get_status": daemon_tools.get_status,
    "get_task": task_tools.get_task,
    "remove_task": task_tools.remove_task,
    "daemon_status": daemon_tools.daemon_status,
    "start_daemon": daemon_tools.start_daemon,
    "stop_daemon": daemon_tools.stop_daemon,
    "restart_daemon": daemon_tools.restart_daemon,
    "change_task": task_tools.change_task,
    "preview": task_tools.preview,
    "history": task_tools.history,
}

EXAMPLES = (
    {
        "operation": "add_task",
        "task_id": "stand up",
        "when": "every weekday at 9:00",
        "config": {"agentool_name": "notification", "input_data": {"operation": "send", "message": "Stand up"}},
    },
    {"operation": "list_tasks", "status": "active"},
    {"operation": "get_task", "task_id": "stand up"},
    {"operation": "remove_task", "task_id": "stand up"},
    {"operation": "change_task", "task_id": "stand up", "action": "edit", "when": "every weekday at 8:00"},
    {"operation": "preview", "when": "every weekday at 9:00"},
    {"operation": "history", "task_id": "stand up", "limit": 5},
)


HINTS: Mapping[str, Hints] = {
    "add_task": Hints("Schedule a task", destroys=False, repeats_safely=True),
    "list_tasks": Hints.looking("List tasks"),
    "get_status": Hints.looking("Scheduler statistics"),
    "get_task": Hints.looking("Show a task"),
    "remove_task": Hints("Remove a task", repeats_safely=True, reaches_out=False),
    "daemon_status": Hints.looking("Scheduler health"),
    "start_daemon": Hints("Start the scheduler", destroys=False, repeats_safely=True, reaches_out=False),
    "stop_daemon": Hints("Stop the scheduler", destroys=False, repeats_safely=True, reaches_out=False),
    "restart_daemon": Hints("Restart the scheduler", destroys=False, reaches_out=False),
    "change_task": Hints("Change or run a task"),
    "preview": Hints.looking("Preview a schedule"),
    "history": Hints.looking("Past runs"),
}


@dataclass(frozen=True, slots=True)
class ToolReply:
    """The answer to a call."""

    text: str
    data: dict[str, Any] | None = None
    is_error: bool = False
    question: str | None = None
    """Question for a person, see `TaskOutput`."""


class TaskTools:
    """The twelve tools over one scheduler.

    Args:
        desk: Their dependencies.
    """

    def __init__(self, desk: TaskDesk) -> None:
        self._desk = desk
        self._home = Injector()
        description = "Tasks of a scheduler, for MCP clients."
        made = create_agentool(
            NAME,
            TaskInput,
            HANDLERS,
            deps=desk,
            description=description,
            examples=EXAMPLES,
            hints=HINTS,
            trial=on_trial,
            injector=self._home,
        )
        self._operations = {operation.tool_name: operation for operation in describe(made).operations}

    @property
    def operations(self) -> Mapping[str, OperationDescription]:
        """The tools by name."""
        return self._operations

    def check_name(self, name: str) -> None:
        """Refuse the name of a tool that does not exist. Raises `UnknownAgenTool`."""
        if name not in self._operations:
            problem = f"No tool is named {excerpt(name)}."
            raise UnknownAgenTool(problem, field="name", value=name, remedy=did_you_mean(name, self._operations))

    async def call(self, name: str, arguments: object) -> ToolReply:
        """Call a tool as the current caller.

        Raises:
            ConfirmationNeeded: The call needs a person's yes, or a code.
        """
        operation = self._operations[name]
        try:
            given = await checked_arguments(self._home, operation, arguments)
            output: TaskOutput = await self._home.run(NAME, operation.call(given))
        except ConfirmationNeeded:
            raise
        except AgenToolError as error:
            shown = operation.example if isinstance(error, InvalidInput) or error.correctable else None
            return ToolReply(cut_answer(with_example(error, name, shown)), is_error=True)
        return ToolReply(cut_answer(output.text), shorten(output.data), question=output.question)

    async def approve(self, job_id: str, version: int) -> ToolReply:
        """Approve a task as the current caller, a person, and only in the version that the person saw."""
        try:
            output = await approve_task(self._desk, job_id, version)
        except AgenToolError as error:
            changed = "It changed while the user was asked, and was not approved. Look at it, and call again."
            return ToolReply(changed if error.field == "version" else cut_answer(str(error)), is_error=True)
        return ToolReply(f"The user approved it. {output.text}", output.data)
