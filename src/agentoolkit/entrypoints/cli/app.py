"""Put the commands together into the program ``agentool``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from copy import copy
from typing import Annotated, Any

import typer

from agentoolkit.entrypoints.cli.commands import (
    executions,
    jobs,
    mcp,
    queues,
    records,
    scheduler,
    schedules,
    serve,
    service,
    tokens,
    transfer,
)
from agentoolkit.entrypoints.cli.commands.approvals import approvals_app
from agentoolkit.entrypoints.cli.commands.task_types import task_types_app
from agentoolkit.entrypoints.cli.commands.tasks import tasks_app
from agentoolkit.entrypoints.cli.commands.views import views_app
from agentoolkit.entrypoints.cli.errors import ReportingCommand, ReportingGroup
from agentoolkit.entrypoints.cli.examples import example_of
from agentoolkit.entrypoints.cli.field_options import BoundsCommand, JobChangesCommand, JobCommand
from agentoolkit.entrypoints.cli.quick_start import collect_seldom

app = typer.Typer(
    cls=ReportingGroup,
    name="agentool",
    help="Schedule anything that has a name and an input model, and watch it run.",
    epilog="Exit codes: 0 done, 1 failed, 2 a mistake in the call, or a difference that `tasks plan` found.",
    no_args_is_help=False,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["--help", "-h"]},
)


@app.callback(invoke_without_command=True)
def default(ctx: typer.Context, version: Annotated[bool, typer.Option("--version", help="Print the version and end.")] = False) -> None:
    """Without a command: run the kept jobs, or the bundled example, as `agentool serve` does."""
    if version:
        from importlib.metadata import version as version_of

        typer.echo(f"agentool {version_of('agentool')}")
        raise typer.Exit
    if ctx.invoked_subcommand is None:
        serve.serve()


_PANELS: dict[str, tuple[Callable[..., None], ...]] = {
    "Run": (serve.serve, executions.run, serve.worker),
    "Jobs": (jobs.schedule, jobs.list_, jobs.upcoming, jobs.info, jobs.update, jobs.pause, jobs.resume, jobs.cancel, jobs.backfill),
    "Executions": (executions.history, executions.show, executions.logs, executions.retry, executions.cancel_execution),
    "Records": (records.audit, records.events, queues.queues, queues.dead_letters),
    "Schedules": (schedules.preview, schedules.simulate),
    "Scheduler": (scheduler.status, scheduler.start, scheduler.stop, scheduler.restart, scheduler.doctor, scheduler.tools),
    "Moving": (transfer.export,),
}
_CLASSES: dict[Callable[..., None], type[ReportingCommand]] = {
    jobs.schedule: JobCommand,
    jobs.update: JobChangesCommand,
    schedules.preview: BoundsCommand,
}
for _panel, _commands in _PANELS.items():
    for _command in _commands:
        _named = _command.__name__.strip("_").replace("_", "-")
        app.command(_named, cls=_CLASSES.get(_command, ReportingCommand), rich_help_panel=_panel, epilog=example_of(_named))(_command)


class SchedulerGroup(ReportingGroup):
    """The commands again below `scheduler`, with `schedule` by a task's type."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [*super().list_commands(ctx), *(name for name in ctx.find_root().command.commands if name not in _ELSEWHERE)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        own = super().get_command(ctx, cmd_name)
        if own is None and cmd_name not in _ELSEWHERE:
            return ctx.find_root().command.get_command(ctx, cmd_name)
        return own


_ELSEWHERE = frozenset({"schedule", "scheduler", "mcp", "service", "token", "import", "export"})
"""Commands that `scheduler` does not repeat: they are not about tasks. `schedule` it has in a form of its own."""

_scheduler_app = typer.Typer(
    cls=SchedulerGroup,
    name="scheduler",
    help="Tasks by their type: `scheduler schedule notification WHEN --message TEXT`, and the other commands again.",
    no_args_is_help=True,
)
_scheduler_app.add_typer(task_types_app)
app.add_typer(_scheduler_app, rich_help_panel="Jobs")
app.add_typer(tasks_app, rich_help_panel="Run")
app.add_typer(views_app, rich_help_panel="Records")
app.add_typer(approvals_app, rich_help_panel="Records")
app.add_typer(transfer.import_app, rich_help_panel="Moving")
app.add_typer(mcp.mcp_app, rich_help_panel="Run")
app.add_typer(service.service_app, rich_help_panel="Run")
app.add_typer(tokens.token_app, rich_help_panel="Scheduler")


def main() -> None:
    """Run the command line."""
    collect_seldom()
    app_for(sys.argv[1:2])()


def app_for(words: Sequence[str]) -> typer.Typer:
    """Return the app with only the named command: building all of them takes longer than some of them run."""
    named = [command for command in app.registered_commands if command.name in words]
    if not named:
        return app
    alone = copy(app)
    alone.registered_commands, alone.registered_groups = named, []
    return alone
