"""What a check found."""

from __future__ import annotations

from typing import Literal, NamedTuple

State = Literal["ok", "warning", "broken"]


class Finding(NamedTuple):
    """One line of the report."""

    layer: str
    state: State
    told: str
    remedy: str = ""


def ok(layer: str, told: str) -> Finding:
    """All is well."""
    return Finding(layer, "ok", told)


def warning(layer: str, told: str, remedy: str = "") -> Finding:
    """It works, and somebody should know."""
    return Finding(layer, "warning", told, remedy)


def broken(layer: str, told: str, remedy: str = "") -> Finding:
    """It does not work."""
    return Finding(layer, "broken", told, remedy)
