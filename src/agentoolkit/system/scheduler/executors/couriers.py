"""The base of the couriers of all engines: time limits of messages, and the thread that sends them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence, Sized
from concurrent.futures import ThreadPoolExecutor
from math import ceil
from typing import Any

from agentoolkit.system.scheduler.ports import Portion

GRACE_SECONDS = 15
"""Seconds between a handler's hard limit, which is twice its timeout, and the limit of its message."""
SEND_SECONDS = 10.0
"""Seconds after which a broker that does not answer counts as unreachable."""


def message_seconds(seconds: float | None) -> int | None:
    """Return the time limit of a message in seconds. Only handlers that cannot be cancelled reach it.

    All its executions have that time if they run at once; a worker that runs fewer at once multiplies it by `turns`.
    """
    return None if seconds is None else ceil(2 * seconds) + GRACE_SECONDS


def turns(args: Sequence[Any], concurrency: int) -> int:
    """Return how often the time limit of a message with these arguments may pass until all its executions had their turn."""
    number = len(args[0]) if args and isinstance(args[0], Sized) else 1
    return max(1, ceil(number / concurrency))


class ThreadedCourier:
    """Sends executions from a thread of its own, because the engines' clients are synchronous.

    Args:
        engine: Name of the engine, for the thread's name.
    """

    def __init__(self, engine: str) -> None:
        self.is_closed = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"agentool-{engine}")

    async def send(self, portions: Sequence[Portion]) -> None:
        """See `ports.Courier.send`."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self.bring, portions)

    def close(self) -> None:
        """See `ports.Courier.close`. A send under way ends after the message that is being confirmed."""
        self.is_closed = True
        self._thread.shutdown(wait=False, cancel_futures=True)
        self.disconnect()

    def bring(self, portions: Sequence[Portion]) -> None:
        """Send messages to the engine, in one write if it can. Called in the thread."""
        raise NotImplementedError

    def disconnect(self) -> None:
        """Close the engine's client."""
        raise NotImplementedError
