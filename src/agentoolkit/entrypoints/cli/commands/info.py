"""``agentool info``."""

from __future__ import annotations

from typing import Any

from agentoolkit.entrypoints.cli.options import Job, Json

_PLAIN = {"max_instances": 1, "misfire_grace_time": 30, "coalesce": True, "max_retries": 0, "retry_backoff": 1.0, "overlap": "skip"} | {
    "on_interrupt": "retry",
    "priority": "medium",
    "jitter": 0.0,
}
"""What goes without saying."""
_WITHOUT_TIME = {"after": "when that job ends so"}
_SHOWN_APART = {"agentool_name", "input_data", "schedule", "schedule_type", "kind", "text", "state", "anchor", "jitter_key", "created_at"}


def info(job: Job, json: Json = False) -> None:
    """Show a job's definition, where it stands, and its latest executions."""
    from agentoolkit.entrypoints.cli.commands.history import print_history
    from agentoolkit.entrypoints.cli.opening import ask
    from agentoolkit.entrypoints.cli.printing import print_json, print_pairs, say

    data = ask("get_job", job_id=job)
    if json:
        print_json(data)
        return
    print_pairs(_facts(data))
    if data["recent_history"]:
        say("")
        print_history(data["recent_history"])


def _facts(data: dict[str, Any]) -> dict[str, object]:
    from json import dumps

    from agentoolkit.entrypoints.cli.printing import coloured, long_time, moment_of, present, relative

    about, due = data["info"], moment_of(data["next_run"])
    return {
        "job": data["job_id"],
        "name": data["job_name"] if data["job_name"] != data["job_id"] else None,
        "state": coloured(about["state"]),
        "schedule": f"{about['schedule']} ({about['schedule_type']})",
        "next": f"{long_time(due)}, {relative(due, present())}" if due else _WITHOUT_TIME.get(about["schedule_type"], "never"),
        "calls": f"{about['agentool_name']} {dumps(about['input_data'], ensure_ascii=False)}",
        **{name: value for name, value in about.items() if name not in _SHOWN_APART and _PLAIN.get(name, _PLAIN) != value},
    }
