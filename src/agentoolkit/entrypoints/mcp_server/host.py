"""Where the toolkit of an MCP server runs: in a thread of its own, or on the server's event loop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from agentool.caller import acting_as, get_caller
from agentoolkit.entrypoints.background import BackgroundToolkit
from agentoolkit.wiring import Toolkit

T = TypeVar("T")


class Host(Protocol):
    """Does work with a toolkit, as the current caller."""

    @property
    def kit(self) -> Toolkit:
        """The toolkit; only `call` may use it."""
        ...

    @property
    def thread(self) -> str:
        """Where it runs, in a few words: a thread, and whether it is alive."""
        ...

    @property
    def ticks(self) -> int:
        """How often its event loop has answered, once a second; 0 where nobody counts."""
        ...

    async def call(self, work: Callable[[Toolkit], Awaitable[T]]) -> T:
        """Do work on the toolkit's event loop and return what it returns."""
        ...


class ThreadHost:
    """A toolkit in the background. Source: *Scheduler Daemon Implementation*, "Auto-Start Behavior"."""

    def __init__(self, background: BackgroundToolkit) -> None:
        self._background = background

    @property
    def kit(self) -> Toolkit:
        return self._background.kit

    @property
    def thread(self) -> str:
        since = self._background.seconds_since_tick
        if not self._background.is_alive or since is None:
            return "dead"
        return "alive" if since < 3 else f"blocked for {since:.0f} s"

    @property
    def ticks(self) -> int:
        return self._background.ticks

    async def call(self, work: Callable[[Toolkit], Awaitable[T]]) -> T:
        return await self._background.call(work)


class LoopHost:
    """A toolkit that is open on the server's own event loop, such as that of an application."""

    ticks = 0

    def __init__(self, kit: Toolkit) -> None:
        self.kit = kit

    @property
    def thread(self) -> str:
        return "alive"

    async def call(self, work: Callable[[Toolkit], Awaitable[T]]) -> T:
        with self.kit.injector.activate(), acting_as(get_caller()):
            return await work(self.kit)
