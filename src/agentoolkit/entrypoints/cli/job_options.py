"""An option for each field of a job, made from the field: `schedule` takes whatever the scheduler does.

The fields are imported when the command is run or explains itself, so that ``agentool --help`` does not wait for them.
"""

from __future__ import annotations

import inspect
from functools import cached_property
from typing import Annotated, Any, Literal, get_args, get_origin

import typer
from typer.main import get_command

from agentoolkit.entrypoints.cli.errors import ReportingCommand

_BY_PLACE = {"job_name", "schedule", "agentool_name", "input_data"}
"""Fields that `schedule` takes as arguments, or in its own way."""
_FLAGS = {"schedule_type": ["--type"], "tags": ["--tag"], "timezone": ["--timezone", "-z"]}
"""Fields whose options are not called as they are."""

_GIVEN = "agentool.job_fields"


class JobCommand(ReportingCommand):
    """A command that takes an option for each field of a job, besides its own parameters."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return all parameters, those of the fields before ``--help``."""
        *own, last = super().get_params(ctx)
        return [*own, *self._of_fields, last]

    def invoke(self, ctx: Any) -> Any:
        """Call the command with its own parameters; the fields are for `given_fields`."""
        ctx.meta[_GIVEN] = {option.name: ctx.params.pop(option.name) for option in self._of_fields}
        return super().invoke(ctx)

    @cached_property
    def _of_fields(self) -> list[Any]:
        def take(**fields: Any) -> None: ...

        take.__signature__ = inspect.Signature(_parameters())  # type: ignore[attr-defined]
        app = typer.Typer(add_completion=False)
        app.command()(take)
        command: Any = get_command(app)
        return list(command.params)


def given_fields(ctx: typer.Context) -> dict[str, Any]:
    """Return the fields that options of a `JobCommand` give. Raises `InvalidInput` where one is to be a JSON object and is not."""
    from agentoolkit.entrypoints.cli.options import read_object

    given = {name: value for name, value in ctx.meta[_GIVEN].items() if value not in (None, [], ())}
    return {name: read_object(value) if name == "gate" else value for name, value in given.items()}


def _parameters() -> list[inspect.Parameter]:
    from agentoolkit.system.scheduler.job_fields import JobFields

    fields = {name: field for name, field in JobFields.model_fields.items() if name not in _BY_PLACE}
    return [_parameter(name, field.annotation, f"{field.description}.") for name, field in fields.items()]


def _parameter(name: str, annotation: Any, explained: str) -> inspect.Parameter:
    kind = next(member for member in get_args(annotation) if member is not type(None))
    flags = _FLAGS.get(name) or [f"--{name.replace('_', '-')}"]
    taken, metavar = _taken(kind, explained)
    if taken is bool:
        flags = [f"{flags[0]}/--no-{flags[0][2:]}"]
    if get_origin(taken) is list:
        explained = f"{explained[:-1]}; may be repeated."
    option = typer.Option(*flags, metavar=metavar, help=explained, show_default=False)
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[taken | None, option])


def _taken(kind: Any, explained: str) -> tuple[Any, str | None]:
    """Return the type of an option's value, and a word for it."""
    if get_origin(kind) is Literal:
        return str, "|".join(get_args(kind))
    if get_origin(kind) is list:
        return list[str], "TEXT"
    if kind is bool:
        return bool, None
    if kind in (int, float):
        return kind, "SECONDS" if explained.startswith("Seconds") else "NUMBER"
    if kind is str:
        return str, "TIME" if explained.startswith("ISO 8601") else "TEXT"
    return str, "JSON"
