"""Print the AgenTools, as `agentool.describe` describes them, for `agentool tools`."""

from __future__ import annotations

import json as json_text
from collections.abc import Sequence
from typing import Any

from rich.text import Text

from agentool.describe import FieldDescription, ToolDescription
from agentoolkit.entrypoints.cli.printing import print_table, say


def tool_json(tool: ToolDescription) -> dict[str, Any]:
    """Return the description of an AgenTool as JSON values."""
    return {
        "name": tool.name,
        "description": tool.description,
        "operations": [
            {
                "name": operation.name,
                "description": operation.description,
                "required": sorted(operation.required),
                "optional": sorted(operation.optional),
            }
            for operation in tool.operations
        ],
        "fields": {name: {"type": field.type_words, "description": _described(field)} for name, field in tool.fields().items()},
        "examples": [dict(example) for example in tool.examples],
    }


def print_overview(tools: Sequence[ToolDescription]) -> None:
    """Print each AgenTool with its operations and an example."""
    for tool in tools:
        say(Text.assemble((tool.name, "bold"), f"  {tool.description}"))
        rows: list[Sequence[str | Text]] = []
        for operation in tool.operations:
            needed, optional = ", ".join(sorted(operation.required)), ", ".join(sorted(operation.optional))
            rows.append((Text(operation.name, "green"), needed or "-", Text(f"[{optional}]" if optional else "", "dim")))
        print_table(rows, indent=2)
        if tool.examples:
            say(Text.assemble(("  example  ", "dim"), json_text.dumps(tool.examples[0], ensure_ascii=False)))
        say("")
    say(Text("`agentool tools NAME` shows one in detail.", "dim"))


def print_tool(tool: ToolDescription) -> None:
    """Print one AgenTool with every operation and every field."""
    say(Text.assemble((tool.name, "bold"), f"  {tool.description}"))
    for operation in tool.operations:
        say("")
        say(Text.assemble((f"{operation.name}", "bold"), f"  {operation.description}"))
        fields = sorted(operation.fields, key=lambda field: (not field.required, field.name))
        print_table([(field.name, "required" if field.required else "", field.type_words, _described(field)) for field in fields], indent=2)
    for example in tool.examples:
        say("")
        say(Text.assemble(("example  ", "dim"), json_text.dumps(example, ensure_ascii=False)))


def _described(field: FieldDescription) -> str:
    """Return a field's description, and its default unless that is empty."""
    said = "" if field.default in (None, "", [], {}) else f"default {json_text.dumps(field.default, ensure_ascii=False)}"
    return "; ".join(part for part in (field.description, said) if part)
