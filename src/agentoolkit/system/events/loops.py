"""The event loop of the bus: the one it used before, else the running one, else its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from agentool.core.background import Background
from agentool.errors import ConfigurationError

T = TypeVar("T")


class BusLoop:
    """Calls functions on the bus's event loop, from any thread."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._background = Background()

    @property
    def works(self) -> bool:
        """True if the bus has a running event loop."""
        return self._loop is not None and self._loop.is_running()

    def take(self) -> asyncio.AbstractEventLoop:
        """Adopt the running event loop for the bus, and return it."""
        self._loop = asyncio.get_running_loop()
        return self._loop

    def call(self, function: Callable[[], None]) -> None:
        """Call a function on the bus's loop, now or soon."""
        running, loop = _running_loop(), self._loop
        if loop is None or loop.is_closed() or not (loop.is_running() or loop is running):
            loop = self._loop = running
        if loop is None:
            self._background.run(_called(function))
        elif loop is running:
            function()
        else:
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(function)

    def make(self, make: Callable[[], T]) -> T:
        """Call a function on the running event loop, or where there is none on the bus's own."""
        return make() if _running_loop() is not None else self.wait_for(_called(make))

    def wait_for(self, work: Awaitable[T]) -> T:
        """Run a coroutine on the bus's event loop and wait for it, from a thread without a loop.

        Raises:
            ConfigurationError: An event loop runs here, which must not wait.
        """
        if _running_loop() is not None:
            if asyncio.iscoroutine(work):
                work.close()
            raise ConfigurationError("It would hold up the event loop that runs here.", remedy="Write `await bus.next(timeout)`.")
        loop = self._loop
        if loop is None or not loop.is_running():
            return self._background.run(_awaited(work))
        return asyncio.run_coroutine_threadsafe(_awaited(work), loop).result()

    def close(self) -> None:
        """Give up the event loop, and end it if it is the bus's own."""
        self._loop = None
        self._background.stop()


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


async def _called(function: Callable[[], T]) -> T:
    return function()


async def _awaited(work: Awaitable[T]) -> T:
    return await work
