"""The AgenTools around the scheduler: log, metrics, configuration, storage and templates, each with the settings that are its own."""

from __future__ import annotations

from agentool.core.injector import Injector
from agentoolkit.observability.event_log import log_event
from agentoolkit.observability.metrics.agent import Metrics, create_metrics_agent
from agentoolkit.observability.metrics.collecting import SchedulerFigures, job_figures, queue_figures
from agentoolkit.observability.metrics.registry import Registry
from agentoolkit.settings import Settings
from agentoolkit.storage.fs import agent as fs_agent
from agentoolkit.storage.fs import service as fs_service
from agentoolkit.storage.kv.agent import create_storage_kv_agent
from agentoolkit.storage.kv.ports import KeyValueStore
from agentoolkit.storage.kv.service import KvService
from agentoolkit.system.config.agent import create_config_agent
from agentoolkit.system.logging.agent import create_logging_agent
from agentoolkit.system.logging.service import LogService, LogSettings
from agentoolkit.system.queue.service import QueueService
from agentoolkit.system.scheduler.service import SchedulerService
from agentoolkit.system.templates import rendering
from agentoolkit.system.templates.agent import create_templates_agent
from agentoolkit.time_source import TimeSource


class Tools:
    """These AgenTools, registered. None starts a thread or a process before it is used; `close` ends what was started.

    Args:
        settings: Each reads its own.
        injector: Where to register.
        time: The time source.
        values: Where ``storage_kv`` keeps its values.
    """

    def __init__(self, settings: Settings, injector: Injector, time: TimeSource, values: KeyValueStore) -> None:
        self._settings = settings
        self._metrics = Metrics(Registry(settings.metrics_series, settings.metrics_count))
        self._log = LogService(_log_settings(settings), time)
        create_logging_agent(self._log, injector=injector)
        self._log.listen(injector)
        create_metrics_agent(self._metrics, injector=injector)
        create_config_agent(settings.config_files, injector=injector)
        create_storage_kv_agent(KvService(values, time, settings.kv_value_size), injector=injector)
        fs_agent.create_storage_fs_agent(settings.files, _file_limits(settings), injector=injector)
        self._templates = create_templates_agent(settings.template_folder, _template_limits(settings), injector=injector).deps

    def watch(self, scheduler: SchedulerService, queue: QueueService) -> None:
        """Put the figures of scheduler and queue among the metrics."""
        scheduler.subscribe(log_event)
        scheduler.subscribe(SchedulerFigures(self._metrics.registry))
        self._metrics.collectors.extend([job_figures(scheduler.jobs), queue_figures(queue.queues)])

    async def close(self) -> None:
        """End what was started, and write what is left of the log."""
        await self._templates.close()
        await self._log.close()


def _log_settings(settings: Settings) -> LogSettings:
    return LogSettings(
        level=settings.log_level,
        console=settings.log_console,
        format=settings.log_format,
        file=settings.log_file,
        file_size=settings.log_file_size,
        files=settings.log_files,
        memory=settings.log_memory,
    )


def _file_limits(settings: Settings) -> fs_service.FileLimits:
    return fs_service.FileLimits(settings.files_size, settings.files_tree_size, settings.files_tree_entries)


def _template_limits(settings: Settings) -> rendering.Limits:
    return rendering.Limits(
        source=settings.template_size,
        output=settings.template_output_size,
        variables=settings.template_variables_size,
        seconds=settings.template_seconds,
        memory=settings.template_memory,
        processes=settings.template_processes,
    )
