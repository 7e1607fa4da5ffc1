"""Ctrl-C and SIGTERM: the first one asks for an orderly end, the second one ends at once."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import FrameType

_PREFIX = "agentool-function"
_THREADS_SECONDS = 0.5


@contextmanager
def stopping_on_signals() -> Generator[asyncio.Event]:
    """Give an event that the first signal sets; inside a running event loop, on the main thread."""
    stopped, loop = asyncio.Event(), asyncio.get_running_loop()
    asked = False

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            sys.stdout.flush()
            os._exit(128 + number)
        asked = True
        loop.call_soon_threadsafe(stopped.set)

    # Not loop.add_signal_handler: a second Ctrl-C has to end also what blocks the loop.
    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class FunctionThreads:
    """The threads of functions that are not async. Python would wait for them at its end, however long they take."""

    def __init__(self, most: int) -> None:
        self._pool = ThreadPoolExecutor(most, thread_name_prefix=_PREFIX)
        asyncio.get_running_loop().set_default_executor(self._pool)

    def end(self) -> bool:
        """Let idle threads end. Tell whether all did."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        # asyncio waits for the threads of whatever executor it finds at its end.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
        until = time.monotonic() + _THREADS_SECONDS
        while self._alive() and time.monotonic() < until:
            time.sleep(0.01)
        return not self._alive()

    def _alive(self) -> bool:
        return any(thread.name.startswith(_PREFIX) for thread in threading.enumerate())


def leave(code: int) -> None:
    """End the process without waiting for anybody."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
