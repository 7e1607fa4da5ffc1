"""A job on a page: what `agentool info` prints."""

from __future__ import annotations

from dataclasses import asdict
from json import dumps

from agentoolkit.entrypoints.cli.printing import coloured, long_time, moment_of, present, relative
from agentoolkit.system.scheduler.jobs import Policies
from agentoolkit.system.scheduler.schemas import JobDetails

_SHOWN_APART = {"agentool_name", "input_data", "schedule", "schedule_type", "kind", "text", "state", "anchor", "jitter_key", "created_at"}
_USUAL = {**asdict(Policies()), "jitter": 0.0}


def job_facts(details: JobDetails) -> dict[str, object]:
    """Return what there is to tell of a job, by name; what is as usual is left out."""
    about, due = details.info, moment_of(details.next_run)
    if due:
        following = f"{long_time(due)}, {relative(due, present())}"
    elif about["state"] == "paused":
        following = "when it is resumed"
    else:
        following = "when that happens" if about["schedule_type"] == "after" else "never"
    facts: dict[str, object] = {
        "job": details.job_id,
        "name": details.job_name if details.job_name != details.job_id else None,
        "state": coloured(about["state"]),
        "schedule": f"{about['schedule']} ({about['schedule_type']})",
        "next": following,
        "calls": f"{about['agentool_name']} {dumps(about['input_data'], ensure_ascii=False)}",
    }
    for name, value in about.items():
        if name in _SHOWN_APART or _USUAL.get(name, _USUAL) == value:
            continue
        if name in ("created_by", "changed_by") and value:
            facts[name] = value["name"] if value["door"] == value["name"] else f"{value['name']}, {value['door']}"
        else:
            facts[name] = dumps(value, ensure_ascii=False) if value and isinstance(value, (dict, list)) else value
    return facts
