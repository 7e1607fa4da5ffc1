"""Every layer looked at in turn, and what was found as lines."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from agentoolkit.entrypoints.cli.doctor import machine, records
from agentoolkit.entrypoints.cli.doctor.finding import Finding
from agentoolkit.entrypoints.cli.printing import say

_COLOURS = {"ok": "green", "warning": "yellow", "broken": "bold red"}


async def examine() -> list[Finding]:
    """Look at everything; where what the rest stands on is broken, at that alone."""
    before = [*machine.check_python(), *machine.check_settings(), *await machine.check_time()]
    if any(finding.state == "broken" for finding in before):
        return before
    return [*before, *[finding async for finding in records.check_records()], *machine.check_extras()]


def print_findings(findings: Sequence[Finding]) -> None:
    """Print a line for each, and the way out below it."""
    width = max(len(finding.layer) for finding in findings)
    for finding in findings:
        say(Text.assemble((f"{finding.state:<8} ", _COLOURS[finding.state]), (f"{finding.layer:<{width}}  ", "bold"), finding.told))
        if finding.remedy:
            say(Text(f"{'':{width + 11}}→ {finding.remedy}"))
