"""Handle Ctrl-C and SIGTERM: the first signal asks for an orderly end, the second ends the process at once."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType

MAX_STOPPING_SECONDS = 9.5
"""Time from the first signal until the process ends, even if a handler blocks the event loop."""
LEFT_SECONDS = 0.5
"""Time for tasks that nothing awaits to end."""


@contextmanager
def stopping_on_signals() -> Generator[asyncio.Event]:
    """Give an event that the first signal sets. Needs a running event loop on the main thread."""
    stopped, loop = asyncio.Event(), asyncio.get_running_loop()
    asked = False
    last = threading.Timer(MAX_STOPPING_SECONDS, os._exit, (0,))
    last.daemon = True

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            sys.stdout.flush()
            os._exit(128 + number)
        asked = True
        last.start()
        loop.call_soon_threadsafe(stopped.set)

    # Not loop.add_signal_handler: a second Ctrl-C must end a blocked loop too.
    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopped
    finally:
        last.cancel()
        for number, handler in before.items():
            signal.signal(number, handler)


def leave(code: int) -> None:
    """End the process at once, without waiting for threads and tasks."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


async def tasks_stay() -> bool:
    """Cancel the other tasks of this event loop. Return True if some ignore it, for which `asyncio.run` would wait."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    return bool(others and (await asyncio.wait(others, timeout=LEFT_SECONDS))[1])
