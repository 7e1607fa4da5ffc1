"""Check at a worker's start that it shares a store, and that it can run the jobs for workers."""

from __future__ import annotations

import asyncio
import logging

from agentool.core.injector import Injector
from agentool.errors import AgenToolError, ConfigurationError
from agentoolkit.settings import Settings
from agentoolkit.system.scheduler.checks import checked_input
from agentoolkit.system.scheduler.jobs import Job
from agentoolkit.wiring import Toolkit

logger = logging.getLogger(__name__)

LOOKED_AT = 1_000
"""Jobs that are checked."""


def check_worker(settings: Settings) -> None:
    """Open the store once, before the first fork, and warn of jobs that this worker could not run.

    Raises:
        AgenToolError: The store, a plugin or an extra is missing, or cannot be used.
    """
    if settings.database is None:
        remedy = "Set AGENTOOL_DATABASE to the PostgreSQL URL, or the SQLite file, that the scheduler uses."
        raise ConfigurationError("A worker needs the store in which its executions are.", field="database", remedy=remedy)
    for sentence in asyncio.run(unable_jobs(settings)):
        logger.warning(sentence)


async def unable_jobs(settings: Settings) -> list[str]:
    """Return a sentence for each job for workers that cannot run here: its AgenTool is missing, lacks an extra, or refuses the input."""
    async with Toolkit(settings, runs_jobs=False) as kit:
        jobs = [stored.job for stored in await kit.scheduler.store.list_jobs(limit=LOOKED_AT)]
        for_workers = [job for job in jobs if (job.policies.executor or settings.executor) != "local"]
        return [f"Job {job.job_name!r} cannot run here: {why}" for job in for_workers if (why := _why_unable(job, kit.injector))]


def _why_unable(job: Job, injector: Injector) -> str:
    """Return why a job would fail here; empty if nothing is known."""
    if not job.readable:
        return "it cannot be read. A newer version may have written it."
    if job.agentool_name not in injector:
        return f"no AgenTool is named {job.agentool_name!r}. AGENTOOL_PLUGINS names plugins."
    try:
        checked_input(job.agentool_name, job.input_data, injector)
    except AgenToolError as error:
        return str(error)
    return ""
