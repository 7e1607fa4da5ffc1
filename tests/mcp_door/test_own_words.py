"""The twelve tools refuse in their own words, and take nothing for a text that is none."""

from __future__ import annotations

from typing import Any

import pytest
from tests.agents.test_scheduling_words import INNER
from tests.mcp_door.conftest import Connect, text_of
from tests.mcp_door.test_tools import STAND_UP

from agentool.caller import OWN, Caller
from agentool.errors import ConfigurationError
from agentoolkit.entrypoints.mcp_server.host import LoopHost
from agentoolkit.entrypoints.mcp_server.server import create_server
from agentoolkit.testing import TestToolkit

CONFIG = STAND_UP["config"]
DAILY = {**STAND_UP, "when": "every day at 9:00"}
EDIT = {"task_id": "stand up", "action": "edit"}


def misspelt(**config: Any) -> dict[str, Any]:
    return {**CONFIG, "input_data": {"operation": "send", "mesage": "Up"}, **config}


@pytest.mark.parametrize(
    ("tool", "arguments", "field"),
    [
        ("add_task", {**STAND_UP, "when": "yesterday"}, "when"),
        ("add_task", {**STAND_UP, "cron_expression": "61 * * * *"}, "cron_expression"),
        ("add_task", {**STAND_UP, "cron_expression": "tomorrow at 9:00"}, "cron_expression"),
        ("add_task", {**DAILY, "task_id": "a@b"}, "task_id"),
        ("add_task", {**STAND_UP, "when": "every day at 10:00"}, "task_id"),
        ("add_task", {**DAILY, "task_type": "shell"}, "task_type"),
        ("add_task", {**DAILY, "config": misspelt()}, "config.input_data.mesage"),
        ("add_task", {**DAILY, "config": {"agentool_name": "notifications"}}, "config.agentool_name"),
        ("add_task", {**DAILY, "task_type": "notification", "config": {"mesage": "Up"}}, "config.mesage"),
        ("add_task", {**DAILY, "config": {"command": "never-allowed"}}, "config.command"),
        ("change_task", {**EDIT, "until": "yesterday"}, "until"),
        ("change_task", {**EDIT, "when": "yesterday"}, "when"),
        ("change_task", {**EDIT, "config": misspelt()}, "config.input_data.mesage"),
        ("change_task", {"task_id": "stand up", "action": "pause", "until": "yesterday"}, "until"),
        ("preview", {"when": "61 * * * *"}, "when"),
        ("history", {"task_id": "stnd up"}, "task_id"),
    ],
)
async def test_a_refusal_names_the_argument_of_the_tool(connect: Connect, tool: str, arguments: dict[str, Any], field: str) -> None:
    """And sends to nothing that a client's model does not have."""
    async with connect() as client:
        await client.call_tool("scheduler_add_task", DAILY)
        refused = await client.call_tool(f"scheduler_{tool}", arguments)
    said = text_of(refused).partition(" Right: ")[0]
    assert refused.is_error
    assert said.startswith(f"{field}: "), said
    inner = [word for word in INNER if word in said.replace("config.input_data", "").replace("config.agentool_name", "")]
    assert not inner, said


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"prompt": None}, "config.prompt"),
        ({"prompt": ["sum", "mail"]}, "config.prompt"),
        ({"prompt": "   "}, "config.prompt"),
        ({"agentool_name": None}, "config.agentool_name"),
        ({"command": None}, "config.command"),
        ({"command": ["true"]}, "config.command"),
    ],
)
async def test_what_is_no_text_is_taken_for_none(connect: Connect, kit: TestToolkit, config: dict[str, Any], field: str) -> None:
    """``null`` is no prompt to pay for each day."""
    async with connect() as client:
        added = await client.call_tool("scheduler_add_task", {**DAILY, "config": config})
    assert added.is_error
    assert text_of(added).startswith(f"{field}: "), text_of(added)
    assert not await kit.scheduler.lookup.jobs()


async def test_until_today_is_the_end_of_today(connect: Connect) -> None:
    """For an edit as for a pause."""
    async with connect() as client:
        await client.call_tool("scheduler_add_task", {**STAND_UP, "when": "every hour"})
        edited = await client.call_tool("scheduler_change_task", {**EDIT, "until": "today"})
        paused = await client.call_tool("scheduler_change_task", {"task_id": "stand up", "action": "pause", "until": "today"})
    assert not edited.is_error, text_of(edited)
    assert text_of(paused).startswith("Paused 'stand up' until Sun 2026-11-29 23:59.")


async def test_the_status_says_that_it_counts_everybodys_tasks(connect: Connect) -> None:
    """Who has none is not told of another's as of their own."""
    async with connect() as client:
        await client.call_tool("scheduler_add_task", DAILY)
    async with connect(caller=Caller("bob", "mcp", OWN)) as client:
        for tool in ("scheduler_get_status", "scheduler_daemon_status"):
            assert "tasks of all users" in text_of(await client.call_tool(tool, {}))


def test_a_zone_that_does_not_exist_is_refused_before_anything_is_served(kit: TestToolkit) -> None:
    """The nearest is named."""
    with pytest.raises(ConfigurationError, match="Did you mean 'Europe/Berlin'"):
        create_server(LoopHost(kit), lambda: Caller("maria", "mcp", OWN), timezone="Europe/Belrin")
