"""Starts and stops a scheduler. Its engine starts at first use, and again on another event loop; `stop` lasts until `start`.

    closed ── first use, start ──▶ starting ──▶ running
      ▲                               │ fails      │ stop, close
      └────────── stopping ◀──────────┴────────────┘

Transitions run one at a time, each in a task of its own, in the order of the calls. Cancelling a caller cancels no
transition. A caller inside a handler does not wait for the transition, because the handler has to end first.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import Context, copy_context
from enum import Enum

from agentoolkit.system.scheduler.engine.attempts import current_execution
from agentoolkit.system.scheduler.engine.engine import STOP_SECONDS, Engine
from agentoolkit.system.scheduler.engine.parts import Parts
from agentoolkit.system.scheduler.errors import SchedulerStopped
from agentoolkit.system.scheduler.event_loops import done_on

RESTART_SECONDS = 3 * STOP_SECONDS
"""Seconds after which all processes continue by themselves if the process that restarts them has ended."""


class Stage(Enum):
    """The state of a scheduler."""

    CLOSED = "closed"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"


class Lifecycle:
    """Starts and stops the engine on the current event loop.

    Args:
        parts: The parts that an engine is built from.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._engine: Engine | None = None
        self._stage = Stage.CLOSED
        self._wanted = True
        """True if the scheduler should run; it starts at first use."""
        self._closed = False
        self._step: asyncio.Task[None] | None = None
        """The latest transition."""
        self._start_step: asyncio.Task[None] | None = None
        self._context: Context | None = None

    @property
    def engine(self) -> Engine | None:
        """The engine on the running event loop; None if there is none, or if it stops."""
        engine = self._engine
        ends = self._stage is Stage.STOPPING or not self._wanted
        return None if engine is None or ends or engine.loop is not asyncio.get_running_loop() else engine

    @property
    def elsewhere(self) -> asyncio.AbstractEventLoop | None:
        """The event loop of another thread, if the engine runs there. Only there may jobs and alarms be touched."""
        loop = self._engine.loop if self._engine is not None else None
        return None if loop is None or loop is asyncio.get_running_loop() or not loop.is_running() else loop

    @property
    def started(self) -> bool:
        """True if it has an engine."""
        return self._engine is not None

    async def ready(self) -> None:
        """Start at first use, and again on another event loop."""
        while self._wanted and not self.elsewhere and not self._asked_from_inside():
            pending = self._pending()
            if pending is None and self.engine is not None:
                return
            if pending is None or pending is not self._start_step:  # a stop is followed by a start even if the caller is cancelled
                pending = self._start_step = self._transition(self._begin)
            await asyncio.wait({pending})
            if pending is self._start_step and not pending.cancelled() and (error := pending.exception()):
                raise error

    async def open(self) -> None:
        """Open the scheduler and, unless it was stopped, start it. A second call does nothing."""
        self._closed, self._wanted = False, True
        await self.ready()

    async def start(self) -> None:
        """Continue after a `stop` of this or another process. A second call does nothing."""
        if loop := self.elsewhere:
            return await done_on(loop, self.start)
        self._closed, self._wanted = False, True
        step = self._start_step = self._transition(self._resume)
        return await self._join(step)

    async def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Stop every process that shares the store until `start`; this one stops within `seconds`. Jobs are kept.

        Executions that run here may end first, and are cancelled if they do not. In a durable store the stop outlives the process.
        """
        if loop := self.elsewhere:
            return await done_on(loop, lambda: self.stop(seconds))
        self._wanted = False
        return await self._join(self._transition(lambda: self._halt(seconds), patience=seconds / 2))

    async def restart(self, seconds: float = STOP_SECONDS) -> None:
        """Stop as `stop` does, and start again, even if the caller is cancelled or this process ends meanwhile."""
        if loop := self.elsewhere:
            return await done_on(loop, lambda: self.restart(seconds))
        self._wanted = False
        halt = self._transition(lambda: self._halt(seconds, RESTART_SECONDS), patience=seconds / 2)
        self._closed, self._wanted = False, True
        step = self._start_step = self._transition(self._resume)
        await self._join(halt)
        return await self._join(step)

    async def close(self, seconds: float = STOP_SECONDS) -> None:
        """Stop this process only, and close the store. Jobs that become due meanwhile run when it is opened again."""
        self._closed, self._wanted = True, False
        loop = self.elsewhere
        if loop is None:
            return await self._join(self._transition(lambda: self._close(seconds), patience=seconds / 2))
        try:
            await done_on(loop, lambda: self._join(self._transition(lambda: self._end(seconds), patience=seconds / 2)))
        finally:
            await self._parts.store.close()

    @asynccontextmanager
    async def claims_suspended(self) -> AsyncGenerator[None]:
        """Suspend claims during a ``with`` block, so that jobs that belong together become due together."""
        await self.ready()
        claiming = self.running_engine().claiming
        claiming.suspend()
        try:
            yield
        finally:
            claiming.resume()

    async def is_well(self) -> bool:
        """Return True if this process leads, and its claims and store work. Raises the store's errors."""
        engine = self.engine
        return engine is not None and engine.leading and not engine.claiming.failing and not await self._parts.store.is_stopped()

    async def wait_idle(self) -> None:
        """Wait for claims and deliveries under way. Handlers are not waited for."""
        if engine := self.engine:
            await engine.wait_idle()

    def running_engine(self) -> Engine:
        """Return the engine. Raises `SchedulerStopped`."""
        if (engine := self.engine) is None:
            raise SchedulerStopped("The scheduler is stopped.", remedy="Call operation 'start' first.")
        return engine

    # Transitions: each is run by `_transition`, and only there

    async def _begin(self) -> None:
        if not self._wanted or self.engine is not None:
            return
        engine = self._engine = Engine(self._parts)
        self._stage = Stage.STARTING
        try:
            await engine.start()
        except BaseException:
            await self._end(STOP_SECONDS)
            raise
        self._stage = Stage.RUNNING

    async def _resume(self) -> None:
        await self._begin()
        if self._engine is None:  # a stop or close was requested meanwhile, and comes next: the start is recorded nevertheless
            await self._parts.store.open()
        await self._parts.store.set_stopped(False)
        if self._wanted and self._engine is not None:
            await self._engine.leadership.tick()

    async def _halt(self, seconds: float, at_most: float | None = None) -> None:
        try:
            if not self._closed:
                await self._parts.store.open()
            await self._parts.store.set_stopped(True, at_most)
        except BaseException:
            self._wanted = not self._closed  # nothing was stopped
            raise
        await self._end(seconds)

    async def _close(self, seconds: float) -> None:
        try:
            await self._end(seconds)
        finally:
            await self._parts.store.close()

    async def _end(self, seconds: float) -> None:
        engine = self._engine
        try:
            if engine is not None and engine.loop is asyncio.get_running_loop():
                self._stage = Stage.STOPPING
                await engine.stop(seconds)
        finally:
            self._engine, self._stage = None, Stage.CLOSED

    def _transition(self, step: Callable[[], Awaitable[None]], patience: float | None = None) -> asyncio.Task[None]:
        """Make a transition after the one under way. If that is a start, it is cancelled after `patience` seconds."""
        before = self._pending()
        # Decided now: the caller may request a start next, before this transition begins.
        after_start = before is self._start_step

        async def make() -> None:
            if before is not None:
                try:
                    await asyncio.wait({before}, timeout=patience if after_start else None)
                finally:  # also if this transition is cancelled before it begins
                    if after_start:
                        before.cancel()
                    if not before.done():
                        await asyncio.wait({before})
            await step()

        if self._context is None or current_execution() is None:
            self._context = copy_context()  # from the first caller outside of a handler
        task = self._step = asyncio.get_running_loop().create_task(make(), context=self._context.copy())
        task.add_done_callback(_heard)
        return task

    def _pending(self) -> asyncio.Task[None] | None:
        """Return the last transition, if it is under way on this event loop."""
        step = self._step
        return None if step is None or step.done() or step.get_loop() is not asyncio.get_running_loop() else step

    async def _join(self, step: asyncio.Task[None]) -> None:
        """Wait for a transition, which goes on if its caller is cancelled."""
        if not self._asked_from_inside():
            await asyncio.wait({step})
            if not step.cancelled():
                step.result()

    def _asked_from_inside(self) -> bool:
        """Tell whether the caller is a handler that runs here: every stop waits for it."""
        execution = current_execution()
        return execution is not None and self._engine is not None and execution.execution_id in self._engine.dispatch.active


def _heard(step: asyncio.Task[None]) -> None:
    """Read a transition's error, so that asyncio does not log it: callers that wait get it from `_join`."""
    if not step.cancelled():
        step.exception()
