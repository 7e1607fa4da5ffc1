"""An event loop for callers that have none."""

from __future__ import annotations

import asyncio
import atexit
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock, Thread
from typing import Any, Generic, TypeVar, cast

T = TypeVar("T")

SECONDS = 5.0
"""Longest wait, in seconds, for the thread to start and for it to end."""


class _Outcome(Generic[T]):
    """The return value of a coroutine, or the exception that it raised."""

    def __init__(self, returned: T | None, raised: BaseException | None) -> None:
        self._returned = returned
        self._raised = raised

    def value(self) -> T:
        if self._raised is not None:
            raise self._raised
        return cast("T", self._returned)


async def _outcome(work: Coroutine[Any, Any, T]) -> _Outcome[T]:
    """Await a coroutine and return its outcome. ``SystemExit`` or ``KeyboardInterrupt`` out of a task would end the event loop."""
    try:
        return _Outcome(await work, None)
    except asyncio.CancelledError:
        raise
    except BaseException as error:
        return _Outcome(None, error)


class _Threads(ThreadPoolExecutor):
    """Threads for blocking work. An ending process can start no thread, so `submit` then calls the function at once."""

    at_exit = False

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        if not self.at_exit:
            return super().submit(fn, *args, **kwargs)
        done: Future[T] = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except Exception as error:
            done.set_exception(error)
        return done


def _run_loop(work: Coroutine[Any, Any, None], threads: _Threads) -> None:
    """Run an event loop as ``asyncio.run`` does, but start no thread at its end: Python 3.12 refuses that when a process ends."""
    loop = asyncio.new_event_loop()
    loop.set_default_executor(threads)
    try:
        loop.run_until_complete(work)
    finally:
        try:
            loop.run_until_complete(_cancel_all())
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            threads.shutdown(wait=False, cancel_futures=True)
            loop.close()


async def _cancel_all() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class Background:
    """An event loop in a thread of its own. It starts at its first use, and ends with the process or by `stop`.

    Tasks that a call starts go on after it: a scheduler fires between two calls.

    Args:
        name: The name of its thread.
    """

    def __init__(self, name: str = "agentool-sync") -> None:
        self._name = name
        self._lock = Lock()
        self._thread: Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end: asyncio.Event | None = None
        self._threads = _Threads()

    def run(self, work: Coroutine[Any, Any, T], seconds: float | None = None) -> T:
        """Run a coroutine on the loop, in the caller's context, and wait for its value. An interrupt of the caller cancels it.

        Args:
            work: The coroutine to run.
            seconds: Longest wait in seconds; None waits for ever.

        Raises:
            TimeoutError: It took longer. It is cancelled as soon as the event loop answers.
            BaseException: Any exception of the coroutine, ``SystemExit`` too. It is raised here, never in the shared event loop.
        """
        future: Future[_Outcome[T]] | None = None
        try:
            future = self._submit(work)
            return future.result(seconds).value()
        except BaseException:
            if future is not None:
                future.cancel()
            raise

    async def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine as `run` does, without blocking the caller's own event loop."""
        return (await asyncio.wrap_future(self._submit(work))).value()

    @property
    def is_alive(self) -> bool:
        """True if its thread runs in this process."""
        return self._thread is not None and self._thread.is_alive()

    def is_its_loop(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Tell whether this is the event loop of its thread."""
        return loop is self._loop

    def stop(self, seconds: float = SECONDS) -> None:
        """Cancel all tasks and end the thread; wait at most `seconds` for it. The next use starts another thread."""
        with self._lock:
            thread, loop, end = self._thread, self._loop, self._end
            self._thread = self._loop = self._end = None
            if thread and loop and end and thread.is_alive():
                loop.call_soon_threadsafe(end.set)
                thread.join(seconds)

    def begin_no_threads(self) -> None:
        """From now on run blocking work on the event loop, because the process ends."""
        self._threads.at_exit = True

    def _stop_at_exit(self) -> None:
        self.begin_no_threads()
        self.stop()

    def _submit(self, work: Coroutine[Any, Any, T]) -> Future[_Outcome[T]]:
        with self._lock:
            # After a fork the thread is not alive in the child: only the forking thread goes on there.
            if self._loop is None or self._thread is None or not self._thread.is_alive():
                started: Future[asyncio.AbstractEventLoop] = Future()
                threads = self._threads = _Threads(thread_name_prefix="agentool-work")
                self._thread = Thread(target=lambda: _run_loop(self._serve(started), threads), name=self._name, daemon=True)
                self._thread.start()
                self._loop = started.result(SECONDS)
                atexit.register(self._stop_at_exit)
            loop = self._loop
        return asyncio.run_coroutine_threadsafe(_outcome(work), loop)

    async def _serve(self, started: Future[asyncio.AbstractEventLoop]) -> None:
        self._end = asyncio.Event()
        started.set_result(asyncio.get_running_loop())
        await self._end.wait()


shared = Background()
"""The event loop of every `run_sync` in this process."""
