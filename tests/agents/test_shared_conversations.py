"""Runs of one conversation that are due together: no answer that was paid for is lost."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart, UserPromptPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.usage import RequestUsage

from agentoolkit.actions.agent import register_agent
from agentoolkit.agents.errors import AgentFailed
from agentoolkit.testing import TestToolkit


def answering() -> FunctionModel:
    """Return a model that takes a moment and answers each prompt with 're: ' and that prompt."""

    async def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        asked = prompts(messages)[-1]
        await asyncio.sleep(0.02)
        return ModelResponse(parts=[TextPart(f"re: {asked}")], usage=RequestUsage(input_tokens=10))

    return FunctionModel(respond)


def prompts(messages: list[ModelMessage]) -> list[str]:
    """Return what users have said."""
    return [str(part.content) for message in messages for part in message.parts if isinstance(part, UserPromptPart)]


async def ask(kit: TestToolkit, prompt: str) -> str:
    """Run the agent in the conversation ``team``."""
    call = {"operation": "run", "agent": "a", "prompt": prompt, "conversation": "team"}
    return (await kit.injector.run("agent", call)).output


async def kept(kit: TestToolkit) -> Any:
    """Return the conversation ``team``."""
    conversations = kit.injector.get("agent").deps.stores.conversations
    return await conversations.load("code/a/named/team", scope="code")


@pytest.mark.parametrize("before", [[], ["hello"]], ids=["new", "continued"])
@pytest.mark.parametrize("number", [2, 7])
async def test_each_of_several_runs_is_in_the_conversation(kit: TestToolkit, before: list[str], number: int) -> None:
    """Each prompt is followed by its own answer, and what all have used is added up."""
    register_agent("a", Agent(answering()))
    for prompt in before:
        await ask(kit, prompt)
    asked = [f"p{place}" for place in range(number)]
    assert await asyncio.gather(*(ask(kit, prompt) for prompt in asked)) == [f"re: {prompt}" for prompt in asked]
    conversation = await kept(kit)
    said = prompts(conversation.messages)
    answers = [message.text for message in conversation.messages if isinstance(message, ModelResponse)]
    assert sorted(said) == sorted([*before, *asked])
    assert answers == [f"re: {prompt}" for prompt in said]
    assert conversation.usage.input_tokens == 10 * len(said)


async def test_jobs_that_share_a_conversation_both_succeed(kit: TestToolkit) -> None:
    """Two that are due at one moment: the second one's answer is its result, and is not paid for twice."""
    register_agent("a", Agent(answering()))
    for name in ("one", "two"):
        prompt = {"operation": "run", "agent": "a", "prompt": name, "conversation": "team"}
        job = {"job_name": name, "schedule": "in 1 hour", "agentool_name": "agent", "input_data": prompt}
        await kit.injector.run("scheduler", {"operation": "schedule", **job})
    await kit.advance(hours=1, minutes=1)
    runs = (await kit.injector.run("scheduler", {"operation": "list_executions"})).data["history"]
    assert sorted((run["status"], run["result"]["output"]) for run in runs) == [("success", "re: one"), ("success", "re: two")]
    assert len((await kept(kit)).messages) == 4


async def test_what_waits_for_a_person_is_left_alone(kit: TestToolkit) -> None:
    """A run that ends after another of its conversation was parked fails, and its answer can be read with its execution."""
    parked = asyncio.Event()

    async def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        if prompts(messages)[-1] == "pay":
            return ModelResponse(parts=[ToolCallPart("pay", {})])
        await parked.wait()
        return ModelResponse(parts=[TextPart("a long answer")])

    agent = Agent(FunctionModel(respond))

    @agent.tool_plain(requires_approval=True)
    async def pay() -> str:
        return "paid"

    register_agent("a", agent, approvals="park")
    slow = asyncio.create_task(ask(kit, "think"))
    await kit.clock.let_run()
    prompt = {"operation": "run", "agent": "a", "prompt": "pay", "conversation": "team"}
    job = {"job_name": "j", "schedule": "now", "agentool_name": "agent", "input_data": prompt}
    await kit.injector.run("scheduler", {"operation": "schedule", **job})
    await kit.advance(seconds=1)
    parked.set()
    with pytest.raises(AgentFailed, match=r"meanwhile; this answer is not in it.*execution's messages") as failed:
        await slow
    assert failed.value.result["messages"][-1]["text"] == "a long answer"
    assert (await kept(kit)).deferred_tool_requests is not None
