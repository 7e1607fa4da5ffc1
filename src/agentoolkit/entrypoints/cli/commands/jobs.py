"""Commands for jobs: schedule, list, info, pause, resume, cancel, backfill."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from agentoolkit.entrypoints.cli.options import Allow, Job, Json, Reason, Timezone, When, optional

if TYPE_CHECKING:
    from agentoolkit.system.scheduler.schemas import JobDetails, JobSummary, Scheduled

_USUAL = {"max_instances": 1, "misfire_grace_time": 30, "coalesce": True, "max_retries": 0, "retry_backoff": 1.0, "overlap": "skip"} | {
    "on_interrupt": "retry",
    "priority": "medium",
    "jitter": 0.0,
}
"""What `info` does not mention."""
_WITHOUT_TIME = {"after": "when that job ends so"}
_SHOWN_APART = {"agentool_name", "input_data", "schedule", "schedule_type", "kind", "text", "state", "anchor", "jitter_key", "created_at"}


def schedule(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The job's unique name.", show_default=False)],
    when: When,
    tool: Annotated[str, typer.Argument(metavar="TOOL", help="The AgenTool to run; `agentool tools` lists them.", show_default=False)],
    fields: Annotated[
        list[str] | None, typer.Argument(metavar="KEY=VALUE", help="Its input; a value is JSON, else text.", show_default=False)
    ] = None,
    input_data: Annotated[str | None, optional("--input", "JSON", "Its input as one JSON object.")] = None,
    schedule_type: Annotated[str | None, optional("--type", "cron|interval|once|after", "What WHEN must be.")] = None,
    timezone: Timezone = None,
    start_at: Annotated[str | None, optional("--start-at", "TIME", "Nothing is due before it.")] = None,
    end_at: Annotated[str | None, optional("--end-at", "TIME", "Nothing is due after it.")] = None,
    exclude: Annotated[list[str] | None, optional("--exclude", "DATES", "Date, range or quiet hours; may be repeated.")] = None,
    jitter: Annotated[float | None, optional("--jitter", "SECONDS", "Spread due times by up to so much.")] = None,
    max_runs: Annotated[int | None, optional("--max-runs", "NUMBER", "Runs after which the job is done.")] = None,
    timeout: Annotated[float | None, optional("--timeout", "SECONDS", "A run that takes longer is cancelled.")] = None,
    max_retries: Annotated[int | None, optional("--max-retries", "NUMBER", "Further attempts after an error.")] = None,
    retry_backoff: Annotated[float | None, optional("--retry-backoff", "SECONDS", "Before the first retry; doubled each time.")] = None,
    max_instances: Annotated[int | None, optional("--max-instances", "NUMBER", "Runs at the same time.")] = None,
    misfire_grace_time: Annotated[int | None, optional("--misfire-grace-time", "SECONDS", "How late a run may start.")] = None,
    overlap: Annotated[
        str | None, optional("--overlap", "skip|queue_one|queue_all|cancel_running|allow", "A due time while a run is under way.")
    ] = None,
    catch_up: Annotated[str | None, optional("--catch-up", "latest|all|none", "Which late due times run.")] = None,
    on_interrupt: Annotated[str | None, optional("--on-interrupt", "retry|fail", "A run whose process ended.")] = None,
    priority: Annotated[str | None, optional("--priority", "critical|high|medium|low", "Which waiting run goes first.")] = None,
    result_queue: Annotated[str | None, optional("--result-queue", "QUEUE", "Where results go.")] = None,
    error_queue: Annotated[str | None, optional("--error-queue", "QUEUE", "Where errors go.")] = None,
    description: Annotated[str | None, optional("--description", "TEXT", "What the job is for.")] = None,
    tags: Annotated[list[str] | None, optional("--tag", "TAG", "A label; may be repeated.")] = None,
    paused: Annotated[bool, typer.Option("--paused", help="Schedule it paused.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Change a job of this name instead of refusing.")] = False,
    allow: Allow = None,
    json: Json = False,
) -> None:
    """Schedule an AgenTool: what to run, and when. The answer says how WHEN was understood."""
    _schedule(**locals())


def _schedule(*, name: str, when: str, tool: str, fields: list[str] | None, allow: list[str] | None, json: bool, **options: Any) -> None:
    from agentoolkit.entrypoints.cli.options import read_fields, read_object
    from agentoolkit.entrypoints.cli.printing import print_result
    from agentoolkit.entrypoints.cli.session import ask
    from agentoolkit.system.scheduler.schemas import Scheduled

    whole = options.pop("input_data")
    input_data = {**(read_object(whole) if whole else {}), **read_fields(fields or [])}
    given = {option: value for option, value in options.items() if value is not None and value is not False}
    asked = {"job_name": name, "schedule": when, "agentool_name": tool, "input_data": input_data, **given}
    scheduled = ask(Scheduled, "schedule", allow=allow or [], **asked)
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
    from agentoolkit.entrypoints.cli.printing import print_result, print_table, say
    from agentoolkit.entrypoints.cli.session import ask
    from agentoolkit.system.scheduler.schemas import JobList

    found = ask(JobList, "list")
    if json:
        print_result(found)
    elif not found.jobs:
        say("No jobs. Schedule one: agentool schedule NAME WHEN TOOL")
    else:
        print_table(map(_row, found.jobs), ("job", "state", "next", "", "tool", "schedule"))


def _row(job: JobSummary) -> tuple[Any, ...]:
    from agentoolkit.entrypoints.cli.printing import coloured, cut, long_time, moment_of, present, relative

    due = moment_of(job.next_run)
    times = (long_time(due, seconds=True), relative(due, present())) if due and job.state == "active" else ("", "")
    once = moment_of(job.schedule) if job.schedule_type == "once" else None
    return cut(job.job_id, 24), coloured(job.state), *times, job.agentool_name, long_time(once) if once else job.schedule


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

    about, due = details.info, moment_of(details.next_run)
    return {
        "job": details.job_id,
        "name": details.job_name if details.job_name != details.job_id else None,
        "state": coloured(about["state"]),
        "schedule": f"{about['schedule']} ({about['schedule_type']})",
        "next": f"{long_time(due)}, {relative(due, present())}" if due else _WITHOUT_TIME.get(about["schedule_type"], "never"),
        "calls": f"{about['agentool_name']} {dumps(about['input_data'], ensure_ascii=False)}",
        **{name: value for name, value in about.items() if name not in _SHOWN_APART and _USUAL.get(name, _USUAL) != value},
    }


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
