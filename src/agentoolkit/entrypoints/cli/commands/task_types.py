"""``agentool scheduler schedule TYPE WHEN``: a task by its type, in the words of *Nagatha Assistant Task Scheduler*, "Quick Start".

Each type is a command. Its options are the arguments of its AgenTool and the fields of a job.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.main import get_command

from agentoolkit.entrypoints.cli.errors import ReportingGroup
from agentoolkit.entrypoints.cli.examples import example_of
from agentoolkit.entrypoints.cli.field_options import JOB_PANEL, FieldsCommand, given_fields, job_fields
from agentoolkit.entrypoints.cli.options import Allow, Json, When, optional

if TYPE_CHECKING:
    from agentool.describe import FieldDescription

EXPLAINED = {
    "agent": "Ask an LLM agent something.",
    "agentool": "Call any AgenTool.",
    "function": "Call a function of an allowed package.",
    "http": "Make an HTTP request.",
    "mcp_tool": "Call a tool of an MCP server.",
    "notification": "Send a notification.",
    "plugin_command": "Call an operation of a plugin, which any AgenTool is.",
    "sequence": "Run several tasks one after the other, or in the order of their dependencies.",
    "shell_command": "Run an allowed program.",
}
"""Help of the built-in types; `agentoolkit.actions.task_types` has their arguments."""


class TaskTypesGroup(ReportingGroup):
    """A command for each task type. A short name is enough: ``shell`` is ``shell_command``, and ``mcp-tool`` is ``mcp_tool``."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(EXPLAINED)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        asked = cmd_name.replace("-", "_")
        name = next((name for name in EXPLAINED if asked in (name, name.rpartition("_")[0])), None)
        if name is None:
            return None
        app = typer.Typer(add_completion=False)
        app.command(name, cls=TaskCommand, help=EXPLAINED[name], epilog=example_of(name))(schedule_task)
        return get_command(app)


class TaskCommand(FieldsCommand):
    """A command with an option for each field of a job, and for each argument of a task type with another name."""

    def option_fields(self) -> Iterable[tuple[FieldDescription, str | None]]:
        from agentoolkit.entrypoints.cli.session import settings_for
        from agentoolkit.wiring import Toolkit

        of_job = [field for field in job_fields() if field.name not in ("job_name", "schedule")]
        named = {field.name for field in of_job}  # a timeout is the job's field: it ends the call as well
        injector = Toolkit(settings_for(memory=True)).injector
        of_type = injector.get("sequence").deps.types.fields(str(self.name), injector)
        return [*((field, None) for field in of_type if field.name not in named), *((field, JOB_PANEL) for field in of_job)]


def schedule_task(
    ctx: typer.Context,
    when: When,
    task_name: Annotated[str | None, optional("--name", "TEXT", "Its unique name; made up if left out.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Change a task of this name instead of refusing.")] = False,
    allow: Allow = None,
    json: Json = False,
) -> None:
    """Schedule a task of the type that the command is named after."""
    from agentoolkit.entrypoints.cli.commands.jobs import print_scheduled
    from agentoolkit.entrypoints.cli.session import Toolkit, call, visit, with_serving_remark
    from agentoolkit.system.scheduler.schemas import Scheduled

    given, of_job = given_fields(ctx), {field.name for field in job_fields()}
    arguments = {name: value for name, value in given.items() if name not in of_job}
    policies = {name: value for name, value in given.items() if name in of_job} | {"replace": replace or None}

    async def schedule_job(kit: Toolkit) -> Scheduled:
        target = kit.injector.get("sequence").deps.types.call(str(ctx.command.name), arguments)
        made = await call(kit, Scheduled, "schedule", job_name=task_name, schedule=when, **target._asdict(), **policies)
        return await with_serving_remark(kit, made, allow or [])

    print_scheduled(visit(schedule_job, allow or []), json=json)


task_types_app = typer.Typer(cls=TaskTypesGroup, name="schedule", help="Schedule a task by its type.", no_args_is_help=True)


@task_types_app.callback()
def schedule() -> None:
    """Schedule a task by its type: notification, mcp_tool, shell_command, plugin_command, sequence, agent …"""
