"""What a language model gives to schedule something: few, flat fields, each with an example.

Nothing in here names an owner, a model, a price, a budget or an approval. Those are the caller's, not the model's.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from agentool.base import BaseOperationInput, ReadableOutput
from agentoolkit.system.scheduler.search import status_value

Action = Literal["edit", "pause", "resume", "run_now", "cancel_run"]
State = Annotated[Literal["active", "paused", "broken", "done", "cancelled"], BeforeValidator(status_value)]
Detail = Literal["concise", "detailed"]

LIST_LENGTH = 20
"""Jobs that one answer lists by default."""
MAX_LIST_LENGTH = 100


class SchedulingInput(BaseOperationInput):
    """Input of the tools for scheduling."""

    operation: Literal["schedule", "list_jobs", "get_job", "change_job", "cancel_job"]
    name: str | None = Field(None, description="The job's unique name", examples=["daily summary"])
    when: str | None = Field(
        None, description="When, in words or cron, never computed", examples=["every weekday at 9:00", "in 20 minutes", "0 9 * * 1-5"]
    )
    prompt: str | None = Field(None, description="Task for an agent, run then with nobody present", examples=["Summarise today's mail"])
    tool: str | None = Field(None, description="Instead of prompt: tool to run", examples=["notification"])
    input: dict[str, Any] | None = Field(None, description="The tool's input", examples=[{"operation": "send", "message": "Stand up"}])
    timezone: str | None = Field(None, description="IANA zone; the user's by default", examples=["Europe/Berlin"])
    until: str | None = Field(None, description="Last day or time", examples=["friday"])
    max_runs: int | None = Field(None, ge=1)
    action: Action | None = Field(None, description="edit changes what is given")
    new_name: str | None = Field(None, examples=["weekly summary"])
    state: State | None = None
    limit: int | None = Field(None, ge=1, le=MAX_LIST_LENGTH)
    cursor: str | None = Field(None, description="From the last answer", examples=["daily summary"])
    detail: Detail | None = None


class SchedulingOutput(ReadableOutput):
    """Answer to each of them: words for the model, and the scheduler's own data for the application."""

    data: dict[str, Any]
