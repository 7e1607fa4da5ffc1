"""Arguments that a tool does not have, where its server leaves them out without a word: ``schedul`` would run the tool at once.

Only the SDK's server does so; fastmcp and pydantic-ai refuse them themselves.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from typing import Any

from agentool.flat_calls import check_arguments

CONTEXT = "agentool_context"
"""Name under which the server hands over its context. It is in no signature, so no model sees it."""
_SERVER = "mcp.server.mcpserver"


def ask_for_context(tool: Any) -> None:
    """Let the SDK's server, where it is loaded, hand its context to this tool: it looks for who wants it among the annotations."""
    if _SERVER in sys.modules:
        tool.__annotations__[CONTEXT] = sys.modules[_SERVER].Context


def refuse_unknown(tool: Any, known: Collection[str], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a call without what was asked for here. Raises `InvalidInput` for what a client gave besides."""
    if _SERVER in sys.modules:
        kind = sys.modules[_SERVER].Context
        for context in [value for value in given.values() if isinstance(value, kind)]:
            check_arguments(known, _sent(context, tool))
    return {name: value for name, value in given.items() if name != CONTEXT}


def _sent(context: Any, tool: Any) -> dict[str, Any]:
    """Return what a client sent to this tool; nothing if another one was called, which called this one."""
    try:
        request: Mapping[str, Any] = context.request_context.params or {}
        called = context.mcp_server._tool_manager.get_tool(request.get("name"))
    except ValueError:  # the program itself called it, without a request
        return {}
    return dict(request.get("arguments") or {}) if called is not None and called.fn is tool else {}
