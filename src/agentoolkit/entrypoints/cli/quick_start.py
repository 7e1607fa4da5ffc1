"""What makes commands start quickly: help without unused imports, and garbage that is collected seldom."""

from __future__ import annotations

import gc
import sys
from importlib import import_module
from types import ModuleType
from typing import Any

LOADING = 500_000
"""New objects between two collections of garbage. A command makes very many while it loads and for ten thousand jobs, and all stay."""

_USUAL_THRESHOLD = gc.get_threshold()

_UNUSED = {"rich.markdown": "Markdown", "rich.traceback": "Traceback"}
"""Modules that typer's help imports, half of its time, and this program's help does not use; each with the class that typer names."""


def collect_seldom() -> None:
    """Spend no time on garbage while a command loads."""
    gc.set_threshold(LOADING)


def collect_as_usual() -> None:
    """Undo `collect_seldom`: a process that runs for days makes garbage, and its pauses should be short."""
    gc.set_threshold(*_USUAL_THRESHOLD)


class _ImportedWhenUsed(type):
    """A class that is imported at its first call or attribute."""

    home: str

    def __call__(cls, *given: Any, **named: Any) -> Any:
        return getattr(import_module(cls.home), cls.__name__)(*given, **named)

    def __getattr__(cls, name: str) -> Any:
        return getattr(getattr(import_module(cls.home), cls.__name__), name)


def import_help() -> None:
    """Import typer's help without the unused modules. Other code that uses them later gets the real ones."""
    absent = [module for module in _UNUSED if module not in sys.modules]
    for module in absent:
        stand_in = ModuleType(module)
        setattr(stand_in, _UNUSED[module], _ImportedWhenUsed(_UNUSED[module], (), {"home": module}))
        sys.modules[module] = stand_in
    try:
        import_module("typer.rich_utils")
    finally:
        for module in absent:
            del sys.modules[module]
