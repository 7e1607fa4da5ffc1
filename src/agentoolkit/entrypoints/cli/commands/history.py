"""``agentool history``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from agentoolkit.entrypoints.cli.options import Json, optional

STATUSES = "queued|running|retrying|success|failed|cancelled|missed|skipped|lost"


def history(
    job: Annotated[str | None, typer.Argument(metavar="JOB", help="Its id or name; all jobs if left out.", show_default=False)] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", metavar="NUMBER", help="How many executions.", min=1, max=10_000)] = 20,
    status: Annotated[str | None, optional("--status", STATUSES, "Only those that stand so.")] = None,
    json: Json = False,
) -> None:
    """List the executions whose due times are the latest, the newest last."""
    from agentoolkit.entrypoints.cli.opening import ask
    from agentoolkit.entrypoints.cli.printing import print_json, say

    data = ask("list_executions", job_id=job, limit=limit, execution_status=status)
    if json:
        print_json(data)
    elif not data["history"]:
        say("Nothing has run yet.")
    else:
        print_history(data["history"])


def print_history(records: Sequence[dict[str, Any]]) -> None:
    """Print records, which come newest first, in the order they happened."""
    from agentoolkit.entrypoints.cli.live import Line, heading
    from agentoolkit.entrypoints.cli.printing import console, present, short_time

    now, lines, shown = present(), [Line.of_record(record) for record in reversed(records)], console()
    due_width = max(len(short_time(line.due, now)) for line in lines)
    shown.print(heading(shown.width, due_width), no_wrap=True, overflow="ellipsis")
    for line in lines:
        shown.print(line.text(now, shown.width, due_width), no_wrap=True, overflow="ellipsis")
