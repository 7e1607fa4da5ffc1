"""The interface of all kinds of schedule: a rule computes its next due time."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from typing import Protocol

TICK = timedelta(microseconds=1)
"""The smallest step of time: the difference between "after" and "at or after"."""


class Rule(Protocol):
    """A set of due times on the time line."""

    __slots__ = ()

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first due time strictly later than ``moment``, as aware UTC; None when there is none."""
        ...

    def count(self, after: datetime, until: datetime) -> int:
        """Count the due times strictly later than ``after`` and not later than ``until``, without a walk over them."""
        ...

    def wall_of(self, due: datetime, zone: tzinfo) -> datetime:
        """Return the wall time of a due time: what clocks show then, unless the rule means a skipped one."""
        return due.astimezone(zone).replace(tzinfo=None)
