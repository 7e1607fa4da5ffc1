"""What time it is, and being called later: the only file that asks the machine's clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol


class Cancellable(Protocol):
    """A call that is still to come."""

    def cancel(self) -> None:
        """Make the call not happen. A second time does nothing."""


class TimeSource(Protocol):
    """Where every part of the toolkit takes its time from, so that tests can move it."""

    longest_sleep: float | None
    """Seconds after which a sleeper looks at `now` again, because the wall clock may jump; None where it cannot."""

    def now(self) -> datetime:
        """Return the present instant, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds from some fixed instant. Only differences mean anything, and no change of the clock touches them."""
        ...

    def call_later(self, delay: float, callback: Callable[[], object]) -> Cancellable:
        """Call back once on the running event loop, `delay` seconds from now or as soon as possible after."""
        ...


class SystemTime:
    """The machine's own clock."""

    longest_sleep: float | None = 1.0

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def call_later(self, delay: float, callback: Callable[[], object]) -> Cancellable:
        return asyncio.get_running_loop().call_later(max(delay, 0.0), callback)
