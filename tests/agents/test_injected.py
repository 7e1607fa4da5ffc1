"""A model that obeys what a stranger wrote gets no further than its caller may."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage, ModelResponse, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.usage import RequestUsage
from tests.agents.conftest import SUNDAY
from tests.agents.injected import HARMLESS, INJECTED, MAIL
from tests.agents.scripts import scripted, told

from agentool.caller import OWN, Caller, acting_as
from agentool.toolset import AgenToolset
from agentoolkit.actions.agent import register_agent
from agentoolkit.agent_settings import RunLimits
from agentoolkit.agents.approval_store import Approval, WaitingCall
from agentoolkit.agents.scheduling import Scheduling
from agentoolkit.system.scheduler.jobs import JobStatus
from agentoolkit.testing import TestToolkit

MARIA = Caller("maria", "agent", OWN)
WAITING = Approval(
    approval_id="apr-waiting",
    owner="maria",
    agent="a",
    job_id="none",
    execution_id="none@1",
    conversation_id="none",
    calls=(WaitingCall(call_id="1", tool="pay", arguments={"amount": 5}),),
    created_at=SUNDAY,
    deadline=SUNDAY,
)


def endless(tokens: int, model: str = "unknown-model") -> Agent[None, str]:
    """Return an agent that asks for a tool again and again, and says what each request used."""

    async def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        usage = RequestUsage(input_tokens=tokens - 1, output_tokens=1)
        return ModelResponse(parts=[ToolCallPart("look", {})], usage=usage, model_name=model)

    agent = Agent(FunctionModel(respond, model_name=model))

    @agent.tool_plain
    def look() -> str:
        """Look somewhere."""
        return "nothing"

    return agent


async def obey(text: str, tool: str, arguments: dict[str, Any]) -> str:
    """Let a model read a text, do what it says, and give up when it is refused; return what it was told."""
    agent = Agent(
        scripted(("read_mail", {}), (tool, arguments), "done"),
        capabilities=[Scheduling(full=True, owner="maria")],
        toolsets=[AgenToolset("agent", caller=MARIA, id="agents")],
    )

    @agent.tool_plain
    async def read_mail() -> str:
        """Read a mail that a stranger wrote."""
        return text

    return told((await agent.run("Read my mail")).all_messages())[1]


def test_there_are_thirty_of_them() -> None:
    """The table is as long as promised, and no text is in it twice."""
    assert len({text for text, *_ in INJECTED}) == 30


@pytest.mark.parametrize(("text", "tool", "arguments", "answer"), INJECTED, ids=[text for text, *_ in INJECTED])
async def test_none_gets_through(kit: TestToolkit, text: str, tool: str, arguments: dict[str, Any], answer: str) -> None:
    """It is told why. Others' jobs stay; nothing outward runs; nothing is approved; no limit is passed; the scheduler goes on."""
    register_agent("greedy", endless(600), limits=RunLimits(tokens=1_000))
    register_agent("dear", endless(100_000, "gpt-4o"), limits=RunLimits(tokens=None, cost=Decimal("0.30")))
    service = kit.injector.get("agent").deps
    await service.parked.approvals.add(WAITING)
    plan = {"job_name": "secret plan", "schedule": "every day at 10:00", "agentool_name": "notification", "input_data": MAIL}
    with acting_as(Caller("paul", "rest", OWN)):
        await kit.injector.run("scheduler", {"operation": "schedule", **plan})
    (before,) = await kit.scheduler.lookup.jobs()

    assert answer in await obey(text, tool, arguments)
    await kit.advance(days=1, hours=2)

    others = [stored for stored in await kit.scheduler.lookup.jobs() if stored.job.owner != "maria"]
    assert [(stored.job, stored.state.status) for stored in others] == [(before.job, JobStatus.ACTIVE)]
    for stored in await kit.scheduler.lookup.jobs():
        assert not stored.job.created_by.is_admin
        reaches_out = "evil" in str(stored.job)
        assert not reaches_out or stored.state.status is JobStatus.PAUSED
    for run in (
        (await kit.injector.run("scheduler", {"operation": "get_history", "job_id": "innocent"})).data["history"]
        if answer == HARMLESS
        else []
    ):
        assert run["status"] == "failed"
    assert (await service.parked.approvals.get("apr-waiting")).status == "pending"
    for used in await service.ledger.used("2026-11-29", None, 10):
        assert (used.tokens <= 1_200, used.cost <= Decimal("0.51")) == (used.agent == "greedy", True)
    assert (await kit.injector.run("scheduler", {"operation": "status"})).data["running"]
