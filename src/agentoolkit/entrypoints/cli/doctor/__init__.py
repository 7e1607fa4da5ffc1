"""``agentool doctor``: check each layer by itself, so that the broken one can be named."""

from __future__ import annotations

from agentoolkit.entrypoints.cli.doctor import machine, records
from agentoolkit.entrypoints.cli.doctor.finding import Finding


async def examine() -> list[Finding]:
    """Check every layer. If Python, a setting or a clock is broken, stop there: the other checks need them."""
    before = [*machine.check_python(), *machine.check_settings(), *await machine.check_time()]
    if any(finding.state == "broken" for finding in before):
        return before
    return [*before, *[finding async for finding in records.check_records()], *machine.check_extras()]
