"""Agents that run as a part of something else: as a step of a sequence, or called by another agent. Each is a run of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic_ai import Agent
from pydantic_ai.messages import ModelResponse, TextPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from tests.agents.scripts import scripted
from tests.agents.test_agent_tool import answering
from tests.agents.test_approvals import ended
from tests.agents.test_batches import Night

from agentool.core.injector import Injector
from agentool.toolset import AgenToolset
from agentoolkit.actions.agent import register_agent
from agentoolkit.agent_settings import Budget
from agentoolkit.settings import Settings
from agentoolkit.testing import ManualTime, TestToolkit


def step(agent: str = "a", prompt: str = "go", **more: Any) -> dict[str, Any]:
    """Return a step of a sequence that runs an agent."""
    return {"agentool_name": "agent", "input_data": {"operation": "run", "agent": agent, "prompt": prompt, **more}}


async def run_sequence(kit: TestToolkit, *steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Let a job run these steps once; return its execution."""
    job = {"job_name": "j", "schedule": "in 5 seconds", "agentool_name": "sequence", "input_data": {"operation": "run", "steps": [*steps]}}
    await kit.injector.run("scheduler", {"operation": "schedule", **job, **more})
    await kit.advance(seconds=5)
    return (await ended(kit, 1))[0]


async def spent(kit: TestToolkit) -> list[tuple[str, str, int, int]]:
    """Return what each agent has used: its name, the job, runs and tokens."""
    used = await kit.injector.get("agent").deps.ledger.used("2026-11-29", None, 10)
    return sorted((each.agent, each.job_id, each.runs, each.tokens) for each in used)


async def test_each_step_counts_against_the_budget(kit: TestToolkit) -> None:
    """Two steps of one execution are two runs, and neither takes the other's place in the ledger."""
    register_agent("a", Agent(answering(tokens=100)))
    assert (await run_sequence(kit, step(), step()))["status"] == "success"
    assert await spent(kit) == [("a", "j", 2, 200)]


async def test_a_sequence_gets_round_no_budget_of_its_job(kit: TestToolkit) -> None:
    """The third step of a job that may run its agent twice is refused."""
    register_agent("a", Agent(answering(tokens=100)), per_job=Budget(runs=2))
    run = await run_sequence(kit, step(), step(), step())
    assert (run["status"], await spent(kit)) == ("failed", [("a", "j", 2, 200)])


async def test_an_agent_that_an_agent_calls_counts_too(kit: TestToolkit) -> None:
    """Both runs are in the ledger, under the same job."""
    caller = scripted(("agent_run", {"agent": "b", "prompt": "go"}), "done")
    register_agent("a", Agent(caller, toolsets=[AgenToolset("agent", operations={"agent": ["run"]})]))
    register_agent("b", Agent(answering(tokens=100)))
    await kit.injector.run("scheduler", {"operation": "schedule", "job_name": "j", "schedule": "in 5 seconds", **step("a")})
    await kit.advance(seconds=5)
    assert [(agent, job, runs) for agent, job, runs, _ in await spent(kit)] == [("a", "j", 1), ("b", "j", 1)]


async def test_a_step_that_needs_approval_says_that_it_cannot_wait(kit: TestToolkit) -> None:
    """A sequence is not parked: nothing waits for a person, and the step has failed with the reason."""
    agent = Agent(scripted(("pay", {}), "done"))

    @agent.tool_plain(requires_approval=True)
    async def pay() -> str:
        """Pay."""
        return "paid"

    register_agent("a", agent, approvals="park")
    run = await run_sequence(kit, step())
    assert run["status"] == "failed"
    assert "is a part of something else" in str(run["error"])
    assert (await kit.injector.run("agent", {"operation": "list_approvals"})).approvals == []


async def test_a_step_does_not_wait_for_a_batch(kit: TestToolkit) -> None:
    """It is live: a sequence goes on with its answer."""
    register_agent("a", Agent(Night("done", "done")), economy="batch")
    run = await run_sequence(kit, step(), step())
    assert run["status"] == "success"


async def test_steps_of_a_durable_agent_are_told_apart(tmp_path: Path) -> None:
    """The second step is asked its own question, and is not given the first one's answer."""

    async def echo(messages: list[Any], info: AgentInfo) -> ModelResponse:
        return ModelResponse(parts=[TextPart(f"heard {messages[0].parts[-1].content}")])

    async with TestToolkit(Settings(database=str(tmp_path / "jobs.db")), ManualTime("2026-11-29T13:02:00+00:00"), Injector()) as kit:
        register_agent("a", Agent(FunctionModel(echo)), durable="dbos")
        run = await run_sequence(kit, step(prompt="one"), step(prompt="two"))
    assert run["status"] == "success", run
    assert [one["result"]["output"] for one in run["result"]["steps"]] == ["heard one", "heard two"]
