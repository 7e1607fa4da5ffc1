"""Commands for the scheduler itself: status, start, stop, restart, doctor, tools."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from agentoolkit.entrypoints.cli.options import Json

if TYPE_CHECKING:
    from agentoolkit.system.scheduler.answer_schemas import SchedulerStatus

NOTICED_SECONDS = 1.0
"""Time in which every process on a database notices a stop."""


def status(json: Json = False) -> None:
    """Show whether a process serves the database, and how many jobs and executions there are."""
    from agentoolkit.entrypoints.cli.find_jobs import count_executions
    from agentoolkit.entrypoints.cli.printing import print_result
    from agentoolkit.entrypoints.cli.session import Toolkit, call, visit
    from agentoolkit.system.scheduler.answer_schemas import History, SchedulerStatus

    async def read_status(kit: Toolkit) -> tuple[SchedulerStatus, int, str]:
        running = await count_executions(kit, "running", "its process has ended")
        queued = await call(kit, History, "list_executions", execution_status="queued", with_results=False)
        reasons = dict.fromkeys(execution.reason for execution in queued.history if execution.reason)
        return await call(kit, SchedulerStatus, "status"), running, "; ".join(reasons)

    found, running, waits = visit(read_status)
    if json:
        print_result(found)
    else:
        _print_status(found, running, waits)


def start(
    all_: Annotated[
        bool, typer.Option("--all", help="Start everything here: Redis if there is none, a worker, the scheduler, Flower.")
    ] = False,
    redis: Annotated[bool, typer.Option("--redis", help="Start Redis, unless one listens there.")] = False,
    worker: Annotated[bool, typer.Option("--worker", help="Start a worker of Celery.")] = False,
    beat: Annotated[bool, typer.Option("--beat", help="Start the scheduler, with its pages: it takes the place of Celery's beat.")] = False,
    flower: Annotated[bool, typer.Option("--flower", help="Start Flower, which shows Celery's workers.")] = False,
    redis_port: Annotated[int, typer.Option("--redis-port", metavar="PORT", help="Port of Redis.")] = 6379,
    flower_port: Annotated[int, typer.Option("--flower-port", metavar="PORT", help="Port of Flower.")] = 5555,
    http_port: Annotated[int, typer.Option("--http-port", metavar="PORT", help="Port of the scheduler's pages.")] = 8000,
) -> None:
    """Start the scheduler again after `agentool stop`; or, with an option, run parts of it here, until Ctrl-C."""
    if not (all_ or redis or worker or beat or flower):
        _print_status(_ask_status("start"))
        return
    from agentoolkit.entrypoints.cli.session import settings_for
    from agentoolkit.entrypoints.start import Wanted, run_parts

    ports = (redis_port, flower_port, http_port)
    wanted = Wanted(all_ or redis, all_ or worker, all_ or beat, all_ or flower, *ports)
    if not run_parts(wanted, settings_for(), typer.echo):
        raise typer.Exit(1)


def stop() -> None:
    """Stop firing jobs in every process on this database, until `agentool start`. Jobs stay, and running executions may end."""
    _print_status(_ask_status("stop"))


def restart() -> None:
    """Stop and start the scheduler: the process that serves reads every job again."""
    from time import sleep

    _ask_status("stop")
    sleep(NOTICED_SECONDS)
    _print_status(_ask_status("start"))


def _ask_status(operation: str) -> SchedulerStatus:
    from agentoolkit.entrypoints.cli.session import ask
    from agentoolkit.system.scheduler.answer_schemas import SchedulerStatus

    return ask(SchedulerStatus, operation)


def _print_status(found: SchedulerStatus, running: int | None = None, waits: str = "") -> None:
    """Print a status without the fields about this short-lived process."""
    from agentoolkit.entrypoints.cli.printing import print_pairs

    state = "stopped: nothing fires until `agentool start`" if found.stopped else "started"
    leader = found.leader or "none: `agentool serve` starts one"
    print_pairs(
        {
            "scheduler": state,
            "served by": leader,
            "jobs": f"{found.jobs}, {found.paused} of them paused",
            "running": running,
            "waits": waits or None,
        }
    )


def doctor(json: Json = False) -> None:
    """Check every layer and name the broken ones. The exit code is 1 if a layer is broken."""
    import asyncio

    from agentoolkit.entrypoints.cli.doctor import examine
    from agentoolkit.entrypoints.cli.doctor.finding import print_findings
    from agentoolkit.entrypoints.cli.printing import print_json

    findings = asyncio.run(examine())
    if json:
        print_json([finding._asdict() for finding in findings])
    else:
        print_findings(findings)
    raise typer.Exit(int(any(finding.state == "broken" for finding in findings)))


def tools(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Only this one, in detail.", show_default=False)] = None,
    json: Json = False,
) -> None:
    """Show what can be scheduled: every AgenTool with its operations, their fields and an example."""
    from agentool.describe import describe
    from agentoolkit.entrypoints.cli.printing import print_json
    from agentoolkit.entrypoints.cli.session import settings_for
    from agentoolkit.entrypoints.cli.tool_tables import print_overview, print_tool, tool_json
    from agentoolkit.wiring import Toolkit

    injector = Toolkit(settings_for(memory=True)).injector
    chosen = [describe(agentool) for agentool in ([injector.get(name)] if name else injector.catalog())]
    if json:
        print_json([tool_json(tool) for tool in chosen])
    elif name:
        print_tool(chosen[0])
    else:
        print_overview(chosen)
