"""Registers every action, with the settings that are its own."""

from __future__ import annotations

from agentool.core.injector import Injector
from agentoolkit.actions.function import create_function_agent
from agentoolkit.actions.notification import create_notification_agent
from agentoolkit.actions.sequence import create_sequence_agent
from agentoolkit.actions.shell import ShellRules, create_shell_agent
from agentoolkit.settings import Settings
from agentoolkit.time_source import TimeSource


def register_actions(settings: Settings, injector: Injector, time: TimeSource) -> None:
    """Register the AgenTools of this package that act on the world; by default none of them does anything dangerous."""
    create_function_agent(settings.functions, injector=injector)
    create_shell_agent(_shell_rules(settings), injector=injector)
    create_notification_agent(settings.notification_services, injector=injector)
    create_sequence_agent(injector=injector, time=time, concurrency=settings.sequence_concurrency)


def _shell_rules(settings: Settings) -> ShellRules:
    return ShellRules(
        programs=settings.programs,
        folders=settings.shell_folders,
        variables=settings.shell_variables,
        timeout=settings.shell_timeout,
        output_limit=settings.shell_output_limit,
    )
