"""A model that obeys what a stranger wrote gets no further than its caller may."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic_ai import Agent
from pydantic_ai.models.test import TestModel
from tests.agents.conftest import SUNDAY
from tests.agents.injected import INJECTED, MAIL
from tests.agents.scripts import scripted

from agentool.caller import OWN, Caller, acting_as
from agentool.toolset import AgenToolset
from agentoolkit.actions.agent import register_agent
from agentoolkit.agent_settings import Budget, RunLimits
from agentoolkit.agents.approvals import Approval, WaitingCall
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


async def obey(text: str, tool: str, arguments: dict[str, Any]) -> None:
    """Let a model read a text, do what it says, and give up when it is refused."""
    agent = Agent(
        scripted(("read_mail", {}), (tool, arguments), "done"),
        capabilities=[Scheduling(full=True, owner="maria")],
        toolsets=[AgenToolset("agent", caller=MARIA, id="agents")],
    )

    @agent.tool_plain
    async def read_mail() -> str:
        """Read a mail that a stranger wrote."""
        return text

    await agent.run("Read my mail")


def test_there_are_thirty_of_them() -> None:
    """The table is as long as promised, and no text is in it twice."""
    assert len({text for text, _, _ in INJECTED}) == 30


@pytest.mark.parametrize(("text", "tool", "arguments"), INJECTED, ids=[text for text, _, _ in INJECTED])
async def test_none_gets_through(kit: TestToolkit, text: str, tool: str, arguments: dict[str, Any]) -> None:
    """Others' jobs stay; nothing outward runs; nothing is approved; no limit is higher; the scheduler goes on."""
    register_agent("a", Agent(TestModel()), limits=RunLimits(tokens=1_000, requests=2), per_day=Budget(runs=5))
    service = kit.injector.get("agent").deps
    await service.parked.approvals.add(WAITING)
    plan = {"job_name": "secret plan", "schedule": "every day at 10:00", "agentool_name": "notification", "input_data": MAIL}
    with acting_as(Caller("paul", "rest", OWN)):
        await kit.injector.run("scheduler", {"operation": "schedule", **plan})
    (before,) = await kit.scheduler.lookup.jobs()

    await obey(text, tool, arguments)
    await kit.advance(days=1, hours=2)

    others = [stored for stored in await kit.scheduler.lookup.jobs() if stored.job.owner != "maria"]
    assert [(stored.job, stored.state.status) for stored in others] == [(before.job, JobStatus.ACTIVE)]
    for stored in await kit.scheduler.lookup.jobs():
        assert not stored.job.created_by.is_admin
        reaches_out = "evil" in str(stored.job)
        assert not reaches_out or stored.state.status is JobStatus.PAUSED
    assert (await service.parked.approvals.get("apr-waiting")).status == "pending"
    assert service.registry.get("a").rules.limits == RunLimits(tokens=1_000, requests=2)
    assert (await kit.injector.run("scheduler", {"operation": "status"})).data["running"]
