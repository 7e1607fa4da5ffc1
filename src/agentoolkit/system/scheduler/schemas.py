"""The input and output models of the scheduler AgenTool.

Names and defaults of the first twelve fields, the eleven first operations and the keys of each answer are those of
*Scheduler AgenToolkit*; our own are added.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from agentool.base import BaseOperationInput
from agentoolkit.system.scheduler.execution_records import ExecutionStatus
from agentoolkit.system.scheduler.job_fields import JobChanges, MaybeText, Text
from agentoolkit.system.scheduler.jobs import JobStatus
from agentoolkit.system.scheduler.retention import HISTORY_LENGTH
from agentoolkit.system.scheduler.search import status_value

SchedulerOperation = Literal[
    "schedule",
    "cancel",
    "pause",
    "resume",
    "run_now",
    "list",
    "get_job",
    "get_history",
    "start",
    "stop",
    "status",
    "preview",
    "update",
    "restart",
    "list_executions",
    "get_execution",
    "cancel_execution",
    "backfill",
    "start_run",
    "audit",
    "list_workers",
    "list_upcoming",
]


class SchedulerInput(JobChanges, BaseOperationInput):
    """Input of the scheduler AgenTool. The handler of an operation defines which fields it takes and requires."""

    operation: SchedulerOperation = Field(description="The scheduler operation to perform")
    job_id: MaybeText = Field(None, description="Unique job identifier, or a job's unique name; made from job_name if not given")
    replace: bool | None = Field(None, description="For schedule: change a different job of this id or name, instead of refusing")
    dry_run: bool | None = Field(None, description="For schedule and update: check everything and describe the result, but do nothing")
    assume_jobs: list[Text] | None = Field(None, description="For dry_run: ids and names of jobs that are assumed to exist by then")
    until: MaybeText = Field(None, description="For pause: ISO 8601 time, or words, at which the job resumes by itself")
    reason: MaybeText = Field(None, description="For pause, cancel, cancel_execution and stop: why")
    execution_id: MaybeText = Field(None, description="For get_execution, cancel_execution; for run_now, start_run: the one to repeat")
    run_key: MaybeText = Field(None, description="For start_run: the same key never starts a second run", examples=["approved-7"])
    execution_status: ExecutionStatus | None = Field(None, description="For list_executions: only those with this status")
    owner: MaybeText = Field(None, description="For list, list_upcoming and audit: only those of this owner", examples=["maria"])
    version: int | None = Field(None, description="For update and resume: the version that was read, so that no other change is missed")
    limit: int | None = Field(
        None, ge=1, le=10_000, description=f"For lists and get_history: how many, {HISTORY_LENGTH} executions or 1,000 jobs by default"
    )
    cursor: str | None = Field(None, description="For lists: the cursor of the previous page; without it, the first page")
    job_status: Annotated[JobStatus, BeforeValidator(status_value)] | None = Field(
        None, description="For list: only jobs with this status, such as 'done' or 'cancelled'"
    )
    with_results: bool | None = Field(None, description="For list_executions: false leaves out the results, which may be large")
    query: MaybeText = Field(
        None, max_length=500, description="For list and list_executions: only matches", examples=["status:failed tag:nightly since:24h"]
    )
    count: int | None = Field(None, ge=1, le=100, description="For preview: how many of the next due times, 5 by default")


class SchedulerFacts(BaseModel):
    """A part of an answer. Its schema is built at first use, because a command imports all answers and shows one."""

    model_config = ConfigDict(defer_build=True)


class SchedulerOutput(SchedulerFacts):
    """Answer to every operation."""

    operation: str = Field(description="The operation that was performed")
    message: str = Field(description="Human-readable result message")
    data: dict[str, Any] | None = Field(None, description="Operation-specific data; JSON values only")
