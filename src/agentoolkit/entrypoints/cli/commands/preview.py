"""``agentool preview``."""

from __future__ import annotations

from typing import Annotated

import typer

from agentoolkit.entrypoints.cli.options import Json, Timezone, When, optional


def preview(
    when: When,
    timezone: Timezone = None,
    schedule_type: Annotated[str | None, optional("--type", "cron|interval|once|after", "What it must be.")] = None,
    count: Annotated[int, typer.Option("--count", "-n", metavar="NUMBER", help="How many due times to show.", min=1, max=100)] = 5,
    json: Json = False,
) -> None:
    """Say what a schedule means and when it would fire, without scheduling anything."""
    from agentoolkit.entrypoints.cli.opening import settings_for
    from agentoolkit.entrypoints.cli.printing import print_json
    from agentoolkit.entrypoints.cli.timing import print_timing
    from agentoolkit.wiring import Toolkit

    asked = {"operation": "preview", "schedule": when, "timezone": timezone, "schedule_type": schedule_type, "count": count}
    data = Toolkit(settings_for(memory=True)).injector.run_sync("scheduler", asked).data
    if json:
        print_json(data)
    else:
        print_timing(data)
