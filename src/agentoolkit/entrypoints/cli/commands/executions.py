"""Commands for executions: run, history, show, logs, retry, cancel-execution."""

from __future__ import annotations

from typing import Annotated

import typer

from agentoolkit.entrypoints.cli.completion import complete_execution, complete_job
from agentoolkit.entrypoints.cli.options import Allow, Job, Json, Output, Reason, View, optional

ExecutionId = Annotated[
    str, typer.Argument(metavar="ID", help="As `agentool history` shows it.", show_default=False, autocompletion=complete_execution)
]
FOLLOW_SECONDS = 1.0
"""Pause between two reads of the history."""
MAX_NAMED = 20
STATUSES = "queued|running|retrying|success|failed|cancelled|missed|skipped|lost"


def run(
    job: Job,
    input_data: Annotated[str | None, optional("--input", "JSON", "Another input for this run, as a JSON object.")] = None,
    timeout: Annotated[float | None, optional("--timeout", "SECONDS", "A run that takes longer is cancelled.")] = None,
    allow: Allow = None,
    json: Json = False,
) -> None:
    """Run a job now, in this process, and print its result."""
    from agentoolkit.entrypoints.cli.options import read_object
    from agentoolkit.entrypoints.cli.printing import print_json, print_result, say_lines
    from agentoolkit.entrypoints.cli.session import ask
    from agentoolkit.entrypoints.cli.terminal import stdout_for_results
    from agentoolkit.system.scheduler.answer_schemas import JobDetails, RunNow

    given = read_object(input_data) if input_data else None
    known = ask(JobDetails, "get_job", job_id=job).job_id  # operation run_now takes an unknown id for a new one
    with stdout_for_results():
        done = ask(RunNow, "run_now", allow=allow or [], job_id=known, input_data=given, timeout=timeout)
    if json:
        print_result(done)
    elif isinstance(done.result, str):
        say_lines(done.result)
    else:
        print_json(done.result)


def history(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[JOB] [QUERY]",
            help="A job's id or name; only matching executions, e.g. 'took:>5m since:24h'.",
            show_default=False,
            autocompletion=complete_job,
        ),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", metavar="NUMBER", help="How many executions.", min=1, max=10_000)] = 20,
    status: Annotated[str | None, optional("--status", STATUSES, "Only executions with this status.", values=STATUSES)] = None,
    query: Annotated[str | None, optional("--query", "QUERY", "The same as QUERY.")] = None,
    view: View = None,
    output: Output = "table",
    json: Json = False,
) -> None:
    """List the executions with the latest due times, the newest last."""
    from agentoolkit.entrypoints.cli.execution_lines import print_history
    from agentoolkit.entrypoints.cli.find_jobs import find_executions, job_and_query
    from agentoolkit.entrypoints.cli.printing import print_data, say
    from agentoolkit.entrypoints.cli.session import visit

    job, query = job_and_query([*(words or []), *([query] if query else [])])
    found = visit(lambda kit: find_executions(kit, query, limit, job, status, view))
    nothing = "No execution matches." if query or status or view else "Nothing has run yet."
    if json or output != "table":
        print_data(found, "history", output, json=json)
    elif not found.history:
        say(nothing)
    else:
        print_history(found.history, ids=True)


def show(execution_id: ExecutionId, json: Json = False) -> None:
    """Show one execution: its whole output, its error, and its attempts."""
    from agentoolkit.entrypoints.cli.execution_tables import print_execution
    from agentoolkit.entrypoints.cli.find_jobs import find_execution
    from agentoolkit.entrypoints.cli.printing import print_result
    from agentoolkit.entrypoints.cli.session import visit

    found = visit(lambda kit: find_execution(kit, execution_id))
    if json:
        print_result(found)
    else:
        print_execution(found)


def logs(
    job: Job,
    limit: Annotated[int, typer.Option("--limit", "-n", metavar="NUMBER", help="How many executions.", min=1, max=100)] = 10,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with each new execution that ends, until Ctrl-C.")] = False,
) -> None:
    """Print the whole output of a job's latest executions, the newest last."""
    import asyncio

    from agentoolkit.entrypoints.cli.execution_tables import print_output
    from agentoolkit.entrypoints.cli.printing import say
    from agentoolkit.entrypoints.cli.session import Toolkit, call, visit
    from agentoolkit.system.scheduler.answer_schemas import History

    async def print_logs(kit: Toolkit) -> None:
        printed: set[str] = set()
        found = await call(kit, History, "get_history", job_id=job, limit=limit)
        if not found.history and not follow:
            say("Nothing has run yet.")
        while True:
            for execution in reversed(found.history):
                if execution.execution_id not in printed and (execution.finished_at or not follow):
                    print_output(execution)
                    printed.add(execution.execution_id)
            if not follow:
                return
            await asyncio.sleep(FOLLOW_SECONDS)
            found = await call(kit, History, "get_history", job_id=job)
            printed &= {execution.execution_id for execution in found.history}  # a pruned execution does not come again

    visit(print_logs)


def retry(
    failed: Annotated[
        list[str] | None, typer.Argument(metavar="[JOB|ID]", help="Executions, or jobs: the latest failure of each.", show_default=False)
    ] = None,
    query: Annotated[str | None, optional("--query", "QUERY", "All matching executions, e.g. 'status:failed since:24h'.")] = None,
    json: Json = False,
) -> None:
    """Run ended executions again, in the process that serves. An execution is retried once; its retry can be retried in turn."""
    from agentool.errors import InvalidInput
    from agentoolkit.entrypoints.cli.errors import FAILURE, tell
    from agentoolkit.entrypoints.cli.printing import print_json, say
    from agentoolkit.entrypoints.cli.retrying import RetriedExecutions, retry_found, retry_named
    from agentoolkit.entrypoints.cli.session import WAITS_FOR_SERVING, Toolkit, call, visit
    from agentoolkit.system.scheduler.answer_schemas import SchedulerStatus
    from agentoolkit.text import counted

    if bool(failed) == (query is not None):
        raise InvalidInput("Name executions or jobs, or give a query.", remedy="Write e.g. `agentool retry nightly`.")

    async def start(kit: Toolkit) -> tuple[RetriedExecutions, str | None]:
        found = await (retry_found(kit, query) if query is not None else retry_named(kit, failed or []))
        return found, (await call(kit, SchedulerStatus, "status")).leader

    retried, leader = visit(start)
    for refusal in retried.refusals[:MAX_NAMED]:
        tell(refusal)
    if json:
        print_json(retried._asdict())
    else:
        for execution_id in retried.started[:MAX_NAMED]:
            say(execution_id)
        say(f"{counted(len(retried.started), 'execution')} retried, {len(retried.refusals):,} refused.")
        if retried.started and not leader:
            say(WAITS_FOR_SERVING)
    raise typer.Exit(FAILURE if retried.refusals else 0)


def cancel_execution(
    execution_id: ExecutionId,
    reason: Reason = None,
) -> None:
    """Cancel a waiting or running execution, also in another process."""
    from agentoolkit.entrypoints.cli.printing import say
    from agentoolkit.entrypoints.cli.session import answer, visit
    from agentoolkit.system.scheduler.answer_schemas import ExecutionInfo

    given = visit(lambda kit: answer(kit, "cancel_execution", execution_id=execution_id, reason=reason))
    found = ExecutionInfo.model_validate(given.data)
    has_ended = found.status not in ("queued", "running", "retrying", "cancelled")
    say(f"It has ended already: {found.status}." if has_ended else given.message)
