"""The arguments of the twelve tools. A job is called a task here, as in *Scheduler Daemon Implementation*, "MCP Tools".

The tools' names and the arguments ``task_id task_type priority cron_expression config description`` come from that source.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from agentool.base import BaseOperationInput, ReadableOutput
from agentoolkit.system.scheduler.search import status_value

Operation = Literal[
    "add_task",
    "list_tasks",
    "get_status",
    "get_task",
    "remove_task",
    "daemon_status",
    "start_daemon",
    "stop_daemon",
    "restart_daemon",
    "change_task",
    "preview",
    "history",
]
Action = Literal["edit", "pause", "resume", "run_now", "cancel_run"]
Priority = Literal["critical", "high", "medium", "low"]
State = Annotated[Literal["active", "paused", "broken", "done", "cancelled"], BeforeValidator(status_value)]
ExecutionState = Literal["queued", "running", "retrying", "success", "failed", "cancelled", "missed", "skipped", "lost"]
Detail = Literal["concise", "detailed"]

LIST_LENGTH = 20
"""Default number of tasks or executions in one answer."""
MAX_LIST_LENGTH = 100
MAX_PREVIEW = 20
MAX_RETRIES = 3
"""Retries of a failed task. Source: *Scheduler Daemon Implementation*, "Configuration"."""


class TaskInput(BaseOperationInput):
    """Input of the tools. Each tool's handler has the arguments that it takes."""

    operation: Operation
    task_id: str | None = Field(None, min_length=1, max_length=200, description="The task's unique name", examples=["daily_cleanup"])
    task_type: str | None = Field(None, description="custom by default, or agentool, sequence, notification …", examples=["custom"])
    config: dict[str, Any] | None = Field(
        None,
        description="What to run: {'prompt'}, {'agentool_name','input_data'} or {'command'}",
        examples=[{"agentool_name": "notification", "input_data": {"operation": "send", "message": "Stand up"}}],
    )
    when: str | None = Field(
        None, description="When, in words, never computed; now by default", examples=["every weekday at 9:00", "in 20 minutes"]
    )
    cron_expression: str | None = Field(None, description="Instead of when: five crontab fields", examples=["0 3 * * *"])
    timezone: str | None = Field(None, description="IANA zone; the user's by default", examples=["Europe/Berlin"])
    priority: Priority | None = None
    description: str | None = Field(None, max_length=2_000, examples=["Daily cleanup at 3 AM"])
    action: Action | None = Field(None, description="edit changes what is given")
    until: str | None = Field(None, description="Last day or time", examples=["friday"])
    max_retries: int | None = Field(None, ge=0, le=100)
    status: State | None = None
    execution_status: ExecutionState | None = None
    limit: int | None = Field(None, ge=1, le=MAX_LIST_LENGTH)
    cursor: str | None = Field(None, description="From the last answer", examples=["daily_cleanup"])
    detail: Detail | None = None
    count: int | None = Field(None, ge=1, le=MAX_PREVIEW)
    confirm: str | None = Field(None, description="Code from the last answer", examples=["3f9a1c"])


class TaskOutput(ReadableOutput):
    """Answer of the tools: text for the model, and data for its client."""

    data: dict[str, Any]
    question: str | None = None
    """Question that a person must answer before the task may run."""
