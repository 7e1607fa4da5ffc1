"""Bounds of a schedule: start, end, exclusions and jitter, each a rule that wraps another rule."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from typing_extensions import TypedDict

from agentoolkit.system.scheduler.schedules.exclusions import Exclusions
from agentoolkit.system.scheduler.schedules.rules import TICK, Rule

MAX_JITTER = 604_800.0
"""One week, in seconds."""

Shift = Literal["next", "previous"]


class Bounds(TypedDict, total=False):
    """The bounds of a `Schedule`. Times may also be naive, ISO 8601 text or words, read in the schedule's zone."""

    start_at: datetime | str | None
    end_at: datetime | str | None
    jitter: float
    exclude: Sequence[str]
    only: Sequence[str]
    shift: Shift | None


BOUNDS = tuple(Bounds.__annotations__)
"""Names of the bounds, which every door accepts."""

PATIENCE = 500
"""Consecutive excluded due times after which a schedule counts as finished: more than a year of daily ones."""
FAR = timedelta(days=100 * 366)
"""How far ahead excluded due times are followed: twenty-five 29 Februaries."""

_MILLISECOND = timedelta(milliseconds=1)
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Between(Rule):
    """Due times from ``start`` to ``end``, both included."""

    rule: Rule
    start: datetime | None
    end: datetime | None

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first due time strictly later than ``moment``."""
        if self.start is not None and moment < self.start:
            moment = self.start - TICK
        due = self.rule.next_after(moment)
        return None if due is None or (self.end is not None and due > self.end) else due

    def count(self, after: datetime, until: datetime) -> int:
        """Count the due times later than ``after`` and not later than ``until``."""
        if self.start is not None:
            after = max(after, self.start - TICK)
        if self.end is not None:
            until = min(until, self.end)
        return self.rule.count(after, until)


@dataclass(frozen=True, slots=True)
class Outside(Rule):
    """Due times that no exclusion covers."""

    rule: Rule
    excluded: Exclusions

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first due time strictly later than ``moment``; None after five hundred excluded ones in a row."""
        due = self.rule.next_after(moment)
        for _ in range(PATIENCE):
            end = self.excluded.end_after(due) if due is not None else None
            if due is None or end is None:
                return due
            if due - moment > FAR:
                return None
            due = self.rule.next_after(max(due, end - TICK))
        return None

    def count(self, after: datetime, until: datetime) -> int:
        """Count the due times later than ``after`` and not later than ``until``: a step for each exclusion between."""
        number = 0
        while (due := self.next_after(after)) is not None and due <= until:
            after = self.excluded.free_until(due, until)
            number += self.rule.count(due - TICK, after)
        return number


@dataclass(frozen=True, slots=True)
class Jittered(Rule):
    """Delays each due time by its own fraction of ``jitter``, which is always the same for a due time.

    A delay never reaches the next due time or the end. A delay that would end in an exclusion is omitted.
    """

    rule: Rule
    jitter: timedelta
    key: str
    end: datetime | None = None
    excluded: Exclusions | None = None

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first delayed due time strictly later than ``moment``."""
        started = self._last_due(moment)
        if started is not None and (delayed := self.delayed(started)) > moment:
            return delayed
        due = self.rule.next_after(moment)
        return due and self.delayed(due)

    def count(self, after: datetime, until: datetime) -> int:
        """Count the delayed due times later than ``after`` and not later than ``until``."""
        return self.rule.count(after, until) + self._is_pending(after) - self._is_pending(until) if after < until else 0

    def _is_pending(self, moment: datetime) -> bool:
        """Tell whether the delay of the latest due time ends after a moment."""
        due = self._last_due(moment)
        return due is not None and self.delayed(due) > moment

    def _last_due(self, moment: datetime) -> datetime | None:
        window = min(self.jitter, _MINUTE)
        while True:
            due = self.rule.next_after(moment - window - TICK)
            if due is not None and due <= moment:
                while (later := self.rule.next_after(due)) is not None and later <= moment:
                    due = later
                return due
            if window == self.jitter:
                return None
            window = min(self.jitter, window * 2)

    def nominal(self, delayed: datetime) -> datetime:
        """Return the due time that was delayed to this instant."""
        return self._last_due(delayed) or delayed

    def delayed(self, due: datetime) -> datetime:
        """Return a due time with its delay."""
        limits = [limit - due for limit in (self.rule.next_after(due), self.end) if limit is not None]
        room = min(self.jitter, *limits) if limits else self.jitter
        digest = hashlib.blake2b(f"{self.key}|{due.isoformat()}".encode(), digest_size=8).digest()
        delayed = due + _MILLISECOND * ((room // _MILLISECOND) * int.from_bytes(digest) >> 64)
        return due if self.excluded is not None and self.excluded.end_after(delayed) else delayed
