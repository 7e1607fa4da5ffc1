"""Help that waits for nothing it does not show: readers of Markdown and printers of tracebacks are half of what typer imports for it."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

_UNSEEN = {"rich.markdown": "Markdown", "rich.traceback": "Traceback"}
"""What typer's help imports and this program's has none of: the class of each module that typer names."""


class _ImportedWhenUsed(type):
    """A class that is imported when it is first called, or asked for something of its own."""

    home: str

    def __call__(cls, *given: Any, **named: Any) -> Any:
        return getattr(import_module(cls.home), cls.__name__)(*given, **named)

    def __getattr__(cls, name: str) -> Any:
        return getattr(getattr(import_module(cls.home), cls.__name__), name)


def import_help() -> None:
    """Import what typer shows help with, and nothing that this help never shows. Whoever else uses that later gets it whole."""
    absent = [module for module in _UNSEEN if module not in sys.modules]
    for module in absent:
        stand_in = ModuleType(module)
        setattr(stand_in, _UNSEEN[module], _ImportedWhenUsed(_UNSEEN[module], (), {"home": module}))
        sys.modules[module] = stand_in
    try:
        import_module("typer.rich_utils")
    finally:
        for module in absent:
            del sys.modules[module]
