"""Plugins: AgenTools of other packages, found by entry point, registered only if the application names them."""

from __future__ import annotations

import re
import sys
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points

from agentool.core.injector import Injector
from agentool.errors import ConfigurationError, did_you_mean

GROUP = "agentool.tools"
"""The group of entry points. Each names a function that takes an injector and registers AgenTools with it."""
_A_PLACE = re.compile(r"[\w.]+:\w+")


def available_plugins() -> list[str]:
    """Return the names of all installed plugins, registered or not."""
    return sorted(found.name for found in entry_points(group=GROUP))


def register_plugins(names: Sequence[str], injector: Injector) -> None:
    """Register the AgenTools of plugins. A name is an entry point, or ``module:function`` for a function without one.

    Raises:
        ConfigurationError: A plugin is not installed, or its function failed.
    """
    for plugin in _find(names):
        with _names_plugin(plugin):
            plugin.load()(injector)


def import_plugins(names: Sequence[str]) -> None:
    """Import the modules of plugins, without calling their functions.

    Raises:
        ConfigurationError: A plugin is not installed, or cannot be imported.
    """
    for plugin in _find(names):
        with _names_plugin(plugin):
            plugin.load()


@lru_cache(maxsize=1)
def _installed(path: Sequence[str]) -> Mapping[str, EntryPoint]:
    """Return the plugins on a module path. Cached, also for forked workers: the search reads the data of every installed package."""
    return {found.name: found for found in entry_points(group=GROUP)}


def _find(names: Sequence[str]) -> Iterator[EntryPoint]:
    installed = _installed(tuple(sys.path))
    if any(name not in installed and not _A_PLACE.fullmatch(name) for name in names):
        _installed.cache_clear()  # the plugin may be newly installed
        installed = _installed(tuple(sys.path))
    for name in names:
        if name not in installed and not _A_PLACE.fullmatch(name):
            remedy = (
                did_you_mean(name, installed)
                or f"Install a package with an entry point in the group {GROUP!r}, or write 'module:function'."
            )
            raise ConfigurationError(f"No plugin is named {name!r}.", field="plugins", value=name, remedy=remedy)
        yield installed.get(name) or EntryPoint(name, name, GROUP)


@contextmanager
def _names_plugin(plugin: EntryPoint) -> Generator[None]:
    """Turn every error into one that names the plugin. Even ``SystemExit``: a module may raise it while it is imported."""
    try:
        yield
    except (Exception, SystemExit) as error:
        problem = f"Plugin {plugin.name!r} ({plugin.value}) cannot be registered: {error}"
        raise ConfigurationError(problem, field="plugins", value=plugin.name) from error
