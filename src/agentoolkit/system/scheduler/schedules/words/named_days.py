"""Reads named days: ``christmas eve``, ``thanksgiving 2027``, ``the day before easter``. A remark tells the date and its rule.

named  = [ "on" ] [ "the" ] [ "this" | "next" | "coming" ] name [ when ]
when   = [ "of" | "in" | "," ] year | [ "of" ] ( "this" | "next" ) "year" | "in" duration
beside = [ "the" ] "day" ( "before" | "after" ) day                     see days.py
"""

from __future__ import annotations

from datetime import date, time, timedelta
from typing import NamedTuple

from agentoolkit.system.scheduler.schedules.words.calendar_days import Day, add_months
from agentoolkit.system.scheduler.schedules.words.dates import count_articles, take_year
from agentoolkit.system.scheduler.schedules.words.day_names import DAY_NAMES, MAX_NAME_WORDS
from agentoolkit.system.scheduler.schedules.words.durations import duration
from agentoolkit.system.scheduler.schedules.words.tokens import Cursor
from agentoolkit.system.scheduler.schedules.words.yearly_days import YearlyDay

_MAX_MONTHS = 1_200
_WHICH = ("this", "next", "coming", "upcoming")


class Named(NamedTuple):
    """A named day that comes next: its rule, and the cursor's place after it."""

    name: str
    rule: YearlyDay
    end: int


def named_ahead(cursor: Cursor, ahead: int = 0) -> Named | None:
    """Return the longest name of a day that comes next; None if there is none."""
    words = [cursor.peek(ahead + index).text for index in range(MAX_NAME_WORDS)]
    for length in range(MAX_NAME_WORDS, 0, -1):
        name = " ".join(words[:length])
        if (rule := DAY_NAMES.get(name)) is not None:
            return Named(name, rule, cursor.place + ahead + length)
    return None


def named_day(cursor: Cursor, today: date) -> Day | None:
    """Take a named day, from today on or in the named year, or return None and take nothing."""
    start = count_articles(cursor)
    which = cursor.peek(start).text if cursor.peek(start).text in _WHICH else ""
    named = named_ahead(cursor, start + bool(which))
    if named is None:
        return None
    cursor.place = named.end
    year, later = _year(cursor, today), None
    if year is not None:
        found = named.rule.in_year(year)
    else:
        first = _in_time(cursor, today) or today + timedelta(days=which == "next")
        found, later, *_ = (day for ahead in range(3) if (day := named.rule.in_year(first.year + ahead)) >= first)
    cursor.remark(f"{named.name!r} is {found}: {named.rule.words}")
    return Day(found, unless_given=time(), else_on=later)


def _in_time(cursor: Cursor, today: date) -> date | None:
    """Take ``in 3 years``, and return the day that far ahead, or return None and take nothing."""
    if not cursor.sees("in"):
        return None
    cursor.next()
    length = duration(cursor)
    return add_months(today, min(length.months, _MAX_MONTHS)) + timedelta(seconds=min(int(length.seconds), _MAX_MONTHS * 2_592_000))


def _year(cursor: Cursor, today: date) -> int | None:
    """Take ``2027``, ``in 2027`` or ``of next year``, or return None and take nothing."""
    ahead = 1 if cursor.peek().text in ("of", "in") else 0
    which = cursor.peek(ahead).text
    if which in ("this", "next") and cursor.peek(ahead + 1).text == "year":
        cursor.place += ahead + 2
        return today.year + (which == "next")
    if cursor.peek().text == "in" and cursor.peek(1).kind == "number" and len(cursor.peek(1).text) == 4:
        cursor.place += 1
    return take_year(cursor)
