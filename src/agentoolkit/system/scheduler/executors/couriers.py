"""What the couriers of all engines share: where messages go, how long they may take, and the thread that sends them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from math import ceil

from agentoolkit.system.scheduler.ports import Portion

GRACE_SECONDS = 15
"""Between a handler's own hard limit, twice its timeout, and that of the message."""
SEND_SECONDS = 10.0
"""After which a broker that does not answer counts as gone."""


def message_seconds(seconds: float | None) -> int | None:
    """Return the seconds that a message may take. Handlers are ended long before that: it is for those that cannot be."""
    return None if seconds is None else ceil(2 * seconds) + GRACE_SECONDS


class ThreadedCourier:
    """Sends executions from a thread of its own: the engines' clients know no event loop.

    Args:
        engine: What the thread is called after.
    """

    def __init__(self, engine: str) -> None:
        self.is_closed = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"agentool-{engine}")

    async def send(self, portions: Sequence[Portion]) -> None:
        """See `ports.Courier.send`."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self.bring, portions)

    def close(self) -> None:
        """See `ports.Courier.close`. What is being handed over ends after the message that the engine is to confirm now."""
        self.is_closed = True
        self._thread.shutdown(wait=False, cancel_futures=True)
        self.disconnect()

    def bring(self, portions: Sequence[Portion]) -> None:
        """Hand messages to the engine, by one write if it can do so. Called in the thread."""
        raise NotImplementedError

    def disconnect(self) -> None:
        """Let go of the engine's client."""
        raise NotImplementedError
