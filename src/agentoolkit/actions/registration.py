"""Registers every action, with the settings that are its own."""

from __future__ import annotations

from agentool.core.injector import Injector
from agentoolkit.actions.function import create_function_agent
from agentoolkit.actions.http import HttpRules, create_http_agent
from agentoolkit.actions.mcp import create_mcp_agent
from agentoolkit.actions.notification import create_notification_agent
from agentoolkit.actions.plugins import register_plugins
from agentoolkit.actions.sequence import create_sequence_agent
from agentoolkit.actions.shell import ShellRules, create_shell_agent
from agentoolkit.settings import Settings
from agentoolkit.time_source import TimeSource


def register_actions(settings: Settings, injector: Injector, time: TimeSource) -> None:
    """Register the AgenTools of this package that act on the world; by default none of them does anything dangerous."""
    create_function_agent(settings.functions, most=settings.concurrency, injector=injector)
    create_shell_agent(_shell_rules(settings), injector=injector)
    create_notification_agent(settings.notification_services, injector=injector)
    create_http_agent(_http_rules(settings), injector=injector)
    create_mcp_agent(settings.mcp_servers, settings.mcp_timeout, injector=injector)
    create_sequence_agent(injector=injector, time=time, concurrency=settings.sequence_concurrency)
    register_plugins(settings.plugins, injector)


def _shell_rules(settings: Settings) -> ShellRules:
    return ShellRules(
        programs=settings.programs,
        folders=settings.shell_folders,
        variables=settings.shell_variables,
        timeout=settings.shell_timeout,
        output_limit=settings.shell_output_limit,
    )


def _http_rules(settings: Settings) -> HttpRules:
    return HttpRules(
        allow=settings.http_allow,
        signing=settings.http_signing,
        timeout=settings.http_timeout,
        response_limit=settings.http_response_limit,
        redirects=settings.http_redirects,
    )
