"""The time source: the present time, and calls at a later time. Only this file reads the machine's clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol


class Cancellable(Protocol):
    """A pending call."""

    def cancel(self) -> None:
        """Cancel the call. A second `cancel` does nothing."""


class TimeSource(Protocol):
    """The clock of every part of the toolkit. Tests replace it with one that they move."""

    longest_sleep: float | None
    """Seconds after which a sleeper reads `now` again, because the wall clock may jump; None if it cannot."""

    def now(self) -> datetime:
        """Return the present instant, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds since a fixed instant. Only differences mean anything; changes of the wall clock do not affect them."""
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
