"""Commands for executions: run, history, show, logs, cancel-execution."""

from __future__ import annotations

from typing import Annotated

import typer

from agentoolkit.entrypoints.cli.options import Allow, Job, Json, Reason, optional

ExecutionId = Annotated[str, typer.Argument(metavar="ID", help="As `agentool history` shows it.", show_default=False)]
STATUSES = "queued|running|retrying|success|failed|cancelled|missed|skipped|lost"


def run(
    job: Job,
    input_data: Annotated[str | None, optional("--input", "JSON", "Another input for this once, as a JSON object.")] = None,
    timeout: Annotated[float | None, optional("--timeout", "SECONDS", "A run that takes longer is cancelled.")] = None,
    allow: Allow = None,
    json: Json = False,
) -> None:
    """Run a job now, in this process, and print its result."""
    from agentoolkit.entrypoints.cli.options import read_object
    from agentoolkit.entrypoints.cli.printing import print_json, print_result, say_lines
    from agentoolkit.entrypoints.cli.session import ask
    from agentoolkit.entrypoints.cli.terminal import stdout_for_results
    from agentoolkit.system.scheduler.schemas import JobDetails, RunNow

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
    job: Annotated[str | None, typer.Argument(metavar="JOB", help="Its id or name; all jobs if left out.", show_default=False)] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", metavar="NUMBER", help="How many executions.", min=1, max=10_000)] = 20,
    status: Annotated[str | None, optional("--status", STATUSES, "Only those with this status.")] = None,
    json: Json = False,
) -> None:
    """List the executions whose due times are the latest, the newest last."""
    from agentoolkit.entrypoints.cli.execution_lines import print_history
    from agentoolkit.entrypoints.cli.printing import print_result, say
    from agentoolkit.entrypoints.cli.session import ask
    from agentoolkit.system.scheduler.schemas import History

    found = ask(History, "list_executions", job_id=job, limit=limit, execution_status=status)
    if json:
        print_result(found)
    elif not found.history:
        say("Nothing has run yet.")
    else:
        print_history(found.history, ids=True)


def show(execution_id: ExecutionId, json: Json = False) -> None:
    """Show one execution: its whole output, its error, and its attempts."""
    from agentoolkit.entrypoints.cli.execution_pages import print_execution
    from agentoolkit.entrypoints.cli.printing import print_result
    from agentoolkit.entrypoints.cli.session import ask
    from agentoolkit.system.scheduler.schemas import ExecutionInfo

    found = ask(ExecutionInfo, "get_execution", execution_id=execution_id)
    if json:
        print_result(found)
    else:
        print_execution(found)


def logs(
    job: Job,
    limit: Annotated[int, typer.Option("--limit", "-n", metavar="NUMBER", help="How many executions.", min=1, max=100)] = 10,
) -> None:
    """Print what the latest executions of a job have put out, whole, the newest last."""
    from agentoolkit.entrypoints.cli.execution_pages import print_output
    from agentoolkit.entrypoints.cli.printing import say
    from agentoolkit.entrypoints.cli.session import ask
    from agentoolkit.system.scheduler.schemas import History

    found = ask(History, "get_history", job_id=job, limit=limit)
    if not found.history:
        say("Nothing has run yet.")
    for execution in reversed(found.history):
        print_output(execution)


def cancel_execution(
    execution_id: ExecutionId,
    reason: Reason = None,
) -> None:
    """End an execution that waits or runs, also one of another process."""
    from agentoolkit.entrypoints.cli.printing import say
    from agentoolkit.entrypoints.cli.session import answer, visit
    from agentoolkit.system.scheduler.schemas import ExecutionInfo

    given = visit(lambda kit: answer(kit, "cancel_execution", execution_id=execution_id, reason=reason))
    found = ExecutionInfo.model_validate(given.data)
    has_ended = found.status not in ("queued", "running", "retrying", "cancelled")
    say(f"It has ended already: {found.status}." if has_ended else given.message)
