"""An assistant's plugin: an object whose methods are commands that can be scheduled.

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
    """What a plugin inherits from: each public method of its own, async or not, is a command.

    ``name`` is that of the AgenTool whose operations the commands are; by default the class's, as ``my_plugin`` of ``MyPlugin``.
    """

    name: str = ""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "name" not in cls.__dict__:
            cls.name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).lower()

    async def setup(self) -> None:
        """Do what is to be done once the plugin's commands are there, such as scheduling them."""

    def commands(self) -> dict[str, Callable[..., Any]]:
        """Return the commands by their names."""
        of_its_own = [base for base in type(self).__mro__ if issubclass(base, SimplePlugin) and base is not SimplePlugin]
        names = {name: None for base in reversed(of_its_own) for name, held in vars(base).items() if inspect.isfunction(held)}
        return {name: getattr(self, name) for name in names if not name.startswith("_") and not hasattr(SimplePlugin, name)}


async def use_plugin(plugin: SimplePlugin, *, injector: Injector | None = None) -> None:
    """Register a plugin's commands as the operations of an AgenTool of its name, and let it set itself up.

    Args:
        plugin: The plugin.
        injector: Where to register; the current one by default.

    Raises:
        ConfigurationError: The name is taken, or a command's parameters cannot be given by name.
    """
    if commands := plugin.commands():
        agentool_of_functions(plugin.name, commands, inspect.getdoc(type(plugin)) or "", injector=injector)
    await plugin.setup()
