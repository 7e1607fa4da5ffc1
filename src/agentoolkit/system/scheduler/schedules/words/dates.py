"""Reads dates in words: ``25 december``, ``december 25, 2027``, ``12/25/2026``, ``2026-12-25``, ``on the 15th``; also with a weekday."""

from __future__ import annotations

import re
from datetime import date, time

from agentoolkit.system.scheduler.schedules.words.calendar_days import Day, add_months, month_of, weekday_of
from agentoolkit.system.scheduler.schedules.words.durations import whole_number
from agentoolkit.system.scheduler.schedules.words.tokens import Cursor, national_readings
from agentoolkit.system.scheduler.schedules.words.vocabulary import MONTH_NAMES, ORDINALS, WEEKDAY_NAMES

MAX_YEARS = 11
"""Years after which every date except 29 February has fallen on every weekday."""


def iso_date(cursor: Cursor, _today: date) -> Day | None:
    """Take ``2026-12-25``, or return None and take nothing."""
    ahead = 1 if cursor.sees("on") else 0
    token = cursor.peek(ahead)
    if token.kind != "iso" or "t" in token.text:
        return None
    cursor.place += ahead + 1
    return Day(date_of(cursor, *map(int, re.split(r"[-/.]", token.text))), unless_given=time())


def calendar_date(cursor: Cursor, today: date) -> Day | None:
    """Take ``25 december`` and its other forms, or return None and take nothing."""
    start = count_articles(cursor)
    first, second = cursor.peek(start), cursor.peek(start + 1)
    if month := month_of(first.text):
        article = 1 if second.text in ("the", ",") else 0
        number = day_number(cursor.peek(start + 1 + article).text)
        if number is None or cursor.peek(start + 2 + article).text in ("am", "pm"):
            return None  # a month alone: see periods.py
        cursor.place += start + 2 + article
        return _with_year(cursor, today, month, number)
    if first.kind == "number" and len(first.text) == 4 and (month := month_of(second.text)):
        return _year_first(cursor, start, month)
    number = day_number(first.text)
    of = 1 if second.text == "of" else 0
    month = month_of(cursor.peek(start + 1 + of).text)
    if number is not None and month:
        cursor.place += start + 2 + of
        return _with_year(cursor, today, month, number)
    if number is not None and start and (first.kind == "ordinal" or second.text in ("", "at")) and second.text != "of":
        cursor.place += start + 1
        if not 1 <= number <= 28:
            raise cursor.refusal(f"not every month has a day {number}", "Name the month too, e.g. '31 january'.")
        this_month = today.replace(day=number)
        coming = this_month if this_month >= today else add_months(this_month, 1)
        return Day(coming, unless_given=time(), else_on=add_months(coming, 1))
    return None


def national_date(cursor: Cursor, today: date, wanted: int | None = None) -> Day | None:
    """Take ``12/25/2026``, ``25.12.2026`` or ``12/25`` if day and month are unambiguous, or return None and take nothing.

    A weekday (``wanted``) decides between two readings.
    """
    start = count_articles(cursor)
    token = cursor.peek(start)
    year = re.fullmatch(r"\d+[/.-]\d+(?:[/.-](\d{4}))?", token.text) if token.kind == "slash" else None
    if year is None:
        return None
    named, readings = year[1] and int(year[1]), national_readings(token.text)
    if named and wanted is not None and len(readings) == 2:
        readings = [(number, month) for number, month in readings if date_of(cursor, named, month, number).weekday() == wanted]
    if len(readings) != 1:
        return None
    cursor.place += start + 1
    number, month = readings[0]
    cursor.remark(f"{token.text!r} is read as {number} {MONTH_NAMES[month - 1].capitalize()}")
    return Day(date_of(cursor, named, month, number), unless_given=time()) if named else _with_year(cursor, today, month, number)


def on_weekday(cursor: Cursor, named: Day, wanted: int) -> Day:
    """Return a date that was named with a weekday, on which it must fall."""
    if named.date.weekday() == wanted:
        return named
    name, said = WEEKDAY_NAMES[wanted].capitalize(), f"{named.date.day} {named.date:%B}"
    if named.else_on is not None:
        fitting = (named.date.replace(year=named.date.year + more) for more in range(1, MAX_YEARS))
        first = next((each for each in fitting if each.weekday() == wanted), named.date)
        cursor.remark(f"the next {said} that is a {name} is in {first.year}")
        return Day(first, unless_given=time())
    raise cursor.refusal(f"{named.date} is a {named.date:%A}, not a {name}", "Leave the weekday out, or name the right date.")


def count_articles(cursor: Cursor) -> int:
    """Count the words ``on`` and ``the`` that come next."""
    count = 0
    while cursor.peek(count).text in ("on", "the"):
        count += 1
    return count


def day_number(text: str) -> int | None:
    """Return the number of ``25``, ``25th`` or ``third``; None for any other word."""
    digits = text.rstrip("stndrh")
    return int(digits) if digits.isdigit() and len(digits) <= 2 else ORDINALS.get(text)


def take_year(cursor: Cursor) -> int | None:
    """Take a year of four digits, or return None and take nothing."""
    ahead = 1 if cursor.peek().text in (",", "of") else 0
    if (cursor.peek(ahead).text, cursor.peek(ahead + 1).text) == ("two", "thousand"):
        more = whole_number(cursor.peek(ahead + 2).text)
        cursor.place += ahead + (2 if more is None else 3)
        return 2000 + (more or 0)
    year = cursor.peek(ahead)
    if year.kind != "number" or len(year.text) != 4 or not year.text.isdigit() or year.text == "0000":
        return None
    cursor.place += ahead + 1
    return int(year.text)


def date_of(cursor: Cursor, year: int, month: int, number: int) -> date:
    """Return a date. Raises `InvalidSchedule` if it does not exist."""
    try:
        return date(year, month, number)
    except ValueError as wrong:
        name = f"{MONTH_NAMES[month - 1].capitalize()} {year}" if 1 <= month <= 12 else f"month {month} of {year}"
        raise cursor.refusal(f"there is no day {number} in {name}", "Write a date that exists, e.g. '2026-12-25'.") from wrong


def _year_first(cursor: Cursor, start: int, month: int) -> Day:
    """Take ``2012 august 10`` or ``2012 august``."""
    year, number = int(cursor.peek(start).text), day_number(cursor.peek(start + 2).text)
    cursor.place += start + (2 if number is None else 3)
    if number is None:
        cursor.remark(f"no day given: {date(year, month, 1)}")
    return Day(date_of(cursor, year, month, number or 1), unless_given=time())


def _with_year(cursor: Cursor, today: date, month: int, number: int) -> Day:
    if (year := take_year(cursor)) is not None:
        return Day(date_of(cursor, year, month, number), unless_given=time())
    if (month, number) == (2, 29):
        raise cursor.refusal("29 February needs a year", "Write e.g. '29 february 2028'.")
    this_year = date_of(cursor, today.year, month, number)
    coming = this_year if this_year >= today else add_months(this_year, 12)
    named = Day(coming, unless_given=time(), else_on=add_months(coming, 12))
    ahead = 1 if cursor.sees(",") else 0
    if (wanted := weekday_of(cursor.peek(ahead).text)) is not None:
        cursor.place += ahead + 1
        return on_weekday(cursor, named, wanted)
    return named
