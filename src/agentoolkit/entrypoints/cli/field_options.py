"""Options made from fields: a command takes what the scheduler, or an AgenTool, does, and declares none of it again.

The fields are looked up when a command runs or explains itself, so that ``agentool --help`` does not wait for them.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.main import get_command

from agentoolkit.entrypoints.cli.errors import ReportingCommand

if TYPE_CHECKING:
    from agentool.describe import FieldDescription

TARGET_FIELDS = frozenset({"agentool_name", "input_data"})
"""What a job runs: a command takes that in its own way."""
JOB_PANEL = "Options of every job"
_FLAGS = {"schedule_type": "--type", "tags": "--tag", "job_name": "--name"}
"""Fields whose options are not called as they are."""
_SHORT = {"timezone": "-z"}
_TYPES: Mapping[str, type] = {"boolean": bool, "integer": int, "number": float}
_GIVEN = "agentool.given_fields"


class FieldsCommand(ReportingCommand):
    """A command that takes an option for each of some fields, besides its own parameters."""

    def option_fields(self) -> Iterable[tuple[FieldDescription, str | None]]:
        """Return the fields, each with the panel of the help that it is in."""
        raise NotImplementedError

    def get_params(self, ctx: Any) -> list[Any]:
        """Return all parameters, those of the fields before ``--help``."""
        *own, last = super().get_params(ctx)
        return [*own, *self._options, last]

    def invoke(self, ctx: Any) -> Any:
        """Call the command with its own parameters; the fields are for `given_fields`."""
        given = {option.name: ctx.params.pop(option.name) for option in self._options}
        fields = (field for field, _ in self._fields)
        ctx.meta[_GIVEN] = {field.name: (field, given[field.name]) for field in fields if given[field.name] not in (None, [], ())}
        return super().invoke(ctx)

    @cached_property
    def _fields(self) -> list[tuple[FieldDescription, str | None]]:
        return list(self.option_fields())

    @cached_property
    def _options(self) -> list[Any]:
        def take(**fields: Any) -> None: ...

        take.__signature__ = inspect.Signature([_parameter(field, panel) for field, panel in self._fields])  # type: ignore[attr-defined]
        app = typer.Typer(add_completion=False)
        app.command()(take)
        command: Any = get_command(app)
        return list(command.params)


class JobCommand(FieldsCommand):
    """A command that takes an option for each field of a job but the target, and those that it takes by place."""

    by_place: frozenset[str] = frozenset({"job_name", "schedule"})

    def option_fields(self) -> Iterable[tuple[FieldDescription, str | None]]:
        return [(field, None) for field in job_fields() if field.name not in self.by_place]


class JobChangesCommand(JobCommand):
    """The same, of a job that is there already."""

    by_place = frozenset()


class BoundsCommand(FieldsCommand):
    """A command that takes an option for each bound of a schedule."""

    def option_fields(self) -> Iterable[tuple[FieldDescription, str | None]]:
        from agentoolkit.system.scheduler.schedules import BOUNDS

        return [(field, None) for field in job_fields() if field.name in BOUNDS]


def job_fields() -> list[FieldDescription]:
    """Return the fields of a job that have options: all but the target."""
    from agentool.describe import describe_fields
    from agentoolkit.system.scheduler.job_fields import JobFields

    return [field for field in describe_fields(JobFields) if field.name not in TARGET_FIELDS]


def given_fields(ctx: typer.Context) -> dict[str, Any]:
    """Return the fields that options of a `FieldsCommand` give.

    Raises:
        InvalidInput: One is to be JSON and is not.
    """
    return {name: _read(field, value) for name, (field, value) in ctx.meta[_GIVEN].items()}


def flag_of(name: str) -> str:
    """Return what the option of a field is called."""
    return _FLAGS.get(name) or f"--{name.replace('_', '-')}"


def _parameter(field: FieldDescription, panel: str | None) -> inspect.Parameter:
    """Return the parameter of a function, out of which typer makes an option."""
    schema, flag = field.schema, flag_of(field.name)
    explained = f"{field.description}." if field.description else ""
    flags = [flag, *([_SHORT[field.name]] if field.name in _SHORT else [])]
    taken: Any = _TYPES.get(schema.get("type", ""), str)
    metavar: str | None = "JSON" if schema.get("type") in (None, "array", "object") else "TEXT"
    if "enum" in schema:
        metavar = "|".join(map(str, schema["enum"]))
    elif taken is bool:
        flags, metavar = [f"{flag}/--no-{flag[2:]}"], None
    elif taken in (int, float):
        metavar = "SECONDS" if explained.startswith("Seconds") else "NUMBER"
    elif schema.get("type") == "array" and schema.get("items", {}).get("type") == "string":
        taken, metavar, explained = list[str], "TEXT", f"{explained[:-1]}; may be repeated."
    elif explained.startswith("ISO 8601"):
        metavar = "TIME"
    option = typer.Option(*flags, metavar=metavar, help=explained, show_default=False, rich_help_panel=panel)
    default, annotation = (inspect.Parameter.empty, taken) if field.required else (None, taken | None)
    return inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[annotation, option])


def _read(field: FieldDescription, value: Any) -> Any:
    """Read what was written for a field: an object as JSON, what may be text or something else as JSON where it can be."""
    from agentoolkit.entrypoints.cli.options import read_json_or_text, read_object

    schema = field.schema
    if schema.get("type") == "object":
        return read_object(value, field.name)
    if schema.get("type") in (None, "array") and "enum" not in schema and isinstance(value, str):
        return read_json_or_text(field.name, value)
    return value
