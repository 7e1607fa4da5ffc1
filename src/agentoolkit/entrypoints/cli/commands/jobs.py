"""Commands for jobs: schedule, list, info, pause, resume, cancel, backfill."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agentoolkit.entrypoints.cli.job_options import given_fields
from agentoolkit.entrypoints.cli.options import Allow, Job, Json, Reason, When, optional

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from rich.text import Text

    from agentoolkit.system.scheduler.schemas import JobDetails, JobSummary, Scheduled

_WITHOUT_TIME = {"after": "when that happens"}
_HAVE_A_NEXT_TIME = {"active", "paused"}
"""States of jobs whose next due time is shown: one that is paused until a time goes on by itself."""
_CALLERS = {"created_by", "changed_by"}
_SHOWN_APART = {"agentool_name", "input_data", "schedule", "schedule_type", "kind", "text", "state", "anchor", "jitter_key", "created_at"}


def schedule(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The job's unique name.", show_default=False)],
    when: When,
    tool: Annotated[str, typer.Argument(metavar="TOOL", help="The AgenTool to run; `agentool tools` lists them.", show_default=False)],
    fields: Annotated[
        list[str] | None, typer.Argument(metavar="KEY=VALUE", help="Its input; a value is JSON, else text.", show_default=False)
    ] = None,
    input_data: Annotated[str | None, optional("--input", "JSON", "Its input as one JSON object.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Change a job of this name instead of refusing.")] = False,
    allow: Allow = None,
    json: Json = False,
) -> None:
    """Schedule an AgenTool: what to run, and when. The answer says how WHEN was understood."""
    from agentoolkit.entrypoints.cli.printing import print_result
    from agentoolkit.entrypoints.cli.session import Toolkit, call, visit
    from agentoolkit.entrypoints.cli.tool_input import read_input
    from agentoolkit.system.scheduler.schemas import Scheduled

    async def put(kit: Toolkit) -> Scheduled:
        given = {**given_fields(ctx), "input_data": read_input(kit.injector, tool, input_data, fields or []), "replace": replace or None}
        return await call(kit, Scheduled, "schedule", job_name=name, schedule=when, agentool_name=tool, **given)

    scheduled = visit(put, allow or [])
    if json:
        print_result(scheduled)
    else:
        _print_scheduled(scheduled)


def _print_scheduled(scheduled: Scheduled) -> None:
    from agentoolkit.entrypoints.cli.printing import print_timing, say

    done = "Scheduled" if scheduled.created else "Changed" if scheduled.changed else "Already there:"
    say(f"{done} {scheduled.job_id}{', paused' if scheduled.state == 'paused' else ''}")
    print_timing(scheduled, count=3)


def list_(json: Json = False) -> None:
    """List the jobs that can fire again, and the paused and broken ones."""
    from agentoolkit.entrypoints.cli.printing import NARROW, console, print_result, print_table, say
    from agentoolkit.entrypoints.cli.session import all_jobs, visit

    found = visit(all_jobs)
    if json:
        print_result(found)
    elif not found.jobs:
        say("No jobs. Schedule one: agentool schedule NAME WHEN TOOL")
    else:
        is_narrow = console().width < NARROW
        head = ("job", "state", "last", "next", *([] if is_narrow else [""]), "tool", "schedule")
        print_table(_rows(found.jobs, narrow=is_narrow), head)
        for job in found.jobs:
            if job.state == "active" and job.reason:
                say(f"{job.job_id}: {job.reason}.")


def _rows(jobs: Iterable[JobSummary], *, narrow: bool) -> Iterator[tuple[str | Text, ...]]:
    """Return a line for each job; a narrow one has no date, so that there is room for tool and schedule."""
    from agentoolkit.entrypoints.cli.printing import PIPE_WIDTH, coloured, console, cut, long_time, moment_of, present, relative

    is_pipe, now = console().width >= PIPE_WIDTH, present()
    for job in jobs:
        due = moment_of(job.next_run) if job.state in _HAVE_A_NEXT_TIME else None
        once = moment_of(job.schedule) if job.schedule_type == "once" else None
        distance = relative(due, now) if due else ""
        times = (distance,) if narrow else (long_time(due, seconds=True) if due else "", distance)
        name = job.job_id if is_pipe else cut(job.job_id, 18 if narrow else 24)
        yield (
            name,
            coloured(job.state),
            coloured(job.last_outcome or ""),
            *times,
            job.agentool_name,
            long_time(once) if once else job.schedule,
        )


def info(job: Job, json: Json = False) -> None:
    """Show a job's definition, where it stands, and its latest executions."""
    from agentoolkit.entrypoints.cli.execution_lines import print_history
    from agentoolkit.entrypoints.cli.printing import print_pairs, print_result, say
    from agentoolkit.entrypoints.cli.session import ask
    from agentoolkit.system.scheduler.schemas import JobDetails

    details = ask(JobDetails, "get_job", job_id=job)
    if json:
        print_result(details)
        return
    print_pairs(_facts(details))
    if details.recent_history:
        say("")
        print_history(details.recent_history)


def _facts(details: JobDetails) -> dict[str, object]:
    from json import dumps

    from agentoolkit.entrypoints.cli.printing import coloured, long_time, moment_of, present, relative
    from agentoolkit.system.scheduler.jobs import Policies

    usual = {**asdict(Policies()), "jitter": 0.0}
    about, due = details.info, moment_of(details.next_run)
    return {
        "job": details.job_id,
        "name": details.job_name if details.job_name != details.job_id else None,
        "state": coloured(about["state"]),
        "schedule": f"{about['schedule']} ({about['schedule_type']})",
        "next": f"{long_time(due)}, {relative(due, present())}" if due else _without_time(about),
        "calls": f"{about['agentool_name']} {dumps(about['input_data'], ensure_ascii=False)}",
        **{name: _fact(name, value) for name, value in about.items() if name not in _SHOWN_APART and usual.get(name, usual) != value},
    }


def _without_time(about: Mapping[str, Any]) -> str:
    """Say when a job runs that has no next due time."""
    return "when it is resumed" if about["state"] == "paused" else _WITHOUT_TIME.get(about["schedule_type"], "never")


def _fact(name: str, value: Any) -> object:
    """Show a caller as a name and its door, and what is nested as JSON; nothing stays nothing, and is left out."""
    from json import dumps

    if name in _CALLERS and value:
        return value["name"] if value["door"] == value["name"] else f"{value['name']}, {value['door']}"
    return dumps(value, ensure_ascii=False) if value and isinstance(value, (dict, list)) else value


def pause(
    job: Job,
    until: Annotated[str | None, optional("--until", "TIME", "ISO 8601 time at which it resumes by itself.")] = None,
    reason: Reason = None,
) -> None:
    """Keep a job and let it not fire, for good or until a time."""
    from agentoolkit.entrypoints.cli.printing import say
    from agentoolkit.entrypoints.cli.session import ask
    from agentoolkit.system.scheduler.schemas import JobRef

    paused = ask(JobRef, "pause", job_id=job, until=until, reason=reason)
    ends = f" until {until}" if until and paused.state == "paused" else ""
    say(f"Job {paused.job_id} is {paused.state}{ends}.")


def resume(job: Job) -> None:
    """Let a paused job fire again, from now on."""
    from agentoolkit.entrypoints.cli.printing import long_time, moment_of, say
    from agentoolkit.entrypoints.cli.session import ask
    from agentoolkit.system.scheduler.schemas import JobRef

    resumed = ask(JobRef, "resume", job_id=job)
    due = moment_of(resumed.next_run)
    say(f"Job {resumed.job_id} is {resumed.state}{f', next {long_time(due)}' if due else ''}.")


def cancel(job: Job) -> None:
    """Cancel a job for good. Its history stays readable."""
    from agentoolkit.entrypoints.cli.printing import say
    from agentoolkit.entrypoints.cli.session import answer, visit

    say(visit(lambda kit: answer(kit, "cancel", job_id=job)).message)


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
    from agentoolkit.entrypoints.cli.printing import print_result, say
    from agentoolkit.entrypoints.cli.session import Toolkit, call, visit
    from agentoolkit.system.scheduler.schemas import BackfillInfo, SchedulerStatus

    async def fill(kit: Toolkit) -> tuple[BackfillInfo, str | None]:
        filled = await call(kit, BackfillInfo, "backfill", job_id=job, start_at=start, end_at=end)
        return filled, (await call(kit, SchedulerStatus, "status")).leader

    filled, leader = visit(fill)
    if json:
        print_result(filled)
        return
    say(f"{filled.created} of {filled.total} due times are new.")
    say("  ".join(f"{status}: {number}" for status, number in sorted(filled.statuses.items())))
    if not leader and "queued" in filled.statuses:
        say("They wait for a process that serves: agentool serve")
