"""The function that RQ's workers call, their settings, and a class of jobs that refuses any other function.

``rq worker -c agentoolkit.entrypoints.rq_worker -w agentoolkit.entrypoints.rq_worker.ForkingWorker``, or ``rq worker`` alone with these
two in RQ_CONFIG and RQ_WORKER_CLASS. As settings this file is imported before a worker forks, so forks import nothing more. RQ forks
for each of its jobs, and every fork opens the store again. For small tools use `InProcessWorker`, which does neither.
"""

from __future__ import annotations

import logging
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from typing import Any

from redis import Redis
from redis.exceptions import ConnectionError as RedisAway
from redis.exceptions import TimeoutError as RedisSilent
from rq import Queue, SimpleWorker, Worker
from rq.exceptions import DeserializationError
from rq.job import Job

from agentool.errors import AgenToolError, ConfigurationError
from agentoolkit.entrypoints.background import BackgroundToolkit
from agentoolkit.entrypoints.worker_checks import check_worker
from agentoolkit.settings import Settings
from agentoolkit.system.scheduler.executors.couriers import turns
from agentoolkit.system.scheduler.executors.rq import FUNCTION, queue_names, taken_queues

logger = logging.getLogger(__name__)

RETRY_SECONDS = 2.0
"""Pause between two attempts to reach a Redis server that is away."""

settings = Settings()
toolkit = BackgroundToolkit(settings, runs_jobs=False)
forked_toolkit = BackgroundToolkit(settings, runs_jobs=False, reads_apart=False)
"""The toolkit of a process that is forked for one message."""

# RQ reads these two by their names.
REDIS_URL = settings.redis.url.get_secret_value() if settings.redis.url else None
QUEUES = queue_names(settings.queues)


class ExecutionsJob(Job):
    """A message that calls `run_executions`. RQ itself would call any function: writing to Redis would be enough to run any code."""

    @property
    def func(self) -> Callable[[list[str]], None]:
        """The function that the message calls.

        Raises:
            ConfigurationError: The message names another function. RQ marks it as failed.
        """
        if self.func_name != FUNCTION:
            problem = f"A worker of this project calls only {FUNCTION}."
            remedy = "Give other work its own queues and workers, and check who can write to the Redis server."
            raise ConfigurationError(problem, field="func_name", value=self.func_name, remedy=remedy)
        return self._calls

    @property
    def _calls(self) -> Callable[[list[str]], None]:
        return run_executions

    @property
    def success_callback(self) -> None:
        """No callback: the executor never sets one."""

    failure_callback: Any = success_callback
    stopped_callback: Any = success_callback

    def send_webhooks(self, *_: Any, **__: Any) -> None:
        """Send nothing: writing to Redis would be enough to make this machine post to addresses that only it can reach."""


class InProcessExecutionsJob(ExecutionsJob):
    """The same message for a worker that does not fork."""

    @property
    def _calls(self) -> Callable[[list[str]], None]:
        return run_executions_in_process


def run_executions(execution_ids: list[str]) -> None:
    """Claim executions and run them until their outcomes are written. Executions of other processes are skipped.

    The store is closed afterwards: most workers of RQ fork for each message, and their forks end without cleanup.
    """
    try:
        forked_toolkit.run_work(lambda kit: kit.scheduler.executions.run_claimed(execution_ids))
    finally:
        forked_toolkit.stop()


def run_executions_in_process(execution_ids: list[str]) -> None:
    """See `run_executions`. The toolkit stays open for the next message."""
    toolkit.run_work(lambda kit: kit.scheduler.executions.run_claimed(execution_ids))


@cache
def check() -> None:
    """See `check_worker`. Cached: both `agentool worker` and the worker's class ask."""
    check_worker(settings)


class _ExecutionsWorker:
    """A worker for executions only, whatever its options: its messages are JSON and call one function."""

    message_class: type[ExecutionsJob] = ExecutionsJob

    def __init__(self, queues: Sequence[Queue | str], **options: Any) -> None:
        names = [queue if isinstance(queue, str) else queue.name for queue in queues]
        names = taken_queues(names, QUEUES)
        super().__init__(names, **{**options, "serializer": "json", "job_class": self.message_class})  # pyright: ignore[reportCallIssue]
        self.is_stopping = False

    def work(self, *given: Any, **more: Any) -> bool:
        """See `rq.Worker.work`. If the worker could not do its work, the process ends with a sentence that says why."""
        try:
            check()
            self.get_ready()
        except AgenToolError as error:
            raise SystemExit(f"agentool: {error}") from None
        return super().work(*given, **more)  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownVariableType]

    def get_ready(self) -> None:
        """Do what a worker can do before its first message. Raises `AgenToolError`."""

    def execute_job(self, job: Any, queue: Queue) -> None:
        """See `rq.Worker.execute_job`. The time limit gives each execution its turn."""
        with suppress(DeserializationError):  # RQ marks it as failed
            if job.timeout is not None and job.timeout > 0:
                job.timeout *= turns(job.args, settings.concurrency)
        super().execute_job(job, queue)  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]

    def request_stop(self, signum: int, frame: Any) -> None:
        """See `rq.Worker.request_stop`."""
        self.is_stopping = True
        super().request_stop(signum, frame)  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]


class ForkingWorker(_ExecutionsWorker, Worker):
    """Forks for each message. Modules are imported before the fork, so a changed plugin needs a new worker."""

    def get_ready(self) -> None:
        """See `_ExecutionsWorker.get_ready`."""
        forked_toolkit.prepare()


class InProcessWorker(_ExecutionsWorker, SimpleWorker):
    """Runs all messages in one process."""

    message_class = InProcessExecutionsJob


def work(*, forks: bool) -> None:
    """Run a worker with these settings until it is stopped. If it ends by itself, because Redis is away, another one starts.

    Raises:
        AgenToolError: The store, a plugin or an extra is missing, or cannot be used.
    """
    check()
    connection = Redis.from_url(REDIS_URL or "")  # pyright: ignore[reportUnknownMemberType]  its keywords have no types
    kind = ForkingWorker if forks else InProcessWorker
    while not _runs_until_stopped(kind, connection):
        time.sleep(RETRY_SECONDS)


def _runs_until_stopped(kind: type[ForkingWorker | InProcessWorker], connection: Redis) -> bool:
    """Run a worker. Return True if it was stopped, and False if it ended by itself, as RQ's workers do at an error that they log."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    worker = None
    try:
        worker = kind(QUEUES, connection=connection)
        worker.work(logging_level=settings.log.level)
    except (RedisAway, RedisSilent) as error:
        logger.warning("Redis is away (%s); trying again in %g s", error, RETRY_SECONDS)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    return worker is not None and worker.is_stopping


if __name__ == "__main__":  # the source document starts its worker so: ``python -m … my_queue``
    from agentoolkit.entrypoints.cli import main

    sys.argv[1:1] = ["worker", "--rq"]
    main()
