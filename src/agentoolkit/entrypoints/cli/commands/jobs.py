"""``agentool list``."""

from __future__ import annotations

from typing import Any

from agentoolkit.entrypoints.cli.options import Json


def list_(json: Json = False) -> None:
    """List the jobs that can fire again, and the paused and broken ones."""
    from agentoolkit.entrypoints.cli.opening import ask
    from agentoolkit.entrypoints.cli.printing import print_json, print_table, say

    data = ask("list")
    if json:
        print_json(data)
    elif not data["jobs"]:
        say("No jobs. Schedule one: agentool schedule NAME WHEN TOOL")
    else:
        print_table(map(_row, data["jobs"]), ("job", "state", "next", "", "tool", "schedule"))


def _row(job: dict[str, Any]) -> tuple[Any, ...]:
    from agentoolkit.entrypoints.cli.printing import coloured, cut, long_time, moment_of, present, relative

    due = moment_of(job["next_run"])
    times = (long_time(due, seconds=True), relative(due, present())) if due and job["state"] == "active" else ("", "")
    once = moment_of(job["schedule"]) if job["schedule_type"] == "once" else None
    schedule = long_time(once) if once else job["schedule"]
    return cut(job["job_id"], 24), coloured(job["state"]), *times, job["agentool_name"], schedule
