"""``python -m agentoolkit.agents.tool_costs``: what each tool costs a model that is offered it, about four characters a token."""

from __future__ import annotations

import json
import sys

from agentool.toolset import AgenToolset
from agentoolkit.agents.scheduling import INSTRUCTIONS, five_tools
from agentoolkit.wiring import Toolkit

CHARACTERS_A_TOKEN = 4
MAX_FIVE_TOOLS = 900
"""Tokens that the five tools for scheduling may cost together."""
MAX_INSTRUCTIONS = 120


def tokens(text: str) -> int:
    """Estimate the tokens of a text."""
    return -(-len(text) // CHARACTERS_A_TOKEN)


def sizes(toolset: AgenToolset) -> dict[str, int]:
    """Return the tokens of each tool: its name, its description and the schema of its arguments."""
    return {
        name: tokens(
            json.dumps(
                {"name": name, "description": tool.definition.description, "parameters": tool.definition.parameters_json_schema},
                ensure_ascii=False,
                separators=(",", ":"),
            )
        )
        for name, tool in toolset.flat_tools().items()
    }


def main() -> None:
    """Print the sizes of the tools for scheduling, and of every operation of every AgenTool."""
    show("Scheduling", sizes(five_tools()), MAX_FIVE_TOOLS)
    sys.stdout.write(f"  instructions {tokens(INSTRUCTIONS):>6,} of {MAX_INSTRUCTIONS}\n")
    injector = Toolkit().injector
    for agentool in injector.catalog():
        show(agentool.name, sizes(AgenToolset(agentool.name, injector=injector)))


def show(title: str, each: dict[str, int], most: int | None = None) -> None:
    """Print the size of each tool and their sum."""
    sys.stdout.write(f"{title}: {sum(each.values()):,}{f' of {most}' if most else ''}\n")
    for name, size in each.items():
        sys.stdout.write(f"  {name:<32} {size:>6,}\n")


if __name__ == "__main__":
    main()
