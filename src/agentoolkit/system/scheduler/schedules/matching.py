"""The wall times that crontab text matches, found without a walk over the days it does not match.

Which terms match which day is CronSim's to say. It is asked once for each shape of month (the weekday it begins with, and its
length: there are 28), so that the years between one 29 February on a Sunday and the next cost a look-up each.
"""

from __future__ import annotations

from bisect import bisect_right
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

    def starting(self, wall: datetime) -> datetime | None:
        """Return the first match at or after a naive ``wall`` without microseconds."""
        return self.after(wall - timedelta(seconds=1))

    def _later(self, wall: datetime) -> time | None:
        """Return the first match of hour and minute on the same day."""
        position = bisect_right(self._minutes, wall.minute)
        if wall.hour in self.matcher.hours and position < len(self._minutes):
            return time(wall.hour, self._minutes[position])
        position = bisect_right(self._hours, wall.hour)
        return time(self._hours[position], self._minutes[0]) if position < len(self._hours) else None
