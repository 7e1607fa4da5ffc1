"""Waiting consumers: woken by a new message, by the time of a change, or by their own timeout."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from threading import Lock

from agentoolkit.time_source import Cancellable, TimeSource


class Waiter:
    """One waiting call, on its own event loop.

    Args:
        time: The time source.
        timeout: Seconds after which waiting is `over`.
    """

    def __init__(self, time: TimeSource, timeout: float) -> None:
        self._time = time
        self._loop = asyncio.get_running_loop()
        self._called = asyncio.Event()
        self.called = False
        """True if it was woken and has not looked yet. Other threads set it at once; the event itself follows later."""
        self._alarm: Cancellable | None = None
        self._end = time.call_later(timeout, self._give_up)
        self.until: datetime | None = None
        self.over = False

    async def wait(self, until: datetime | None) -> None:
        """Wait for a wake-up, at most until an instant, or until the timeout for None."""
        self.until = until
        self._set_alarm()
        await self._called.wait()
        self._called.clear()
        self.called = False

    def call(self) -> None:
        """Wake it. May be called from another event loop."""
        self.called = True
        if self._loop is asyncio.get_running_loop():
            self._called.set()
        else:
            with suppress(RuntimeError):  # it was closed: nobody waits there any more
                self._loop.call_soon_threadsafe(self._called.set)

    def leave(self) -> None:
        """Cancel its timer."""
        self._end.cancel()
        self._stop_alarm()

    def _give_up(self) -> None:
        self.over = True
        self._called.set()

    def _set_alarm(self) -> None:
        self._stop_alarm()
        if self.until is None:
            return
        seconds = (self.until - self._time.now()).total_seconds()
        longest = self._time.longest_sleep
        self._alarm = self._time.call_later(seconds if longest is None else min(seconds, longest), self._ring)

    def _ring(self) -> None:
        if self.until is not None and self._time.now() < self.until:
            self._set_alarm()
        else:
            self._called.set()

    def _stop_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None


class Waiters:
    """The waiters of each queue, longest waiting first. It serves several event loops, and is empty between calls."""

    def __init__(self, time: TimeSource) -> None:
        self._time = time
        self._lock = Lock()
        self._waiting: dict[str, dict[Waiter, None]] = {}

    @contextmanager
    def waiter(self, queue_name: str, timeout: float) -> Generator[Waiter]:
        """Register a waiter for a ``with`` block. A leaving waiter wakes the next, so that no wake-up is lost by a cancellation."""
        waiter = Waiter(self._time, timeout)
        with self._lock:
            self._waiting.setdefault(queue_name, {})[waiter] = None
        try:
            yield waiter
        finally:
            waiter.leave()
            with self._lock:
                waiting = self._waiting[queue_name]
                del waiting[waiter]
                if not waiting:
                    del self._waiting[queue_name]
            self.call(queue_name)

    def call(self, queue_name: str, count: int = 1) -> None:
        """Wake one waiter for each new message."""
        with self._lock:
            idle = [waiter for waiter in self._waiting.get(queue_name, ()) if not waiter.called][:count]
            for waiter in idle:
                waiter.call()

    def call_all(self, queue_name: str) -> None:
        """Wake all waiters."""
        self.call(queue_name, sys.maxsize)

    def expect(self, queue_name: str, at: datetime) -> None:
        """Wake the waiters that would sleep past an instant at which a message may become ready."""
        with self._lock:
            for waiter in self._waiting.get(queue_name, ()):
                if waiter.until is None or at < waiter.until:
                    waiter.call()


def earliest(first: datetime | None, now: datetime, seconds: float | None) -> datetime | None:
    """Return the earlier of an instant and a number of seconds from now; None means never."""
    second = None if seconds is None else now + timedelta(seconds=seconds)
    return min(filter(None, (first, second)), default=None)
