"""Short names for kinds of tasks, for sequences and the client: each turns its own arguments into one call of an AgenTool.

Source of the names and their arguments: *Nagatha Assistant Task Scheduler*, "Task Types".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from agentool.core.injector import Injector, get_injector
from agentool.errors import ConfigurationError, InvalidInput, did_you_mean, excerpt

Arguments = Mapping[str, Any]


class Call(NamedTuple):
    """An AgenTool and what it is called with."""

    agentool_name: str
    input_data: dict[str, Any]


class TaskTypes:
    """The task types that are known; those built in, to begin with."""

    def __init__(self) -> None:
        self._types: dict[str, Callable[[Arguments], Call]] = {
            "agentool": lambda args: Call(args["agentool_name"], args["input_data"]),
            "function": lambda args: Call("function", {"operation": "call", **args}),
            "mcp_tool": lambda args: Call("mcp", {"operation": "call", **args}),
            "notification": lambda args: Call("notification", {"operation": "send", **args}),
            "plugin_command": _plugin_command,
            "sequence": lambda args: Call("sequence", {"operation": "run", **args}),
            "shell_command": lambda args: Call("shell", {"operation": "run", **args}),
        }

    @property
    def names(self) -> list[str]:
        """What can be given as a type."""
        return sorted(self._types)

    def add(self, name: str, to_call: Callable[[Arguments], Call]) -> None:
        """Make another type known.

        Raises:
            ConfigurationError: There is one of this name.
        """
        if name in self._types:
            raise ConfigurationError(f"There is a task type {name!r} already.", field="name", value=name, remedy="Choose another name.")
        self._types[name] = to_call

    def call(self, name: str, args: Arguments) -> Call:
        """Return the call that a task stands for.

        Raises:
            InvalidInput: The type is unknown, or an argument that says what to call is missing.
        """
        if name not in self._types:
            problem = f"{excerpt(name)} is no task type."
            raise InvalidInput(problem, field="type", value=name, remedy=did_you_mean(name, self._types))
        try:
            return self._types[name](args)
        except KeyError as error:
            raise InvalidInput(f"A task of type {name!r} needs {error.args[0]!r}.", field=f"args.{error.args[0]}") from error


def register_task_type(
    name: str,
    agentool_name: str,
    to_input: Callable[[dict[str, Any]], dict[str, Any]] = dict,
    *,
    injector: Injector | None = None,
) -> None:
    """Let sequences and the client say `name` for a call of an AgenTool.

    Args:
        name: The new type.
        agentool_name: The AgenTool it calls.
        to_input: Turns a task's arguments into that AgenTool's input; by default they are the input.
        injector: Whose sequences; the current one's by default.

    Raises:
        ConfigurationError: There is a type of this name, or nothing yet that has types.
    """
    injector = injector or get_injector()
    if "sequence" not in injector:
        remedy = "Enter a Toolkit, or call get_scheduler(), before."
        raise ConfigurationError("There is no AgenTool 'sequence' yet to tell of it.", field="name", value=name, remedy=remedy)
    types: TaskTypes = injector.get("sequence").deps.types
    types.add(name, lambda args: Call(agentool_name, to_input(dict(args))))


def _plugin_command(args: Arguments) -> Call:
    return Call(args["plugin_name"], {**args.get("arguments", {}), "operation": args["command_name"]})
