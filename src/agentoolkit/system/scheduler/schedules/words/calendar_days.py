"""Calculations with days: lengths of months, business days, weekdays by name."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import date, time, timedelta

from agentoolkit.system.scheduler.schedules.words.vocabulary import MONTHS, WEEKDAYS


@dataclass(frozen=True, slots=True)
class Day:
    """A day that was named.

    Attributes:
        date: The first day it may mean.
        unless_given: Time of day if none is named; None means the current one.
        else_on: The day that is meant if that time has passed; None if there is none.
        needs_clock: True if a time of day is required.
        evening: True if bare hours from 5 to 11 mean the evening.
    """

    date: date
    unless_given: time | None = None
    else_on: date | None = None
    needs_clock: bool = False
    evening: bool = False


def weekday_of(word: str) -> int | None:
    """Return 0 for a name of Monday … 6 for a name of Sunday, None for any other word."""
    return WEEKDAYS.get(word)


def month_of(word: str) -> int | None:
    """Return 1 for a name of January … 12 for a name of December, None for any other word."""
    return MONTHS.get(word)


def last_day(year: int, month: int) -> int:
    """Return the number of days of a month."""
    return calendar.monthrange(year, month)[1]


def month_end(day: date) -> date:
    """Return the last day of a day's month."""
    return day.replace(day=last_day(day.year, day.month))


def add_months(day: date, months: int) -> date:
    """Return the same day of a later month, or the last day of a shorter month."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, last_day(year, month + 1)))


def add_business_days(day: date, count: int) -> date:
    """Return the day that many days from Monday to Friday later."""
    while count:
        day += timedelta(days=1)
        count -= day.weekday() < 5
    return day
