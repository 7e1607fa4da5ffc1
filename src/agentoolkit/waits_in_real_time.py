"""Detect handlers that wait for something in real time, so that the moved clock of a test stands still meanwhile."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

from agentool.errors import AgenToolError
from agentoolkit.system.scheduler.engine.attempts import execution_in
from agentoolkit.system.scheduler.events import Event, Listener
from agentoolkit.system.scheduler.execution_records import ExecutionStatus
from agentoolkit.threads import functions_awaited

REAL_SECONDS = 30.0
"""Real seconds after which a waiting handler counts as hanging."""
SHORT_SLEEP_SECONDS = 5.0
"""A handler's sleep of at most this counts as real work: a pause between two requests, not a wait for something."""
_LOOK_AGAIN_SECONDS = 0.002


class RealWorkHangs(AgenToolError, TimeoutError):
    """A handler has waited too long in real time, so the test is ended. Moving the clock cannot end such a wait."""


class RealWork:
    """Watches an event loop for real waits: for a database, open connections and pipes, calls in threads, and short sleeps.

    Connections opened before any handler ran, such as a test's own server, do not count. Nor do locks, events, threads that a
    handler starts itself, and sleeps of more than `SHORT_SLEEP_SECONDS`: while a handler waits for these the clock moves on, up
    to the handler's timeout.

    Args:
        subscribe: The scheduler's `subscribe`, to learn which executions run.
        asks: Tells whether a database query is unanswered.
        seconds: Real seconds after which a wait counts as a hang.
    """

    def __init__(self, subscribe: Callable[[Listener], object], asks: Callable[[], bool], seconds: float = REAL_SECONDS) -> None:
        self._asks = asks
        self._seconds = seconds
        self._running: set[str] = set()
        self._open_before: frozenset[object] = frozenset()
        self._calls: set[asyncio.Future[Any]] = set()
        self._watched: asyncio.AbstractEventLoop | None = None
        subscribe(self._note)

    async def wait(self) -> bool:
        """Wait until no handler waits in real time. Tell whether there was anything to wait for.

        Raises:
            RealWorkHangs: The wait took longer than the limit.
        """
        self._watch()
        if not self._is_under_way():
            return False
        end = time.monotonic() + self._seconds
        while self._is_under_way():
            if time.monotonic() > end:
                who = "The database has" if self._asks() else f"Executions {', '.join(sorted(self._running))} have"
                problem = f"{who} waited {self._seconds:g} s of real time."
                remedy = "Give the handler a real timeout, or let it wait for something that the test sets."
                raise RealWorkHangs(problem, remedy=remedy)
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)
        return True

    def _note(self, event: Event) -> None:
        if (execution := event.execution) is None:
            return
        if execution.status is ExecutionStatus.RUNNING:
            if not self._running:
                self._open_before = _owners()
            self._running.add(execution.execution_id)
        else:
            self._running.discard(execution.execution_id)

    def _watch(self) -> None:
        """Count the calls that this event loop hands to threads, from now on."""
        loop = asyncio.get_running_loop()
        if self._watched is loop:
            return
        self._watched, run = loop, loop.run_in_executor

        def counted(executor: Any, function: Callable[..., Any], *arguments: Any) -> asyncio.Future[Any]:
            call = run(executor, function, *arguments)
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)
            return call

        setattr(loop, "run_in_executor", counted)  # noqa: B010  a type checker does not know that it can be set

    def _is_under_way(self) -> bool:
        if self._asks():
            return True
        if not self._running:
            return False
        # Python 3.11 waits for a program in a thread of its own.
        waits_for_program = any("waitpid-" in thread.name for thread in threading.enumerate())
        in_threads = self._calls or functions_awaited() or _anyio_threads_work()
        return bool(in_threads or waits_for_program or _sleeps_awaited() or _owners() - self._open_before)


def _anyio_threads_work() -> bool:
    """Tell whether a thread of AnyIO works for the running event loop, as for an agent's tool that is a plain function.

    AnyIO starts its threads itself, past the loop. Each has the list of those that are idle.
    """
    loop = asyncio.get_running_loop()
    workers = [thread for thread in threading.enumerate() if getattr(thread, "loop", None) is loop]
    return any(thread not in getattr(thread, "idle_workers", (thread,)) for thread in workers)


def _owners() -> frozenset[object]:
    """Return the objects for which the running event loop watches files and connections. File numbers would not do: they are reused.

    Where the loop itself is the owner, as while it connects, its handle stands for the object.
    """
    loop = asyncio.get_running_loop()
    selector = getattr(loop, "_selector", None)
    keys: list[Any] = list(selector.get_map().values()) if selector is not None else []
    handles = [handle for key in keys for handle in key.data if handle is not None]
    owners = [(handle, getattr(handle._callback, "__self__", loop)) for handle in handles]
    return frozenset(handle if owner is loop else owner for handle, owner in owners)


def _sleeps_awaited() -> bool:
    """Tell whether a handler, or code that it called, sleeps and wakes soon. Only event loops that show their timers can tell."""
    loop = asyncio.get_running_loop()
    timers: list[Any] = getattr(loop, "_scheduled", [])
    soon = loop.time() + SHORT_SLEEP_SECONDS
    return any(timer.when() <= soon and not timer.cancelled() and execution_in(timer._context) is not None for timer in timers)
