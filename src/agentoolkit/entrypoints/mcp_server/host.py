"""Host the toolkit of an MCP server: in a thread of its own, or on the server's event loop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from agentoolkit.entrypoints.background import BackgroundToolkit
from agentoolkit.wiring import Toolkit

T = TypeVar("T")


class Host(Protocol):
    """Runs functions with a toolkit, as the current caller."""

    @property
    def kit(self) -> Toolkit:
        """The toolkit. Use it only through `call`."""
        ...

    @property
    def thread(self) -> str:
        """State of its thread in words: alive, dead or blocked."""
        ...

    @property
    def ticks(self) -> int:
        """Number of answers of its event loop, one a second; 0 if they are not counted."""
        ...

    async def call(self, work: Callable[[Toolkit], Awaitable[T]]) -> T:
        """Await `work` on the toolkit's event loop, and return its result."""
        ...


class ThreadHost:
    """Hosts a toolkit in a background thread. Source: *Scheduler Daemon Implementation*, "Auto-Start Behavior"."""

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
    """Hosts a toolkit that is open on the server's own event loop, such as an application's."""

    ticks = 0

    def __init__(self, kit: Toolkit) -> None:
        self.kit = kit

    @property
    def thread(self) -> str:
        return "alive"

    async def call(self, work: Callable[[Toolkit], Awaitable[T]]) -> T:
        with self.kit.injector.activate():
            return await work(self.kit)
