"""Plugins of an assistant: objects whose methods are commands that can be scheduled.

Source: *Nagatha Assistant Task Scheduler*, "Plugin Integration".
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

from agentool.core.injector import Injector
from agentoolkit.actions.task_functions import agentool_of_functions


class SimplePlugin:
    """The base class of plugins. Each public method of the plugin, sync or async, is a command.

    ``name`` is the name of the AgenTool whose operations are the commands; by default ``my_plugin`` for ``MyPlugin``.
    """

    name: str = ""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "name" not in cls.__dict__:
            cls.name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).lower()

    async def setup(self) -> None:
        """Called once the commands are registered; override it, for example to schedule them."""

    def commands(self) -> dict[str, Callable[..., Any]]:
        """Return the commands by name."""
        classes = [base for base in type(self).__mro__ if issubclass(base, SimplePlugin) and base is not SimplePlugin]
        names = {name: None for base in reversed(classes) for name, held in vars(base).items() if inspect.isfunction(held)}
        return {name: getattr(self, name) for name in names if not name.startswith("_") and not hasattr(SimplePlugin, name)}


async def use_plugin(plugin: SimplePlugin, *, injector: Injector | None = None) -> None:
    """Register a plugin's commands as the operations of an AgenTool with its name, then await its `setup`.

    Args:
        plugin: The plugin.
        injector: The injector to register in; by default the current one.

    Raises:
        ConfigurationError: Another AgenTool has this name, or a command's parameters cannot be given by name.
    """
    if commands := plugin.commands():
        agentool_of_functions(plugin.name, commands, inspect.getdoc(type(plugin)) or "", injector=injector)
    await plugin.setup()
