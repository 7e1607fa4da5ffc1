"""The AgenTools, and the doors to them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agentoolkit.entrypoints.background import background
    from agentoolkit.entrypoints.scheduled_tool import scheduled_tool
    from agentoolkit.wiring import Toolkit

_PLACES = {
    "Toolkit": "agentoolkit.wiring",
    "background": "agentoolkit.entrypoints.background",
    "scheduled_tool": "agentoolkit.entrypoints.scheduled_tool",
}
"""Names that are imported when they are first asked for."""


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        return getattr(import_module(_PLACES[name]), name)
    raise AttributeError(f"module 'agentoolkit' has no attribute {name!r}")


__all__ = ["Toolkit", "background", "scheduled_tool"]
