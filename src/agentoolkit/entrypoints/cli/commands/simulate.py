"""``agentool simulate``."""

from __future__ import annotations

from typing import Annotated

from agentoolkit.entrypoints.cli.options import Json, TaskFile, Timezone, optional


def simulate(
    file: TaskFile,
    start: Annotated[str | None, optional("--from", "TIME", "ISO 8601 time, or a date: its beginning. Now by default.")] = None,
    end: Annotated[str | None, optional("--to", "TIME", "ISO 8601 time, or a date: its end. A day after --from by default.")] = None,
    timezone: Timezone = None,
    json: Json = False,
) -> None:
    """List every firing of a task file in a stretch of time, without running anything."""
    from agentoolkit.entrypoints.cli.printing import print_json
    from agentoolkit.entrypoints.cli.simulating import print_days, simulated

    found = simulated(file, start, end, timezone)
    if json:
        print_json([{"due": firing.due.isoformat(), "name": firing.name, "tool": firing.tool} for firing in found.firings])
    else:
        print_days(found)
