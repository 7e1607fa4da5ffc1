"""Whatever a model gives as an argument, a tool answers: with a result or a refusal in our words, and with no other error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import pytest

from agentool import Injector
from agentool.caller import OWN, Caller, acting_as
from agentool.describe import describe
from agentool.errors import AgenToolError
from agentoolkit.agents.scheduling_tool import HANDLERS as HANDLERS_FOR_MODELS
from agentoolkit.agents.scheduling_tool import create_scheduling_tool
from agentoolkit.entrypoints.mcp_server.confirmation import ConfirmationNeeded
from agentoolkit.entrypoints.mcp_server.task_tools import TaskDesk
from agentoolkit.entrypoints.mcp_server.tools import HANDLERS, TaskTools
from agentoolkit.settings import Settings
from agentoolkit.testing import ManualTime, TestToolkit

RUBBISH: tuple[Any, ...] = (None, True, 0, -1, 1e308, 10**30, "", " ", "x", "\0", "!ref:x:y", [], ["x"], {}, {"x": {}}, {"operation": 1})
TARGET = {"agentool_name": "notification", "input_data": {"operation": "send", "message": "Up"}}
JOB = {"name": "stand up", "when": "every day at 9:00", "tool": "notification", "input": TARGET["input_data"]}
CONFIGS = [
    *({"agentool_name": value} for value in RUBBISH),
    *({**TARGET, "input_data": value} for value in RUBBISH),
    *({"prompt": value} for value in RUBBISH),
    *({"command": value} for value in RUBBISH),
]


@pytest.fixture
async def kit() -> Any:
    async with TestToolkit(Settings.from_values({"timezone": "UTC"}), ManualTime("2026-11-29T13:02:00+00:00"), Injector()) as kit:
        yield kit


def spoilt(right: Mapping[str, Any], names: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Return calls of which one argument is rubbish."""
    for name in names:
        for value in RUBBISH:
            yield {**right, name: value}


@pytest.mark.parametrize("tool", [f"scheduler_{name}" for name in HANDLERS])
async def test_an_mcp_tool_answers_to_rubbish(kit: TestToolkit, tool: str) -> None:
    """One argument of its example at a time."""
    tools = TaskTools(TaskDesk(kit.injector))
    operation = tools.operations[tool]
    calls = [*spoilt(operation.example or {}, operation.schema["properties"])]
    if tool in ("scheduler_add_task", "scheduler_change_task"):
        calls += [{**(operation.example or {}), "config": config} for config in CONFIGS]
    with acting_as(Caller("maria", "mcp", OWN)):
        for call in calls:
            try:
                answer = await tools.call(tool, call)
            except ConfirmationNeeded:
                continue
            assert answer.text, call
            assert "pydantic" not in answer.text


@pytest.mark.parametrize("tool", HANDLERS_FOR_MODELS)
async def test_a_tool_for_models_answers_to_rubbish(kit: TestToolkit, tool: str) -> None:
    """One argument of its example at a time; it does what it is asked, or raises an error that the toolset has words for."""
    home = Injector()
    operation = describe(create_scheduling_tool(home, calls=kit.injector)).operation(tool)
    right = JOB if tool == "schedule" else operation.example or {}
    with acting_as(Caller("maria", "agent", OWN)):
        for call in spoilt(right, operation.schema["properties"]):
            with suppress(AgenToolError):
                await home.run("scheduling", operation.call(call))
