"""What is checked at a worker's start: that it shares a store, and has what the jobs need that it may be sent."""

from __future__ import annotations

import asyncio
import logging

from agentool.errors import ConfigurationError
from agentoolkit.settings import Settings
from agentoolkit.wiring import Toolkit

logger = logging.getLogger(__name__)

LOOKED_AT = 1_000
"""Jobs that are looked at for AgenTools that this worker does not have."""


def check_worker(settings: Settings) -> None:
    """Open the store once, before the first fork, and warn of jobs that this worker could not carry out.

    Raises:
        AgenToolError: The store, a plugin or an extra is missing, or cannot be used.
    """
    if settings.database is None:
        remedy = "Set AGENTOOL_DATABASE to the PostgreSQL URL, or the SQLite file, that the scheduler uses."
        raise ConfigurationError("A worker needs the store in which its executions are.", field="database", remedy=remedy)
    for sentence in asyncio.run(missing_tools(settings)):
        logger.warning(sentence)


async def missing_tools(settings: Settings) -> list[str]:
    """Say of each job for workers whose AgenTool is not here that it cannot run here."""
    async with Toolkit(settings, runs_jobs=False) as kit:
        jobs = [stored.job for stored in await kit.scheduler.store.list_jobs(limit=LOOKED_AT)]
    default = settings.executor
    return [
        f"Job {job.job_name!r} cannot run here: no AgenTool is named {job.agentool_name!r}. AGENTOOL_PLUGINS names plugins."
        for job in jobs
        if (job.policies.executor or default) != "local" and job.readable and job.agentool_name not in kit.injector
    ]
