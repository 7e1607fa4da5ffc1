"""Calls tools of MCP servers that the application has set up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, Field

from agentool.agentool import AgenTool, create_agentool
from agentool.base import BaseOperationInput
from agentool.context import RunContext
from agentool.core.injector import Injector
from agentool.errors import InvalidInput, did_you_mean, excerpt
from agentoolkit.actions.mcp_servers import McpConnections, require_mcp
from agentoolkit.settings import McpServer, McpSettings


class McpInput(BaseOperationInput):
    """Input of the mcp AgenTool."""

    operation: Literal["list_servers", "list_tools", "call"]
    server_name: str | None = Field(None, description="A name from the setting `mcp_servers`")
    tool_name: str | None = Field(None, description="A tool of that server")
    arguments: dict[str, Any] | None = Field(None, description="What the tool is called with; nothing by default")
    timeout: float | None = Field(None, gt=0, description="Seconds, at most and by default the setting's")


class ServerInfo(BaseModel):
    """A server, without what it is reached with."""

    server_name: str
    transport: Literal["stdio", "http"]


class McpServerList(BaseModel):
    """Answer to ``list_servers``."""

    servers: list[ServerInfo]


class ToolInfo(BaseModel):
    """A tool of a server."""

    name: str
    description: str
    input_schema: dict[str, Any]


class McpToolList(BaseModel):
    """Answer to ``list_tools``."""

    server_name: str
    tools: list[ToolInfo]


class McpResult(BaseModel):
    """Answer to ``call``."""

    server_name: str
    tool_name: str
    data: Any = Field(default=None, description="The structured result, if the tool has one")
    text: str = Field(description="All text that was returned")
    content: list[dict[str, Any]] = Field(description="All that was returned, images and links too, as MCP has it")


async def mcp_list_servers(ctx: RunContext[McpConnections]) -> McpServerList:
    """List the servers that are set up."""
    servers = sorted(ctx.deps.servers.items())
    return McpServerList(servers=[ServerInfo(server_name=name, transport="stdio" if found.command else "http") for name, found in servers])


async def mcp_list_tools(ctx: RunContext[McpConnections], server_name: str) -> McpToolList:
    """List the tools of a server.

    Raises:
        McpFailed, McpTimedOut: The server cannot be reached.
        InvalidInput: There is none of this name.
    """
    check_server(ctx.deps.servers, server_name)
    tools = [ToolInfo(**tool) for tool in await ctx.deps.tools(server_name)]
    return McpToolList(server_name=server_name, tools=tools)


async def mcp_call(
    ctx: RunContext[McpConnections],
    server_name: str,
    tool_name: str,
    arguments: dict[str, Any] | None = None,
    timeout: float | None = None,
) -> McpResult:
    """Call a tool and return its result.

    Raises:
        McpToolFailed: The tool failed, with the server's own text.
        McpFailed, McpTimedOut: The server cannot be reached, or refused the call.
        InvalidInput: There is no such server.
    """
    check_server(ctx.deps.servers, server_name)
    answer = await ctx.deps.call(server_name, tool_name, arguments or {}, timeout)
    return McpResult(server_name=server_name, tool_name=tool_name, data=answer.structured, text=answer.text, content=answer.content)


def check_server(servers: Mapping[str, McpServer], name: str) -> None:
    """Refuse a server that is not set up. Raises `InvalidInput`."""
    if name not in servers:
        remedy = did_you_mean(name, servers) or "Name one in the setting `mcp_servers` (AGENTOOL_MCP_SERVERS)."
        raise InvalidInput(f"No MCP server is named {excerpt(name)}.", field="server_name", value=name, remedy=remedy)


def check_mcp(connections: McpConnections, call: McpInput) -> None:
    """Refuse what can be refused without connecting."""
    if call.server_name is not None:
        check_server(connections.servers, call.server_name)
        require_mcp()


def create_mcp_agent(
    settings: McpSettings | Mapping[str, McpServer] | None = None, *, injector: Injector | None = None
) -> AgenTool[McpConnections]:
    """Make the AgenTool ``mcp`` and register it.

    Args:
        settings: How servers are reached, by the names that calls use; none by default. A mapping alone is the servers.
        injector: Where to register; the current one by default.
    """
    settings = settings if isinstance(settings, McpSettings) else McpSettings(servers=dict(settings or {}))
    return create_agentool(
        "mcp",
        McpInput,
        {"list_servers": mcp_list_servers, "list_tools": mcp_list_tools, "call": mcp_call},
        deps=McpConnections(settings),
        description="Calls tools of MCP servers that the application has set up.",
        precheck=check_mcp,
        examples=({"operation": "call", "server_name": "time", "tool_name": "get_current_time", "arguments": {"timezone": "UTC"}},),
        injector=injector,
    )
