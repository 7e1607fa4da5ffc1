"""Reads days in words: ``tomorrow``, ``next monday``, ``the last friday of next month``, ``monday, 25 december``.

day = "today" | "tonight" | "tomorrow" | [ "the" ] "day after tomorrow" | ( "this" | "tomorrow" ) part
    | [ "this" | "next" | "on" ] weekday [ week ] | weekday [ "," ] date | week weekday
    | "next" ( "week" | "month" | "year" | "business day" )
    | [ "the" ] ( "end of" | "beginning of" ) [ "the" | "this" | "next" ] ( "day" | "week" | "month" | "year" | month-name )
    | [ "on" ] [ "the" ] ( "first" … "fifth" | "last" ) ( weekday | "day" | "weekday" | "business day" ) "of" span
    | [ "on" ] [ "the" ] ordinal "of" month | date | "on the" ordinal | [ "the" ] "day" ( "before" | "after" ) day | named
    | [ "the" ] [ "first" ] ( weekday | "business day" ) ( "before" | "after" ) day
date  = YYYY-MM-DD | [ "on" ] [ "the" ] day-number [ "of" ] month-name [ year ] | month-name day-number [ "," ] [ year ]
week  = [ "of" ] ( "this" | "next" ) "week"
month = [ "the" ] ( "this" | "next" ) "month"
span  = month | month-name [ year ]
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, time, timedelta

from agentoolkit.system.scheduler.schedules.words.calendar_days import (
    Day,
    add_business_days,
    add_months,
    last_day,
    month_end,
    month_of,
    weekday_of,
)
from agentoolkit.system.scheduler.schedules.words.dates import (
    MAX_YEARS,
    calendar_date,
    count_articles,
    date_of,
    day_number,
    iso_date,
    national_date,
    on_weekday,
    take_year,
)
from agentoolkit.system.scheduler.schedules.words.named_days import named_day
from agentoolkit.system.scheduler.schedules.words.tokens import Cursor
from agentoolkit.system.scheduler.schedules.words.vocabulary import DAY_PARTS, POSITIONS, WEEKDAY_NAMES

_DAY = timedelta(days=1)


def day(cursor: Cursor) -> Day | None:
    """Take a day, or return None and take nothing.

    Raises:
        InvalidSchedule: The day does not exist, lies in the past or is too vague.
    """
    today = cursor.now.date()
    for near in (
        iso_date,
        _near_day,
        _day_beside,
        _weekday_beside,
        _edge_of,
        named_day,
        _position,
        _weekday,
        _ordinal_of_month,
        calendar_date,
        national_date,
    ):
        if found := near(cursor, today):
            return found
    return None


def months_from(cursor: Cursor, months: int) -> Day:
    """Return the same day some months ahead, with a remark if that month is too short."""
    today = cursor.now.date()
    later = add_months(today, months)
    if later.day != today.day:
        cursor.remark(f"{later:%B} has no day {today.day}, so its last day")
    return Day(later)


def _near_day(cursor: Cursor, today: date) -> Day | None:
    if cursor.sees("today") or (cursor.sees("this") and cursor.peek(1).text in DAY_PARTS):
        cursor.next()
        return Day(today, needs_clock=True)
    if cursor.take("tonight"):
        return Day(today, needs_clock=True, evening=True)
    if cursor.take("tomorrow"):
        return Day(today + _DAY)
    if cursor.take("day", "after", "tomorrow") or cursor.take("the", "day", "after", "tomorrow"):
        return Day(today + 2 * _DAY)
    if cursor.take("next", "business", "day"):
        cursor.remark("business days are Monday to Friday")
        return Day(add_business_days(today, 1))
    if cursor.sees("next", "week") and weekday_of(cursor.peek(2 + (cursor.peek(2).text == "on")).text) is None:
        cursor.place += 2
        return Day(today + 7 * _DAY)
    if cursor.sees("next") and cursor.peek(1).text in ("month", "year", "yr"):
        cursor.place += 2
        return months_from(cursor, 1 if cursor.peek(-1).text == "month" else 12)
    if cursor.sees("yesterday"):
        raise cursor.refusal("'yesterday' is in the past", "Name a time to come, e.g. 'tomorrow at 14:00'.")
    return None


def _day_beside(cursor: Cursor, _today: date) -> Day | None:
    """Take ``the day before christmas``."""
    start = 1 if cursor.sees("the") else 0
    side = cursor.peek(start + 1).text
    if cursor.peek(start).text != "day" or side not in ("before", "after"):
        return None
    cursor.place += start + 2
    if (named := day(cursor)) is None:
        raise cursor.unexpected()
    return replace(named, date=named.date + (_DAY if side == "after" else -_DAY), else_on=None)


def _edge_of(cursor: Cursor, today: date) -> Day | None:
    """Take ``end of next month`` or ``beginning of march``."""
    start = 1 if cursor.sees("the") else 0
    edge = cursor.peek(start).text
    if edge not in ("end", "beginning") or cursor.peek(start + 1).text != "of":
        return None
    cursor.place += start + 2
    following = cursor.take_one_of("the", "this", "next", "coming") in ("next", "coming")
    first, last = _span(cursor, today, following)
    return Day(last, unless_given=time(23, 59)) if edge == "end" else Day(first, unless_given=time())


def _span(cursor: Cursor, today: date, following: bool) -> tuple[date, date]:
    """Take ``month`` or ``march``, and return its first and last day: of the current one, or of the following one."""
    if month := month_of(cursor.peek().text):
        cursor.next()
        first = _month_to_come(cursor, today, month)
        return first, month_end(first)
    if (year := take_year(cursor)) is not None:
        return date(year, 1, 1), date(year, 12, 31)
    unit = cursor.take_one_of("day", "week", "month", "quarter", "year")
    if unit is None:
        raise cursor.unexpected()
    if unit == "quarter":
        first = add_months(date(today.year, (today.month - 1) // 3 * 3 + 1, 1), 3 * following)
        return first, month_end(add_months(first, 2))
    if unit == "week":
        monday = today - timedelta(days=today.weekday() - 7 * following)
        return monday, monday + timedelta(days=6)
    if unit == "month":
        first = add_months(today.replace(day=1), int(following))
        return first, month_end(first)
    if unit == "year":
        return date(today.year + following, 1, 1), date(today.year + following, 12, 31)
    return today + timedelta(days=following), today + timedelta(days=following)


def _weekday_beside(cursor: Cursor, _today: date) -> Day | None:
    """Take ``the monday after christmas`` or ``first business day after the 15th``."""
    start = count_articles(cursor)
    start += cursor.peek(start).text == "first"
    business = (cursor.peek(start).text, cursor.peek(start + 1).text) == ("business", "day")
    wanted, side = weekday_of(cursor.peek(start).text), cursor.peek(start + 1 + business).text
    if side not in ("after", "before") or cursor.peek(start + 2 + business).text == "next" or (wanted is None and not business):
        return None
    cursor.place += start + 2 + business
    if (named := day(cursor)) is None:
        raise cursor.unexpected()
    near = (named.date + number * (_DAY if side == "after" else -_DAY) for number in range(1, 8))
    found = next(each for each in near if (each.weekday() < 5 if wanted is None else each.weekday() == wanted))
    return replace(named, date=found, else_on=None)


def _position(cursor: Cursor, today: date) -> Day | None:
    """Take ``last monday of march`` or ``first business day of next month``."""
    start = count_articles(cursor)
    place, what = cursor.peek(start), cursor.peek(start + 1)
    if place.text not in POSITIONS:
        return None
    business = (what.text, cursor.peek(start + 2).text) == ("business", "day")
    after = start + 2 + business
    of, which, month = (cursor.peek(after + index).text for index in range(3))
    if of not in ("of", "in") or not ((which in ("this", "next") and month == "month") or month_of(which)):
        return None
    if weekday_of(what.text) is None and what.text not in ("day", "weekday") and not business:
        cursor.place += start + 1
        raise cursor.refusal(f"unknown day {what.text!r}", "Write e.g. 'first monday of next month'.")
    cursor.place += after + 1
    first = _month_named(cursor, today)
    wanted, working = weekday_of(what.text), range(5) if business or what.text == "weekday" else ()
    dates = [first.replace(day=number) for number in range(1, last_day(first.year, first.month) + 1)]
    fitting = [each for each in dates if what.text == "day" or (each.weekday() in (wanted, *working))]
    position = POSITIONS[place.text]
    if position > len(fitting):
        remedy = "Name a day that it has, e.g. 'last friday of next month'."
        raise cursor.refusal(f"{first:%B %Y} has no {place.text} {what.text}", remedy)
    return Day(fitting[position - 1 if position > 0 else -1], unless_given=time() if month_of(which) else None)


def _month_named(cursor: Cursor, today: date) -> date:
    """Take ``this month``, ``next month`` or ``march [2027]``, and return its first day. A past month means next year's."""
    if which := cursor.take_one_of("this", "next"):
        cursor.next()
        return add_months(today.replace(day=1), int(which == "next"))
    return _month_to_come(cursor, today, month_of(cursor.next().text) or 1)


def _month_to_come(cursor: Cursor, today: date, month: int) -> date:
    if (year := take_year(cursor)) is not None:
        return date(year, month, 1)
    return date(today.year + (month < today.month), month, 1)


def _weekday(cursor: Cursor, today: date) -> Day | None:
    if cursor.peek().text in ("next", "this") and cursor.peek(1).text == "week":
        on = cursor.peek(2).text == "on"
        return _weekday_of_week(cursor, today, cursor.peek(2 + on).text, 3 + on, cursor.peek().text)
    if cursor.sees("the") and (cursor.peek(2).text, cursor.peek(3).text) == ("after", "next"):
        cursor.next()
    ahead = 1 if cursor.peek().text in ("on", "this", "next", "last", "coming") else 0
    ahead += 1 if ahead and cursor.peek(1).text in ("this", "next", "coming") else 0
    name = cursor.peek(ahead).text
    wanted = weekday_of(name)
    if wanted is None:
        return None
    which = cursor.peek(ahead - 1).text if ahead else ""
    if which == "last":
        cursor.next()
        raise cursor.refusal(f"'last {name}' is in the past", f"Write 'next {name}'.")
    of = ahead + 1 + (cursor.peek(ahead + 1).text == "of")
    if cursor.peek(of).text in ("next", "this") and cursor.peek(of + 1).text == "week":
        return _weekday_of_week(cursor, today, name, of + 2, cursor.peek(of).text)
    cursor.place += ahead + 1
    return _weekday_with_date(cursor, today, wanted) or _coming(cursor, today, wanted, which)


def _coming(cursor: Cursor, today: date, wanted: int, which: str) -> Day:
    away = (wanted - today.weekday()) % 7
    if cursor.take("after", "next"):
        return Day(today + timedelta(days=(away or 7) + 7))
    if which != "next":
        coming = today + timedelta(days=away)
        return Day(coming, else_on=coming + timedelta(days=7))
    first = today + timedelta(days=away or 7)
    other = today + timedelta(days=7 - today.weekday() + wanted)
    if other != first:
        name = WEEKDAY_NAMES[wanted].capitalize()
        cursor.remark(f"'next {name}' is read as the first one after today, {first}; the one of next week is {other}")
    return Day(first)


def _weekday_of_week(cursor: Cursor, today: date, name: str, words: int, which: str) -> Day | None:
    wanted = weekday_of(name)
    if wanted is None:
        return None
    cursor.place += words
    return Day(today + timedelta(days=wanted - today.weekday() + 7 * (which == "next")))


def _weekday_with_date(cursor: Cursor, today: date, wanted: int) -> Day | None:
    """Take the date after a weekday, on which it must fall: without a year, in the first year that fits."""
    here = cursor.place
    cursor.take(",")
    after = count_articles(cursor)
    following = cursor.peek(after + 1).text
    if cursor.peek(after).kind == "ordinal" and following != "of" and month_of(following) is None:
        return _weekday_on_day_of_month(cursor, today, wanted)
    named = iso_date(cursor, today) or calendar_date(cursor, today) or national_date(cursor, today, wanted)
    if named is None:
        cursor.place = here
        return None
    return on_weekday(cursor, named, wanted)


def _weekday_on_day_of_month(cursor: Cursor, today: date, wanted: int) -> Day:
    """Take ``the 19th`` after ``tuesday``: the next 19th that is a Tuesday."""
    cursor.place += count_articles(cursor)
    number = day_number(cursor.next().text) or 0
    months = (add_months(today.replace(day=1), ahead) for ahead in range(12 * MAX_YEARS))
    dates = (month.replace(day=number) for month in months if 1 <= number <= last_day(month.year, month.month))
    found = next((each for each in dates if each >= today and each.weekday() == wanted), None)
    if found is None:
        raise cursor.refusal(f"no month has a day {number}", "Days go from 1st to 31st.")
    return Day(found, unless_given=time())


def _ordinal_of_month(cursor: Cursor, today: date) -> Day | None:
    """Take ``3rd of next month`` or ``the 15th next month``."""
    start = count_articles(cursor)
    number = day_number(cursor.peek(start).text)
    after = start + 1 + (cursor.peek(start + 1).text == "day")
    after += cursor.peek(after).text == "of"
    after += cursor.peek(after).text == "the"
    which, month = cursor.peek(after).text, cursor.peek(after + 1).text
    if number is None or which not in ("this", "next") or month != "month":
        return None
    cursor.place += after + 2
    first = add_months(today.replace(day=1), int(which == "next"))
    return Day(date_of(cursor, first.year, first.month, number), unless_given=time())
