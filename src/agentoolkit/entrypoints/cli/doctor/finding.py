"""The findings of checks, and how they are printed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from rich.text import Text

from agentoolkit.entrypoints.cli.printing import say

State = Literal["ok", "warning", "broken"]
_COLOURS = {"ok": "green", "warning": "yellow", "broken": "bold red"}


class Finding(NamedTuple):
    """The result of a check, with the way out."""

    layer: str
    state: State
    told: str
    remedy: str = ""


def ok(layer: str, told: str) -> Finding:
    """Return a finding that is fine."""
    return Finding(layer, "ok", told)


def warning(layer: str, told: str, remedy: str = "") -> Finding:
    """Return a finding that works, but that a person should know."""
    return Finding(layer, "warning", told, remedy)


def broken(layer: str, told: str, remedy: str = "") -> Finding:
    """Return a finding that does not work."""
    return Finding(layer, "broken", told, remedy)


def print_findings(findings: Sequence[Finding]) -> None:
    """Print a line for each finding, and the way out below it."""
    width = max(len(finding.layer) for finding in findings)
    for finding in findings:
        say(Text.assemble((f"{finding.state:<8} ", _COLOURS[finding.state]), (f"{finding.layer:<{width}}  ", "bold"), finding.told))
        if finding.remedy:
            say(Text(f"{'':{width + 11}}→ {finding.remedy}"))
