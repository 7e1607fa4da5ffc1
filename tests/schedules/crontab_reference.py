"""A crontab judged the slow and obvious way: no code of the package, no cron library, only the calendar."""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

NAMES = {
    3: {name.lower(): number for number, name in enumerate(calendar.month_abbr) if number},
    4: {"sun": 0, "mon": 1, "tue": 2, "wed": 3, "thu": 4, "fri": 5, "sat": 6},
}
LIMITS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))


@dataclass(frozen=True)
class Crontab:
    """The sets of values that a crontab text names, and the two stars that turn OR into AND."""

    clocks: tuple[tuple[int, int], ...]
    days: frozenset[object]
    months: frozenset[int]
    weekdays: frozenset[object]
    both_days: bool

    def matches_day(self, day: date) -> bool:
        if day.month not in self.months:
            return False
        by_date, by_weekday = self._matches_date(day), self._matches_weekday(day)
        return (by_date and by_weekday) if self.both_days else (by_date or by_weekday)

    def _matches_date(self, day: date) -> bool:
        last = calendar.monthrange(day.year, day.month)[1]
        working = max(n for n in range(last - 2, last + 1) if date(day.year, day.month, n).weekday() < 5)
        return day.day in self.days or ("L" in self.days and day.day == last) or ("LW" in self.days and day.day == working)

    def _matches_weekday(self, day: date) -> bool:
        number = day.isoweekday() % 7
        is_last = (day + timedelta(days=7)).month != day.month
        place = (day.day - 1) // 7 + 1
        return number in self.weekdays or (is_last and f"{number}L" in self.weekdays) or f"{number}#{place}" in self.weekdays


def read(text: str) -> Crontab:
    """Read a valid five-field text."""
    parts = text.lower().split()
    minutes, hours, days, months, weekdays = (_values(index, part) for index, part in enumerate(parts))
    clocks = tuple(sorted((hour, minute) for hour in hours for minute in minutes))
    both = parts[2].startswith("*") or parts[4].startswith("*")
    return Crontab(clocks, frozenset(days), frozenset(months), frozenset(weekdays), both)


def wall_times(text: str, after: datetime, horizon: timedelta = timedelta(days=366 * 45)) -> Iterator[datetime]:
    """Yield the matching wall times later than ``after``, day by day."""
    crontab, day, end = read(text), after.date(), (after + horizon).date()
    while day <= end:
        if crontab.matches_day(day):
            for hour, minute in crontab.clocks:
                wall = datetime.combine(day, time(hour, minute))
                if wall > after:
                    yield wall
        day += timedelta(days=1)


def _values(index: int, part: str) -> set:
    found: set = set()
    for term in part.split(","):
        found |= _term(index, term)
    return {value % 7 if index == 4 and isinstance(value, int) else value for value in found}


def _term(index: int, term: str) -> set:
    low, high = LIMITS[index]
    if term in ("l", "lw"):
        return {term.upper()}
    if index == 4 and term.endswith("l"):
        return {f"{int(term[:-1]) % 7}L"}
    if "#" in term:
        day, nth = term.split("#")
        return {f"{_number(index, day) % 7}#{nth}"}
    span, _, step = term.partition("/")
    if span == "*":
        first, last = low, high
    elif "-" in span:
        first, last = (_number(index, bound) for bound in span.split("-"))
    else:
        first = _number(index, span)
        last = high if step else first
    return set(range(first, last + 1, int(step or 1)))


def _number(index: int, word: str) -> int:
    return NAMES[index][word] if word in NAMES.get(index, {}) else int(word)
