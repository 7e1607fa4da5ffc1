"""``agentool backfill``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from agentoolkit.entrypoints.cli.options import Job, Json


def backfill(
    job: Job,
    start: Annotated[str, typer.Argument(metavar="FROM", help="ISO 8601 time or date, included.", show_default=False)],
    end: Annotated[str, typer.Argument(metavar="TO", help="ISO 8601 time or date, not included.", show_default=False)],
    json: Json = False,
) -> None:
    """Run a job for the past due times of a range that have no record yet, in the process that serves.

    A range holds at most a hundred due times. The same call again adds nothing and tells how far the range has come, as long as
    its records are among the hundred that the job keeps.
    """
    from agentoolkit.entrypoints.cli.opening import Toolkit, call, visit
    from agentoolkit.entrypoints.cli.printing import print_json, say

    async def filled(kit: Toolkit) -> tuple[dict[str, Any], str | None]:
        return await call(kit, "backfill", job_id=job, start_at=start, end_at=end), (await call(kit, "status"))["leader"]

    data, leader = visit(filled)
    if json:
        print_json(data)
        return
    say(f"{data['created']} of {data['total']} due times are new.")
    say("  ".join(f"{status}: {number}" for status, number in sorted(data["statuses"].items())))
    if not leader and "queued" in data["statuses"]:
        say("They wait for a process that serves: agentool serve")
