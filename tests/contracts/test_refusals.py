"""Each refusal of the table at each door: it says what was given and the way out, and nothing changes."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextvars import ContextVar
from typing import Any

import pytest
from mcp import Client
from mcp_types import TextContent
from pydantic_ai import Agent
from tests.agents.scripts import scripted, told
from tests.contracts.refusals import NEW, REFUSALS, Refusal

from agentool import Injector
from agentool.caller import OWN, Caller, acting_as
from agentoolkit.agents.scheduling import Scheduling
from agentoolkit.entrypoints.mcp_server.host import LoopHost
from agentoolkit.entrypoints.mcp_server.server import create_server
from agentoolkit.settings import Settings
from agentoolkit.testing import ManualTime, TestToolkit

Door = Callable[[str, Mapping[str, Any]], Awaitable[str]]
"""Makes a call as maria, and returns what the door answers."""


async def model_door(tool: str, arguments: Mapping[str, Any]) -> str:
    """A language model calls the tool."""
    agent = Agent(scripted((tool, arguments), "sorry"), capabilities=[Scheduling(owner="maria")])
    return told((await agent.run("go")).all_messages())[-1]


MCP_TOOLS = {
    "schedule": "scheduler_add_task",
    "list_jobs": "scheduler_list_tasks",
    "get_job": "scheduler_get_task",
    "change_job": "scheduler_change_task",
    "cancel_job": "scheduler_remove_task",
}


async def mcp_door(tool: str, arguments: Mapping[str, Any]) -> str:
    """An MCP client calls the tool that does the same: a job is a task there, and what it calls is its config."""
    given = dict(arguments)
    if "name" in given:
        given["task_id"] = given.pop("name")
    if tool == "schedule":
        target = {"agentool_name": given.pop("tool", None), "input_data": given.pop("input", None)}
        given["config"] = {key: value for key, value in target.items() if value is not None}
    server = create_server(LoopHost(THE_KIT.get()), lambda: Caller("maria", "mcp", OWN))
    async with Client(server, mode="2026-07-28") as client:
        answer = await client.call_tool(MCP_TOOLS[tool], given)
    assert answer.is_error
    return "".join(part.text for part in answer.content if isinstance(part, TextContent))


DOORS: Mapping[str, Door] = {"model": model_door, "mcp": mcp_door}
NOUNS: Mapping[str, str] = {"model": "job", "mcp": "task"}
"""What a door calls a job."""
THE_KIT: ContextVar[TestToolkit] = ContextVar("the toolkit of the test")


@pytest.fixture
async def kit() -> AsyncIterator[TestToolkit]:
    """A toolkit with two jobs of maria's and one of paul's."""
    settings = Settings.from_values({"timezone": "Europe/Berlin"})
    async with TestToolkit(settings, ManualTime("2026-11-29T13:02:00+00:00"), Injector()) as kit:
        for owner, name in (("maria", "daily summary"), ("maria", "weekly summary"), ("paul", "secret plan")):
            await schedule(kit, owner, name)
        yield kit


async def schedule(kit: TestToolkit, owner: str, name: str) -> None:
    """Schedule a job of an owner's."""
    job = {"job_name": name, "schedule": "every day at 10:00", "agentool_name": NEW["tool"]}
    with acting_as(Caller(owner, "rest", OWN)):
        await kit.injector.run("scheduler", {"operation": "schedule", **job, "input_data": {"operation": "send", "message": name}})


async def everything(kit: TestToolkit) -> list[Any]:
    """Return every job with its definition, and every execution."""
    jobs = [(stored.job, stored.state) for stored in await kit.scheduler.lookup.jobs()]
    history = await kit.injector.run("scheduler", {"operation": "get_history"})
    return [*jobs, history.data]


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal.name)
async def test_a_refusal_says_the_way_out_and_changes_nothing(kit: TestToolkit, refusal: Refusal, door: str) -> None:
    """What was given and what would be right are in the answer, no library speaks, and all is as it was."""
    before = await everything(kit)
    THE_KIT.set(kit)
    answer = await DOORS[door](refusal.tool, refusal.arguments)
    says = [re.sub(r"(?<=No )job|(?<=fits 2 )job", NOUNS[door], text) for text in refusal.says]
    assert [text for text in says if text not in answer] == []
    assert "pydantic" not in answer
    assert "http" not in answer
    assert await everything(kit) == before
