"""A whole day in moved time, in which handlers use programs, answers over the network, threads, processes and a model."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from pydantic_ai import Agent
from pydantic_ai.models.test import TestModel

from agentoolkit.actions.agent import register_agent
from agentoolkit.settings import Settings
from agentoolkit.testing import TestToolkit, toolkit

HOURS = 24
CALLS: dict[str, dict[str, Any]] = {
    "shell": {"operation": "run", "command": [sys.executable, "-S", "-c", "print(1)"]},
    "function": {"operation": "call", "function": "time:sleep", "args": [0.01]},
    "templates": {"operation": "render", "template": "{{ 1 + 1 }}"},
    "agent": {"operation": "run", "agent": "reporter", "prompt": "Is there anything new?"},
}


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    await asyncio.sleep(0.01)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
    await writer.drain()
    writer.close()


async def _day(kit: TestToolkit, calls: dict[str, dict[str, Any]]) -> dict[str, Counter[str]]:
    """Make each call once an hour for a day, and count how its executions ended."""
    for name, call in calls.items():
        job = {"job_id": name, "schedule": "1 hour", "agentool_name": name, "input_data": call, "timeout": 30}
        await kit.injector.run("scheduler", {"operation": "schedule", **job})
    await kit.advance(hours=HOURS)
    return {name: Counter(row.status.value for row in await kit.scheduler.store.executions(name, 100)) for name in calls}


async def test_a_day_of_real_work_sees_no_false_timeout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of 24 hourly calls of every kind succeeds, and no file is made in the home or the working folder."""
    home, here = tmp_path / "home", tmp_path / "here"
    for folder in (home, here):
        folder.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("AGENTOOL_DATABASE", str(home / "real.db"))
    monkeypatch.chdir(here)
    settings = Settings(timezone="UTC", programs=(sys.executable,), functions=("time",), http={"allow": ["127.0.0.1"]})
    async with await asyncio.start_server(_answer, "127.0.0.1", 0) as server, toolkit(settings=settings) as kit:
        register_agent("reporter", Agent(TestModel(call_tools=[])))
        address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        ended = await _day(kit, {**CALLS, "http": {"operation": "request", "url": address}})
    assert ended == {name: Counter(success=HOURS) for name in (*CALLS, "http")}
    assert list(home.rglob("*")) == list(here.rglob("*")) == []
