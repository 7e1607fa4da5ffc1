"""Decorators in the other order: replace a function that its server has registered already by the schedulable one.

Servers cannot be asked for the tool of a function, so their tools are searched: on the given server, or on the servers in the
variables of the function's module and of the decorator's caller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from agentool.errors import ConfigurationError

Function = Callable[..., Any]


def adopt(plain: Function, schedulable: Function, server: object | None, visible: Iterable[Mapping[str, Any]]) -> bool:
    """Replace a plain function by the schedulable one on the server that has it as a tool.

    Args:
        plain: The function as written.
        schedulable: Its replacement.
        server: The server; None: search `visible`.
        visible: Variables that may have servers.

    Returns:
        True if a server had the function.

    Raises:
        ConfigurationError: The given server does not have the function.
    """
    if server is not None:
        if _replace(server, plain, schedulable):
            return True
        problem = f"The server does not have {plain.__name__!r} as a tool."
        raise ConfigurationError(problem, field="server", remedy="Put @scheduled_tool(server=…) above @server.tool(), or leave server out.")
    servers = {id(value): value for names in visible for value in names.values() if _is_server(value)}
    replaced = [_replace(each, plain, schedulable) for each in servers.values()]
    return any(replaced)


def _is_server(value: object) -> bool:
    kinds = {f"{kind.__module__.partition('.')[0]}.{kind.__name__}" for kind in type(value).__mro__}
    return bool(kinds & {"mcp.MCPServer", "fastmcp.FastMCP"})


def _replace(server: Any, plain: Function, schedulable: Function) -> bool:
    manager = getattr(server, "_tool_manager", None)
    return _in_sdk(server, manager, plain, schedulable) if manager is not None else _in_fastmcp(server, plain, schedulable)


def _in_sdk(server: Any, manager: Any, plain: Function, schedulable: Function) -> bool:
    """Replace a tool of the SDK's server, and keep its name, title, description and hints."""
    for tool in manager.list_tools():
        if tool.fn is plain:
            server.remove_tool(tool.name)
            server.add_tool(
                schedulable,
                name=tool.name,
                title=tool.title,
                description=tool.description or None,
                annotations=tool.annotations,
                icons=tool.icons,
                meta=tool.meta,
            )
            return True
    return False


def _in_fastmcp(server: Any, plain: Function, schedulable: Function) -> bool:
    """Replace a tool of fastmcp's server, and keep its declaration."""
    provider = server.local_provider
    for tool in [*provider._components.values()]:
        if getattr(tool, "fn", None) is plain:
            provider.remove_tool(tool.name)
            declared = {"title": tool.title, "description": tool.description, "annotations": tool.annotations}
            server.tool(schedulable, name=tool.name, icons=tool.icons, tags=tool.tags or None, meta=tool.meta, **declared)
            return True
    return False
