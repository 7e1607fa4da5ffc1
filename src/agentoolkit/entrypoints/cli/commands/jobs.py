"""Commands for jobs: schedule, list, upcoming, info, update, pause, resume, cancel, backfill."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from agentoolkit.entrypoints.cli.field_options import given_fields
from agentoolkit.entrypoints.cli.options import Allow, Job, Json, Output, Query, Reason, View, When, optional

if TYPE_CHECKING:
    from agentoolkit.system.scheduler.answer_schemas import Scheduled

JOB_STATUSES = "scheduled|paused|done|broken|cancelled|success|failed|missed|skipped|lost"


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
    from agentool.errors import InvalidInput
    from agentoolkit.entrypoints.cli.options import read_input
    from agentoolkit.entrypoints.cli.session import Toolkit, call, visit, with_serving_remark
    from agentoolkit.system.scheduler.answer_schemas import Scheduled

    async def schedule_job(kit: Toolkit) -> Scheduled:
        if tool not in kit.injector and name in kit.injector:
            remedy = f"The order is NAME WHEN TOOL: agentool schedule my_{name} {when!r} {name} …"
            raise InvalidInput(
                f"Unknown AgenTool {tool!r}, and the job would have an AgenTool's name.", field="TOOL", value=tool, remedy=remedy
            )
        given = {**given_fields(ctx), "input_data": read_input(kit.injector, tool, input_data, fields or []), "replace": replace or None}
        made = await call(kit, Scheduled, "schedule", job_name=name, schedule=when, agentool_name=tool, **given)
        return await with_serving_remark(kit, made, allow or [])

    print_scheduled(visit(schedule_job, allow or []), json=json)


def print_scheduled(scheduled: Scheduled, *, json: bool) -> None:
    """Print whether a job was created or changed, and how its schedule was understood."""
    from agentoolkit.entrypoints.cli.printing import print_result, print_timing, say

    if json:
        print_result(scheduled)
        return
    done = "Scheduled" if scheduled.created else "Changed" if scheduled.changed else "Already there:"
    paused = scheduled.state == "paused"
    say(f"{done} {scheduled.job_id}{', paused' if paused else ''}")
    print_timing(scheduled, count=3, instead="when it is resumed" if paused and not scheduled.next_run else "")


def list_(
    query: Query = None,
    status: Annotated[
        str | None, optional("--status", JOB_STATUSES, "Jobs in this state, or whose latest execution ended with it.", values=JOB_STATUSES)
    ] = None,
    tag: Annotated[str | None, optional("--tag", "TEXT", "Jobs with this label.")] = None,
    owner: Annotated[str | None, optional("--owner", "NAME", "Jobs of this owner; 'me' is you.")] = None,
    view: View = None,
    output: Output = "table",
    json: Json = False,
) -> None:
    """List the jobs that can fire again, and the paused and broken ones; or the jobs that match a query.

    A query is words and conditions: `status:failed job:report* tag:x owner:me tool:agent since:24h error:"timed out"`.
    """
    from agentoolkit.entrypoints.cli.find_jobs import find_jobs, query_of
    from agentoolkit.entrypoints.cli.job_tables import print_jobs
    from agentoolkit.entrypoints.cli.printing import print_data, say
    from agentoolkit.entrypoints.cli.session import command_name, kept_example, visit

    asked = query_of(query, status=status, tag=tag, owner=owner)
    found = visit(lambda kit: find_jobs(kit, asked, view))
    if json or output != "table":
        print_data(found, "jobs", output, json=json)
    elif not found.jobs:
        say("No job matches." if asked or view else "No jobs. Schedule one: agentool schedule NAME WHEN TOOL")
        if not (asked or view) and (example := kept_example()):
            say(f"The bundled example's jobs are kept apart: AGENTOOL_DATABASE={example} {command_name()} list")
    else:
        print_jobs(found.jobs)


def upcoming(
    limit: Annotated[int, typer.Option("--limit", "-n", metavar="NUMBER", help="How many jobs.", min=1, max=10_000)] = 12,
    owner: Annotated[str | None, optional("--owner", "NAME", "Jobs of this owner.")] = None,
    output: Output = "table",
    json: Json = False,
) -> None:
    """List the jobs that are due next, the soonest first."""
    from agentoolkit.entrypoints.cli.job_tables import print_jobs
    from agentoolkit.entrypoints.cli.printing import print_data, say
    from agentoolkit.entrypoints.cli.session import ask
    from agentoolkit.system.scheduler.answer_schemas import JobList

    found = ask(JobList, "list_upcoming", limit=limit, owner=owner)
    if json or output != "table":
        print_data(found, "jobs", output, json=json)
    elif not found.jobs:
        say("Nothing is due any more.")
    else:
        print_jobs(found.jobs)


def info(job: Job, json: Json = False) -> None:
    """Show a job's definition, its state, and its latest executions."""
    from agentoolkit.entrypoints.cli.execution_lines import print_history
    from agentoolkit.entrypoints.cli.find_jobs import find_job
    from agentoolkit.entrypoints.cli.job_tables import job_facts
    from agentoolkit.entrypoints.cli.printing import print_pairs, print_result, say
    from agentoolkit.entrypoints.cli.session import visit

    details = visit(lambda kit: find_job(kit, job))
    if json:
        print_result(details)
        return
    print_pairs(job_facts(details))
    if details.recent_history:
        say("")
        print_history(details.recent_history)


def update(
    ctx: typer.Context,
    job: Job,
    fields: Annotated[
        list[str] | None, typer.Argument(metavar="KEY=VALUE", help="New input; a value is JSON, else text.", show_default=False)
    ] = None,
    input_data: Annotated[str | None, optional("--input", "JSON", "New input as one JSON object.")] = None,
    allow: Allow = None,
    json: Json = False,
) -> None:
    """Change the given fields of a job. Its other fields and its history stay."""
    from agentool.errors import InvalidInput
    from agentoolkit.entrypoints.cli.options import read_input
    from agentoolkit.entrypoints.cli.session import Toolkit, call, visit, with_serving_remark
    from agentoolkit.system.scheduler.answer_schemas import JobDetails, Scheduled

    given = given_fields(ctx)
    if not (given or fields or input_data):
        remedy = "Give an option such as --schedule, or KEY=VALUE; `agentool update --help` lists them."
        raise InvalidInput("Nothing is to be changed.", remedy=remedy)

    async def change(kit: Toolkit) -> Scheduled:
        if fields or input_data:
            tool = (await call(kit, JobDetails, "get_job", job_id=job)).info["agentool_name"]
            given["input_data"] = read_input(kit.injector, tool, input_data, fields or [])
        return await with_serving_remark(kit, await call(kit, Scheduled, "update", job_id=job, **given), allow or [])

    print_scheduled(visit(change, allow or []), json=json)


def pause(
    job: Job,
    until: Annotated[str | None, optional("--until", "TIME", "ISO 8601 time, or words, at which it resumes by itself.")] = None,
    reason: Reason = None,
) -> None:
    """Pause a job until it is resumed, or until a time."""
    from agentoolkit.entrypoints.cli.printing import long_time, moment_of, say
    from agentoolkit.entrypoints.cli.session import ask
    from agentoolkit.system.scheduler.answer_schemas import JobRef
    from agentoolkit.system.scheduler.search import status_word

    paused = ask(JobRef, "pause", job_id=job, until=until, reason=reason)
    ends = moment_of(paused.paused_until)
    say(" ".join([f"Job {paused.job_id} is {status_word(paused.state)}{f' until {long_time(ends)}' if ends else ''}.", *paused.remarks]))


def resume(job: Job) -> None:
    """Let a paused job fire again, from now on."""
    from agentoolkit.entrypoints.cli.printing import long_time, moment_of, say
    from agentoolkit.entrypoints.cli.session import ask
    from agentoolkit.system.scheduler.answer_schemas import JobRef
    from agentoolkit.system.scheduler.search import status_word

    resumed = ask(JobRef, "resume", job_id=job)
    due = moment_of(resumed.next_run)
    say(f"Job {resumed.job_id} is {status_word(resumed.state)}{f', next {long_time(due)}' if due else ''}.")


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
    """Run a job, in the process that serves, for the past due times in a range that have no execution yet.

    A range has at most a hundred due times. The same call again adds nothing and shows the progress, as long as the range's
    executions are among the hundred that the job keeps.
    """
    from agentoolkit.entrypoints.cli.printing import print_result, say
    from agentoolkit.entrypoints.cli.session import WAITS_FOR_SERVING, Toolkit, call, visit
    from agentoolkit.system.scheduler.answer_schemas import BackfillInfo, SchedulerStatus

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
        say(WAITS_FOR_SERVING)
