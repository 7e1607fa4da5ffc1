"""Make a command's options from the fields of the scheduler or of an AgenTool, which are declared only there.

The fields are read when a command runs or shows its help, so that ``agentool --help`` does not wait for them.
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
"""The fields of a job's target, for which commands have arguments of their own."""
JOB_PANEL = "Options of every job"
_FLAGS = {"schedule_type": "--type", "tags": "--tag", "job_name": "--name"}
"""Fields whose options have another name."""
_SHORT = {"timezone": "-z"}
_TYPES: Mapping[str, type] = {"boolean": bool, "integer": int, "number": float}
_GIVEN = "agentool.given_fields"


class FieldsCommand(ReportingCommand):
    """A command with an option for each of some fields, besides its own parameters."""

    def option_fields(self) -> Iterable[tuple[FieldDescription, str | None]]:
        """Return the fields, each with its panel in the help."""
        raise NotImplementedError

    def get_params(self, ctx: Any) -> list[Any]:
        """Return all parameters; the fields' options come before ``--help``."""
        *own, last = super().get_params(ctx)
        return [*own, *self._options, last]

    def invoke(self, ctx: Any) -> Any:
        """Call the command with its own parameters, and keep the fields' values for `given_fields`."""
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
    """A command with an option for each field of a job, except the target and the positional arguments."""

    by_place: frozenset[str] = frozenset({"job_name", "schedule"})

    def option_fields(self) -> Iterable[tuple[FieldDescription, str | None]]:
        return [(field, None) for field in job_fields() if field.name not in self.by_place]


class JobChangesCommand(JobCommand):
    """A command with an option for each field of an existing job, except the target."""

    by_place = frozenset()

    def option_fields(self) -> Iterable[tuple[FieldDescription, str | None]]:
        from agentool.describe import describe_fields
        from agentoolkit.system.scheduler.job_fields import JobChanges

        return [(field, None) for field in describe_fields(JobChanges) if field.name not in TARGET_FIELDS]


class BoundsCommand(FieldsCommand):
    """A command with an option for each bound of a schedule."""

    def option_fields(self) -> Iterable[tuple[FieldDescription, str | None]]:
        from agentoolkit.system.scheduler.schedules import BOUNDS

        return [(field, None) for field in job_fields() if field.name in BOUNDS]


def job_fields() -> list[FieldDescription]:
    """Return the fields of a job without the target."""
    from agentool.describe import describe_fields
    from agentoolkit.system.scheduler.job_fields import JobFields

    return [field for field in describe_fields(JobFields) if field.name not in TARGET_FIELDS]


def given_fields(ctx: typer.Context) -> dict[str, Any]:
    """Return the fields that the options of a `FieldsCommand` set. Objects are read as JSON, untyped values as JSON or text.

    Raises:
        InvalidInput: The value of an object is not JSON.
    """
    from agentoolkit.entrypoints.cli.options import read_json_or_text, read_object

    given: dict[str, Any] = {}
    for name, (field, value) in ctx.meta[_GIVEN].items():
        kind = field.schema.get("type")
        if kind == "object":
            given[name] = read_object(value, name)
        elif kind in (None, "array") and "enum" not in field.schema and isinstance(value, str):
            given[name] = read_json_or_text(name, value)
        else:
            given[name] = value
    return given


def flag_of(name: str) -> str:
    """Return the name of a field's option."""
    return _FLAGS.get(name) or f"--{name.replace('_', '-')}"


def _parameter(field: FieldDescription, panel: str | None) -> inspect.Parameter:
    """Return the function parameter from which typer makes a field's option."""
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
