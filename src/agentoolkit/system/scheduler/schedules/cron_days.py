"""The wall times that crontab text matches, found without a walk over the days it does not match.

Which terms match which day is CronSim's to say. It is asked once for each shape of month (the weekday it begins with, and its
length: there are 28), so that the years between one 29 February on a Sunday and the next cost a look-up each.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from calendar import monthrange
from datetime import MAXYEAR, date, datetime, time, timedelta
from functools import lru_cache

from cronsim import CronSim

HORIZON = 50
"""Years without a match after which there is none: the longest there can be between two is 40."""

_DAY = timedelta(days=1)

_shape = lru_cache(maxsize=4096)(monthrange)


class MatchingDays:
    """The days that match."""

    __slots__ = ("_by_shape", "_matcher", "_months")

    def __init__(self, matcher: CronSim) -> None:
        self._matcher = matcher
        self._months = tuple(sorted(matcher.months))
        self._by_shape: dict[tuple[int, int], tuple[int, ...]] = {}

    def first_from(self, start: date, last_year: int) -> date | None:
        """Return the first match at or after ``start``; None when there is none until the end of a year."""
        here = (start.year, start.month)
        for year in range(start.year, min(last_year, MAXYEAR) + 1):
            for month in self._months:
                if (year, month) < here:
                    continue
                earliest = start.day if (year, month) == here else 1
                if found := next((day for day in self._days(year, month) if day >= earliest), None):
                    return date(year, month, found)
        return None

    def __contains__(self, day: date) -> bool:
        return day.month in self._months and day.day in self._days(day.year, day.month)

    def count(self, first: date, end: date) -> int:
        """Return how many match from ``first`` (included) to ``end`` (not included)."""
        return self._before(end) - self._before(first) + sum(self._in_year(year) for year in range(first.year, end.year))

    def _before(self, end: date) -> int:
        """Count the matches of a year before one of its days."""
        whole = sum(len(self._days(end.year, month)) for month in self._months if month < end.month)
        return whole + (bisect_left(self._days(end.year, end.month), end.day) if end.month in self._months else 0)

    def _in_year(self, year: int) -> int:
        return sum(len(self._days(year, month)) for month in self._months)

    def _days(self, year: int, month: int) -> tuple[int, ...]:
        shape = _shape(year, month)
        if (days := self._by_shape.get(shape)) is None:
            matches = self._matcher.match_day
            days = self._by_shape[shape] = tuple(day for day in range(1, shape[1] + 1) if matches(date(year, month, day)))
        return days


class WallTimes:
    """The wall times that canonical crontab text matches, regardless of any zone."""

    __slots__ = ("_days", "_hours", "_minutes", "matcher")

    def __init__(self, matcher: CronSim) -> None:
        self.matcher = matcher
        self._days = MatchingDays(matcher)
        self._hours, self._minutes = sorted(matcher.hours), sorted(matcher.minutes)

    def after(self, wall: datetime) -> datetime | None:
        """Return the first match strictly later than a naive ``wall``; None when the next fifty years hold none."""
        today, last_year = wall.date(), wall.year + HORIZON
        day = self._days.first_from(today, last_year)
        if day == today:
            if later := self._later(wall):
                return datetime.combine(today, later)
            day = self._days.first_from(today + _DAY, last_year)
        return day and datetime.combine(day, time(self._hours[0], self._minutes[0]))

    def count(self, after: datetime, until: datetime) -> int:
        """Return how many matches are later than naive ``after`` and not later than ``until``."""
        if until <= after:
            return 0
        days = self._days.count(after.date(), until.date())
        return days * len(self._hours) * len(self._minutes) - self._passed(after) + self._passed(until)

    def starting(self, wall: datetime) -> datetime | None:
        """Return the first match at or after a naive ``wall`` without microseconds."""
        return self.after(wall - timedelta(seconds=1))

    def _passed(self, wall: datetime) -> int:
        """Count the matches of the same day up to a naive ``wall``."""
        if wall.date() not in self._days:
            return 0
        this_hour = bisect_right(self._minutes, wall.minute) if wall.hour in self.matcher.hours else 0
        return bisect_left(self._hours, wall.hour) * len(self._minutes) + this_hour

    def _later(self, wall: datetime) -> time | None:
        """Return the first match of hour and minute on the same day."""
        position = bisect_right(self._minutes, wall.minute)
        if wall.hour in self.matcher.hours and position < len(self._minutes):
            return time(wall.hour, self._minutes[position])
        position = bisect_right(self._hours, wall.hour)
        return time(self._hours[position], self._minutes[0]) if position < len(self._hours) else None
