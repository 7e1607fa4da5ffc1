"""The AgenTools, and the doors to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentool.lazy_names import names_at_home

if TYPE_CHECKING:
    from agentoolkit.entrypoints.background import background
    from agentoolkit.entrypoints.scheduled_tool import scheduled_tool
    from agentoolkit.wiring import Toolkit

_HOMES = {
    "Toolkit": "agentoolkit.wiring",
    "background": "agentoolkit.entrypoints.background",
    "scheduled_tool": "agentoolkit.entrypoints.scheduled_tool",
}

__getattr__ = names_at_home(__name__, _HOMES)

__all__ = ["Toolkit", "background", "scheduled_tool"]
