"""The parts of the pages in docs/agentoolkits that are made from the program: operations, fields and answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from agentool import AgenTool
from agentool.describe import FieldDescription, ToolDescription, describe, describe_fields

from .cells import cell, default, taken

HOW = "made by `REGENERATE_DOCS=1 pytest tests/docs/test_tool_pages.py`"
_PART = re.compile(rf"(?P<head><!-- (?P<name>\w+): {re.escape(HOW)} -->\n).*?(?P<end><!-- end of (?P=name) -->)", re.DOTALL)


def parts_of(text: str) -> list[str]:
    """Return the names of the parts of a page that are made from the program."""
    return [found["name"] for found in _PART.finditer(text)]


def page(text: str, agentool: AgenTool[Any]) -> str:
    """Return a page with these parts as the program has them."""
    return _PART.sub(lambda found: found["head"] + _PARTS[found["name"]](agentool) + "\n" + found["end"], text)


def _operations(agentool: AgenTool[Any]) -> str:
    rows = [(f"`{one.name}`", cell(one.description), _names(one.required) or "-") for one in describe(agentool).operations]
    return _table(("Operation", "Description", "Required fields"), rows)


def _fields(agentool: AgenTool[Any]) -> str:
    tool = describe(agentool)
    described = tool.fields()
    fields = [described[name] for name in agentool.input_type.model_fields if name in described]
    head = ("Field", "Type", "Default", "Description", "Operations")
    rows = [(f"`{field.name}`", taken(field), default(field), cell(field.description), _takers(field, tool)) for field in fields]
    shown = len(head) if len(tool.operations) > 1 else len(head) - 1
    return _table(head[:shown], [row[:shown] for row in rows])


def _takers(field: FieldDescription, tool: ToolDescription) -> str:
    takers = [one.name for one in tool.operations if field.name in one.required + one.optional]
    return "all" if len(takers) == len(tool.operations) else _names(takers)


def _answers(agentool: AgenTool[Any]) -> str:
    by_model: dict[type[BaseModel], list[str]] = {}
    for operation in agentool.operations.values():
        by_model.setdefault(operation.output_type, []).append(operation.name)
    return "\n".join(f"- {', '.join(f'**{name}**' for name in names)}: {', '.join(_facts(model))}" for model, names in by_model.items())


def _facts(model: type[BaseModel]) -> Iterator[str]:
    """Yield each field of an answer with its description, and of a list of objects their fields."""
    for field in describe_fields(model):
        inside: Mapping[str, Any] = field.schema.get("items", {}).get("properties", {})
        about = "; ".join(filter(None, [_in_a_sentence(field.description), inside and f"each with {_names(inside)}"]))
        yield f"`{field.name}`" + (f" ({about})" if about else "")


def _in_a_sentence(text: str) -> str:
    return text[:1].lower() + text[1:] if text[1:2].islower() else text


def _names(names: Any) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, tuple("---" for _ in head), *rows))


_PARTS: Mapping[str, Callable[[AgenTool[Any]], str]] = {"operations": _operations, "fields": _fields, "answers": _answers}
