"""``agentool tools``."""

from __future__ import annotations

import json as json_text
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from agentoolkit.entrypoints.cli.options import Json

if TYPE_CHECKING:
    from agentool.describe import FieldDescription, OperationDescription, ToolDescription


def tools(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Only this one, in detail.", show_default=False)] = None,
    json: Json = False,
) -> None:
    """Show what can be scheduled: every AgenTool with its operations, their fields and an example."""
    from agentool.describe import describe
    from agentoolkit.entrypoints.cli.opening import settings_for
    from agentoolkit.entrypoints.cli.printing import print_json
    from agentoolkit.wiring import Toolkit

    injector = Toolkit(settings_for(memory=True)).injector
    chosen = [describe(agentool) for agentool in ([injector.get(name)] if name else injector.catalog())]
    if json:
        print_json([_as_json(tool) for tool in chosen])
    elif name:
        _print_tool(chosen[0])
    else:
        _print_overview(chosen)


def _as_json(tool: ToolDescription) -> dict[str, Any]:
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


def _print_overview(tools: Sequence[ToolDescription]) -> None:
    from agentoolkit.entrypoints.cli.printing import print_table, say

    for tool in tools:
        say(Text.assemble((tool.name, "bold"), f"  {tool.description}"))
        print_table([_row(operation) for operation in tool.operations], indent=2)
        if tool.examples:
            say(Text.assemble(("  example  ", "dim"), json_text.dumps(tool.examples[0], ensure_ascii=False)))
        say("")
    say(Text("`agentool tools NAME` shows one in detail.", "dim"))


def _print_tool(tool: ToolDescription) -> None:
    from agentoolkit.entrypoints.cli.printing import print_table, say

    say(Text.assemble((tool.name, "bold"), f"  {tool.description}"))
    for operation in tool.operations:
        say("")
        say(Text.assemble((f"{operation.name}", "bold"), f"  {operation.description}"))
        fields = sorted(operation.fields, key=lambda field: (not field.required, field.name))
        print_table([(field.name, "required" if field.required else "", field.type_words, _described(field)) for field in fields], indent=2)
    for example in tool.examples:
        say("")
        say(Text.assemble(("example  ", "dim"), json_text.dumps(example, ensure_ascii=False)))


def _row(operation: OperationDescription) -> tuple[str | Text, ...]:
    needed, optional = ", ".join(sorted(operation.required)), ", ".join(sorted(operation.optional))
    return Text(operation.name, "green"), needed or "-", Text(f"[{optional}]" if optional else "", "dim")


def _described(field: FieldDescription) -> str:
    """Return a field's description, and its default where it has one that says something."""
    said = "" if field.default in (None, "", [], {}) else f"default {json_text.dumps(field.default, ensure_ascii=False)}"
    return "; ".join(part for part in (field.description, said) if part)
