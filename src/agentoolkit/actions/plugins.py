"""AgenTools of other packages: found by their entry point, registered only if the application names them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points

from agentool.core.injector import Injector
from agentool.errors import ConfigurationError, did_you_mean

GROUP = "agentool.tools"
"""The group of entry points. Each names a function that takes an injector and registers AgenTools with it."""
_A_PLACE = re.compile(r"[\w.]+:\w+")


def available_plugins() -> list[str]:
    """Return the names of all plugins that are installed, whether registered or not."""
    return sorted(found.name for found in entry_points(group=GROUP))


def register_plugins(names: Sequence[str], injector: Injector) -> None:
    """Register the AgenTools of these plugins: entry points by their name, functions that are in none as ``module:function``.

    Raises:
        ConfigurationError: One is not installed, or its function failed.
    """
    installed = {found.name: found for found in entry_points(group=GROUP)}
    for name in names:
        plugin = installed.get(name) or EntryPoint(name, name, GROUP)
        if name not in installed and not _A_PLACE.fullmatch(name):
            remedy = (
                did_you_mean(name, installed)
                or f"Install a package with an entry point in the group {GROUP!r}, or write 'module:function'."
            )
            raise ConfigurationError(f"No plugin is named {name!r}.", field="plugins", value=name, remedy=remedy)
        try:
            plugin.load()(injector)
        except (Exception, SystemExit) as error:  # a module may end the process while it is imported
            problem = f"Plugin {plugin.name!r} ({plugin.value}) cannot be registered: {error}"
            raise ConfigurationError(problem, field="plugins", value=plugin.name) from error
