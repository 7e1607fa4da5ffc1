"""AgenTools of other packages: found by their entry point, registered only if the application names them."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points

from agentool.core.injector import Injector
from agentool.errors import ConfigurationError, did_you_mean

GROUP = "agentool.tools"
"""The group of entry points. Each names a function that takes an injector and registers AgenTools with it."""


def available_plugins() -> list[str]:
    """Return the names of all plugins that are installed, whether registered or not."""
    return sorted(found.name for found in entry_points(group=GROUP))


def register_plugins(names: Sequence[str], injector: Injector) -> None:
    """Register the AgenTools of these plugins.

    Raises:
        ConfigurationError: One is not installed, or its function failed.
    """
    installed = {found.name: found for found in entry_points(group=GROUP)}
    for name in names:
        if name not in installed:
            remedy = did_you_mean(name, installed) or f"Install a package with an entry point in the group {GROUP!r}."
            raise ConfigurationError(f"No plugin is named {name!r}.", field="plugins", value=name, remedy=remedy)
        _register(installed[name], injector)


def _register(plugin: EntryPoint, injector: Injector) -> None:
    try:
        plugin.load()(injector)
    except Exception as error:
        problem = f"Plugin {plugin.name!r} ({plugin.value}) cannot be registered: {error}"
        raise ConfigurationError(problem, field="plugins", value=plugin.name) from error
