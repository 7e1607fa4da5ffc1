"""Which AgenTools an input names, so that a person approves all that it calls."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import cast

from agentool.references import PREFIX, STEP_PREFIX, named_by, references_in

UNTOLD = "what its input does not name"
"""Stands for AgenTools that are known only at the run: named by a reference, or by a task type of the application."""
_TASK_TYPES = {"mcp_tool": "mcp", "shell_command": "shell"}
"""Task types of sequences with another name than their AgenTool. Source: *Nagatha Assistant Task Scheduler*."""
_SAME_NAME = frozenset({"agent", "agentool", "function", "http", "notification", "plugin_command", "sequence"})
"""Task types that call the AgenTool of the same name, or one that their arguments name."""
_NAMING = frozenset({"agentool_name", "type", "plugin_name"})
_CALLING = frozenset({"steps", "task_definitions", "compensate", "only_if_changed", "gate", "args", "arguments", "input_data"})
"""Fields that hold calls, or the input of a call."""
_EXECUTES = "auto_execute"
"""Field of the AgenTool `queue`: it runs calls from messages, which are unknown before."""


def names_in(agentool_name: str, input_data: object) -> Iterator[str]:
    """Yield the names of all AgenTools that a call with this input calls, and `UNTOLD` for those that only the run knows."""
    yield agentool_name
    pending: list[object] = [input_data]
    while pending:
        held = pending.pop()
        if isinstance(held, Mapping):
            fields = cast("Mapping[str, object]", held)
            for key, value in fields.items():
                yield from _named(key, value, is_task="args" in fields)
                pending.append(value)
        elif isinstance(held, (list, tuple)):
            pending.extend(cast("Iterable[object]", held))
        elif isinstance(held, str):  # looking a value up is a call as well
            yield from (named_by(reference)[0] for reference in references_in(held))


def _named(key: str, value: object, *, is_task: bool) -> Iterator[str]:
    """Yield the AgenTools that one field names."""
    if key in _CALLING:
        inside = cast("Sequence[object]", value) if isinstance(value, (list, tuple)) else (value,)
        if any(_is_reference(each) for each in inside):
            yield UNTOLD
    elif key == _EXECUTES:
        if value is not False:
            yield UNTOLD
    elif key in _NAMING and isinstance(value, str):
        yield _TASK_TYPES.get(value, value)
        if _is_reference(value) or (is_task and key == "type" and value not in _TASK_TYPES and value not in _SAME_NAME):
            yield UNTOLD


def _is_reference(value: object) -> bool:
    return isinstance(value, str) and (PREFIX in value or STEP_PREFIX in value)
