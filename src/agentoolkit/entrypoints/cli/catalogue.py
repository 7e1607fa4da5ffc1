"""AgenTools as their own input models and handlers describe them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text

from agentool.agentool import AgenTool
from agentoolkit.entrypoints.cli.printing import print_table, say


def described(agentool: AgenTool[Any]) -> dict[str, Any]:
    """Return everything that can be said of an AgenTool, as JSON values."""
    fields: Mapping[str, Any] = agentool.input_type.model_json_schema().get("properties", {})
    return {
        "name": agentool.name,
        "description": " ".join(agentool.description.split()),
        "operations": [
            {
                "name": operation.name,
                "description": operation.description.replace("``", ""),
                "required": sorted(operation.required),
                "optional": sorted(operation.fields - operation.required),
            }
            for operation in agentool.operations.values()
        ],
        "fields": {name: {"type": _kind(about), "description": _described(about)} for name, about in fields.items()},
        "examples": [dict(example) for example in agentool.examples],
    }


def print_overview(tools: Sequence[Mapping[str, Any]]) -> None:
    """Print each AgenTool with its operations and an example."""
    for tool in tools:
        say(Text.assemble((tool["name"], "bold"), f"  {tool['description']}"))
        print_table([_row(operation) for operation in tool["operations"]], indent=2)
        if tool["examples"]:
            say(Text.assemble(("  example  ", "dim"), json.dumps(tool["examples"][0], ensure_ascii=False)))
        say("")
    say(Text("`agentool tools NAME` shows one in detail.", "dim"))


def print_tool(tool: Mapping[str, Any]) -> None:
    """Print one AgenTool with every operation and every field."""
    say(Text.assemble((tool["name"], "bold"), f"  {tool['description']}"))
    for operation in tool["operations"]:
        say("")
        say(Text.assemble((f"{operation['name']}", "bold"), f"  {operation['description']}"))
        needed = [(name, "required", *_about(tool, name)) for name in operation["required"]]
        print_table([*needed, *[(name, "", *_about(tool, name)) for name in operation["optional"]]], indent=2)
    for example in tool["examples"]:
        say("")
        say(Text.assemble(("example  ", "dim"), json.dumps(example, ensure_ascii=False)))


def _row(operation: Mapping[str, Any]) -> tuple[str | Text, ...]:
    needed, optional = ", ".join(operation["required"]), ", ".join(operation["optional"])
    return Text(operation["name"], "green"), needed or "-", Text(f"[{optional}]" if optional else "", "dim")


def _about(tool: Mapping[str, Any], name: str) -> tuple[str, str]:
    return tool["fields"][name]["type"], tool["fields"][name]["description"]


def _described(about: Mapping[str, Any]) -> str:
    """Return a field's description, and its default where it has one that says something."""
    default = about.get("default")
    said = "" if default in (None, "", [], {}) else f"default {json.dumps(default, ensure_ascii=False)}"
    return "; ".join(part for part in (about.get("description", ""), said) if part)


def _kind(about: Mapping[str, Any]) -> str:
    """Write a JSON schema's type in a word or two."""
    if "anyOf" in about:
        return " or ".join(_kind(option) for option in about["anyOf"] if option.get("type") != "null")
    if "enum" in about:
        return "|".join(map(str, about["enum"]))
    if about.get("type") == "array":
        return f"list of {_kind(about.get('items', {}))}"
    return str(about.get("const", about.get("type", "any")))
