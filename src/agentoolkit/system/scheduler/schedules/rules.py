"""What every kind of schedule comes down to: a rule that knows its next due time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol

TICK = timedelta(microseconds=1)
"""The smallest step of time; what lies between "after" and "at or after"."""


class Rule(Protocol):
    """A set of due times on the time line."""

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first due time strictly later than ``moment``, as aware UTC; None when there is none."""
        ...

    def count(self, after: datetime, until: datetime) -> int:
        """Return how many due times are strictly later than ``after`` and not later than ``until``, without a walk over them."""
        ...
