"""Limits of an agent for one run, a day and a job, and the handling of calls that need approval.

The application sets them. A model can neither see nor raise them.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

Number = TypeVar("Number", int, Decimal)
Amount = Annotated[int, Field(ge=1)]
Money = Annotated[Decimal, Field(gt=0)]
"""US dollars, the currency of models' prices."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RunLimits(_Frozen):
    """Limits of one run. Earlier runs of the same conversation do not count."""

    requests: Amount = Field(default=20, description="Requests to the model")
    tokens: Amount | None = Field(default=200_000, description="Tokens, in and out")
    tool_calls: Amount | None = Field(default=50, description="Calls of tools")
    cost: Money | None = Field(default=None, description="US dollars")

    def tightened(self, other: RunLimits | None) -> RunLimits:
        """Return the smaller value of each limit: a job can lower a limit and never raise it."""
        if other is None:
            return self
        return RunLimits(
            requests=min(self.requests, other.requests),
            tokens=_smaller(self.tokens, other.tokens),
            tool_calls=_smaller(self.tool_calls, other.tool_calls),
            cost=_smaller(self.cost, other.cost),
        )


class Budget(_Frozen):
    """Limits of all runs together."""

    tokens: Amount | None = Field(default=None, description="Tokens, in and out")
    cost: Money | None = Field(default=None, description="US dollars")
    runs: Amount | None = Field(default=None, description="Runs")


class AgentRules(_Frozen):
    """Rules for an agent that runs unattended."""

    limits: RunLimits = RunLimits()
    per_day: Budget = Field(default=Budget(), description="For one owner and one UTC day; the job is paused until the next")
    per_job: Budget = Field(default=Budget(), description="For one job, ever; the job is paused")
    approvals: Literal["deny", "park"] = Field(
        default="deny", description="A call that needs approval: deny it, or park the run for a person"
    )
    approval_seconds: float = Field(default=86_400.0, gt=0, description="Seconds that a parked run waits before its call is denied")
    granted: tuple[str, ...] = Field(default=(), description="Tools whose calls are approved beforehand")
    durable: Literal["none", "dbos"] = Field(
        default="none", description="'dbos': an interrupted run goes on, and repeats no finished request and no finished call"
    )
    economy: Literal["live", "batch"] = Field(
        default="live", description="'batch', experimental: requests wait for the provider's batch, for about half the price"
    )
    batch_seconds: float = Field(default=86_400.0, gt=0, description="Seconds that a run may wait for batches before it fails")
    messages: Amount = Field(default=200, description="Messages of a continued conversation that a run is given")

    @property
    def has_cost_limit(self) -> bool:
        """True if any limit is in dollars."""
        return any(cost is not None for cost in (self.limits.cost, self.per_day.cost, self.per_job.cost))

    @property
    def has_token_budget(self) -> bool:
        """True if a day or a job has a budget in tokens."""
        return self.per_day.tokens is not None or self.per_job.tokens is not None

    @property
    def attempts_are_one_run(self) -> bool:
        """True if an attempt goes on where the previous one ended, so that budgets count all attempts as one run."""
        return self.durable != "none" or self.economy == "batch"


class AgentSource(AgentRules):
    """An agent named in settings: a spec file of pydantic-ai, or a program."""

    spec: Path | None = Field(default=None, description="YAML or JSON file that `Agent.from_file` reads")
    command: tuple[str, ...] = Field(default=(), description="Program and arguments; {prompt} in one of them is the prompt")
    folder: Path | None = Field(default=None, description="Where the program works; by default this process's own folder")
    variables: tuple[str, ...] = Field(default=(), description="Names of environment variables that the program inherits")
    seconds: float = Field(default=300.0, gt=0, description="Seconds that the program may take")
    output_limit: int = Field(default=1_000_000, ge=1, description="Bytes kept of what the program writes")


def _smaller(one: Number | None, other: Number | None) -> Number | None:
    return other if one is None else one if other is None else min(one, other)
