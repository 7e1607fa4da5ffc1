"""A scheduler's life: its engine starts at first use, and again on another event loop; `stop` keeps it stopped until `start`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import datetime

from agentoolkit.system.scheduler.engine.engine import STOP_SECONDS, Engine
from agentoolkit.system.scheduler.engine.parts import Parts
from agentoolkit.system.scheduler.errors import SchedulerError
from agentoolkit.system.scheduler.event_loops import done_on
from agentoolkit.system.scheduler.events import Listener


class Lifecycle:
    """Starts and ends the engine on the current event loop.

    Args:
        parts: What an engine is put together from.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.store = parts.store
        self._engine: Engine | None = None
        self._starting: asyncio.Task[None] | None = None
        self._closed = False

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call a listener with every event; the answer ends that."""
        return self._parts.announcer.subscribe(listener)

    @property
    def parts(self) -> Parts:
        """What it works with."""
        return self._parts

    @property
    def engine(self) -> Engine | None:
        """The engine on the running event loop, if there is one."""
        engine = self._engine
        return engine if engine is not None and engine.loop is asyncio.get_running_loop() else None

    @property
    def elsewhere(self) -> asyncio.AbstractEventLoop | None:
        """The event loop of another thread on which the engine runs: only there may jobs and alarms be touched."""
        loop = self._engine.loop if self._engine is not None else None
        return None if loop is None or loop is asyncio.get_running_loop() or not loop.is_running() else loop

    @property
    def started(self) -> bool:
        """Was it used?"""
        return self._engine is not None

    def now(self) -> datetime:
        """Return the present instant, by the scheduler's own time source."""
        return self._parts.time.now()

    async def open(self) -> None:
        """Make ready and, unless it was stopped, start. A second time does nothing."""
        self._closed = False
        await self.ready()

    async def start(self) -> None:
        """Go on after `stop`, also one that another process asked for. A second time does nothing."""
        await self.open()
        await self.store.set_stopped(False)
        if engine := self.engine:
            await engine.upkeep.look_after()

    async def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Stop every process that shares the store, and this one within so many seconds, until `start`. Jobs are kept.

        Running executions here may end, and are cancelled if they do not. The stop outlives the process if the store does.
        """
        await self.ready()
        await self.store.set_stopped(True)
        await self._end(seconds)

    async def close(self, seconds: float = STOP_SECONDS) -> None:
        """End this process's part and give back the store. What is due later is due when it is opened again."""
        try:
            await self._end(seconds)
        finally:
            await self.store.close()

    @asynccontextmanager
    async def holding(self) -> AsyncGenerator[None]:
        """Claim nothing that is due while a ``with`` block lasts, and all of it after: for jobs that belong together."""
        await self.ready()
        clock = self.running_engine().clock
        clock.pause()
        try:
            yield
        finally:
            if clock.running:
                clock.resume()

    async def is_well(self) -> bool:
        """Does this process lead, and do its claims and its store work? Raises what the store raises."""
        engine = self.engine
        return engine is not None and engine.leading and not engine.claiming.failing and not await self.store.is_stopped()

    async def settled(self) -> None:
        """Wait for claims and deliveries under way, not for handlers."""
        if engine := self.engine:
            await engine.settled()

    def running_engine(self) -> Engine:
        """Return the engine. Raises `SchedulerError` if the scheduler is stopped."""
        if (engine := self.engine) is None:
            raise SchedulerError("The scheduler is stopped.", remedy="Call operation 'start' first.")
        return engine

    async def ready(self) -> None:
        """Start at first use, and again on another event loop."""
        if self._closed or self.elsewhere:
            return
        if self.engine is None:
            self._engine = Engine(self._parts)
            self._starting = asyncio.get_running_loop().create_task(self._engine.start())
        if self._starting is not None and not self._starting.done():
            await asyncio.wait({self._starting})
        if self._starting is not None and (error := self._starting.exception()):
            self._engine = None
            raise error

    async def _end(self, seconds: float) -> None:
        self._closed = True
        elsewhere, engine, starting = self.elsewhere, self._engine, self._starting
        self._engine = self._starting = None
        if engine is not None and (elsewhere or engine.loop is asyncio.get_running_loop()):
            await done_on(elsewhere, lambda: _ended(engine, starting, seconds))


async def _ended(engine: Engine, starting: asyncio.Task[None] | None, seconds: float) -> None:
    """Stop an engine, also one that has not come to the end of its start."""
    if starting is not None and not starting.done():
        seconds /= 2
        await asyncio.wait({starting}, timeout=seconds)
        starting.cancel()
    if starting is not None and starting.done() and not starting.cancelled():
        starting.exception()  # who waited for the start was told; if nobody did, there is nobody to tell
    await engine.stop(seconds)
