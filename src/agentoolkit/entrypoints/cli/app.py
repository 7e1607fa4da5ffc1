"""The commands, put together."""

from __future__ import annotations

from typing import Annotated

import typer

from agentoolkit.entrypoints.cli.collection import collect_seldom
from agentoolkit.entrypoints.cli.commands import executions, jobs, mcp, scheduler, schedules, serve, service, tokens, transfer
from agentoolkit.entrypoints.cli.errors import ReportingCommand, ReportingGroup
from agentoolkit.entrypoints.cli.examples import example_of
from agentoolkit.entrypoints.cli.job_options import JobCommand

app = typer.Typer(
    cls=ReportingGroup,
    name="agentool",
    help="Schedule anything that has a name and an input model, and watch it run.",
    no_args_is_help=False,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"agentool {version('agentool')}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def default(
    ctx: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and end.", callback=_print_version, is_eager=True)] = False,
) -> None:
    """Without a command: run the jobs that are kept, or the bundled example, as `agentool serve` does."""
    if ctx.invoked_subcommand is None:
        serve.serve()


_PANELS = {
    "Run": (serve.serve, executions.run),
    "Jobs": (jobs.schedule, jobs.list_, jobs.info, jobs.pause, jobs.resume, jobs.cancel, jobs.backfill),
    "Executions": (executions.history, executions.show, executions.logs, executions.cancel_execution),
    "Schedules": (schedules.preview, schedules.simulate),
    "Scheduler": (scheduler.status, scheduler.start, scheduler.stop, scheduler.restart, scheduler.doctor, scheduler.tools),
    "Moving": (transfer.export,),
}
for _panel, _commands in _PANELS.items():
    for _command in _commands:
        _class = JobCommand if _command is jobs.schedule else ReportingCommand
        _named = _command.__name__.strip("_").replace("_", "-")
        app.command(_named, cls=_class, rich_help_panel=_panel, epilog=example_of(_named))(_command)
app.add_typer(transfer.import_app, rich_help_panel="Moving")
app.add_typer(mcp.mcp_app, rich_help_panel="Run")
app.add_typer(service.service_app, rich_help_panel="Run")
app.add_typer(tokens.token_app, rich_help_panel="Scheduler")


def main() -> None:
    """Run the command line."""
    collect_seldom()
    app()
