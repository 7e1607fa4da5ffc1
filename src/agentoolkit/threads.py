"""Run blocking functions in threads. Each call has its own thread, so a function that never ends delays no other."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable
from contextvars import Context, copy_context
from typing import Any, NamedTuple, TypeVar

from agentool.errors import AgenToolError, excerpt, text_of

T = TypeVar("T")

MOST = 100
"""Default limit of functions that run at once, and of abandoned functions that still run."""
_PREFIX = "agentool-function "


class TooManyGivenUp(AgenToolError, RuntimeError):
    """Too many abandoned functions still run in their threads; no further function is started."""


class FunctionEnded(AgenToolError, RuntimeError):
    """A function raised ``KeyboardInterrupt``, ``GeneratorExit`` or the like. That fails the function and ends nothing else."""


class _Outcome(NamedTuple):
    returned: Any
    raised: BaseException | None


class FunctionThread(threading.Thread):
    """The thread of one function."""

    given_up = False
    """True once its caller no longer waits."""


class Rooms:
    """A semaphore for tasks of several event loops.

    Args:
        free: Number of places.
    """

    def __init__(self, free: int) -> None:
        self._free = free
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._lock = threading.Lock()

    async def __aenter__(self) -> None:
        with self._lock:
            if self._free > 0:
                self._free -= 1
                return
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            with self._lock:
                is_waiting = turn in self._waiting
                if is_waiting:
                    self._waiting.remove(turn)
            if not is_waiting:  # it got a place in the same moment
                self._release()
            raise

    async def __aexit__(self, *_: object) -> None:
        self._release()

    def _release(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._free += 1
                    return
                turn = self._waiting.popleft()
            with contextlib.suppress(RuntimeError):  # its event loop is closed: try the next task
                turn.get_loop().call_soon_threadsafe(_resolve, turn, None)
                return


class FunctionThreads:
    """Runs blocking functions, at most `most` at once; further calls wait.

    A thread cannot be ended. If its caller is cancelled, a function is given up: it frees its place and runs on, without
    keeping the process alive. Once `most` functions that were given up still run, no further function is started.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._rooms = Rooms(most)
        self._given_up: set[threading.Thread] = set()

    async def run(self, call: Callable[[], Any], name: str) -> Any:
        """Call a function in a thread, in the caller's context.

        Raises:
            TooManyGivenUp: The function was not started.
            FunctionEnded: It raised an exception that ends programs or tasks, such as ``KeyboardInterrupt``.
            Exception: Any exception of the function.
        """
        async with self._rooms:
            self._check_given_up()
            outcome: asyncio.Future[_Outcome] = asyncio.get_running_loop().create_future()
            work = (copy_context(), call, outcome)
            thread = FunctionThread(target=_run_and_report, args=work, name=f"{_PREFIX}{name}", daemon=True)
            thread.start()
            try:
                ended = await outcome
            except asyncio.CancelledError:
                thread.given_up = True
                self._given_up.add(thread)
                raise
        if ended.raised is not None:
            raise _failure(ended.raised, name)
        return ended.returned

    def _check_given_up(self) -> None:
        self._given_up = {thread for thread in self._given_up if thread.is_alive()}
        if len(self._given_up) < self._most:
            return
        names = sorted({thread.name.removeprefix(_PREFIX) for thread in self._given_up})
        raise TooManyGivenUp(
            f"{len(self._given_up)} functions that were given up still run: {excerpt(names)}.",
            field="function",
            value=names,
            remedy="Let them end by themselves, with a timeout of their own, and restart this process.",
        )


def _failure(raised: BaseException, name: str) -> BaseException:
    if isinstance(raised, (Exception, SystemExit)):  # the retry rules know SystemExit: no retry cures it
        return raised
    said = text_of(raised)
    ended = FunctionEnded(f"{name} raised {type(raised).__name__}{f': {said}' if said else ''}.", field="function", value=name)
    ended.__cause__ = raised
    return ended


def functions_awaited() -> bool:
    """Tell whether a caller waits for a function that runs in a thread of this process."""
    return any(isinstance(thread, FunctionThread) and not thread.given_up for thread in threading.enumerate())


def functions_running() -> bool:
    """Tell whether any function runs in a thread of this process, given up or not."""
    return any(thread.name.startswith(_PREFIX) for thread in threading.enumerate())


def _run_and_report(context: Context, call: Callable[[], Any], outcome: asyncio.Future[_Outcome]) -> None:
    try:
        ended = _Outcome(context.run(call), None)
    except BaseException as error:
        ended = _Outcome(None, error)
    with contextlib.suppress(RuntimeError):  # the event loop is closed, so nobody waits
        outcome.get_loop().call_soon_threadsafe(_resolve, outcome, ended)


def _resolve(future: asyncio.Future[T], value: T) -> None:
    if not future.done():
        future.set_result(value)
