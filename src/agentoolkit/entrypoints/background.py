"""Run the toolkit in a thread with its own event loop: for scripts, notebooks and web applications without asyncio.

    with background() as kit:
        kit.run("scheduler", {"operation": "schedule", "schedule": "every hour", "agentool_name": "metrics", …})

Calls may come from any thread, also from a thread with a running event loop. Source: *Scheduler Daemon Implementation*.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import AsyncExitStack, contextmanager, suppress
from threading import Lock
from typing import Any, TypeVar

from agentool.agentool import AgenTool
from agentool.caller import Caller, acting_as, get_caller
from agentool.core.background import Background
from agentool.core.injector import Injector
from agentool.errors import ConfigurationError
from agentoolkit.settings import Settings
from agentoolkit.wiring import Toolkit, import_parts

T = TypeVar("T")

STOP_SECONDS = 5.0
"""Time to stop. Source: *Scheduler Daemon Implementation*, "Shutdown Timeout"."""
_CLOSE_SECONDS = 3.0
"""Part of it for running handlers to end."""
TICK_SECONDS = 1.0
"""Interval of the ticks, which show that the event loop is not blocked."""


class BackgroundToolkit:
    """A `Toolkit` in a daemon thread. It starts at its first call or by `start`, and ends with the process or by `stop`.

    A forked process starts its own toolkit at its first call, with the same settings. It shares a database with its parent, but
    nothing in memory.

    Args:
        settings: Read from the environment by default.
        runs_jobs: False to manage jobs that another process runs.
        reads_apart: See `Toolkit`.
    """

    def __init__(self, settings: Settings | None = None, *, runs_jobs: bool = True, reads_apart: bool = True) -> None:
        self._settings = settings or Settings()
        self._runs_jobs = runs_jobs
        self._reads_apart = reads_apart
        self._tools = Injector()
        self._forget()

    def _forget(self) -> None:
        self._pid = os.getpid()
        self._lock = Lock()
        self._thread = Background("agentool-background")
        self._stack: AsyncExitStack | None = None
        self._kit: Toolkit | None = None
        self._beat: asyncio.Task[None] | None = None
        self._ticked_at = 0.0
        self.ticks = 0
        """Number of ticks of the event loop, one a second."""

    @property
    def kit(self) -> Toolkit:
        """The toolkit. Use it only on its own event loop: through `call` or `run`.

        Raises:
            ConfigurationError: The toolkit was not started.
        """
        if self._kit is None or self._pid != os.getpid():
            raise ConfigurationError("The toolkit in the background was not started.", remedy="Call start(), or use `with background()`.")
        return self._kit

    @property
    def is_alive(self) -> bool:
        """Tell whether its thread runs."""
        return self._pid == os.getpid() and self._kit is not None and self._thread.is_alive

    @property
    def seconds_since_tick(self) -> float | None:
        """Seconds since the last tick; None before the first. More than two mean that a handler blocks the event loop."""
        return time.monotonic() - self._ticked_at if self.ticks else None

    def add_tool(self, agentool: AgenTool[Any]) -> None:
        """Register an AgenTool now, if the toolkit runs, and at each later start before any job runs.

        Raises:
            ConfigurationError: Another AgenTool has its name.
        """
        self._tools.register(agentool)
        if self.is_alive:
            self.kit.injector.register(agentool)

    def start(self) -> None:
        """Start the thread and open the toolkit. A second call does nothing.

        Raises:
            AgenToolError: The toolkit cannot be opened, for example because of its database.
        """
        if self._pid != os.getpid():
            self._forget()
        with self._lock:
            if not self.is_alive:
                self._thread.run(self._open())
                atexit.register(self._stop_at_exit)

    def prepare(self) -> None:
        """Import the modules that a start and the AgenTools need, so that forked processes import nothing more.

        No connection is opened and no plugin's function is called: forks would share the connections and lack the threads.

        Raises:
            AgenToolError: A plugin or an extra is missing.
        """
        import_parts(self._settings)

    def stop(self) -> None:
        """Stop the toolkit and its thread within five seconds. Running handlers have three seconds. A second call does nothing.

        A handler that blocks the event loop is left behind with its thread, a daemon thread.
        """
        if self._pid != os.getpid():
            return
        deadline = time.monotonic() + STOP_SECONDS
        with self._lock:
            if self._thread.is_alive and self._kit is not None:
                with suppress(TimeoutError):
                    self._thread.run(self._close(), _CLOSE_SECONDS + 1)
            self._thread.stop(max(0.1, deadline - time.monotonic()))
            self._kit = None
            atexit.unregister(self._stop_at_exit)

    def _stop_at_exit(self) -> None:
        self._thread.begin_no_threads()
        self.stop()

    def run(self, name: str, data: object) -> Any:
        """Call an AgenTool and wait for its answer. See `Injector.run`.

        Raises:
            ConfigurationError: The call came from the background event loop, which would wait for itself.
            AgenToolError: As `start`.
            Exception: Any error of the AgenTool.
        """
        return self.run_work(lambda kit: kit.injector.run(name, data))

    def run_work(self, work: Callable[[Toolkit], Awaitable[T]]) -> T:
        """Await `work` on the toolkit's event loop as the current caller, and return its result. Raises as `run`."""
        with suppress(RuntimeError):
            if self.is_alive and self._thread.is_its_loop(asyncio.get_running_loop()):
                problem = "run was called on the event loop in the background, which would wait for itself."
                raise ConfigurationError(problem, remedy="Write `await get_injector().run(name, data)`.")
        self.start()
        return self._thread.run(self._do(work, get_caller()))

    async def call(self, work: Callable[[Toolkit], Awaitable[T]]) -> T:
        """As `run_work`, but without blocking the calling event loop."""
        if not self.is_alive:
            await asyncio.to_thread(self.start)
        return await self._thread.call(self._do(work, get_caller()))

    async def _do(self, work: Callable[[Toolkit], Awaitable[T]], caller: Caller) -> T:
        with self.kit.injector.activate(), acting_as(caller):
            return await work(self.kit)

    async def _open(self) -> None:
        injector = Injector()
        for agentool in self._tools.catalog():
            injector.register(agentool)
        kit = Toolkit(
            self._settings,
            injector=injector,
            runs_jobs=self._runs_jobs,
            stop_seconds=_CLOSE_SECONDS,
            reads_apart=self._reads_apart,
        )
        stack = AsyncExitStack()
        await stack.enter_async_context(kit)
        self._stack, self._kit = stack, kit
        self._beat = asyncio.get_running_loop().create_task(self._tick())

    async def _close(self) -> None:
        if self._beat is not None:
            self._beat.cancel()
        stack, self._stack = self._stack, None
        if stack is not None:
            await stack.aclose()

    async def _tick(self) -> None:
        while True:
            self.ticks += 1
            self._ticked_at = time.monotonic()
            await asyncio.sleep(TICK_SECONDS)


@contextmanager
def background(settings: Settings | None = None, *, runs_jobs: bool = True) -> Generator[BackgroundToolkit]:
    """Run a toolkit in the background while a ``with`` block lasts.

    Args:
        settings: Read from the environment by default.
        runs_jobs: False to manage jobs that another process runs.

    Raises:
        AgenToolError: The toolkit cannot be opened.
    """
    kit = BackgroundToolkit(settings, runs_jobs=runs_jobs)
    kit.start()
    try:
        yield kit
    finally:
        kit.stop()


__all__ = ["BackgroundToolkit", "background"]
