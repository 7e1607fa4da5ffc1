"""Commands that compute due times and schedule nothing: preview, simulate."""

from __future__ import annotations

from typing import Annotated

import typer

from agentoolkit.entrypoints.cli.field_options import given_fields
from agentoolkit.entrypoints.cli.options import Json, TaskFile, Timezone, When, optional


def preview(
    ctx: typer.Context,
    when: When,
    timezone: Timezone = None,
    schedule_type: Annotated[str | None, optional("--type", "cron|interval|once|after|list", "The required kind of schedule.")] = None,
    count: Annotated[int, typer.Option("--count", "-n", metavar="NUMBER", help="How many due times to show.", min=1, max=100)] = 5,
    json: Json = False,
) -> None:
    """Explain a schedule and show when it would fire, without scheduling anything."""
    from agentoolkit.entrypoints.cli.printing import print_result, print_timing
    from agentoolkit.entrypoints.cli.session import settings_for
    from agentoolkit.system.scheduler.answer_schemas import Timing
    from agentoolkit.wiring import Toolkit

    asked = {"operation": "preview", "schedule": when, "timezone": timezone, "schedule_type": schedule_type, "count": count}
    asked |= given_fields(ctx)
    timing = Timing.model_validate(Toolkit(settings_for(memory=True)).injector.run_sync("scheduler", asked).data)
    if json:
        print_result(timing)
    else:
        print_timing(timing)


def simulate(
    file: TaskFile,
    start: Annotated[str | None, optional("--from", "TIME", "ISO 8601 time, or a date: its beginning. Now by default.")] = None,
    end: Annotated[str | None, optional("--to", "TIME", "ISO 8601 time, or a date: its end. A day after --from by default.")] = None,
    timezone: Timezone = None,
    json: Json = False,
) -> None:
    """List every firing of a task file in a range of time, without running anything."""
    from agentoolkit.entrypoints.cli.errors import tell
    from agentoolkit.entrypoints.cli.printing import print_json
    from agentoolkit.entrypoints.cli.simulating import print_days, simulated

    found = simulated(file, start, end, timezone)
    if json:
        if found.is_cut:
            tell(f"cut after {len(found.firings):,} firings; there are more.")
        print_json([{"due": firing.due.isoformat(), "name": firing.name, "tool": firing.tool} for firing in found.firings])
    else:
        print_days(found)
