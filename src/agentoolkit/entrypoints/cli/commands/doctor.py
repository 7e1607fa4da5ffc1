"""``agentool doctor``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from agentoolkit.entrypoints.cli.options import Json

if TYPE_CHECKING:
    from agentoolkit.entrypoints.cli.checkup.finding import Finding


def doctor(json: Json = False) -> None:
    """Look at every layer and name the one that is broken. The exit code is 1 if one is."""
    import asyncio

    from agentoolkit.entrypoints.cli.printing import print_json

    findings = asyncio.run(_findings())
    if json:
        print_json([finding._asdict() for finding in findings])
    else:
        _show(findings)
    raise typer.Exit(int(any(finding.state == "broken" for finding in findings)))


async def _findings() -> list[Finding]:
    from agentoolkit.entrypoints.cli.checkup import machine, records

    before = [*machine.check_python(), *machine.check_settings(), *await machine.check_time()]
    if any(finding.state == "broken" for finding in before):
        return before
    return [*before, *[finding async for finding in records.check_records()], *machine.check_extras()]


def _show(findings: list[Finding]) -> None:
    from rich.text import Text

    from agentoolkit.entrypoints.cli.printing import say

    width = max(len(finding.layer) for finding in findings)
    colours = {"ok": "green", "warning": "yellow", "broken": "bold red"}
    for finding in findings:
        say(Text.assemble((f"{finding.state:<8} ", colours[finding.state]), (f"{finding.layer:<{width}}  ", "bold"), finding.told))
        if finding.remedy:
            say(Text(f"{'':{width + 11}}→ {finding.remedy}"))
