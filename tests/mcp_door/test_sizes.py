"""What the tools cost a model that is offered them."""

from __future__ import annotations

from agentoolkit.agents.tool_costs import tokens
from agentoolkit.entrypoints.mcp_server.server import INSTRUCTIONS
from agentoolkit.entrypoints.mcp_server.tool_costs import MAX_TOOL, MAX_TOOLS, listed_size, sizes


def test_the_twelve_tools_keep_their_budget() -> None:
    """2,500 tokens together, titles and hints included, and none above 350."""
    each = sizes()
    assert len(each) == 12
    assert max(each.values()) <= MAX_TOOL
    assert sum(each.values()) <= MAX_TOOLS
    assert listed_size() <= MAX_TOOLS


def test_the_instructions_are_short() -> None:
    """They are sent with every conversation."""
    assert tokens(INSTRUCTIONS) <= 120
