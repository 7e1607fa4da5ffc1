"""A dead man's switch: request an address while the scheduler works, so that a monitor can raise an alarm at silence."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from agentoolkit.time_source import Cancellable, TimeSource

logger = logging.getLogger(__name__)

SECONDS = 5.0
"""Longest wait of a ping for its answer, in seconds."""
MAX_REDIRECTS = 5


class Ping:
    """Requests an address at regular times while `is_well` is true.

    Args:
        url: ``http://`` or ``https://``. Its path is often a secret, so only its host is ever logged.
        every: Seconds between two pings.
        time: The time source.
        is_well: Tells whether this process leads and claiming works.
    """

    def __init__(self, url: str, every: float, time: TimeSource, is_well: Callable[[], Awaitable[bool]]) -> None:
        self._url = url
        self._every = every
        self._time = time
        self._is_well = is_well
        self._timer: Cancellable | None = None
        self._round: asyncio.Task[None] | None = None
        self._failing = False

    def start(self) -> None:
        """Ping now, and then every `every` seconds."""
        self._round = asyncio.get_running_loop().create_task(self._ping())

    async def stop(self) -> None:
        """Stop pinging."""
        if self._timer is not None:
            self._timer.cancel()
        if self._round is not None:
            self._round.cancel()
            await asyncio.wait({self._round})

    async def _ping(self) -> None:
        try:
            if await self._is_well():
                await asyncio.to_thread(fetch, self._url)
                self._note(None)
        except Exception as error:
            self._note(error)
        self._timer = self._time.call_later(self._every, self.start)

    def _note(self, error: Exception | None) -> None:
        """Log only changes: a monitor that is down for a night must not fill the log."""
        host = urlsplit(self._url).hostname
        if error is not None and not self._failing:
            logger.warning("The ping to %s failed: %s", host, error)
        elif error is None and self._failing:
            logger.info("The ping to %s works again", host)
        self._failing = error is not None


def fetch(url: str, seconds: float = SECONDS) -> None:
    """Request an address and drop the answer. Raises `OSError`, without the address, if no answer or an error comes."""
    import httpx2  # heavy, and most processes never ping

    try:
        with httpx2.Client(timeout=seconds) as client:
            request = client.build_request("GET", url)
            status = 0
            for _ in range(MAX_REDIRECTS + 1):
                answer = client.send(request, stream=True)
                answer.close()
                status, following = answer.status_code, answer.next_request
                if following is None or following.url.scheme not in ("http", "https"):
                    break
                request = following
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        reason = type(error).__name__ if isinstance(error, httpx2.InvalidURL) else str(error) or type(error).__name__
        raise OSError(reason) from None
    if not httpx2.codes.is_success(status):
        raise OSError(f"it answered {status}")
