"""Intervals: due after each length of time, counted from an anchor without drift."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from functools import lru_cache

from agentoolkit.system.scheduler.errors import InvalidSchedule
from agentoolkit.system.scheduler.schedules.rules import Rule

LONGEST = timedelta(days=3653)
"""Ten years."""

UNITS = {"week": 604_800, "day": 86_400, "hour": 3_600, "minute": 60, "second": 1}
"""Seconds in each unit. All are elapsed time: a day is 24 hours."""

_PARTS = re.compile(r" ?".join(rf"(?:(\d+) {unit}s?)?" for unit in UNITS))
_ISO = re.compile(r"P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+(?:\.\d+)?)H)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)S)?)?")
_EXAMPLE = "Write e.g. '5 minutes', '1 hour 30 minutes' or 'PT5M'."


@dataclass(frozen=True, slots=True)
class IntervalRule(Rule):
    """Due one, two, three … steps after the anchor (aware UTC)."""

    anchor: datetime
    step: timedelta

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first point of the grid strictly later than ``moment``."""
        return self.anchor + self.step * (self._passed(moment) + 1)

    def count(self, after: datetime, until: datetime) -> int:
        """Count the points of the grid later than ``after`` and not later than ``until``."""
        return max(self._passed(until) - self._passed(after), 0)

    def _passed(self, moment: datetime) -> int:
        return max((moment - self.anchor) // self.step, 0)


def interval_text(seconds: int) -> str:
    """Write a length of time in canonical form: ``1 hour 30 minutes``."""
    parts: list[str] = []
    for unit, size in UNITS.items():
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {unit}{'s' if count > 1 else ''}")
    return " ".join(parts)


def checked_seconds(length: Fraction, text: str) -> int:
    """Return a length in whole seconds.

    Raises:
        InvalidSchedule: below one second, above ten years, or not whole.
    """
    if length < 1:
        problem = "an interval of zero never ends" if length == 0 else "the shortest interval is one second"
        raise InvalidSchedule(f"{problem}.", field="schedule", value=text, remedy=_EXAMPLE)
    if length > LONGEST.total_seconds():
        raise InvalidSchedule("the longest interval is ten years.", field="schedule", value=text, remedy=_EXAMPLE)
    if length.denominator != 1:
        raise InvalidSchedule("an interval is a whole number of seconds.", field="schedule", value=text, remedy=_EXAMPLE)
    return int(length)


def iso_duration(text: str) -> Fraction | None:
    """Return the seconds of an ISO 8601 duration (``PT5M``, ``P1DT2H``); None for any other text.

    Raises:
        InvalidSchedule: It has years or months, whose length varies.
    """
    wanted = text.strip().upper()
    if re.fullmatch(r"P(\d+Y)?(\d+M)?(\d+D)?(T.*)?", wanted) and re.match(r"P\d+[YM]|P\d+Y\d+M", wanted):
        remedy = "Count in days, e.g. 'P30D', or use a monthly schedule, e.g. '@monthly'."
        raise InvalidSchedule("months and years differ in length.", field="schedule", value=text, remedy=remedy)
    shape = _ISO.fullmatch(wanted)
    if shape is None or not any(shape.groups()) or wanted.endswith("T"):
        return None
    return _total(shape)


def is_interval(text: str) -> bool:
    """Tell whether a text is a canonical length of time."""
    shape = _PARTS.fullmatch(text)
    return shape is not None and any(shape.groups())


@lru_cache(maxsize=4096)
def interval_step(text: str) -> timedelta:
    """Return the length of a canonical text.

    Raises:
        InvalidSchedule: It is not a canonical length of time.
    """
    shape = _PARTS.fullmatch(text)
    if shape is None or not any(shape.groups()):
        raise InvalidSchedule("is not a length of time.", field="schedule", value=text, remedy=_EXAMPLE)
    return timedelta(seconds=checked_seconds(_total(shape), text))


def _total(shape: re.Match[str]) -> Fraction:
    """Add up the groups of a pattern that has one for each unit, the largest first."""
    return sum((Fraction(count) * size for count, size in zip(shape.groups(), UNITS.values(), strict=True) if count), Fraction())
