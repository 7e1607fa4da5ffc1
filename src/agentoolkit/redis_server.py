"""A Redis server, called from threads, so that one client serves every event loop. The toolkit's back ends need that."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from redis import Redis
from redis.exceptions import RedisError, TimeoutError

from agentool.errors import AgenToolError

T = TypeVar("T")

SECONDS = 10.0
"""Seconds without an answer after which the server counts as unavailable."""
_THREADS = 4


class RedisUnavailable(AgenToolError, ConnectionError):
    """The Redis server does not answer, or refuses a command."""


class RedisServer:
    """A Redis server. The first use connects, also after `close`.

    Args:
        url: ``redis://``, ``rediss://`` or ``unix://``.
    """

    def __init__(self, url: str) -> None:
        timeouts = {"socket_timeout": SECONDS, "socket_connect_timeout": SECONDS}
        # Its replies are untyped: each caller reads its own.
        self._client: Any = Redis.from_url(url, decode_responses=True, **timeouts)  # pyright: ignore[reportUnknownMemberType]
        self._threads = _threads()
        self._silent_at = -math.inf
        """Monotonic time at which the server was last found silent."""

    async def run(self, work: Callable[[Any], T]) -> T:
        """Call a function with the client, in a thread.

        Raises:
            RedisUnavailable: The server does not answer, or refuses a command.
            Exception: Any exception of the function.
        """
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._call, work, time.monotonic())
        except RedisError as error:
            remedy = "Check that it runs and that AGENTOOL_REDIS_URL is its address."
            raise RedisUnavailable(f"The Redis server cannot be used: {error}", field="redis_url", remedy=remedy) from error

    def _call(self, work: Callable[[Any], T], asked_at: float) -> T:
        """Call a function, unless the server was found silent since it was asked: all who wait would wait one after the other."""
        if self._silent_at > asked_at:
            raise TimeoutError(f"it did not answer within {SECONDS:g} s")
        try:
            return work(self._client)
        except TimeoutError:
            self._silent_at = time.monotonic()
            raise

    def close(self) -> None:
        """End its threads and connections. Running calls finish first."""
        self._threads.shutdown(wait=False)
        self._threads = _threads()
        self._client.close()


def _threads() -> ThreadPoolExecutor:
    """Return a pool whose threads start with their first call."""
    return ThreadPoolExecutor(_THREADS, thread_name_prefix="agentool-redis")
