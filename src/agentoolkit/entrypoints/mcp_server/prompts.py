"""The prompt ``schedule``, which a person picks in a client: preview a described task, then schedule it."""

from __future__ import annotations

from typing import Any

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS

NAME = "schedule"
_ARGUMENT = "request"
_TEXT = (
    "Schedule this for me: {request}\n\nFirst look with scheduler_list_tasks whether it is there already, and with scheduler_preview how "
    "the time is read. Tell me the reading, the zone and the next runs, and schedule it when I agree."
)


async def list_prompts(ctx: ServerRequestContext[Any, Any], params: types.PaginatedRequestParams | None) -> types.ListPromptsResult:
    """Return the prompt."""
    argument = types.PromptArgument(name=_ARGUMENT, description="What to do, and when", required=True)
    prompt = types.Prompt(name=NAME, title="Schedule something", description="Schedule it after a preview", arguments=[argument])
    return types.ListPromptsResult(prompts=[prompt])


async def get_prompt(ctx: ServerRequestContext[Any, Any], params: types.GetPromptRequestParams) -> types.GetPromptResult:
    """Return the prompt's text. Raises `MCPError` for another name, or without a request."""
    if params.name != NAME:
        raise MCPError(INVALID_PARAMS, f"No prompt is named {params.name!r}; there is {NAME!r}.")
    request = (params.arguments or {}).get(_ARGUMENT, "").strip()
    if not request:
        raise MCPError(INVALID_PARAMS, f"{_ARGUMENT}: The argument is needed. Say what to do, and when.")
    text = types.TextContent(type="text", text=_TEXT.format(request=request))
    return types.GetPromptResult(messages=[types.PromptMessage(role="user", content=text)])
