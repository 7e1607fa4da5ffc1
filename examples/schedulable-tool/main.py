"""A tool of an MCP server that runs at once or schedules itself, as its caller says."""

from __future__ import annotations

import asyncio

from mcp import Client
from mcp.server import MCPServer

from agentoolkit import scheduled_tool
from agentoolkit.entrypoints.background import BackgroundToolkit
from agentoolkit.settings import Settings

mcp = MCPServer("hello")
kit = BackgroundToolkit(Settings.from_values({"timezone": "Europe/Berlin"}))


@mcp.tool()
@scheduled_tool(kit=kit, max_retries=3, retry_backoff=True)
async def greet(name: str) -> str:
    """Generate a greeting message for the given name.

    Args:
        name: The name to include in the greeting
    """
    return f"hello {name}"


async def main() -> None:
    """Call it three times."""
    async with Client(mcp) as client:
        for more in ({}, {"datetime": "2030-12-31T09:00:00"}, {"datetime": "some day"}):
            print((await client.call_tool("greet", {"name": "World", **more})).content[0].text)
    kit.stop()


if __name__ == "__main__":
    asyncio.run(main())
