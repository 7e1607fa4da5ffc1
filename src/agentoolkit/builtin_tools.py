"""The AgenTools of this package, one line each. Each is imported and built at its first use.

To add one: write its ``create_…_agent``, and a line in `BUILTIN_TOOLS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

from agentool.core.injector import Injector
from agentoolkit.settings import Settings
from agentoolkit.time_source import TimeSource

if TYPE_CHECKING:
    from agentool.agentool import AgenTool
    from agentoolkit.database.database import Database
    from agentoolkit.observability.metrics.agentool import Metrics
    from agentoolkit.storage.kv.ports import KeyValueStore
    from agentoolkit.storage.kv.service import KvService
    from agentoolkit.system.events.service import EventService
    from agentoolkit.system.logging.service import LogService
    from agentoolkit.system.queue.service import QueueService
    from agentoolkit.system.saved_views.operations import SavedViews
    from agentoolkit.system.scheduler.service import SchedulerService


@dataclass(frozen=True, slots=True)
class ToolParts:
    """The parts that the AgenTools of one toolkit are built from."""

    settings: Settings
    injector: Injector
    time: TimeSource
    scheduler: SchedulerService
    queue: QueueService
    values: KeyValueStore
    log: LogService
    events: EventService
    database: Database | None = None
    environment: Mapping[str, str] | None = None
    """The variables that are configuration; None for those of this process."""
    made: list[AgenTool[Any]] = field(default_factory=list["AgenTool[Any]"])
    """The AgenTools built so far, in this order."""


Given = Callable[[ToolParts], dict[str, Any]]
"""Returns a creator's arguments, besides the injector."""

BUILTIN_TOOLS: Mapping[str, tuple[str, Given]] = {
    "queue": ("agentoolkit.system.queue.agentool:create_queue_agent", lambda parts: {"service": parts.queue}),
    "events": ("agentoolkit.system.events.agentool:create_events_agent", lambda parts: {"service": parts.events}),
    "function": (
        "agentoolkit.actions.function:create_function_agent",
        lambda parts: {"prefixes": parts.settings.functions, "most": parts.settings.concurrency},
    ),
    "shell": (
        "agentoolkit.actions.shell:create_shell_agent",
        lambda parts: {"settings": parts.settings.shell, "live": parts.scheduler.parts.live},
    ),
    "notification": ("agentoolkit.actions.notification:create_notification_agent", lambda parts: {"settings": parts.settings.notification}),
    "celery_task": ("agentoolkit.actions.celery_task:create_celery_task_agent", lambda parts: {"settings": parts.settings.celery}),
    "http": ("agentoolkit.actions.http:create_http_agent", lambda parts: {"settings": parts.settings.http}),
    "mcp": ("agentoolkit.actions.mcp:create_mcp_agent", lambda parts: {"settings": parts.settings.mcp}),
    "sequence": (
        "agentoolkit.actions.sequence:create_sequence_agent",
        lambda parts: {"settings": parts.settings.sequence, "time": parts.time},
    ),
    "agent": (
        "agentoolkit.actions.agent:create_agent_agent",
        lambda parts: {
            "sources": parts.settings.agents.registered,
            "database": parts.database,
            "location": parts.settings.database,
            "values": parts.values,
            "time": parts.time,
        },
    ),
    "logging": ("agentoolkit.system.logging.agentool:create_logging_agent", lambda parts: {"service": parts.log}),
    "metrics": ("agentoolkit.observability.metrics.agentool:create_metrics_agent", lambda parts: {"metrics": _metrics(parts)}),
    "config": (
        "agentoolkit.system.config.agentool:create_config_agent",
        lambda parts: {"files": parts.settings.config.files, "environment": parts.environment},
    ),
    "storage_kv": ("agentoolkit.storage.kv.agentool:create_storage_kv_agent", lambda parts: {"service": _values(parts)}),
    "saved_views": ("agentoolkit.system.saved_views.agentool:create_saved_views_agent", lambda parts: {"deps": _saved_views(parts)}),
    "storage_fs": ("agentoolkit.storage.fs.agentool:create_storage_fs_agent", lambda parts: {"settings": parts.settings.files}),
    "templates": ("agentoolkit.system.templates.agentool:create_templates_agent", lambda parts: {"settings": parts.settings.templates}),
}


def register_builtin_tools(parts: ToolParts) -> list[str]:
    """Register every AgenTool of this package whose name is free, and return the registered names."""
    names = [name for name in BUILTIN_TOOLS if name not in parts.injector]
    for name in names:
        parts.injector.register_lazily(name, lambda name=name: _build(name, parts))
    return names


def import_builtin_tools() -> None:
    """Import the modules of all AgenTools of this package, without building any."""
    for place, _ in BUILTIN_TOOLS.values():
        import_module(place.partition(":")[0])


async def close_builtin_tools(parts: ToolParts) -> None:
    """End the processes of ``templates`` and the durable runs of ``agent``, if these AgenTools were built."""
    for agentool in parts.made:
        if agentool.name in ("templates", "agent"):
            await agentool.deps.close()


def _build(name: str, parts: ToolParts) -> None:
    place, given = BUILTIN_TOOLS[name]
    module, _, create = place.partition(":")
    parts.made.append(getattr(import_module(module), create)(**given(parts), injector=parts.injector))


def _metrics(parts: ToolParts) -> Metrics:
    """Create the registry of metrics, with the metrics of scheduler and queue."""
    from agentoolkit.observability.metrics.agentool import Metrics
    from agentoolkit.observability.metrics.collecting import SchedulerFigures, job_figures, queue_figures
    from agentoolkit.observability.metrics.registry import Registry

    limits = parts.settings.metrics
    metrics = Metrics(
        Registry(limits.series, limits.count), [job_figures(parts.scheduler.lookup.count_jobs), queue_figures(parts.queue.queues)]
    )
    parts.scheduler.subscribe_to_portions(SchedulerFigures(metrics.registry))
    return metrics


def _saved_views(parts: ToolParts) -> SavedViews:
    from agentoolkit.system.saved_views.operations import SavedViews

    return SavedViews(parts.values, parts.time)


def _values(parts: ToolParts) -> KvService:
    from agentoolkit.storage.kv.service import KvService

    return KvService(parts.values, parts.time, parts.settings.kv.value_size)
