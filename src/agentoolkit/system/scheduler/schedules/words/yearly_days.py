"""Rules for a day of the year: a date, the n-th weekday of a month, or a distance from Easter."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Protocol

from agentoolkit.system.scheduler.schedules.words.calendar_days import month_end
from agentoolkit.system.scheduler.schedules.words.vocabulary import MONTH_NAMES, WEEKDAY_NAMES
from agentoolkit.text import counted

MON, THU, SAT, SUN = 0, 3, 5, 6
_ORDINALS = {1: "first", 2: "second", 3: "third", 4: "fourth", -1: "last"}


class YearlyDay(Protocol):
    """A day that comes once a year."""

    def in_year(self, year: int) -> date:
        """Return its date in a year."""
        ...

    @property
    def crontab_days(self) -> tuple[str, str, str] | None:
        """Day-of-month, month and day-of-week of the equal crontab; None if there is none."""
        ...

    @property
    def words(self) -> str:
        """The rule in plain English."""
        ...


@dataclass(frozen=True, slots=True)
class Fixed:
    """A date, optionally moved if it is a Saturday or Sunday."""

    month: int
    day: int
    where: str = ""
    if_saturday: int = 0
    if_sunday: int = 0

    def in_year(self, year: int) -> date:
        """Return its date in a year."""
        found = date(year, self.month, self.day)
        return found + timedelta(days={SAT: self.if_saturday, SUN: self.if_sunday}.get(found.weekday(), 0))

    @property
    def crontab_days(self) -> tuple[str, str, str] | None:
        """Day, month and ``*``; None if a weekend moves it."""
        return None if self.if_saturday or self.if_sunday else (str(self.day), str(self.month), "*")

    @property
    def words(self) -> str:
        """``25 December``."""
        moved = ", moved on a weekend" if self.crontab_days is None else ""
        return f"{self.day} {MONTH_NAMES[self.month - 1].capitalize()}{moved}{self.where and f' {self.where}'}"


@dataclass(frozen=True, slots=True)
class NthWeekday:
    """The n-th weekday of a month (-1 is the last one), or some days later."""

    nth: int
    weekday: int
    month: int
    where: str = ""
    later: int = 0

    def in_year(self, year: int) -> date:
        """Return its date in a year."""
        if self.nth > 0:
            first = date(year, self.month, 1)
            found = first + timedelta(days=(self.weekday - first.weekday()) % 7 + 7 * (self.nth - 1))
        else:
            last = month_end(date(year, self.month, 1))
            found = last - timedelta(days=(last.weekday() - self.weekday) % 7)
        return found + timedelta(days=self.later)

    @property
    def crontab_days(self) -> tuple[str, str, str] | None:
        """``*``, month and ``4#4``; None if it is some days later."""
        number = (self.weekday + 1) % 7
        return None if self.later else ("*", str(self.month), f"{number}L" if self.nth < 0 else f"{number}#{self.nth}")

    @property
    def words(self) -> str:
        """``the fourth Thursday of November in the United States``."""
        later = f"{counted(self.later, 'day')} after " if self.later else ""
        day = f"the {_ORDINALS[self.nth]} {WEEKDAY_NAMES[self.weekday].capitalize()} of {MONTH_NAMES[self.month - 1].capitalize()}"
        return f"{later}{day}{self.where and f' {self.where}'}"


@dataclass(frozen=True, slots=True)
class FromEaster:
    """A number of days after Easter Sunday, or before it. Orthodox churches use the Julian calendar."""

    later: int
    orthodox: bool = False

    def in_year(self, year: int) -> date:
        """Return its date in a year."""
        return (_orthodox_easter(year) if self.orthodox else _easter(year)) + timedelta(days=self.later)

    @property
    def crontab_days(self) -> None:
        """None: no crontab equals it."""

    @property
    def words(self) -> str:
        """``39 days after Easter``."""
        easter = "Orthodox Easter" if self.orthodox else "Easter"
        if not self.later:
            return f"{easter} Sunday"
        return f"{counted(abs(self.later), 'day')} {'after' if self.later > 0 else 'before'} {easter}"


def _easter(year: int) -> date:
    """Return Easter Sunday by the anonymous Gregorian computus (Nature, 20 April 1876)."""
    golden, century = year % 19, year // 100
    correction = (century - century // 4 - (8 * century + 13) // 25 + 19 * golden + 15) % 30
    moon = correction - (correction // 28) * (1 - (29 // (correction + 1)) * ((21 - golden) // 11))
    weekday = (year + year // 4 + moon + 2 - century + century // 4) % 7
    days = moon - weekday
    return date(year, 3, 28) + timedelta(days=days)


def _orthodox_easter(year: int) -> date:
    """Return Orthodox Easter Sunday by Meeus' Julian computus, plus the days by which the Julian calendar is behind."""
    moon = (19 * (year % 19) + 15) % 30
    weekday = (2 * (year % 4) + 4 * (year % 7) - moon + 34) % 7
    behind = year // 100 - year // 400 - 2
    return date(year, 3, 22) + timedelta(days=moon + weekday + behind)
