"""Call tools of the application's MCP servers."""

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
    arguments: dict[str, Any] | None = Field(None, description="The tool's arguments; by default none")
    timeout: float | None = Field(None, gt=0, description="Seconds; at most, and by default, the setting's")


class ServerInfo(BaseModel):
    """A server, without its address and secrets."""

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
    text: str = Field(description="All returned text")
    content: list[dict[str, Any]] = Field(description="All returned content, images and links too, in MCP's own form")


async def mcp_list_servers(ctx: RunContext[McpConnections]) -> McpServerList:
    """List the configured servers."""
    servers = sorted(ctx.deps.servers.items())
    return McpServerList(servers=[ServerInfo(server_name=name, transport="stdio" if found.command else "http") for name, found in servers])


async def mcp_list_tools(ctx: RunContext[McpConnections], server_name: str) -> McpToolList:
    """List the tools of a server.

    Raises:
        McpFailed, McpTimedOut: The server cannot be reached.
        InvalidInput: No server has this name.
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
        InvalidInput: No server has this name.
    """
    check_server(ctx.deps.servers, server_name)
    answer = await ctx.deps.call(server_name, tool_name, arguments or {}, timeout)
    return McpResult(server_name=server_name, tool_name=tool_name, data=answer.structured, text=answer.text, content=answer.content)


def check_server(servers: Mapping[str, McpServer], name: str) -> None:
    """Refuse an unknown server. Raises `InvalidInput`."""
    if name not in servers:
        remedy = did_you_mean(name, servers) or "Name one in the setting `mcp_servers` (AGENTOOL_MCP_SERVERS)."
        raise InvalidInput(f"No MCP server is named {excerpt(name)}.", field="server_name", value=name, remedy=remedy)


def check_mcp(connections: McpConnections, call: McpInput) -> None:
    """Refuse a call, as far as that is possible without connecting."""
    if call.server_name is not None:
        check_server(connections.servers, call.server_name)
        require_mcp()


def create_mcp_agent(
    settings: McpSettings | Mapping[str, McpServer] | None = None, *, injector: Injector | None = None
) -> AgenTool[McpConnections]:
    """Create the AgenTool ``mcp`` and register it.

    Args:
        settings: Settings, or only a mapping of servers by name; by default no servers.
        injector: The injector to register in; by default the current one.
    """
    settings = settings if isinstance(settings, McpSettings) else McpSettings(servers=dict(settings or {}))
    return create_agentool(
        "mcp",
        McpInput,
        {"list_servers": mcp_list_servers, "list_tools": mcp_list_tools, "call": mcp_call},
        deps=McpConnections(settings),
        description="Calls tools of the application's MCP servers.",
        precheck=check_mcp,
        examples=({"operation": "call", "server_name": "time", "tool_name": "get_current_time", "arguments": {"timezone": "UTC"}},),
        injector=injector,
    )
