"""An MCP server for the tests, over its standard input and output or, given a port, over HTTP."""

import asyncio
import sys

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import BaseModel

server = MCPServer("time")


class Moment(BaseModel):
    timezone: str
    time: str


@server.tool()
def get_current_time(timezone: str = "UTC") -> Moment:
    """Tell the time in a zone."""
    return Moment(timezone=timezone, time="12:00")


@server.tool(structured_output=False)
def say(text: str) -> str:
    """Say something."""
    return text


@server.tool()
def fail() -> str:
    """Fail."""
    raise ToolError("the clock stands still")


@server.tool()
async def sleep() -> str:
    """Sleep for a minute."""
    await asyncio.sleep(60)
    return "awake"


if __name__ == "__main__":
    if len(sys.argv) > 1:
        server.run("streamable-http", port=int(sys.argv[1]))
    else:
        server.run()
