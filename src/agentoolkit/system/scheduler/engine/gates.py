"""Asks a job's gate, an AgenTool, whether an execution may run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

from agentool.core.injector import Injector
from agentool.errors import excerpt
from agentoolkit.system.scheduler.errors import GateFailed
from agentoolkit.system.scheduler.jobs import Gate

ANSWERS = ("passed", "value", "result")
"""Fields of an answer, and of its ``data``, in this order. The truth of the first one present decides."""
REASONS = ("reason", "message")


async def ask(gate: Gate, injector: Injector, fill: Callable[[Mapping[str, Any]], Awaitable[Any]]) -> str:
    """Return the reason why an execution may not run; empty if it may.

    Args:
        gate: The AgenTool to ask, and its input.
        injector: Runs the AgenTool.
        fill: Resolves the references of the input.

    Raises:
        GateFailed: The gate raised, or answered with neither a bool nor one of the fields `ANSWERS`.
    """
    name = gate["agentool_name"]
    try:
        answer: Any = await injector.run(name, await fill(gate["input_data"]))
    except Exception as error:
        raise GateFailed(f"Gate {name!r} failed: {error}", field="gate", value=gate) from error
    nothing = object()
    passed = answer if isinstance(answer, bool) else _field(answer, ANSWERS, nothing)
    if passed is nothing:
        remedy = f"Let it answer with a bool, or with one of {', '.join(ANSWERS)}."
        raise GateFailed(f"Gate {name!r} answered {excerpt(answer)}, which is neither yes nor no.", field="gate", remedy=remedy)
    if passed:
        return ""
    reason = _field(answer, REASONS, "")
    return f"its gate {name!r} did not pass" + (f": {reason}" if isinstance(reason, str) and reason else "")


def _field(answer: Any, names: tuple[str, ...], default: object) -> object:
    """Return the first of the named fields that is present in the answer or in its ``data``."""
    for held in (answer, _held(answer).get("data")):
        fields = _held(held)
        for name in names:
            if name in fields:
                return fields[name]
    return default


def _held(answer: Any) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", answer) if isinstance(answer, Mapping) else getattr(answer, "__dict__", {})
