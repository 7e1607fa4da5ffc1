"""The API's models of tasks and executions. Source of the names: *Agent Scheduler & Background Task Queue*, "Models"."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from agentoolkit.entrypoints.taskfile import Task
from agentoolkit.system.scheduler.execution_ids import origin_of
from agentoolkit.system.scheduler.execution_records import TRIGGERS
from agentoolkit.system.scheduler.job_fields import JobChanges, JobFields, options_of
from agentoolkit.system.scheduler.schedules.bounds import MAX_JITTER
from agentoolkit.system.scheduler.search import status_word

TaskStatus = Literal["scheduled", "paused", "done", "broken", "cancelled"]

_NAMES = {"job_name": "name", "schedule_type": "type"}
"""Fields of a job that have another name in the API."""


class ScheduledTask(BaseModel):
    """A task: its target, schedule, owner and state."""

    task_id: str = Field(examples=["nightly-report"])
    name: str = Field(description="Its unique name", examples=["nightly report"])
    description: str = ""
    agent_name: str = Field(default="", description="The agent or person who owns the task", examples=["email-agent"])
    enabled: bool = Field(description="False while it is paused")
    status: TaskStatus
    type: str = Field(description="cron, interval, once, after or list", examples=["cron"])
    schedule: str = Field(examples=["0 9 * * *"])
    timezone: str = Field(examples=["Europe/Berlin"])
    next_run: str | None = Field(default=None, description="ISO 8601, in the task's zone")
    agentool_name: str = Field(description="The AgenTool that it calls", examples=["notification"])
    input_data: dict[str, Any] | None = Field(default=None, description="The AgenTool's input; left out in lists")
    tags: list[str] = []
    reason: str = Field(default="", description="Why it is paused, broken or cancelled")
    last_outcome: str | None = Field(default=None, description="Status of its execution that ended last")
    runs: int | None = Field(default=None, description="Executions that its schedule has started; left out in lists")
    version: int | None = Field(default=None, description="Number of its changes; left out in lists")
    created_at: str | None = None
    created_by: dict[str, Any] | None = Field(default=None, description="Its owner, and the door of its creation; left out in lists")
    changed_by: dict[str, Any] | None = Field(default=None, description="Who changed it last, or made it for its owner; left out in lists")
    options: dict[str, Any] | None = Field(
        default=None, description="Its other fields, by the names that a new task takes, and paused_until; left out in lists"
    )


_IN_DETAILS = frozenset({"input_data", "runs", "version", "created_by", "changed_by", "options"})
"""Fields of a task that lists leave out."""
LISTED_FIELDS = tuple(name for name in ScheduledTask.model_fields if name not in _IN_DETAILS)


class TaskExecution(BaseModel):
    """One due time of one task, from its start to its outcome."""

    execution_id: str = Field(examples=["nightly-report@2030-01-01T09:00:00+00:00"])
    task_id: str
    agentool_name: str
    trigger: str = Field(description=f"What started it: {TRIGGERS}")
    status: str = Field(description="queued, running, retrying, success, failed, cancelled, missed, skipped or lost")
    reason: str = ""
    scheduled_at: str
    started_at: str | None = None
    finished_at: str | None = None
    duration: float | None = Field(default=None, description="Seconds")
    attempt: int = 1
    output: str = Field(default="", description="While it runs: the end of its output so far; left out in lists")
    due_count: int = Field(default=1, description="Number of due times that this execution stands for")
    result: Any = None
    error: dict[str, Any] | None = Field(default=None, description="Its type, message and traceback")
    attempts: list[dict[str, Any]] = Field(default=[], description="Earlier attempts, the oldest first")
    delivery: str = Field(default="none", description="Whether the outcome reached its queue: none, pending, delivered or failed")
    retry_at: str | None = None
    retry_of: str | None = Field(default=None, description="The execution that it repeats, as a retry or a replay")


class Body(BaseModel):
    """The body of a request: unknown fields are refused, and values are not converted to another type."""

    model_config = ConfigDict(extra="forbid", strict=True)


class NewTask(Task):
    """A task to schedule: a function, or any AgenTool, with the fields of a task file."""

    model_config = ConfigDict(
        strict=True,
        json_schema_extra={
            "examples": [
                {
                    "name": "daily report",
                    "type": "cron",
                    "schedule": "0 9 * * *",
                    "agentool_name": "metrics",
                    "input_data": {"operation": "export"},
                }
            ]
        },
    )

    task_id: str | None = Field(default=None, max_length=200, description="Its id; made from the name if not given")
    agent_name: str | None = Field(default=None, min_length=1, max_length=200, description="Its owner; the caller by default")
    replace: bool = Field(default=False, description="Change an existing task of this id or name instead of refusing")
    dry_run: bool = Field(default=False, description="Check everything and schedule nothing")

    @field_validator("jitter")
    @classmethod
    def _within_bounds(cls, jitter: float | None) -> float | None:
        if jitter is not None and not 0 <= jitter <= MAX_JITTER:
            raise ValueError(f"it is from 0 to {MAX_JITTER:g}")
        return jitter

    def given(self) -> dict[str, Any]:
        """Return the given fields of the job. A task that is not enabled is scheduled paused."""
        return super().given() if self.enabled else {**super().given(), "paused": True}


class TaskChanges(JobChanges):
    """The fields of a task to change; the others stay."""

    model_config = ConfigDict(
        strict=True, extra="forbid", alias_generator=lambda field: {"job_name": "name", "schedule_type": "type"}.get(field, field)
    )

    version: int | None = Field(default=None, ge=1, description="The version that you read; another version is refused, not overwritten")
    dry_run: bool = Field(default=False, description="Check everything and change nothing")

    @property
    def nulls(self) -> list[str]:
        """The fields given as null, by their names in the API. A null says nothing (docs/decisions/0006)."""
        given = (name for name in JobFields.model_fields if name in self.model_fields_set and getattr(self, name) is None)
        return [_NAMES.get(name, name) for name in given]


class TaskPage(BaseModel):
    """One page of tasks."""

    tasks: list[ScheduledTask]
    cursor: str | None = Field(default=None, description="Asks for the next page; null: this was the last one")


class ExecutionPage(BaseModel):
    """One page of executions, the latest due first."""

    executions: list[TaskExecution]
    cursor: str | None = Field(default=None, description="Asks for the next page; null: this was the last one")


class TaskReading(BaseModel):
    """How a schedule was understood."""

    task_id: str | None = None
    words: str = Field(description="In words", examples=["every day at 09:00"])
    type: str
    schedule: str
    timezone: str
    next_runs: list[str] = Field(description="The next due times")
    remarks: list[str] = Field(description="Warnings, and how the text was read")
    created: bool | None = Field(default=None, description="The task is new; in a dry run, it would be")
    changed: bool | None = Field(default=None, description="The task existed and was changed; in a dry run, it would be")
    dry_run: bool = Field(default=False, description="Everything was checked and nothing was done")
    status: TaskStatus | None = Field(default=None, description="What the task is now; in a dry run, would be")
    version: int | None = None


class Health(BaseModel):
    """The health of the scheduler."""

    status: Literal["ok", "degraded"]
    running: bool
    leading: bool
    stopped: bool
    leader: str | None
    tasks: int
    executing: int
    waiting: int
    lag: float | None = Field(description="Seconds between due time and start, the longest of the last hundred")
    loop_delay: float
    version: str


def task_of_summary(summary: dict[str, Any]) -> ScheduledTask:
    """Return a task as a list shows it."""
    return ScheduledTask(
        task_id=summary["job_id"],
        name=summary["job_name"],
        description=summary.get("description", ""),
        agent_name=summary.get("owner", ""),
        enabled=summary["state"] != "paused",
        status=_status(summary["state"]),
        type=summary["schedule_type"],
        tags=summary.get("tags", []),
        created_at=summary.get("created_at"),
        **{name: summary[name] for name in ("schedule", "timezone", "next_run", "agentool_name", "reason", "last_outcome")},
    )


def task_of_details(details: dict[str, Any]) -> ScheduledTask:
    """Return a task with all its fields."""
    info: dict[str, Any] = details["info"]
    created_by: dict[str, Any] = info.get("created_by") or {}
    recent = details["recent_history"]
    same = ("description", "schedule", "timezone", "agentool_name", "input_data", "tags", "reason", "runs", "version", "created_at")
    return ScheduledTask(
        task_id=details["job_id"],
        name=details["job_name"],
        agent_name=created_by.get("name", ""),
        enabled=info["state"] != "paused",
        status=_status(info["state"]),
        type=info["schedule_type"],
        next_run=details["next_run"],
        created_by=created_by or None,
        changed_by=info.get("changed_by"),
        last_outcome=next((record["status"] for record in recent if record["finished_at"]), None),
        options=options_of(info, usual=True) | ({"paused_until": info["paused_until"]} if info["paused_until"] else {}),
        **{name: info[name] for name in same},
    )


def execution_of(record: dict[str, Any]) -> TaskExecution:
    """Return an execution as the API shows it."""
    kept = {name: value for name, value in record.items() if name in TaskExecution.model_fields}
    return TaskExecution(task_id=record["job_id"], retry_of=origin_of(record["execution_id"]), **kept)


def reading_of(data: dict[str, Any], *, dry_run: bool = False) -> TaskReading:
    """Return how a schedule was understood, in a dry run or not."""
    kept = {name: value for name, value in data.items() if name in TaskReading.model_fields}
    status = _status(data["state"]) if "state" in data else None
    return TaskReading(task_id=data.get("job_id"), type=data["schedule_type"], status=status, dry_run=dry_run, **kept)


def _status(state: str) -> TaskStatus:
    return status_word(state)  # type: ignore[return-value]
