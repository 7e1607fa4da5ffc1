"""RQ: executions travel as jobs of RQ, whose workers call one function with their ids. As with Celery, the store is the guard.

RQ's own results, retries and schedules are not used, and its job data is JSON, never pickle.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from math import ceil
from typing import get_args

from redis import Redis
from rq import Queue

from agentoolkit.setting_groups import RedisSettings
from agentoolkit.system.scheduler.jobs import Priority
from agentoolkit.system.scheduler.ports import Portion

FUNCTION = "agentoolkit.entrypoints.rq_worker.run_executions"
"""What RQ's workers call."""
COMMON_QUEUE = "agentool"
"""Where executions go whose job names no queue."""
GRACE_SECONDS = 15
"""Between a handler's own hard limit, twice its timeout, and that of the message."""
NO_LIMIT = -1
SEND_SECONDS = 10.0
"""After which a server that does not answer counts as gone."""


def queue_name(name: str, priority: Priority) -> str:
    """Return the name of one of a queue's four: a worker takes from queues in the order that it is told them."""
    return f"{name}.{priority}"


def queue_names(names: tuple[str, ...]) -> list[str]:
    """Return what a worker takes from, the most urgent first."""
    return [queue_name(name, priority) for priority in get_args(Priority) for name in names]


class RqCourier:
    """Sends executions to RQ's workers, from a thread: its client knows no event loop.

    Args:
        settings: Where the server is.
    """

    def __init__(self, settings: RedisSettings) -> None:
        url = settings.url.get_secret_value() if settings.url else ""
        timeouts = {"socket_timeout": SEND_SECONDS, "socket_connect_timeout": SEND_SECONDS}
        self._connection = Redis.from_url(url, **timeouts)  # pyright: ignore[reportUnknownMemberType]  its keywords have no types
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="agentool-rq")

    async def send(self, portion: Portion) -> None:
        """See `ports.Courier.send`."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._send, portion)

    def close(self) -> None:
        """See `ports.Courier.close`."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._connection.close()

    def _send(self, portion: Portion) -> None:
        route = portion.route
        queue = Queue(queue_name(route.queue or COMMON_QUEUE, route.priority), self._connection, serializer="json")
        queue.enqueue_call(  # pyright: ignore[reportUnknownMemberType]  its lists and dicts have no types
            FUNCTION,
            (list(portion.execution_ids),),
            timeout=NO_LIMIT if route.seconds is None else ceil(2 * route.seconds) + GRACE_SECONDS,
            result_ttl=0,
            description=route.label,
        )
