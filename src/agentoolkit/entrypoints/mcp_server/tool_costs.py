"""``python -m agentoolkit.entrypoints.mcp_server.tool_costs``: count the tokens that the twelve tools take in a model's context."""

from __future__ import annotations

import json

from agentoolkit.agents.tool_costs import show, tokens
from agentoolkit.entrypoints.mcp_server.server import mcp_tools
from agentoolkit.entrypoints.mcp_server.task_tools import TaskDesk
from agentoolkit.entrypoints.mcp_server.tools import TaskTools

MAX_TOOLS = 2_500
"""Tokens that the twelve tools may take together."""
MAX_TOOL = 350


def sizes() -> dict[str, int]:
    """Return the tokens of each tool: its name, its description and the schema of its arguments."""
    described = [
        {"name": tool.name, "description": tool.description, "parameters": tool.input_schema} for tool in mcp_tools(TaskTools(TaskDesk()))
    ]
    return {str(tool["name"]): tokens(json.dumps(tool, ensure_ascii=False, separators=(",", ":"))) for tool in described}


def listed_size() -> int:
    """Return the tokens of the protocol's whole list of tools, with titles and hints."""
    return sum(tokens(tool.model_dump_json(by_alias=True, exclude_none=True)) for tool in mcp_tools(TaskTools(TaskDesk())))


if __name__ == "__main__":
    show("MCP", sizes(), MAX_TOOLS)
