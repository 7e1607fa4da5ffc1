"""The commands, put together."""

from __future__ import annotations

import typer

from agentoolkit.entrypoints.cli.commands import (
    backfill,
    cancel,
    cancel_execution,
    doctor,
    export,
    history,
    importing,
    info,
    jobs,
    pause,
    preview,
    restart,
    resume,
    run,
    schedule,
    serve,
    simulate,
    start,
    status,
    stop,
    tools,
)
from agentoolkit.entrypoints.cli.reporting import ReportingCommand, ReportingGroup

app = typer.Typer(
    cls=ReportingGroup,
    name="agentool",
    help="Schedule anything that has a name and an input model, and watch it run.",
    no_args_is_help=False,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


@app.callback(invoke_without_command=True)
def default(ctx: typer.Context) -> None:
    """Without a command: run the jobs that are kept, or the bundled example, as `agentool serve` does."""
    if ctx.invoked_subcommand is None:
        serve.serve()


_PANELS = {
    "Run": (serve.serve, run.run),
    "Jobs": (schedule.schedule, jobs.list_, info.info, pause.pause, resume.resume, cancel.cancel, backfill.backfill),
    "Executions": (history.history, cancel_execution.cancel_execution),
    "Schedules": (preview.preview, simulate.simulate),
    "Scheduler": (status.status, start.start, stop.stop, restart.restart, doctor.doctor, tools.tools),
    "Moving": (export.export,),
}
for _panel, _commands in _PANELS.items():
    for _command in _commands:
        app.command(_command.__name__.strip("_").replace("_", "-"), cls=ReportingCommand, rich_help_panel=_panel)(_command)
app.add_typer(importing.app, rich_help_panel="Moving")


def main() -> None:
    """Run the command line."""
    app()
