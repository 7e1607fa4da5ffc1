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
"""Longest wait for the thread to start, and for it to end."""


class _Outcome(Generic[T]):
    """What became of some work."""

    def __init__(self, returned: T | None, raised: BaseException | None) -> None:
        self._returned = returned
        self._raised = raised

    def value(self) -> T:
        if self._raised is not None:
            raise self._raised
        return cast("T", self._returned)


async def _outcome(work: Coroutine[Any, Any, T]) -> _Outcome[T]:
    """Do work and tell how it ended. An event loop would end with a task that lets out ``SystemExit`` or ``KeyboardInterrupt``."""
    try:
        return _Outcome(await work, None)
    except asyncio.CancelledError:
        raise
    except BaseException as error:
        return _Outcome(None, error)


class _Threads(ThreadPoolExecutor):
    """Threads for blocking work. When a process ends no thread can be begun: what is asked for then is done at once."""

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
    """Run an event loop as ``asyncio.run`` does, but begin no thread at its end, which Python 3.12 refuses when a process ends."""
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
    """An event loop in a thread of its own. It starts at first use, and ends with the process or by `stop`.

    What is called on it may leave something behind that goes on: a scheduler fires between two calls.

    Args:
        name: What its thread is called.
    """

    def __init__(self, name: str = "agentool-sync") -> None:
        self._name = name
        self._lock = Lock()
        self._thread: Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end: asyncio.Event | None = None
        self._threads = _Threads()

    def run(self, work: Coroutine[Any, Any, T], seconds: float | None = None) -> T:
        """Do work there, in the caller's context, and wait for it. If the caller is interrupted the work is cancelled.

        Args:
            work: What to do.
            seconds: How long to wait; for ever by default.

        Raises:
            TimeoutError: It took longer; it is cancelled, as soon as the event loop answers.
            BaseException: Whatever the work raises, ``SystemExit`` too: here, and not in the event loop that all share.
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
        """As `run`, for callers on an event loop of their own, which goes on meanwhile."""
        return (await asyncio.wrap_future(self._submit(work))).value()

    @property
    def is_alive(self) -> bool:
        """Does its thread run, in this process?"""
        return self._thread is not None and self._thread.is_alive()

    def is_its_loop(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Is this the event loop of its thread?"""
        return loop is self._loop

    def stop(self, seconds: float = SECONDS) -> None:
        """Cancel what still goes on, and end the thread, for which it waits for so long at most. The next use starts another."""
        with self._lock:
            thread, loop, end = self._thread, self._loop, self._end
            self._thread = self._loop = self._end = None
            if thread and loop and end and thread.is_alive():
                loop.call_soon_threadsafe(end.set)
                thread.join(seconds)

    def begin_no_threads(self) -> None:
        """From now on, as the process ends, do blocking work on the event loop."""
        self._threads.at_exit = True

    def _stop_at_exit(self) -> None:
        self.begin_no_threads()
        self.stop()

    def _submit(self, work: Coroutine[Any, Any, T]) -> Future[_Outcome[T]]:
        return asyncio.run_coroutine_threadsafe(_outcome(work), self._started())

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            # Not alive in a process that was forked off: only the forking thread goes on there.
            if self._loop is None or self._thread is None or not self._thread.is_alive():
                started: Future[asyncio.AbstractEventLoop] = Future()
                threads = self._threads = _Threads(thread_name_prefix="agentool-work")
                self._thread = Thread(target=lambda: _run_loop(self._serve(started), threads), name=self._name, daemon=True)
                self._thread.start()
                self._loop = started.result(SECONDS)
                atexit.register(self._stop_at_exit)
            return self._loop

    async def _serve(self, started: Future[asyncio.AbstractEventLoop]) -> None:
        self._end = asyncio.Event()
        started.set_result(asyncio.get_running_loop())
        await self._end.wait()


shared = Background()
"""That of every `run_sync` in this process."""
