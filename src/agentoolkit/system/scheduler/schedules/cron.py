"""Computes the due times of crontab text in a zone.

`cron_days` finds the matching wall times. This module maps them across clock changes, by the rule of
``docs/reference/schedules.md``, which must hold in every zone.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache

from cronsim import CronSimError

from agentoolkit.system.scheduler.errors import InvalidSchedule
from agentoolkit.system.scheduler.schedules.clock_changes import instant_of, last_shift, offset_at, shifts_between
from agentoolkit.system.scheduler.schedules.cron_days import DayTerms, EveryWeeks, WallTimes
from agentoolkit.system.scheduler.schedules.cron_text import is_repeating, split_weeks
from agentoolkit.system.scheduler.schedules.rules import TICK, Rule
from agentoolkit.system.scheduler.schedules.zones import load_zone

_SECOND = timedelta(seconds=1)
_YEAR = timedelta(days=366)
_ENOUGH = timedelta(days=3)
"""More than the difference of any two offsets of a zone."""


class FixedTimes(Rule):
    """Fixed wall times: one in a gap is due at the first instant after it, one in a fold is due once, the first time."""

    __slots__ = ("_timezone", "_walls", "_zone")

    def __init__(self, walls: WallTimes, timezone: str) -> None:
        self._walls, self._timezone, self._zone = walls, timezone, load_zone(timezone)

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first due time strictly later than ``moment``."""
        local = moment.astimezone(self._zone)
        wall = local.replace(tzinfo=None, fold=0)
        due = self._walls.starting(self._end_of_fold(moment)) if local.fold else self._walls.after(wall)
        return due and instant_of(self._timezone, due)

    def wall_of(self, due: datetime, zone: tzinfo) -> datetime:
        """Return the wall time of a due time; at the end of a gap, the first matching one that was skipped."""
        gap = next((shift for shift in shifts_between(self._timezone, _naive(due) - _SECOND, _naive(due)) if shift.leaves_gap), None)
        swallowed = self._walls.starting(gap.edges[0]) if gap else None
        local = due.astimezone(zone).replace(tzinfo=None, fold=0)
        return local if swallowed is None else min(swallowed, local)

    def count(self, after: datetime, until: datetime) -> int:
        """Count the due times later than ``after`` and not later than ``until``; those in one gap count as one."""
        number = self._walls.count(self._reached(after), self._reached(until))
        for shift in shifts_between(self._timezone, _naive(after), _naive(until)):
            if shift.leaves_gap:
                start, end = shift.edges
                number -= max(self._walls.count(start - TICK, end) - 1, 0)
        return number

    def _reached(self, moment: datetime) -> datetime:
        """Return the last wall time reached at an instant: in a fold, the end of the fold."""
        local = moment.astimezone(self._zone)
        return self._end_of_fold(moment) - TICK if local.fold else local.replace(tzinfo=None)

    def _end_of_fold(self, moment: datetime) -> datetime:
        return last_shift(self._timezone, _naive(moment)).edges[1]


class RepeatingTimes(Rule):
    """Elapsed time: due at every instant whose wall time matches, so twice in a fold and not at all in a gap."""

    __slots__ = ("_timezone", "_walls", "_zone")

    def __init__(self, walls: WallTimes, timezone: str) -> None:
        self._walls, self._timezone, self._zone = walls, timezone, load_zone(timezone)

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first due time strictly later than ``moment``."""
        utc = _naive(moment)
        wall = moment.astimezone(self._zone).replace(tzinfo=None, fold=0)
        offset, due = wall - utc, self._walls.after(wall)
        while due is not None:
            shift = next(shifts_between(self._timezone, utc, due - offset), None)
            if shift is None:
                return (due - offset).replace(tzinfo=UTC)
            utc, offset = shift.at, shift.after
            if not wall < utc + offset <= due:
                due = self._walls.starting(utc + offset)
            wall = utc + offset - _SECOND
            if due is not None and due - wall > _YEAR:
                # Nothing matches until then, so clock changes before it do not matter.
                utc = due - offset - _ENOUGH
                offset = offset_at(self._zone, utc)
                wall = utc + offset
        return None

    def count(self, after: datetime, until: datetime) -> int:
        """Count the due times later than ``after`` and not later than ``until``."""
        start, end = _naive(after), _naive(until)
        offset, number = offset_at(self._zone, start), 0
        for shift in shifts_between(self._timezone, start, end):
            number += self._walls.count(start + offset, shift.at + offset - TICK)
            start, offset = shift.at - TICK, shift.after
        return number + self._walls.count(start + offset, end + offset)


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)


@lru_cache(maxsize=4096)
def cron_rule(text: str, timezone: str, anchor: datetime | None = None) -> FixedTimes | RepeatingTimes:
    """Return the rule of canonical crontab text in a zone. Weeks are counted from the week of the anchor (aware)."""
    first_week = anchor.astimezone(load_zone(timezone)).date() if anchor is not None else None
    walls = wall_times(text, first_week)
    return RepeatingTimes(walls, timezone) if is_repeating(text) else FixedTimes(walls, timezone)


@lru_cache(maxsize=4096)
def wall_times(text: str, first_week: date | None = None) -> WallTimes:
    """Return the wall times of canonical crontab text. Without a first week, all weeks match.

    Raises:
        InvalidSchedule: No date can match.
    """
    crontab, weeks = split_weeks(text)
    try:
        terms = DayTerms(crontab)
    except CronSimError as wrong:
        problem, remedy = "day-of-month and month never meet, so this never fires.", "For a month's last day use 'L'."
        raise InvalidSchedule(problem, field="schedule", value=text, remedy=remedy) from wrong
    if weeks > 1 and first_week is not None:
        return WallTimes(terms, EveryWeeks(terms, weeks, first_week))
    return WallTimes(terms)


def weeks_counted(texts: Iterable[str]) -> frozenset[tuple[int, frozenset[object]]]:
    """Return how many weeks each canonical crontab text counts, and of which weekdays; nothing for one that counts none."""
    pairs = ((crontab, weeks) for crontab, weeks in map(split_weeks, texts) if weeks > 1)
    return frozenset((weeks, frozenset[object](wall_times(crontab).matcher.weekdays)) for crontab, weeks in pairs)
