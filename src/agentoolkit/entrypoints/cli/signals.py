"""Ctrl-C and SIGTERM: the first one asks for an orderly end, the second one ends at once."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType


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


def leave(code: int) -> None:
    """End the process without waiting for anybody."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
