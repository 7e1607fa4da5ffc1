"""A Redis server, spoken to from threads: its client then serves every event loop, as the toolkit's back ends must."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from redis import Redis
from redis.exceptions import RedisError

from agentool.errors import AgenToolError

T = TypeVar("T")

SECONDS = 10.0
"""After which a server that does not answer counts as gone."""
_THREADS = 4


class RedisUnavailable(AgenToolError, ConnectionError):
    """The Redis server does not answer, or refuses what it is asked."""


class RedisServer:
    """One server. It is reached at the first use, also after it was closed.

    Args:
        url: ``redis://``, ``rediss://`` or ``unix://``.
    """

    def __init__(self, url: str) -> None:
        timeouts = {"socket_timeout": SECONDS, "socket_connect_timeout": SECONDS}
        # Its replies have no types: each is read by whoever asks.
        self._client: Any = Redis.from_url(url, decode_responses=True, **timeouts)  # pyright: ignore[reportUnknownMemberType]
        self._threads = _threads()

    async def run(self, work: Callable[[Any], T]) -> T:
        """Call a function with the client, in a thread.

        Raises:
            RedisUnavailable: The server does not answer, or refuses.
            Exception: Whatever the function raises.
        """
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work, self._client)
        except RedisError as error:
            remedy = "See whether it runs, and what AGENTOOL_REDIS_URL says."
            raise RedisUnavailable(f"The Redis server cannot be used: {error}", field="redis_url", remedy=remedy) from error

    def close(self) -> None:
        """End its threads and connections. What is under way is done."""
        self._threads.shutdown(wait=False)
        self._threads = _threads()
        self._client.close()


def _threads() -> ThreadPoolExecutor:
    """Return threads that begin with their first work."""
    return ThreadPoolExecutor(_THREADS, thread_name_prefix="agentool-redis")
