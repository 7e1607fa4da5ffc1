"""Finds the wall times that crontab text matches, without a walk over the days that it does not match.

CronSim parses the terms that it knows. The matching days are computed once for each of the 28 shapes of month (first weekday
and length), so that the years between one 29 February on a Sunday and the next cost a look-up each.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from calendar import monthrange
from datetime import MAXYEAR, date, datetime, time, timedelta
from functools import lru_cache
from typing import Protocol

from cronsim import CronSim

HORIZON = 50
"""Years without a match after which there is none: the longest gap between two matches is 40."""

_DAY = timedelta(days=1)
_ANY_TIME = datetime.combine(date(2000, 1, 1), time())
_OWN_TERM = re.compile(r"\d+W|L-\d+")

_shape = lru_cache(maxsize=4096)(monthrange)


class DayTerms:
    """The terms of crontab text, and the days of a month that they match."""

    __slots__ = ("_before_last", "_nearest", "day_and", "days", "hours", "minutes", "months", "weekdays")

    def __init__(self, crontab: str) -> None:
        minute, hour, day_of_month, month, day_of_week = crontab.split()
        terms = day_of_month.split(",")
        own = [term for term in terms if _OWN_TERM.fullmatch(term)]
        left = [term for term in terms if term not in own]
        # CronSim gets a plain day in place of terms that it does not know.
        read = CronSim(" ".join((minute, hour, ",".join(left or ["1"]), month, day_of_week)), _ANY_TIME)
        self.minutes, self.hours, self.months, self.weekdays = read.minutes, read.hours, read.months, read.weekdays
        self.days = read.days if left else set[int]()
        self.day_and = day_of_month.startswith("*") or day_of_week.startswith("*")
        self._nearest = tuple(int(term[:-1]) for term in own if term.endswith("W"))
        self._before_last = tuple(int(term[2:]) for term in own if term.startswith("L-"))

    @property
    def special_days(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The days of the terms ``15W``, and the distances of the terms ``L-3``."""
        return self._nearest, self._before_last

    def matching(self, year: int, month: int) -> tuple[int, ...]:
        """Return the matching days of a month, in order. If a day field begins with ``*``, both fields must match."""
        first, length = monthrange(year, month)
        found = {day for day in self.days if 0 < day <= length}
        found |= {length} if CronSim.LAST in self.days else set()
        found |= {_nearest_weekday(first, length, length)} if CronSim.LAST_WEEKDAY in self.days else set()
        found |= {_nearest_weekday(first, day, length) for day in self._nearest if day <= length}
        dates = found | {length - before for before in self._before_last if before < length}
        weekdays = {day for day in range(1, length + 1) if self._is_weekday((first + day) % 7, day, length)}
        return tuple(sorted(dates & weekdays if self.day_and else dates | weekdays))

    def _is_weekday(self, weekday: int, day: int, length: int) -> bool:
        """Tell whether a day is one of the weekdays. Sunday is 0, and also 7 if the text says so."""
        for number in (weekday, 7) if weekday == 0 else (weekday,):
            nth = (number, (day + 6) // 7)
            if number in self.weekdays or nth in self.weekdays or ((number, CronSim.LAST) in self.weekdays and day + 7 > length):
                return True
        return False


def _nearest_weekday(first: int, day: int, length: int) -> int:
    """Return the day from Monday to Friday nearest to a day, within its month, which begins on weekday ``first`` (Monday 0)."""
    weekday = (first + day - 1) % 7
    if weekday == 5:
        return day - 1 if day > 1 else day + 2
    if weekday == 6:
        return day + 1 if day < length else day - 2
    return day


class Days(Protocol):
    """A set of days, in order."""

    def first_from(self, start: date, last_year: int) -> date | None:
        """Return the first day at or after ``start``; None when there is none until the end of a year."""
        ...

    def __contains__(self, day: date) -> bool: ...

    def count(self, first: date, end: date) -> int:
        """Count the days from ``first`` (included) to ``end`` (not included)."""
        ...


class EveryWeeks:
    """Weekdays of every second, third … week, counted from the week of a date. Weeks begin on Monday."""

    __slots__ = ("_base", "_offsets", "_period")

    def __init__(self, terms: DayTerms, weeks: int, first_week: date) -> None:
        self._period = 7 * weeks
        self._base = first_week.toordinal() - first_week.weekday()
        self._offsets = sorted({(int(day) + 6) % 7 for day in terms.weekdays if isinstance(day, int)})

    def first_from(self, start: date, last_year: int) -> date | None:
        """Return the first day at or after ``start``; None beyond the last year."""
        cycle, rest = divmod(start.toordinal() - self._base, self._period)
        offset = next((each for each in self._offsets if each >= rest), self._period + self._offsets[0])
        found = date.fromordinal(self._base + cycle * self._period + offset)
        return found if found.year <= last_year else None

    def __contains__(self, day: date) -> bool:
        return (day.toordinal() - self._base) % self._period in self._offsets

    def count(self, first: date, end: date) -> int:
        """Count the days from ``first`` (included) to ``end`` (not included)."""
        return self._before(end) - self._before(first)

    def _before(self, day: date) -> int:
        cycle, rest = divmod(day.toordinal() - self._base, self._period)
        return cycle * len(self._offsets) + bisect_left(self._offsets, rest)


class MatchingDays:
    """The days that crontab text matches."""

    __slots__ = ("_by_shape", "_matcher", "_months")

    def __init__(self, matcher: DayTerms) -> None:
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
        """Count the matching days from ``first`` (included) to ``end`` (not included)."""
        whole_years = sum(len(self._days(year, month)) for year in range(first.year, end.year) for month in self._months)
        return self._before(end) - self._before(first) + whole_years

    def _before(self, end: date) -> int:
        """Count the matches of a year before one of its days."""
        whole = sum(len(self._days(end.year, month)) for month in self._months if month < end.month)
        return whole + (bisect_left(self._days(end.year, end.month), end.day) if end.month in self._months else 0)

    def _days(self, year: int, month: int) -> tuple[int, ...]:
        shape = _shape(year, month)
        if (days := self._by_shape.get(shape)) is None:
            days = self._by_shape[shape] = self._matcher.matching(year, month)
        return days


class WallTimes:
    """The wall times that canonical crontab text matches, regardless of any zone."""

    __slots__ = ("_days", "_hours", "_minutes", "matcher")

    def __init__(self, matcher: DayTerms, days: Days | None = None) -> None:
        self.matcher = matcher
        self._days = days or MatchingDays(matcher)
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
        """Count the matches later than naive ``after`` and not later than ``until``."""
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
