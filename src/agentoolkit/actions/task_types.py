"""Task types, for sequences and the client: each turns its own arguments into one call of an AgenTool.

Source of the names and their arguments: *Nagatha Assistant Task Scheduler*, "Task Types".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, cast

from pydantic import BaseModel, Field

from agentool.core.injector import Injector, get_injector
from agentool.describe import FieldDescription, describe, describe_fields
from agentool.errors import ConfigurationError, InvalidInput, did_you_mean, excerpt

Arguments = Mapping[str, Any]


class Call(NamedTuple):
    """An AgenTool's name and its input."""

    agentool_name: str
    input_data: dict[str, Any]


class PluginCommand(BaseModel):
    """Arguments of a plugin's command."""

    plugin_name: str = Field(description="AgenTool to call", examples=["queue"])
    command_name: str = Field(description="Its operation", examples=["list_queues"])
    arguments: dict[str, Any] | None = Field(None, description="The operation's fields")


class AnyCall(BaseModel):
    """Arguments of a call of any AgenTool."""

    agentool_name: str = Field(description="AgenTool to call")
    input_data: dict[str, Any] = Field(description="Its whole input")


OPERATIONS: Mapping[str, tuple[str, str]] = {
    "agent": ("agent", "run"),
    "function": ("function", "call"),
    "http": ("http", "request"),
    "mcp_tool": ("mcp", "call"),
    "notification": ("notification", "send"),
    "sequence": ("sequence", "run"),
    "shell_command": ("shell", "run"),
}
"""Types for one operation of an AgenTool, whose fields are their arguments."""
MODELS: Mapping[str, type[BaseModel]] = {"agentool": AnyCall, "plugin_command": PluginCommand}
"""Arguments of the other built-in types."""


class TaskTypes:
    """The known task types, at first the built-in ones."""

    def __init__(self) -> None:
        self._written: dict[str, object] = {}
        """The definitions of added types, by name."""
        self._types: dict[str, Callable[[Arguments], Call]] = {
            "agentool": _call_agentool,
            "plugin_command": _call_plugin,
            **{name: _operation(*target) for name, target in OPERATIONS.items()},
        }

    @property
    def names(self) -> list[str]:
        """The names of all types."""
        return sorted(self._types)

    def fields(self, name: str, injector: Injector) -> tuple[FieldDescription, ...]:
        """Return the arguments of a built-in type, as its AgenTool describes them."""
        if name in MODELS:
            return describe_fields(MODELS[name])
        agentool_name, operation = OPERATIONS[name]
        return describe(injector.get(agentool_name)).operation(operation).fields

    def add(self, name: str, to_call: Callable[[Arguments], Call], written: object) -> None:
        """Add a type. The same definition again, as from a notebook's cell that runs twice, replaces the earlier one.

        Args:
            name: The type.
            to_call: Turns a task's arguments into a call.
            written: Identifies the definition, to tell a repetition from another definition.

        Raises:
            ConfigurationError: Another type has this name.
        """
        if name in self._types and self._written.get(name) != written:
            raise ConfigurationError(f"There is a task type {name!r} already.", field="name", value=name, remedy="Choose another name.")
        self._types[name], self._written[name] = to_call, written

    def call(self, name: str, args: Arguments) -> Call:
        """Turn a task into a call.

        Raises:
            InvalidInput: The type is unknown; or an argument that the type reads is missing, unknown or of a wrong kind.
        """
        if name not in self._types:
            raise InvalidInput(f"Unknown task type {excerpt(name)}.", field="type", value=name, remedy=did_you_mean(name, self._types))
        try:
            return self._types[name](args)
        except InvalidInput:
            raise
        except KeyError as error:
            raise InvalidInput(f"A task of type {name!r} needs {error.args[0]!r}.", field=f"args.{error.args[0]}") from error
        except Exception as error:  # a registered function may raise anything
            problem = f"The arguments of a task of type {name!r} cannot be read: {type(error).__name__}: {error}."
            raise InvalidInput(problem, field="args", value=dict(args)) from error


def register_task_type(
    name: str,
    agentool_name: str,
    to_input: Callable[[dict[str, Any]], dict[str, Any]] = dict,
    *,
    injector: Injector | None = None,
) -> None:
    """Add a task type for sequences and the client: a name for calls of an AgenTool.

    Args:
        name: The new type.
        agentool_name: The AgenTool it calls.
        to_input: Turns a task's arguments into that AgenTool's input; by default they are the input.
        injector: The injector that has the AgenTool ``sequence``; by default the current one.

    Raises:
        ConfigurationError: Another type has this name, or ``sequence`` is not registered yet.
    """
    injector = injector or get_injector()
    if "sequence" not in injector:
        remedy = "Enter a Toolkit, or call get_scheduler(), first."
        raise ConfigurationError("No AgenTool 'sequence' is registered yet.", field="name", value=name, remedy=remedy)
    types: TaskTypes = injector.get("sequence").deps.types
    written = (agentool_name, getattr(to_input, "__module__", ""), getattr(to_input, "__qualname__", repr(to_input)))
    types.add(name, lambda args: Call(agentool_name, to_input(dict(args))), written)


def _operation(agentool_name: str, operation: str) -> Callable[[Arguments], Call]:
    def to_call(args: Arguments) -> Call:
        if "operation" in args:
            problem = f"The operation of this type is always {operation!r}."
            raise InvalidInput(problem, field="args.operation", value=args["operation"], remedy="Leave it out, or use the type 'agentool'.")
        return Call(agentool_name, {"operation": operation, **args})

    return to_call


def _call_agentool(args: Arguments) -> Call:
    _refuse_unknown(args, list(AnyCall.model_fields))
    return Call(_text(args, "agentool_name"), _mapping(args["input_data"], "input_data"))


def _call_plugin(args: Arguments) -> Call:
    _refuse_unknown(args, list(PluginCommand.model_fields))
    given = args.get("arguments")
    arguments = {} if given is None else _mapping(given, "arguments")
    return Call(_text(args, "plugin_name"), {**arguments, "operation": _text(args, "command_name")})


def _refuse_unknown(args: Arguments, known: Sequence[str]) -> None:
    for name, value in args.items():
        if name not in known:
            raise InvalidInput("Unknown argument of this type.", field=f"args.{name}", value=value, remedy=did_you_mean(name, known))


def _text(args: Arguments, name: str) -> str:
    value = args[name]
    if not isinstance(value, str) or not value:
        raise InvalidInput(f"It must be a name, got {excerpt(value)}.", field=f"args.{name}", value=value)
    return value


def _mapping(value: object, name: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidInput(f"It must be an object, got {excerpt(value)}.", field=f"args.{name}", value=value)
    return dict(cast("Mapping[str, Any]", value))
