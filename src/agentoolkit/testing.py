"""Test helpers, as this project's own tests use them: a clock moved by hand, and a toolkit that runs on it."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import ClassVar

from agentool.core.injector import Injector
from agentoolkit.settings import Settings
from agentoolkit.simulation import Firing, simulate
from agentoolkit.waits_in_real_time import RealWork, RealWorkHangs
from agentoolkit.wiring import Toolkit

__all__ = ["Firing", "ManualTime", "RealWorkHangs", "TestToolkit", "simulate", "toolkit"]

_PASSES = 25
"""Turns of the event loop after each due call, if the loop does not show its ready callbacks."""
_LOOKS = 2
"""Turns if the loop shows them: one turn collects results from threads and connections."""
_MAX_PASSES = 2_000
"""Most turns while callbacks are ready: a handler may loop for ever."""


class _Call:
    """A call that is scheduled for later."""

    __slots__ = ("at", "callback", "cancelled")

    def __init__(self, at: datetime, callback: Callable[[], object]) -> None:
        self.at = at
        self.callback = callback
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class ManualTime:
    """Time that stands still until it is moved.

    Args:
        at: The first instant: an aware datetime, or ISO 8601 text with an offset.
    """

    longest_sleep: float | None = None

    def __init__(self, at: datetime | str) -> None:
        self._now = _aware(datetime.fromisoformat(at) if isinstance(at, str) else at, "at").astimezone(UTC)
        self._start = self._now
        """Zero of `monotonic`. A jump moves it too, so that no time passes."""
        self._calls: list[tuple[datetime, int, _Call]] = []
        self._order = count()
        self.real_work: RealWork | None = None
        """The real waits that must end before the time moves on; None for none."""

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return (self._now - self._start).total_seconds()

    def call_later(self, delay: float, callback: Callable[[], object]) -> _Call:
        call = _Call(self._now + timedelta(seconds=max(delay, 0.0)), callback)
        heapq.heappush(self._calls, (call.at, next(self._order), call))
        return call

    def jump(self, to: datetime) -> None:
        """Set the time without making any call, as if the machine had slept or its clock had been set.

        Raises:
            ValueError: `to` is naive.
        """
        moment = _aware(to, "to").astimezone(UTC)
        self._start += moment - self._now
        self._now = moment

    async def advance(self, *, seconds: float = 0, minutes: float = 0, hours: float = 0, days: float = 0) -> None:
        """Move forward. Stop at every call that comes due on the way, and let the tasks that it started run.

        Raises:
            ValueError: It would move back: then nothing would come due.
        """
        length = timedelta(seconds=seconds, minutes=minutes, hours=hours, days=days)
        if length < timedelta(0):
            raise ValueError(f"{length.total_seconds():g} seconds lead back. Give a length from 0 on, or `jump` to an earlier time.")
        end = self._now + length
        await self.let_run()
        while self._calls and self._calls[0][0] <= end:
            at, _, call = heapq.heappop(self._calls)
            if not call.cancelled:
                self._now = max(self._now, at)
                call.callback()
                await self.let_run()
        self._now = max(self._now, end)
        await self.let_run()

    async def let_run(self) -> None:
        """Run the ready callbacks of the event loop. No time passes.

        Raises:
            RealWorkHangs: A handler has waited too long in real time.
        """
        await _take_turns()
        if self.real_work is not None:
            while await self.real_work.wait():
                await _take_turns()


def _aware(moment: datetime, name: str) -> datetime:
    """Return a moment that has a time zone. A naive one would be read in the zone of the machine, and differ between machines."""
    if moment.tzinfo is None:
        raise ValueError(f"{name}: {moment.isoformat()!r} has no time zone. Write '2030-01-01T00:00:00+00:00'.")
    return moment


class TestToolkit(Toolkit):
    """A toolkit whose time is moved by hand. It ignores variables and lives in memory; only a database given in code is opened."""

    _environment: ClassVar[Mapping[str, str] | None] = {}
    __test__ = False  # pytest must not collect it as a test class

    def __init__(self, settings: Settings, time: ManualTime, injector: Injector) -> None:
        super().__init__(settings.without_variables(), injector=injector, time=time)
        self.clock = time
        database = self.database
        self.clock.real_work = RealWork(self.scheduler.subscribe, lambda: database is not None and database.is_busy)

    async def advance(self, *, seconds: float = 0, minutes: float = 0, hours: float = 0, days: float = 0) -> None:
        """Move the time forward and run everything that comes due on the way. See `ManualTime.advance`."""
        await self.clock.advance(seconds=seconds, minutes=minutes, hours=hours, days=days)
        await self.scheduler.lifecycle.wait_idle()
        await self.events.wait_idle()


@asynccontextmanager
async def toolkit(at: datetime | str = "2030-01-01T00:00:00+00:00", settings: Settings | None = None) -> AsyncGenerator[TestToolkit]:
    """Open a toolkit in memory whose clock stands at `at`: ``async with toolkit(at=…) as kit: await kit.advance(hours=1)``.

    Its injector is the current one inside the block. Without `settings` its zone is UTC. Only values that code gave to
    `settings` count: values from variables and the ``.env`` file are dropped, so the application's database and ping address
    are never touched.

    While a handler waits in real time (for a program, an answer over the network, a thread), the clock stands still.
    """
    async with TestToolkit(settings or Settings.from_values({"timezone": "UTC"}), ManualTime(at), Injector()) as kit:
        yield kit


async def _take_turns() -> None:
    """Let the event loop run until no callback is ready."""
    ready = getattr(asyncio.get_running_loop(), "_ready", None)
    fewest = _PASSES if ready is None else _LOOKS
    for turn in range(_MAX_PASSES):
        await asyncio.sleep(0)
        if turn >= fewest and not ready:
            return
