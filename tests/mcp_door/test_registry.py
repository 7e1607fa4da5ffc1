"""The registry of tools: the examples of *Scheduler Daemon Implementation*, as they are printed, in a program without a protocol."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentool import UnknownAgenTool
from agentool.caller import OWN, Caller, acting_as
from agentoolkit.entrypoints.mcp_server.registry import ToolRefused, ToolRegistry
from agentoolkit.settings import Settings

EXAMPLES: tuple[dict[str, Any], ...] = (
    {"tool": "scheduler_daemon_status", "arguments": {}},
    {
        "tool": "scheduler_add_task",
        "arguments": {
            "task_id": "daily_cleanup",
            "task_type": "custom",
            "priority": "medium",
            "cron_expression": "0 3 * * *",
            "config": {"command": "cleanup.sh"},
            "description": "Daily cleanup at 3 AM",
        },
    },
    {"tool": "scheduler_stop_daemon", "arguments": {}},
    {"tool": "scheduler_restart_daemon", "arguments": {}},
)
"""*Via MCP Tools*, as written."""


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ToolRegistry]:
    """A registry that may run the script of the example."""
    script = tmp_path / "cleanup.sh"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    registry = ToolRegistry(Settings.from_values({"timezone": "UTC", "programs": ("cleanup.sh",)}))
    yield registry
    registry.close()


async def test_via_mcp_tools(registry: ToolRegistry) -> None:
    """The four calls, one after the other: it runs by itself, takes the task, stops, and runs again with the task kept."""
    answers = [await registry.execute(example["tool"], example["arguments"]) for example in EXAMPLES]
    assert [answer.get("running") for answer in answers] == [True, None, False, True]
    assert (answers[0]["thread"], answers[3]["queue"]["tasks"]) == ("alive", 1)
    assert (await registry.execute("scheduler_get_task", {"task_id": "daily_cleanup"}))["info"]["schedule"] == "0 3 * * *"


async def test_troubleshooting(registry: ToolRegistry) -> None:
    """*Check if daemon is running*, *Daemon not running*, *Restart daemon*."""
    await registry.execute("scheduler_stop_daemon", {})
    assert (await registry.execute("scheduler_daemon_status", {}))["running"] is False
    await registry.execute("scheduler_start_daemon", {})
    assert (await registry.execute("scheduler_daemon_status", {}))["running"] is True
    assert (await registry.execute("scheduler_restart_daemon", {}))["running"] is True


async def test_code_that_removes_a_task_is_not_asked(registry: ToolRegistry) -> None:
    """There is nobody to ask, and whoever wrote the code meant it."""
    await registry.execute("scheduler_add_task", EXAMPLES[1]["arguments"])
    await registry.execute("scheduler_remove_task", {"task_id": "daily_cleanup"})
    assert (await registry.execute("scheduler_list_tasks"))["tasks"] == []


@pytest.mark.parametrize(
    ("name", "arguments", "error", "said"),
    [
        ("scheduler_get_task", {"task_id": "nothing"}, ToolRefused, "No task of yours is named 'nothing'"),
        ("scheduler_add_task", {"tz": "UTC"}, ToolRefused, "tz"),
        ("scheduler_daemon_state", {}, UnknownAgenTool, "scheduler_daemon_status"),
    ],
)
async def test_what_is_not_done_is_an_error(
    registry: ToolRegistry, name: str, arguments: dict[str, Any], error: type[Exception], said: str
) -> None:
    """An answer is never a text that only looks like one."""
    with pytest.raises(error, match=said):
        await registry.execute(name, arguments)


@pytest.mark.parametrize("named", [False, True])
async def test_tasks_survive_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: bool) -> None:
    """*Persistent - Tasks survive restarts*: the registry as written keeps them, where the command line does or a setting says."""
    monkeypatch.setenv("AGENTOOL_HOME", str(tmp_path / "home"))
    database = tmp_path / ("own.db" if named else "home/agentool.db")
    if named:
        monkeypatch.setenv("AGENTOOL_DATABASE", str(database))
    monkeypatch.setenv("AGENTOOL_PROGRAMS", "true")
    first = ToolRegistry()
    await first.execute("scheduler_add_task", {**EXAMPLES[1]["arguments"], "config": {"command": "true"}})
    first.close()
    again = ToolRegistry()
    try:
        kept = await again.execute("scheduler_get_task", {"task_id": "daily_cleanup"})
    finally:
        again.close()
    assert kept["info"]["schedule"] == "0 3 * * *"
    assert database.exists()


async def test_settings_that_are_given_hold_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever names no database in them keeps nothing, and no file is made."""
    monkeypatch.setenv("AGENTOOL_HOME", str(tmp_path / "home"))
    registry = ToolRegistry(Settings.from_values({"timezone": "UTC"}))
    registry.close()
    assert not (tmp_path / "home").exists()


async def test_a_caller_reaches_its_own_tasks(registry: ToolRegistry) -> None:
    """Whoever calls is who the caller is set to be, also across the thread."""
    with acting_as(Caller("maria", "code", OWN)):
        await registry.execute("scheduler_add_task", {**EXAMPLES[1]["arguments"], "task_id": "hers"})
    with acting_as(Caller("otto", "code", OWN)):
        assert (await registry.execute("scheduler_list_tasks"))["tasks"] == []
