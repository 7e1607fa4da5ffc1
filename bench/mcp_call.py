"""A call of a tool over MCP, in this process: ours beside a bare tool of the SDK that asks the scheduler the same."""

from __future__ import annotations

import time
from typing import Any

from mcp import Client
from mcp.server import MCPServer

from agentool.caller import OWN, Caller
from agentoolkit.entrypoints.mcp_server.host import LoopHost
from agentoolkit.entrypoints.mcp_server.server import create_server
from agentoolkit.settings import Settings
from agentoolkit.wiring import Toolkit
from bench.harness import Bar, Side, compare

CALLS = 300


async def microseconds(server: Any, name: str) -> float:
    """Return what one call takes."""
    async with Client(server) as client:
        await client.call_tool(name, {})
        began = time.perf_counter()
        for _ in range(CALLS):
            await client.call_tool(name, {})
        return (time.perf_counter() - began) / CALLS * 1e6


async def run() -> bool:
    async with Toolkit(Settings.from_values({"log_console": False})) as kit:
        bare = MCPServer("bare", log_level="ERROR")

        @bare.tool()
        async def status() -> dict[str, Any]:
            return (await kit.injector.run("scheduler", {"operation": "status"})).data

        ours = create_server(LoopHost(kit), lambda: Caller("maria", "mcp", OWN))
        return await compare(
            "One call of a tool over MCP",
            "µs",
            Side("scheduler_get_status", lambda: microseconds(ours, "scheduler_get_status")),
            Side("a bare tool of the SDK that asks the same", lambda: microseconds(bare, "status")),
            Bar("at most", 1.5),
        )
