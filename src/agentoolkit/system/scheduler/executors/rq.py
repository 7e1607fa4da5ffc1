"""Sends executions to RQ's workers: RQ jobs call one function with their ids. As with Celery, the claim in the store guards them.

RQ's results, retries and schedules are not used, and its job data is JSON, never pickle.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from redis import Redis
from rq import Queue

from agentoolkit.setting_groups import RedisSettings
from agentoolkit.system.scheduler.executors.couriers import SEND_SECONDS, ThreadedCourier, message_seconds
from agentoolkit.system.scheduler.jobs import Priority
from agentoolkit.system.scheduler.ports import COMMON_QUEUE, Portion

FUNCTION = "agentoolkit.entrypoints.rq_worker.run_executions"
"""The function that RQ's workers call."""
NO_LIMIT = -1
FAILED_SECONDS = 7 * 24 * 3600
"""Time for which Redis keeps a message that has failed. RQ's default is a year; the executions are sent again by other messages."""


def queue_name(name: str, priority: Priority) -> str:
    """Return the RQ queue of a queue's name and priority: workers take from queues in the order they are given."""
    return f"{name}.{priority}"


def queue_names(names: tuple[str, ...]) -> list[str]:
    """Return the RQ queues of a worker, the most urgent first."""
    return [queue_name(name, priority) for priority in get_args(Priority) for name in names]


def taken_queues(given: Sequence[str], usual: Sequence[str]) -> list[str]:
    """Return the RQ queues of a worker that is given queues by RQ's own command: those of a job's queue stand for its name.

    Args:
        given: Names of job's queues, or of RQ's own queues.
        usual: RQ's queues that the settings name.
    """
    levels = tuple(f".{priority}" for priority in get_args(Priority))
    names = tuple(name for name in given if name not in usual and not name.endswith(levels))
    return [name for name in given if name not in names] + queue_names(names)


class RqCourier(ThreadedCourier):
    """Sends executions to RQ's workers.

    Args:
        settings: The server.
    """

    def __init__(self, settings: RedisSettings) -> None:
        super().__init__("rq")
        url = settings.url.get_secret_value() if settings.url else ""
        timeouts = {"socket_timeout": SEND_SECONDS, "socket_connect_timeout": SEND_SECONDS}
        self._connection = Redis.from_url(url, **timeouts)  # pyright: ignore[reportUnknownMemberType]  its keywords have no types

    def bring(self, portions: Sequence[Portion]) -> None:
        """See `ThreadedCourier.bring`."""
        with self._connection.pipeline() as pipeline:  # pyright: ignore[reportUnknownMemberType]  as above
            for portion in portions:
                route, limit = portion.route, message_seconds(portion.route.seconds)
                queue = Queue(queue_name(route.queue or COMMON_QUEUE, route.priority), self._connection, serializer="json")
                queue.enqueue_call(  # pyright: ignore[reportUnknownMemberType]  its lists and dicts have no types
                    FUNCTION,
                    (list(portion.execution_ids),),
                    timeout=NO_LIMIT if limit is None else limit,
                    result_ttl=0,
                    failure_ttl=FAILED_SECONDS,
                    description=route.label,
                    pipeline=pipeline,
                )
            pipeline.execute()

    def disconnect(self) -> None:
        """See `ThreadedCourier.disconnect`."""
        self._connection.close()
