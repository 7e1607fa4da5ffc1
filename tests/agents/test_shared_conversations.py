"""Runs of one conversation that are due together: no answer that was paid for is lost."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart, ToolReturnPart, UserPromptPart
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


class Payer:
    """An agent that pays with approval, and keeps what its model was told."""

    def __init__(self) -> None:
        self.paid = 0
        self.told: list[str] = []
        self.fails = False
        """Does the model fail once it has been told something?"""
        agent = Agent(FunctionModel(self._respond))
        agent.tool_plain(requires_approval=True)(self.pay)
        register_agent("a", agent, approvals="park", approval_seconds=604_800)

    async def _respond(self, messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        self.told = [str(part.content) for message in messages for part in message.parts if isinstance(part, ToolReturnPart)]
        if prompts(messages)[-1] == "pay" and not self.told:
            return ModelResponse(parts=[ToolCallPart("pay", {})])
        if self.fails:
            raise ValueError("the model broke")
        return ModelResponse(parts=[TextPart(f"re: {prompts(messages)[-1]}")])

    async def pay(self) -> str:
        """Pay."""
        self.paid += 1
        return "paid"


async def daily(kit: TestToolkit, name: str, prompt: str) -> None:
    """Schedule a prompt for each day at nine, in the conversation ``team``."""
    call = {"operation": "run", "agent": "a", "prompt": prompt, "conversation": "team"}
    job = {"job_name": name, "schedule": "0 9 * * *", "agentool_name": "agent", "input_data": call}
    await kit.injector.run("scheduler", {"operation": "schedule", **job})


async def runs_of(kit: TestToolkit, name: str) -> list[tuple[str, str]]:
    """Return how the runs of a job have ended, and why, the oldest first."""
    found = (await kit.injector.run("scheduler", {"operation": "get_history", "job_id": name})).data["history"]
    return [
        (run["status"], run["reason"] or (run["result"] or run["error"])["output" if run["result"] else "message"])
        for run in reversed(found)
    ]


async def approval_id(kit: TestToolkit) -> str:
    """Return the id of the one approval that waits."""
    (waiting,) = (await kit.injector.run("agent", {"operation": "list_approvals"})).approvals
    return waiting.approval_id


async def test_a_run_is_skipped_while_its_conversation_waits_for_a_person(kit: TestToolkit) -> None:
    """The next due times of the job that waits, and of others, neither fail nor speak over the open call; then all goes on."""
    payer = Payer()
    await daily(kit, "payer", "pay")
    await kit.advance(days=1)
    await daily(kit, "asker", "how are you?")
    approval = await approval_id(kit)
    await kit.advance(days=1)
    waits = ("skipped", f"its conversation waits until approval {approval} is decided")
    assert (await runs_of(kit, "asker"), (await runs_of(kit, "payer"))[1:]) == ([waits], [waits])
    await kit.injector.run("agent", {"operation": "approve", "approval_id": approval})
    await kit.advance(days=1)
    assert (await runs_of(kit, "asker"))[-1] == ("success", "re: how are you?")
    assert payer.paid == 1


async def test_a_conversation_goes_on_when_the_job_that_waited_is_gone(kit: TestToolkit) -> None:
    """Nothing waits any more, so nothing is listed; the model learns that the call was not made, and answers the next prompt."""
    payer = Payer()
    await daily(kit, "payer", "pay")
    await kit.advance(days=1)
    await kit.injector.run("scheduler", {"operation": "cancel", "job_id": "payer"})
    assert (await kit.injector.run("agent", {"operation": "list_approvals"})).approvals == []
    assert await ask(kit, "how are you?") == "re: how are you?"
    assert payer.told == ["Nobody decided on this call, and the job that waited for it is gone. It was not made."]
    assert payer.paid == 0


async def test_a_conversation_goes_on_when_the_run_that_was_approved_has_failed(kit: TestToolkit) -> None:
    """An approved run that ended without an answer holds its conversation no longer, and the model is told not to pay twice."""
    payer = Payer()
    await daily(kit, "payer", "pay")
    await kit.advance(days=1)
    approval = await approval_id(kit)
    payer.fails = True
    await kit.injector.run("agent", {"operation": "approve", "approval_id": approval})
    await kit.advance(seconds=1)
    payer.fails = False
    assert [status for status, _ in await runs_of(kit, "payer")] == ["cancelled", "failed"]
    assert await ask(kit, "how are you?") == "re: how are you?"
    assert payer.told == [
        "The run that went on with this call ended without an answer, so nobody knows whether it was made. Do not repeat it."
    ]
    assert payer.paid == 1
