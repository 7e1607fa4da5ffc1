"""Register a toolkit from files that its wiring imports: it is found by name, when it is needed."""

from __future__ import annotations

from importlib import import_module

from agentool.core.injector import Injector


def register_toolkit(injector: Injector) -> None:
    """Register the AgenTools of this package whose names are free, with the settings of the environment.

    Raises:
        ConfigurationError: A setting is invalid, or names a database while something in memory is in use.
    """
    import_module("agentoolkit.wiring").Toolkit(injector=injector).log_package()
