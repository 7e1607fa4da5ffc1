"""Print jobs, for `agentool list` and `agentool info`."""

from __future__ import annotations

from collections.abc import Sequence
from json import dumps

from rich.text import Text

from agentoolkit.entrypoints.cli.printing import (
    NARROW,
    coloured,
    console,
    cut_name,
    long_time,
    moment_of,
    present,
    print_table,
    relative,
    say,
)
from agentoolkit.redaction import redacted
from agentoolkit.system.scheduler.answer_schemas import JobDetails, JobSummary
from agentoolkit.system.scheduler.job_fields import is_usual
from agentoolkit.system.scheduler.search import status_word
from agentoolkit.text import counted

_SHOWN_APART = {"agentool_name", "input_data", "schedule", "schedule_type", "kind", "text", "state", "anchor", "jitter_key", "created_at"}

NAMED = 3
"""Jobs that are named where several wait for the same reason."""
_HAVE_A_NEXT_TIME = {"active", "paused"}
"""States of jobs whose next due time is shown: a job that is paused until a time has one."""


def print_jobs(jobs: Sequence[JobSummary]) -> None:
    """Print a line for each job. On a narrow terminal it has no date, so that tool and schedule fit."""
    columns, now = console().width, present()
    narrow = columns < NARROW
    rows: list[Sequence[str | Text]] = []
    for job in jobs:
        due = moment_of(job.next_run) if job.state in _HAVE_A_NEXT_TIME else None
        once = moment_of(job.schedule) if job.schedule_type == "once" else None
        distance = relative(due, now) if due else ""
        times = (distance,) if narrow else (long_time(due, seconds=True) if due else "", distance)
        state = coloured(status_word(job.state)), coloured(job.last_outcome or "")
        name = cut_name(job.job_id, 18 if narrow else 24, columns)
        rows.append((name, *state, *times, job.agentool_name, long_time(once) if once else job.schedule))
    print_table(rows, ("job", "state", "last", "next", *([] if narrow else [""]), "tool", "schedule"))
    waiting: dict[str, list[str]] = {}
    for job in jobs:
        if job.state == "active" and job.reason:
            waiting.setdefault(job.reason, []).append(job.job_id)
    for reason, job_ids in waiting.items():
        more = f" and {counted(len(job_ids) - NAMED, 'other job')}" if len(job_ids) > NAMED else ""
        say(f"{', '.join(job_ids[:NAMED])}{more}: {reason}.")


def job_facts(details: JobDetails) -> dict[str, object]:
    """Return the fields of a job as printable facts. Defaults are left out, and secrets are hidden."""
    about, due = redacted(details.info), moment_of(details.next_run)
    if due:
        following = f"{long_time(due)}, {relative(due, present())}"
    elif about["state"] == "paused":
        following = "when it is resumed"
    else:
        following = "when that happens" if about["schedule_type"] == "after" else "never"
    facts: dict[str, object] = {
        "job": details.job_id,
        "name": details.job_name if details.job_name != details.job_id else None,
        "state": coloured(status_word(about["state"])),
        "schedule": f"{about['schedule']} ({about['schedule_type']})",
        "next": following,
        "calls": f"{about['agentool_name']} {dumps(about['input_data'], ensure_ascii=False)}",
    }
    for name, value in about.items():
        if name in _SHOWN_APART or is_usual(name, value):
            continue
        if name in ("created_by", "changed_by") and value:
            facts[name] = value["name"] if value["door"] == value["name"] else f"{value['name']}, {value['door']}"
        else:
            facts[name] = dumps(value, ensure_ascii=False) if value and isinstance(value, (dict, list)) else value
    return facts
