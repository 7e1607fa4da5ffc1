"""A server whose tools schedule themselves, ended and started again."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters
from tests.mcp_door.conftest import text_of
from tests.mcp_door.processes import SECONDS, environment

SERVER = """
from pathlib import Path

from mcp.server import MCPServer

from agentoolkit import scheduled_tool

mcp = MCPServer("hello")


{decorators}
async def greet(name: str) -> str:
    \"\"\"Generate a greeting message for the given name.

    Args:
        name: The name to include in the greeting

    Returns:
        A greeting message with the provided name
    \"\"\"
    Path({file!r}).write_text(f"hello {{name}}")
    return f"hello {{name}}"


mcp.run()
"""
ORDERS = {"below": "@mcp.tool()\n@scheduled_tool", "above": "@scheduled_tool\n@mcp.tool()"}


def wait_for(file: Path) -> str:
    """Return a file's text as soon as it has one."""
    deadline = time.monotonic() + SECONDS
    while not (file.exists() and file.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return file.read_text()


@pytest.mark.parametrize("order", ORDERS)
async def test_what_was_scheduled_runs_after_a_restart(tmp_path: Path, order: str) -> None:
    """The new server calls nothing: it finds the job of the old one, and the tool that the job calls."""
    greeted = tmp_path / "greeted"
    (tmp_path / "server.py").write_text(SERVER.format(decorators=ORDERS[order], file=str(greeted)))
    started = StdioServerParameters(command=sys.executable, args=[str(tmp_path / "server.py")], env=environment(tmp_path / "home"))
    async with Client(started) as client:
        scheduled = await client.call_tool("greet", {"name": "World", "datetime": "in 2 seconds"})
        assert "Scheduled 'greet'" in text_of(scheduled), text_of(scheduled)
    assert not greeted.exists()
    async with Client(started):
        assert await asyncio.to_thread(wait_for, greeted) == "hello World"
