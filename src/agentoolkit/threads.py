"""Threads for functions that block: each call has its own, so that one that never ends holds up nothing but itself."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable
from contextvars import Context, copy_context
from typing import Any, NamedTuple

from agentool.errors import AgenToolError, excerpt

MOST = 100
"""Functions that run at once, and functions that were given up and run on, unless set otherwise."""
_PREFIX = "agentool-function "


class TooManyGivenUp(AgenToolError, RuntimeError):
    """So many functions hang in their threads that no further one is begun."""


class FunctionEnded(AgenToolError, RuntimeError):
    """A function raised ``KeyboardInterrupt``, ``GeneratorExit`` or the like: its own failure, and nobody else's end."""


class _Outcome(NamedTuple):
    returned: Any
    raised: BaseException | None


class FunctionThread(threading.Thread):
    """The thread of one function."""

    given_up = False
    """Has its caller gone away?"""


class Rooms:
    """A semaphore for tasks of several event loops.

    Args:
        free: How many have room.
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
                waited = turn in self._waiting
                if waited:
                    self._waiting.remove(turn)
            if not waited:  # it was given the room in the same moment
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
            with contextlib.suppress(RuntimeError):  # that event loop is closed: the next one's turn
                turn.get_loop().call_soon_threadsafe(_give, turn)
                return


class FunctionThreads:
    """Runs blocking functions, at most `most` at once; the others wait for their turn.

    A thread cannot be ended. A function whose caller goes away is given up: it leaves its room to others and runs on,
    without keeping the process alive. When as many are given up as may run at once, no further one is begun.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._rooms = Rooms(most)
        self._given_up: set[threading.Thread] = set()

    async def run(self, call: Callable[[], Any], name: str) -> Any:
        """Call a function in a thread, in the caller's context.

        Raises:
            TooManyGivenUp: It was not begun.
            FunctionEnded: It raised what ends programs or tasks, such as ``KeyboardInterrupt``.
            Exception: Whatever the function raises.
        """
        async with self._rooms:
            self._check_given_up()
            outcome: asyncio.Future[_Outcome] = asyncio.get_running_loop().create_future()
            work = (copy_context(), call, outcome)
            thread = FunctionThread(target=_work, args=work, name=f"{_PREFIX}{name}", daemon=True)
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
    if isinstance(raised, (Exception, SystemExit)):  # SystemExit is a failure that no retry cures, and known as such
        return raised
    ended = FunctionEnded(f"{name} raised {type(raised).__name__}{f': {raised}' if str(raised) else ''}.", field="function", value=name)
    ended.__cause__ = raised
    return ended


def _give(turn: asyncio.Future[None]) -> None:
    if not turn.done():
        turn.set_result(None)


def functions_awaited() -> bool:
    """Does anybody wait for a function that runs in a thread of this process?"""
    return any(isinstance(thread, FunctionThread) and not thread.given_up for thread in threading.enumerate())


def functions_running() -> bool:
    """Does any function run in a thread of this process, given up or not?"""
    return any(thread.name.startswith(_PREFIX) for thread in threading.enumerate())


def _work(context: Context, call: Callable[[], Any], outcome: asyncio.Future[_Outcome]) -> None:
    try:
        ended = _Outcome(context.run(call), None)
    except BaseException as error:
        ended = _Outcome(None, error)
    with contextlib.suppress(RuntimeError):  # nobody waits any more: the event loop is closed
        outcome.get_loop().call_soon_threadsafe(_tell, outcome, ended)


def _tell(outcome: asyncio.Future[_Outcome], ended: _Outcome) -> None:
    if not outcome.done():
        outcome.set_result(ended)
