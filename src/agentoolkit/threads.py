"""Threads for functions that block: each call has its own, so that one that never ends holds up nothing but itself."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from contextvars import Context, copy_context
from typing import Any, NamedTuple

from agentool.errors import AgenToolError, excerpt

MOST = 100
"""Functions that run at once, and functions that were given up and run on, unless set otherwise."""
_PREFIX = "agentool-function "


class TooManyGivenUp(AgenToolError, RuntimeError):
    """So many functions hang in their threads that no further one is begun."""


class _Outcome(NamedTuple):
    returned: Any
    raised: BaseException | None


class FunctionThreads:
    """Runs blocking functions, at most so many at once; the others wait for their turn.

    A thread cannot be ended. A function whose caller goes away is given up: it leaves its room to others and runs on,
    without keeping the process alive. When as many are given up as may run at once, no further one is begun.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._rooms: tuple[asyncio.AbstractEventLoop, asyncio.Semaphore] | None = None
        self._given_up: set[threading.Thread] = set()

    async def run(self, call: Callable[[], Any], name: str) -> Any:
        """Call a function in a thread, in the caller's context.

        Raises:
            TooManyGivenUp: It was not begun.
        """
        async with self._room():
            self._check_given_up()
            outcome: asyncio.Future[_Outcome] = asyncio.get_running_loop().create_future()
            work = (copy_context(), call, outcome)
            thread = threading.Thread(target=_work, args=work, name=f"{_PREFIX}{name}", daemon=True)
            thread.start()
            try:
                ended = await outcome
            except asyncio.CancelledError:
                self._given_up.add(thread)
                raise
        if ended.raised is not None:
            raise ended.raised
        return ended.returned

    def _room(self) -> asyncio.Semaphore:
        """Return what is waited at; a semaphore belongs to the event loop it was waited at in."""
        loop = asyncio.get_running_loop()
        if self._rooms is None or self._rooms[0] is not loop:
            self._rooms = loop, asyncio.Semaphore(self._most)
        return self._rooms[1]

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
