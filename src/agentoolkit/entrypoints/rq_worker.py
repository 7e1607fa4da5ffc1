"""What RQ's workers call, their settings, and the kind of jobs that lets them call nothing else.

``rq worker -c agentoolkit.entrypoints.rq_worker -w agentoolkit.entrypoints.rq_worker.ForkingWorker``, or ``rq worker`` alone with these
two in RQ_CONFIG and RQ_WORKER_CLASS. Named as settings, this file is read before a worker forks, so that each fork finds everything
imported. RQ forks for each of its jobs, and every fork opens the store anew: where tools are small, take `InProcessWorker`, which does
neither.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from redis import Redis
from rq import Queue, SimpleWorker, Worker
from rq.job import Job

from agentool.errors import ConfigurationError
from agentoolkit.entrypoints.background import BackgroundToolkit
from agentoolkit.entrypoints.worker_checks import check_worker
from agentoolkit.settings import Settings
from agentoolkit.system.scheduler.executors.rq import FUNCTION, queue_names

settings = Settings()
toolkit = BackgroundToolkit(settings, runs_jobs=False)

# RQ reads these two by their names.
REDIS_URL = settings.redis.url.get_secret_value() if settings.redis.url else None
QUEUES = queue_names(settings.queues)

_FORK_MARK = "RQ_WORKER_ID"
"""A variable that RQ sets in the process that it forks for one job."""


class ExecutionsJob(Job):
    """A message that calls `run_executions`. RQ by itself calls whatever a message names: who can write to Redis could run any code."""

    @property
    def func(self) -> Callable[[list[str]], None]:
        """What the message calls.

        Raises:
            ConfigurationError: It names anything else. RQ writes the message down as failed.
        """
        if self.func_name != FUNCTION:
            problem = f"A worker of this project calls nothing but {FUNCTION}."
            remedy = "Give other work queues and workers of its own, and see who can write to the Redis server."
            raise ConfigurationError(problem, field="func_name", value=self.func_name, remedy=remedy)
        return run_executions

    @property
    def success_callback(self) -> None:
        """Nothing is called back: ours never ask for it."""

    failure_callback: Any = success_callback
    stopped_callback: Any = success_callback


def run_executions(execution_ids: list[str]) -> None:
    """Claim executions and run them until their outcomes are written. What another process has is passed over."""
    try:
        toolkit.run_work(lambda kit: kit.scheduler.executions.run_claimed(execution_ids))
    finally:
        if _FORK_MARK in os.environ:  # this process ends now, without a word
            toolkit.stop()


class _ExecutionsWorker:
    """A worker for executions alone, whatever else it was told: its messages are JSON, and call one function."""

    def __init__(self, queues: Sequence[Queue | str], **told: Any) -> None:
        names = [queue if isinstance(queue, str) else queue.name for queue in queues]
        super().__init__(names, **{**told, "serializer": "json", "job_class": ExecutionsJob})  # pyright: ignore[reportCallIssue]


class ForkingWorker(_ExecutionsWorker, Worker):
    """Forks for each message. What a fork needs is imported before, so a change of a plugin needs a new worker."""

    def work(self, *given: Any, **more: Any) -> bool:
        """See `rq.Worker.work`."""
        toolkit.prepare()
        return super().work(*given, **more)


class InProcessWorker(_ExecutionsWorker, SimpleWorker):
    """Works in one process."""


def work(*, forks: bool) -> None:
    """Run a worker on these settings until it is stopped.

    Raises:
        AgenToolError: The store, a plugin or an extra is missing, or cannot be used.
    """
    check_worker(settings)
    connection = Redis.from_url(REDIS_URL or "")  # pyright: ignore[reportUnknownMemberType]  its keywords have no types
    kind = ForkingWorker if forks else InProcessWorker
    kind(QUEUES, connection=connection).work(logging_level="INFO")


if __name__ == "__main__":  # as the document starts its worker: ``python -m … my_queue``
    from agentoolkit.entrypoints.cli import main

    sys.argv[1:1] = ["worker", "--rq"]
    main()
