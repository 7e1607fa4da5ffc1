"""The whole toolkit in a thread of its own, with its own event loop: for scripts, notebooks and web applications without asyncio.

    with background() as kit:
        kit.run("scheduler", {"operation": "schedule", "schedule": "every hour", "agentool_name": "metrics", …})

Calls may come from any thread, also from one where an event loop runs. Source: *Scheduler Daemon Implementation*.
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
"""Within which it ends. Source: *Scheduler Daemon Implementation*, "Shutdown Timeout"."""
_CLOSE_SECONDS = 3.0
"""Of these, what running handlers are given to end."""
TICK_SECONDS = 1.0
"""Between two ticks, which tell that the event loop answers."""


class BackgroundToolkit:
    """A `Toolkit` in a daemon thread. It starts at first use or by `start`, and ends with the process or by `stop`.

    A process that was forked off starts one of its own at its first call, on the same settings: a database is shared with
    the forking process, and what lives in memory is not.

    Args:
        settings: Read from the environment by default.
        runs_jobs: False to manage what another process runs.
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
        """How often the event loop has answered, once a second."""

    @property
    def kit(self) -> Toolkit:
        """The toolkit. Only on its own event loop may it be touched, which `call` and `run` see to.

        Raises:
            ConfigurationError: It was not started.
        """
        if self._kit is None or self._pid != os.getpid():
            raise ConfigurationError("The toolkit in the background was not started.", remedy="Call start(), or use `with background()`.")
        return self._kit

    @property
    def is_alive(self) -> bool:
        """Does its thread run?"""
        return self._pid == os.getpid() and self._kit is not None and self._thread.is_alive

    @property
    def seconds_since_tick(self) -> float | None:
        """Seconds since the event loop last answered; None before the first time. More than two mean that a handler blocks it."""
        return time.monotonic() - self._ticked_at if self.ticks else None

    def add_tool(self, agentool: AgenTool[Any]) -> None:
        """Register an AgenTool at each start, before anything that is due can run, and now if it runs.

        Raises:
            ConfigurationError: Another AgenTool has its name.
        """
        self._tools.register(agentool)
        if self.is_alive:
            self.kit.injector.register(agentool)

    def start(self) -> None:
        """Start the thread and open the toolkit; a second time does nothing.

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
        """Import what a start and the AgenTools need, so that a process that is forked off imports nothing more.

        Nothing stays open, and no plugin's function is called: forks would share its connections, and lack its threads.

        Raises:
            AgenToolError: A plugin or an extra is missing.
        """
        import_parts(self._settings)

    def stop(self) -> None:
        """End the toolkit and its thread within five seconds: running handlers may end for three. A second time does nothing.

        A handler that blocks the event loop is left behind, with its thread, which keeps no process alive.
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
            ConfigurationError: It was called on the event loop in the background itself, which would wait for itself.
            AgenToolError: As `start`.
            Exception: Whatever the AgenTool raises.
        """
        return self.run_work(lambda kit: kit.injector.run(name, data))

    def run_work(self, work: Callable[[Toolkit], Awaitable[T]]) -> T:
        """Do anything with the toolkit on its event loop, as the caller of this thread, and wait for it. Raises as `run`."""
        with suppress(RuntimeError):
            if self.is_alive and self._thread.is_its_loop(asyncio.get_running_loop()):
                problem = "run was called on the event loop in the background, which would wait for itself."
                raise ConfigurationError(problem, remedy="Write `await get_injector().run(name, data)`.")
        self.start()
        return self._thread.run(self._done(work, get_caller()))

    async def call(self, work: Callable[[Toolkit], Awaitable[T]]) -> T:
        """As `run_work`, for callers on an event loop, which goes on meanwhile."""
        if not self.is_alive:
            await asyncio.to_thread(self.start)
        return await self._thread.call(self._done(work, get_caller()))

    async def _done(self, work: Callable[[Toolkit], Awaitable[T]], caller: Caller) -> T:
        with self.kit.injector.activate(), acting_as(caller):
            return await work(self.kit)

    def _make(self) -> Toolkit:
        injector = Injector()
        for agentool in self._tools.catalog():
            injector.register(agentool)
        return Toolkit(
            self._settings,
            injector=injector,
            runs_jobs=self._runs_jobs,
            stop_seconds=_CLOSE_SECONDS,
            reads_apart=self._reads_apart,
        )

    async def _open(self) -> None:
        kit = self._make()
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
        runs_jobs: False to manage what another process runs.

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
