"""Days in words: ``tomorrow``, ``next monday``, ``the last friday of next month``, ``25 december``.

day = "today" | "tonight" | "tomorrow" | [ "the" ] "day after tomorrow"
    | [ "this" | "next" | "on" ] weekday | "next" ( "week" | "month" | "year" )
    | [ "the" ] "end of" [ "the" | "this" | "next" ] ( "day" | "week" | "month" | "year" )
    | [ "on" ] [ "the" ] ( "first" … "fifth" | "last" ) ( weekday | "day" | "weekday" ) "of" ( "this" | "next" ) "month"
    | YYYY-MM-DD | [ "on" ] [ "the" ] day-number [ "of" ] month-name [ year ] | month-name day-number [ "," ] [ year ]
    | "on the" ordinal
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import date, time, timedelta
from typing import Literal

from agentoolkit.system.scheduler.schedules.words.tokens import Cursor

WEEKDAY_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTH_NAMES = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_PLACES = ("first", "second", "third", "fourth", "fifth")
POSITIONS = {
    **{name: number for number, name in enumerate(_PLACES, 1)},
    **{name: number for number, name in enumerate(("1st", "2nd", "3rd", "4th", "5th"), 1)},
    "last": -1,
}

_WEEKDAYS = {
    **{name: index for index, name in enumerate(WEEKDAY_NAMES)},
    **{name[:3]: index for index, name in enumerate(WEEKDAY_NAMES)},
    "tues": 1,
    "weds": 2,
    "thur": 3,
    "thurs": 3,
}
_MONTHS = {
    **{name: index for index, name in enumerate(MONTH_NAMES, 1)},
    **{name[:3]: index for index, name in enumerate(MONTH_NAMES, 1)},
    "sept": 9,
}

Repeats = Literal["week", "month", "year"]


@dataclass(frozen=True, slots=True)
class Day:
    """A day that was named.

    Attributes:
        date: The first day it may mean.
        unless_given: Time of day when none is named; None keeps the present one.
        else_next: When that time has passed, the same day of the next week, month or year is meant; None: of none.
        needs_clock: Whether it says too little without a time of day.
        evening: Whether bare hours from 5 to 11 mean the evening.
    """

    date: date
    unless_given: time | None = None
    else_next: Repeats | None = None
    needs_clock: bool = False
    evening: bool = False


def weekday_of(word: str) -> int | None:
    """Return 0 for a name of Monday … 6 for one of Sunday, None for any other word."""
    return _WEEKDAYS.get(word)


def month_of(word: str) -> int | None:
    """Return 1 for a name of January … 12 for one of December, None for any other word."""
    return _MONTHS.get(word)


def last_day(year: int, month: int) -> int:
    """Return the number of days of a month."""
    return calendar.monthrange(year, month)[1]


def add_months(day: date, months: int) -> date:
    """Return the same day of a later month, or that month's last day where it is shorter."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, last_day(year, month + 1)))


def day(cursor: Cursor) -> Day | None:
    """Take a day; None, and nothing taken, when none comes next.

    Raises:
        InvalidSchedule: for a day that does not exist, lies in the past or is said too vaguely.
    """
    today = cursor.now.date()
    if cursor.peek().kind == "iso" and "t" not in cursor.peek().text:
        return Day(_date(cursor, *map(int, cursor.next().text.split("-"))), unless_given=time())
    for near in (_near_day, _end_of, _position_in_month, _weekday, _calendar_date):
        if found := near(cursor, today):
            return found
    return None


def _near_day(cursor: Cursor, today: date) -> Day | None:
    if cursor.take("today"):
        return Day(today, needs_clock=True)
    if cursor.take("tonight"):
        return Day(today, needs_clock=True, evening=True)
    if cursor.take("tomorrow"):
        return Day(today + timedelta(days=1))
    if cursor.take("day", "after", "tomorrow") or cursor.take("the", "day", "after", "tomorrow"):
        return Day(today + timedelta(days=2))
    if cursor.take("next", "week"):
        return Day(today + timedelta(days=7))
    if cursor.take("next", "month") or cursor.take("next", "year"):
        return months_from(cursor, 1 if cursor.peek(-1).text == "month" else 12)
    if cursor.sees("yesterday"):
        raise cursor.refusal("'yesterday' is in the past", "Name a time to come, e.g. 'tomorrow at 14:00'.")
    return None


def months_from(cursor: Cursor, months: int) -> Day:
    """Return the day that many months ahead, with a remark where that month is too short."""
    today = cursor.now.date()
    later = add_months(today, months)
    if later.day != today.day:
        cursor.remark(f"{later:%B} has no day {today.day}, so its last day")
    return Day(later)


def _end_of(cursor: Cursor, today: date) -> Day | None:
    if not (cursor.take("end", "of") or cursor.take("the", "end", "of")):
        return None
    following = cursor.take_one_of("the", "this", "next") == "next"
    unit = cursor.take_one_of("day", "week", "month", "year")
    if unit is None:
        raise cursor.unexpected()
    ends = {
        "day": today + timedelta(days=following),
        "week": today + timedelta(days=6 - today.weekday() + 7 * following),
        "month": _month_end(add_months(today, int(following))),
        "year": date(today.year + following, 12, 31),
    }
    return Day(ends[unit], unless_given=time(23, 59))


def _position_in_month(cursor: Cursor, today: date) -> Day | None:
    start = 0
    while cursor.peek(start).text in ("on", "the"):
        start += 1
    place, what, of, which, month = (cursor.peek(start + index).text for index in range(5))
    if place not in POSITIONS or of != "of" or which not in ("this", "next") or month != "month":
        return None
    cursor.place += start + 5
    first = add_months(today.replace(day=1), int(which == "next"))
    dates = [first.replace(day=number) for number in range(1, last_day(first.year, first.month) + 1)]
    fitting = [each for each in dates if _fits(each, what, cursor)]
    position = POSITIONS[place]
    if position > len(fitting):
        raise cursor.refusal(f"{first:%B %Y} has no {place} {what}", "Name a day that it has, e.g. 'last friday of next month'.")
    return Day(fitting[position - 1 if position > 0 else -1])


def _fits(each: date, what: str, cursor: Cursor) -> bool:
    if what == "day":
        return True
    if what == "weekday":
        return each.weekday() < 5
    wanted = weekday_of(what)
    if wanted is None:
        raise cursor.refusal(f"{what!r} is no day", "Write e.g. 'first monday of next month'.")
    return each.weekday() == wanted


def _weekday(cursor: Cursor, today: date) -> Day | None:
    ahead = 1 if cursor.peek().text in ("on", "this", "next", "last", "coming") else 0
    wanted = weekday_of(cursor.peek(ahead).text)
    if wanted is None:
        return None
    which = cursor.next().text if ahead else ""
    if which == "last":
        raise cursor.refusal(f"'last {cursor.peek().text}' is in the past", f"Write 'next {cursor.peek().text}'.")
    cursor.next()
    away = (wanted - today.weekday()) % 7
    if which == "next":
        return Day(today + timedelta(days=away or 7))
    return Day(today + timedelta(days=away), else_next="week")


def _calendar_date(cursor: Cursor, today: date) -> Day | None:
    start = 0
    while cursor.peek(start).text in ("on", "the"):
        start += 1
    first, second = cursor.peek(start), cursor.peek(start + 1)
    if month_of(first.text) and _is_day_number(second.text):
        cursor.place += start + 2
        return _with_year(cursor, today, month_of(first.text) or 0, _number(second.text))
    month = month_of(cursor.peek(start + 2).text) if second.text == "of" else month_of(second.text)
    if month and _is_day_number(first.text):
        cursor.place += start + (3 if second.text == "of" else 2)
        return _with_year(cursor, today, month, _number(first.text))
    if first.kind == "ordinal" and second.text != "of" and start:
        cursor.place += start + 1
        return _day_of_month(cursor, today, _number(first.text))
    return None


def _with_year(cursor: Cursor, today: date, month: int, number: int) -> Day:
    ahead = 1 if cursor.peek().text == "," else 0
    year = cursor.peek(ahead)
    if year.kind == "number" and len(year.text) == 4 and year.text.isdigit():
        cursor.place += ahead + 1
        return Day(_date(cursor, int(year.text), month, number), unless_given=time())
    if (month, number) == (2, 29):
        raise cursor.refusal("29 February needs a year", "Write e.g. '29 february 2028'.")
    this_year = _date(cursor, today.year, month, number)
    coming = this_year if this_year >= today else this_year.replace(year=today.year + 1)
    return Day(coming, unless_given=time(), else_next="year")


def _day_of_month(cursor: Cursor, today: date, number: int) -> Day:
    if not 1 <= number <= 28:
        raise cursor.refusal(f"not every month has a day {number}", "Name the month too, e.g. '31 january'.")
    this_month = today.replace(day=number)
    return Day(this_month if this_month >= today else add_months(this_month, 1), unless_given=time(), else_next="month")


def _date(cursor: Cursor, year: int, month: int, number: int) -> date:
    try:
        return date(year, month, number)
    except ValueError as wrong:
        name = f"{MONTH_NAMES[month - 1].capitalize()} {year}" if 1 <= month <= 12 else f"month {month} of {year}"
        raise cursor.refusal(f"there is no day {number} in {name}", "Write a date that exists, e.g. '2026-12-25'.") from wrong


def _month_end(day: date) -> date:
    return day.replace(day=last_day(day.year, day.month))


def _is_day_number(text: str) -> bool:
    digits = text.rstrip("stndrh")
    return digits.isdigit() and len(digits) <= 2


def _number(text: str) -> int:
    return int(text.rstrip("stndrh"))
