"""What RQ's workers call, and their settings: ``rq worker -c agentoolkit.entrypoints.rq_worker -S json``.

Named as settings, this file is read before a worker forks, so that each fork finds everything imported. RQ forks for each of
its jobs, and every fork opens the store anew: where tools are small, take ``-w rq.SimpleWorker``, which does neither.
"""

from __future__ import annotations

import os

from redis import Redis
from rq import SimpleWorker, Worker

from agentoolkit.entrypoints.background import BackgroundToolkit
from agentoolkit.entrypoints.worker_checks import check_worker
from agentoolkit.settings import Settings
from agentoolkit.system.scheduler.executors.rq import queue_names

settings = Settings()
toolkit = BackgroundToolkit(settings, runs_jobs=False)

# RQ reads these two by their names.
REDIS_URL = settings.redis.url.get_secret_value() if settings.redis.url else None
QUEUES = queue_names(settings.queues)

_FORK_MARK = "RQ_WORKER_ID"
"""A variable that RQ sets in the process that it forks for one job."""


def run_executions(execution_ids: list[str]) -> None:
    """Claim executions and run them until their outcomes are written. What another process has is passed over."""
    try:
        toolkit.run_work(lambda kit: kit.scheduler.executions.run_claimed(execution_ids))
    finally:
        if _FORK_MARK in os.environ:  # this process ends now, without a word
            toolkit.stop()


def work(*, forks: bool) -> None:
    """Run a worker on these settings until it is stopped.

    Raises:
        AgenToolError: The store, a plugin or an extra is missing, or cannot be used.
    """
    check_worker(settings)
    connection = Redis.from_url(REDIS_URL or "")  # pyright: ignore[reportUnknownMemberType]  its keywords have no types
    kind = Worker if forks else SimpleWorker
    kind(QUEUES, connection=connection, serializer="json").work(logging_level="INFO")
