"""One subscriber: a cursor, a pattern, and a handler that is called with one event after the other.

A subscriber reads from the store at its own pace, so a failing, hanging or idle subscriber delays no other.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from agentoolkit.failure_log import log_failure
from agentoolkit.interrupts import is_interrupt, raise_from_loop
from agentoolkit.system.events.messages import EventMessage, matching
from agentoolkit.threads import FunctionThreads

logger = logging.getLogger(__name__)

Handler = Callable[[EventMessage], Any]
"""A function or a coroutine function. A function is called in a thread of its own."""

HANDLER_SECONDS = 30.0
"""Seconds after which a handler's call is given up and the next event is delivered."""
PAGE = 100
"""Events in one page."""
RETRY_SECONDS = 1.0
"""Seconds before the next read after the store has failed."""


class Source(Protocol):
    """The source of a subscriber's events."""

    async def read_after(self, after: int) -> Sequence[EventMessage]:
        """Return events after an id."""
        ...

    async def load_cursor(self, name: str) -> int | None:
        """Return the stored cursor of a subscriber."""
        ...

    async def save_cursor(self, name: str, event_id: int) -> None:
        """Store the cursor of a subscriber."""
        ...


@dataclass(frozen=True, slots=True)
class EventFilter:
    """The events that a subscriber wants."""

    pattern: str = "*"
    agent_name: str | None = None

    def of(self, message: EventMessage) -> EventMessage | None:
        """Return an event for the subscriber; None if it is not wanted."""
        return matching(message, self.pattern, self.agent_name)


class Subscription:
    """A subscriber. It ends by `cancel`, or with its event loop.

    Args:
        source: The source of its events.
        wanted: The wanted events.
        handler: Called with each event; None if events are read with `next`.
        name: The name of its stored cursor, from which it continues after a restart.
    """

    def __init__(self, source: Source, wanted: EventFilter, handler: Handler | None = None, name: str | None = None) -> None:
        self.wanted = wanted
        self.handler = handler
        self.name = name
        self.failures = 0
        """Number of events for which the handler failed or was given up."""
        self._source = source
        self._cursor: int | None = None
        self._ready: list[EventMessage] = []
        self._loop = asyncio.get_running_loop()
        self._woken = asyncio.Event()
        self._wakes = deque[None]()
        """One entry for each call of `wake` that the event loop has not handled yet."""
        self._threads = FunctionThreads(most=10)
        self._idle = True
        self._ended = False
        self._task = asyncio.create_task(self._work(), name="event-subscriber") if handler is not None else None

    @property
    def alive(self) -> bool:
        """True if it was not cancelled and its event loop is still open."""
        return not self._ended and not self._loop.is_closed() and (self._task is None or not self._task.done())

    @property
    def idle(self) -> bool:
        """True if it has nothing to do."""
        return self._task is None or not self.alive or (self._idle and not self._wakes and not self._woken.is_set())

    @property
    def cursor(self) -> int | None:
        """Id of the last event that it has read; None if it has not begun."""
        return self._cursor

    def begin(self, newest: int) -> None:
        """Start reading after this event. Called once, from any thread."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._begin, newest)

    def wake(self) -> None:
        """Wake it, from any thread, because there may be new events."""
        self._wakes.append(None)
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._hear)

    def cancel(self) -> None:
        """End it, from any thread. A running handler is cancelled; a waiting `next` returns None."""
        self._ended = True
        self.wake()
        if self._task is not None:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._task.cancel)

    async def next(self, timeout: float | None = None) -> EventMessage | None:
        """Wait at most `timeout` seconds for the next event; None after that."""
        await self._fill(timeout)
        return self._ready.pop(0) if self._ready else None

    async def next_page(self, timeout: float | None = None) -> list[EventMessage]:
        """Wait for the next event, and return all available events; an empty list after the timeout."""
        await self._fill(timeout)
        page, self._ready = self._ready, []
        return page

    async def _fill(self, timeout: float | None) -> None:
        """Wait at most `timeout` seconds until there is an event."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while not self._ready and not self._ended:
                    if self._cursor is None or not await self._read():
                        await self._wait()

    def _begin(self, newest: int) -> None:
        self._cursor = newest
        self._woken.set()

    def _hear(self) -> None:
        self._wakes.popleft()
        self._woken.set()

    async def _wait(self) -> None:
        self._idle = True
        await self._woken.wait()
        self._idle = False
        self._woken.clear()

    async def _read(self) -> bool:
        """Read a page. Tell whether there was anything."""
        found = await self._source.read_after(self._cursor or 0)
        if found:
            self._cursor = found[-1].event_id
            self._ready += [message for each in found if (message := self.wanted.of(each)) is not None]
        return bool(found)

    async def _work(self) -> None:
        while self._cursor is None:
            await self._wait()
        has_resumed = False
        while True:
            try:
                if not has_resumed:
                    await self._resume()
                    has_resumed = True
                while await self._read() or self._ready:
                    while self._ready:
                        await self._handle(self._ready.pop(0))
                    await self._save()
                await self._wait()
            except Exception:
                log_failure(logger, "Events could not be read; trying again in %g s", RETRY_SECONDS)
                await asyncio.sleep(RETRY_SECONDS)

    async def _resume(self) -> None:
        """Go on where the subscriber of this name was."""
        if self.name is not None and (kept := await self._source.load_cursor(self.name)) is not None:
            self._cursor = kept
        await self._save()

    async def _save(self) -> None:
        if self.name is not None and self._cursor is not None:
            await self._source.save_cursor(self.name, self._cursor)

    async def _handle(self, message: EventMessage) -> None:
        try:
            async with asyncio.timeout(HANDLER_SECONDS):
                await self._called(message)
        except asyncio.CancelledError:
            if (task := asyncio.current_task()) is None or task.cancelling():
                raise
            self._failed(message)
        except BaseException as error:  # SystemExit too: a handler may end nothing but its own call
            if is_interrupt(error):
                raise_from_loop(error)
            self._failed(message)

    async def _called(self, message: EventMessage) -> None:
        handler: Handler = self.handler  # type: ignore[assignment]
        name = getattr(handler, "__name__", type(handler).__name__)
        if inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(getattr(handler, "__call__", None)):  # noqa: B004  its own method
            await handler(message)
            return
        answer = await self._threads.run(lambda: handler(message), f"event {name}")
        if isinstance(answer, Awaitable):
            await answer

    def _failed(self, message: EventMessage) -> None:
        self.failures += 1
        logger.exception("A handler failed on event %s %s", message.event_id, message.event_type)
