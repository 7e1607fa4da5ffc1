"""Lets the examples of *Nagatha Assistant Task Scheduler* run as they are written, by giving their imports a home.

| they import or use | and get |
|---|---|
| `nagatha_assistant.plugins.scheduler.get_scheduler` | `agentoolkit.client.get_scheduler` |
| `nagatha_assistant.core.plugin.SimplePlugin` | a class with a name; its commands are the operations of the AgenTool of this name |
| `nagatha_assistant.core.event_bus.get_event_bus` | `agentoolkit.system.events.get_event_bus` |
| `app.task`, `AVAILABLE_TASKS[name] = task` | `task_type(name)(task)` |
"""

from __future__ import annotations

from functools import partial
from types import ModuleType, SimpleNamespace
from typing import Any

from agentool import Injector
from agentoolkit.actions.task_functions import task_type
from agentoolkit.client import get_scheduler
from agentoolkit.system.events import get_event_bus
from agentoolkit.testing import TestToolkit


class SimplePlugin:
    name = "my_plugin"


class AvailableTasks(dict[str, Any]):
    """Functions by the type of task that calls them."""

    def __init__(self, injector: Injector) -> None:
        super().__init__()
        self._injector = injector

    def __setitem__(self, name: str, task: Any) -> None:
        super().__setitem__(name, task)
        task_type(name, injector=self._injector)(partial(task, SimpleNamespace(name=name)))


def modules(kit: TestToolkit) -> dict[str, ModuleType]:
    """Return the modules that the examples import from."""
    held: dict[str, dict[str, Any]] = {
        "nagatha_assistant": {},
        "nagatha_assistant.core": {},
        "nagatha_assistant.core.event_bus": {"get_event_bus": get_event_bus},
        "nagatha_assistant.core.plugin": {"SimplePlugin": SimplePlugin},
        "nagatha_assistant.plugins": {},
        "nagatha_assistant.plugins.scheduler": {"get_scheduler": get_scheduler},
    }
    made = {name: ModuleType(name) for name in held}
    for name, names in held.items():
        vars(made[name]).update(names)
    return made


def names(kit: TestToolkit) -> dict[str, Any]:
    """Return the names that the examples use without importing them."""
    return {
        "app": SimpleNamespace(task=lambda **options: lambda function: function),
        "NagathaTask": object,
        "AVAILABLE_TASKS": AvailableTasks(kit.injector),
        "Dict": dict,
        "Any": Any,
        "scheduler": get_scheduler(kit.injector),
    }
