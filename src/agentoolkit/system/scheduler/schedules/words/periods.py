"""Reads months, quarters and years, each meaning its first day: ``march``, ``q3 2027``, ``2027-10``, ``in 2028``.

period  = [ "in" ] ( [ "this" | "next" ] month-name | quarter ) [ [ "of" | "," ] year ]
        | [ "in" ] month "/" year | year "-" month | "in" year
quarter = "q" ( "1" … "4" ) | [ "the" ] ( "first" … "fourth" ) "quarter" | year "q" ( "1" … "4" )
"""

from __future__ import annotations

import re
from datetime import date, time

from agentoolkit.system.scheduler.schedules.words.calendar_days import Day, add_months, month_of
from agentoolkit.system.scheduler.schedules.words.dates import date_of, take_year
from agentoolkit.system.scheduler.schedules.words.tokens import Cursor
from agentoolkit.system.scheduler.schedules.words.vocabulary import MONTH_NAMES, POSITIONS, QUARTERS

_MONTH_AND_YEAR = re.compile(r"(\d{1,2})/(\d{4})|(\d{4})[-/](\d{1,2})")


def period(cursor: Cursor, today: date) -> Day | None:
    """Take a month, a quarter or a year, and return its first day, or return None and take nothing."""
    here = cursor.place
    says_in = cursor.take("in")
    is_short = cursor.peek().text not in MONTH_NAMES
    first = _numbered(cursor) or _quarter(cursor, today) or _month(cursor, today)
    if first is None and says_in and (year := take_year(cursor)) is not None:
        first = date(year, 1, 1)
    # 'mar' alone is too vague; 'in mar' and 'mar 2027' are not.
    if first is None or (cursor.place - here == 1 and is_short and month_of(cursor.peek(-1).text)):
        cursor.place = here
        return None
    cursor.remark(f"no day given: {first}")
    return Day(first, unless_given=time())


def _numbered(cursor: Cursor) -> date | None:
    """Take ``9/2027`` or ``2027-09``."""
    if (shape := _MONTH_AND_YEAR.fullmatch(cursor.peek().text)) is None:
        return None
    cursor.next()
    return date_of(cursor, int(shape[2] or shape[3]), int(shape[1] or shape[4]), 1)


def _quarter(cursor: Cursor, today: date) -> date | None:
    """Take ``q3``, ``third quarter`` or ``2027q3``. Without a year, a quarter that has begun means next year's."""
    number = re.fullmatch(r"(?:(\d{2}|\d{4}))?q([1-4])", cursor.peek().text)
    if number is not None:
        cursor.next()
        year = int(number[1]) + (2000 if len(number[1]) == 2 else 0) if number[1] else take_year(cursor)
        return _to_come(today, year, int(number[2]) * 3 - 2)
    start = 1 if cursor.sees("the") else 0
    place = POSITIONS.get(cursor.peek(start).text, 0)
    if cursor.peek(start + 1).text not in QUARTERS or not 0 < place < 5:
        return None
    cursor.place += start + 2
    return _to_come(today, take_year(cursor), place * 3 - 2)


def _month(cursor: Cursor, today: date) -> date | None:
    """Take ``march``: the next March to begin, or that of the named year."""
    ahead = 1 if cursor.peek().text in ("this", "next") else 0
    month = month_of(cursor.peek(ahead).text)
    if month is None:
        return None
    cursor.place += ahead + 1
    return _to_come(today, take_year(cursor), month)


def _to_come(today: date, year: int | None, month: int) -> date:
    """Return the first day of a month: in the given year, else the next one after today."""
    first = date(year or today.year, month, 1)
    return first if year is not None or first > today else add_months(first, 12)
