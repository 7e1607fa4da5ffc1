"""Budgets of runs that are due together, and budgets smaller than what one run may use."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.usage import RequestUsage

from agentoolkit.actions.agent import register_agent
from agentoolkit.agent_settings import Budget, RunLimits
from agentoolkit.agents.errors import BudgetReserved
from agentoolkit.testing import TestToolkit

PROMPT = {"operation": "run", "agent": "a", "prompt": "go"}


def slow(tokens: int = 100, model: str = "unknown-model") -> FunctionModel:
    """Return a model that takes a moment for its answer."""

    async def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        await asyncio.sleep(0.02)
        usage = RequestUsage(input_tokens=tokens - 1, output_tokens=1)
        return ModelResponse(parts=[TextPart("done")], usage=usage, model_name=model)

    return FunctionModel(respond, model_name=model)


async def schedule(kit: TestToolkit, *names: str, **fields: Any) -> None:
    """Schedule jobs of these names for one moment."""
    for name in names:
        job = {"job_name": name, "schedule": "in 1 hour", "agentool_name": "agent", "input_data": PROMPT, **fields}
        await kit.injector.run("scheduler", {"operation": "schedule", **job})


async def ended(kit: TestToolkit, *names: str) -> list[list[str]]:
    """Return how the executions of each job stand, the oldest first."""
    answers = [await kit.injector.run("scheduler", {"operation": "get_history", "job_id": name}) for name in names]
    return [[run["status"] for run in reversed(answer.data["history"])] for answer in answers]


@pytest.mark.parametrize(
    "rules",
    [
        {"per_day": Budget(tokens=300_000)},
        {"per_day": Budget(cost=Decimal(3)), "limits": RunLimits(cost=Decimal(2))},
        {"per_day": Budget(tokens=100_000)},
    ],
    ids=["tokens", "dollars", "less than one run may use"],
)
async def test_runs_that_are_due_together_come_one_after_the_other(kit: TestToolkit, rules: dict[str, Any]) -> None:
    """Where the budget holds one at its worst, the others wait until it has ended and left nearly all of it; none is lost or paused."""
    register_agent("a", Agent(slow(model="gpt-4o")), **rules)
    await schedule(kit, "one", "two", "three")
    await kit.advance(hours=1)
    waiting = await kit.injector.run("scheduler", {"operation": "list_executions", "execution_status": "retrying"})
    assert len(waiting.data["history"]) == 2
    assert "Runs under way hold the budget of the day" in waiting.data["history"][0]["reason"]
    await kit.advance(minutes=5)
    assert await ended(kit, "one", "two", "three") == [["success"]] * 3


async def test_a_job_whose_runs_wait_is_not_paused(kit: TestToolkit) -> None:
    """An hourly one that met another's reservation runs in the next hour as well."""
    register_agent("a", Agent(slow()), per_day=Budget(tokens=300_000))
    await schedule(kit, "one", "two", schedule="every hour")
    await kit.advance(hours=3, minutes=5)
    assert await ended(kit, "one", "two") == [["success"] * 3] * 2


async def test_a_budget_that_is_used_up_pauses_though_some_is_reserved(kit: TestToolkit) -> None:
    """Waiting would not help: what is booked leaves too little by itself."""
    register_agent("a", Agent(slow(tokens=100)), limits=RunLimits(tokens=100), per_job=Budget(tokens=150))
    await schedule(kit, "one", schedule="every hour")
    await kit.advance(hours=2, minutes=5)
    job = (await kit.injector.run("scheduler", {"operation": "get_job", "job_id": "one"})).data["info"]
    assert (job["state"], job["reason"]) == (
        "paused",
        "The budget of the job is used up: 100 of 150 tokens are used, and one run may use 100.",
    )


async def test_who_waits_for_a_run_hears_at_once_that_the_budget_is_held(kit: TestToolkit) -> None:
    """Code that calls the agent, and `run_now`, are told so; nothing of the other run is lost."""
    register_agent("a", Agent(slow()), per_day=Budget(tokens=300_000))
    first = asyncio.create_task(kit.injector.run("agent", PROMPT))
    await asyncio.sleep(0.01)
    with pytest.raises(BudgetReserved, match="0 of 300,000 tokens are used, 200,000 are reserved, and one run may use 200,000"):
        await kit.injector.run("agent", PROMPT)
    await first
    assert (await kit.injector.run("agent", PROMPT)).output == "done"


@pytest.mark.parametrize("budget", ["per_day", "per_job"])
async def test_a_budget_below_the_limit_of_one_run_is_used(kit: TestToolkit, budget: str) -> None:
    """By default one run may use 200,000 tokens: with a budget of 1,000 in all there are runs until that is used up, not none."""
    register_agent("a", Agent(slow(tokens=400)), **{budget: Budget(tokens=1_000)})
    await schedule(kit, "one", schedule="every hour")
    await kit.advance(hours=4, minutes=5)
    (states,) = await ended(kit, "one")
    assert states == ["success", "success", "failed", "failed"]


async def test_a_gate_is_asked_again_after_a_wait(kit: TestToolkit) -> None:
    """A run that waited for its budget and then failed has not spent what had changed."""
    register_agent("a", Agent(slow()), per_day=Budget(tokens=300_000))
    await kit.injector.run("storage_kv", {"operation": "set", "key": "mails", "value": 1})
    gate = {"agentool_name": "storage_kv", "input_data": {"operation": "get", "key": "mails"}}
    await schedule(kit, "one", "two", input_data={**PROMPT, "only_if_changed": gate}, schedule="every hour")
    await kit.advance(hours=2, minutes=5)
    assert await ended(kit, "one", "two") == [["success", "skipped"]] * 2
