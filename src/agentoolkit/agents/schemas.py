"""What goes into the AgenTool ``agent`` and what comes out."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from agentool.base import BaseOperationInput


class ChangeGate(BaseModel):
    """A cheap call whose answer is compared with that of last time."""

    model_config = ConfigDict(extra="forbid")

    agentool_name: str
    input_data: dict[str, Any]


class AgentInput(BaseOperationInput):
    """Input of the AgenTool ``agent``. Budgets, approvals and the model are the agent's, and no fields."""

    operation: Literal["run", "list", "list_approvals", "approve", "deny", "usage"]
    agent: str | None = Field(default=None, description="Name of a registered agent", examples=["assistant"])
    prompt: str | None = Field(
        default=None, min_length=1, max_length=100_000, description="What it is to do", examples=["Summarise today's mail"]
    )
    conversation: str | None = Field(
        None,
        min_length=1,
        max_length=100,
        description="'fresh' (default), 'continue' the job's own, or the name of one",
        examples=["fresh"],
    )
    previous_result: bool | None = Field(default=None, description="Give it the job's previous answer as context")
    only_if_changed: ChangeGate | None = Field(default=None, description="Run only if this call's answer differs from last time")
    max_requests: int | None = Field(default=None, ge=1, description="Requests of this run; can only lower the agent's limit")
    max_tokens: int | None = Field(default=None, ge=1, description="Tokens of this run; can only lower the agent's limit")
    max_cost: Decimal | None = Field(default=None, gt=0, description="US dollars of this run; can only lower the agent's limit")
    approval_id: str | None = Field(default=None, description="Which parked run", examples=["apr-0123456789ab"])
    edits: dict[str, dict[str, Any]] | None = Field(
        default=None,
        description="For a call's id, or the name of a tool of which one call waits: arguments in the place of those asked for",
    )
    days: int | None = Field(default=None, ge=1, le=366, description="For usage: how many days up to today, 30 by default")
    reason: str | None = Field(default=None, max_length=1_000, description="Why it is denied; the model is told")


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentRunRequest:
    """What ``run`` is asked for. Meanings: see `AgentInput`."""

    agent: str
    prompt: str = ""
    conversation: str = "fresh"
    previous_result: bool = False
    only_if_changed: ChangeGate | None = None
    max_requests: int | None = None
    max_tokens: int | None = None
    max_cost: Decimal | None = None


class AgentMessage(BaseModel):
    """One thing that was said in a run."""

    by: Literal["system", "user", "agent", "tool"]
    text: str = Field(description="What was said; of a tool: what it answered")
    tool: str = Field(default="", description="Of a tool: its name")


class AgentOutput(BaseModel):
    """Answer of a run."""

    output: Any = Field(description="The agent's final answer, as the type it declares")
    nothing_to_report: bool = Field(default=False, description="The answer is kept, and delivered to nobody")
    requests: int = 0
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: str = Field(default="unknown", description="US dollars, or 'unknown'")
    model: str = ""
    tool_calls: list[dict[str, Any]] = Field(default=[], description="Which tools were called, and with what")
    messages: list[AgentMessage] = Field(default=[], description="What was said, the first of it and no more than a page holds")
    trace_id: str = ""
    conversation_id: str = Field(default="", description="Where it goes on; empty if it does not")


class AgentNames(BaseModel):
    """Answer to ``list``."""

    names: list[str]


class WaitingApproval(BaseModel):
    """A parked run."""

    approval_id: str
    owner: str
    agent: str
    job_id: str
    execution_id: str
    calls: list[dict[str, Any]] = Field(description="What exactly is asked for: id of the call, tool and arguments")
    created_at: str
    deadline: str
    status: str
    decided_by: str = ""
    reason: str = ""


class WaitingApprovals(BaseModel):
    """Answer to ``list_approvals``."""

    approvals: list[WaitingApproval]
    is_cut: bool = Field(default=False, description="More wait than are shown")


class UsageOf(BaseModel):
    """What the runs of one job have used on one day."""

    day: str = Field(description="UTC day, ``2026-11-29``")
    agent: str
    owner: str
    job_id: str = Field(description="Empty where the runs belong to no job")
    runs: int
    tokens: int
    cost: str = Field(description="US dollars of the runs whose price is known")
    unpriced: int = Field(description="Runs whose price is not known")


class Usage(BaseModel):
    """Answer to ``usage``."""

    used: list[UsageOf] = Field(description="The latest day first, and the dearest job of it")
    days: int = Field(description="Today and the days before")
    per_day: dict[str, str] = Field(description="For each agent with one: the dollars that an owner's day may cost")
    is_cut: bool = Field(description="There is more than is shown")
