"""Reads cycles in words: ``every weekday at 9am``, ``first monday of the month at 8``, ``every 5 minutes``.

recurring = cycle { clause } | clocks cycle { clause }
cycle     = "hourly" | "daily" | "weekly" | … | "yearly" | ( "every" | "each" ) thing | [ "on" ] weekdays | position again
          | ( "once" | "twice" | number "times" ) ( "a" | "per" | "every" ) unit
thing     = [ "other" ] unit | quantity unit | weekdays | position | date | part | "other" weekday
          | "the end of" ( "every" | "each" ) unit | minute-of-hour                 see cycle_times.py
clause    = [ "on" ] days | clocks | "in" months | "except" weekdays | hours | limit | minute-of-hour
hours     = "between" clock "and" clock | "from" clock ( "to" | "until" ) clock
limit     = ( "from" | "starting" | "beginning" ) moment | ( "until" | "till" ) moment
days      = weekdays | position | date                                            see cycle_days.py
"""

from __future__ import annotations

from dataclasses import replace
from datetime import time
from fractions import Fraction

from agentoolkit.system.scheduler.schedules.words.calendar_days import weekday_of
from agentoolkit.system.scheduler.schedules.words.cycle_clauses import hours_between, starts_hours, take_limit
from agentoolkit.system.scheduler.schedules.words.cycle_days import (
    EVERY_DAY,
    date_of_year,
    listed,
    months,
    names_date_of_year,
    position_comes_again,
    positions,
    weekday_set,
    weekdays,
    weekdays_of,
)
from agentoolkit.system.scheduler.schedules.words.cycle_on_days import with_days
from agentoolkit.system.scheduler.schedules.words.cycle_times import Cycle, at_times, minutes_of_hour, starts_minute_of_hour, stepping
from agentoolkit.system.scheduler.schedules.words.cycle_units import ADVERBS, LAST_DAYS, SECONDS, UNITS
from agentoolkit.system.scheduler.schedules.words.dates import day_number
from agentoolkit.system.scheduler.schedules.words.durations import Length, duration, starts_quantity, whole_number
from agentoolkit.system.scheduler.schedules.words.suggestions import every_months
from agentoolkit.system.scheduler.schedules.words.times_of_day import more_clocks, starts_bare_hour, starts_clock
from agentoolkit.system.scheduler.schedules.words.tokens import Cursor
from agentoolkit.system.scheduler.schedules.words.vocabulary import DAY_PARTS, ORDINALS, PARTS_AGAIN, TIMES, UNIT_MONTHS

_MAX_WEEKS = 52
_HOURLY = Cycle(Fraction(3_600), EVERY_DAY, ("0 *",))


def starts_cycle(cursor: Cursor) -> bool:
    """Tell whether a cycle comes next."""
    ahead = 1 if cursor.sees("on") else 0
    text, following = cursor.peek(ahead).text, cursor.peek(ahead + 1).text
    if weekday_of(text.partition("-")[0]) is not None and ("-" in text or following in ("to", "through", "-")):
        return True
    if text in ("every", "each", "fortnightly", *ADVERBS, "weekdays", "weekends") or _count(cursor) is not None:
        return True
    if (text, following) == ("business", "days") or starts_minute_of_hour(cursor) or _starts_end_of(cursor):
        return True
    if text.endswith("s") and weekday_of(text[:-1]) is not None and len(text) > 4:
        return True
    if _starts_parts_again(cursor):
        return True
    return position_comes_again(cursor)


def _starts_parts_again(cursor: Cursor) -> bool:
    """Whether ``mornings`` or ``monday and thursday evenings`` comes next."""
    ahead = 0
    while weekday_of(cursor.peek(ahead).text) is not None or cursor.peek(ahead).text in (
        "and",
        ",",
        "weekday",
        "weekend",
        "business",
        "day",
    ):
        ahead += 1
    return cursor.peek(ahead).text in PARTS_AGAIN


def cycle(cursor: Cursor, earlier: list[time], timezone: str) -> Cycle:
    """Take a cycle with its clauses. ``earlier`` are the clock times named before it (``at 9 every monday``).

    Raises:
        InvalidSchedule: It is ambiguous, or no crontab can express it.
    """
    start, times = cursor.place, list(earlier)
    found = replace(_cycle(cursor), head=(start, cursor.place))
    is_length, hours = found.days is None and found.weeks == 1, None
    while not cursor.at_end():
        if starts_hours(cursor):
            hours = hours_between(cursor)
        elif _is_hours(found) and (minute := minutes_of_hour(cursor)) is not None:
            found = replace(found, minute=minute)
        elif starts_clock(cursor) or (_takes_bare_hour(found) and starts_bare_hour(cursor)):
            times = more_clocks(cursor, times)
        else:
            found = _clause(cursor, found, timezone)
    if is_length or hours is not None or (found.minutes and times):
        return stepping(cursor, found, times, hours)
    if found.weeks > 1 and found.days is None:
        raise cursor.refusal(
            f"every {found.weeks} weeks at a time of day needs a weekday", f"Write e.g. 'every {found.weeks} weeks on monday at 9:00'."
        )
    return at_times(cursor, found, times)


def _takes_bare_hour(found: Cycle) -> bool:
    """Tell whether a number alone is an hour beside it: ``every day 9``, but not ``every month 15``."""
    return found.days is not None and found.unit in (None, "day") and weekdays_of(found.days) is not None


def _clause(cursor: Cursor, found: Cycle, timezone: str) -> Cycle:
    """Take days, months or a limit, and return the cycle with them."""
    if cursor.take_one_of("except", "but"):
        return _without_days(cursor, found)
    if cursor.sees("from") and weekday_of(cursor.peek(1).text) is not None and cursor.peek(2).text in ("to", "through", "-"):
        cursor.next()
    if cursor.take("on") or _starts_weekdays(cursor):
        return with_days(cursor, found)
    if cursor.take_one_of("in", "of"):
        days = found.days or EVERY_DAY
        if days[1] != "*" or found.weeks > 1:
            raise cursor.refusal("those days do not fit together", "Write e.g. 'every monday in june at 9:00'.")
        return replace(found.on((days[0], months(cursor), days[2])), unit=found.unit)
    if (limits := take_limit(cursor, found.limits, timezone)) is not None:
        return replace(found, limits=limits)
    raise cursor.unexpected()


def _cycle(cursor: Cursor) -> Cycle:
    cursor.take("on")
    if (count := _count(cursor)) is not None:
        return _times_a_unit(cursor, count)
    if _starts_end_of(cursor):
        # ``the end of every month`` is its last day, at 23:59 unless a time is named.
        cursor.take("the")
        cursor.place += 3
        unit = cursor.take_one_of(*LAST_DAYS)
        if unit is None:
            raise cursor.unexpected()
        return Cycle(days=LAST_DAYS[unit], unless_given="59 23")
    if starts_minute_of_hour(cursor):
        return Cycle(every=Fraction(3_600), minute=minutes_of_hour(cursor))
    if cursor.take("fortnightly"):
        return _of_length(cursor, Fraction(SECONDS["fortnight"]))
    if (adverb := cursor.take_one_of(*ADVERBS)) is not None:
        return _HOURLY if adverb == "hourly" and cursor.at_end() else _unit(ADVERBS[adverb])
    if cursor.take_one_of("every", "each"):
        return _thing(cursor)
    if cursor.peek().text in PARTS_AGAIN:
        return Cycle(days=EVERY_DAY)
    return Cycle(days=positions(cursor) or weekdays(cursor))


def _is_hours(found: Cycle) -> bool:
    """Tell whether a cycle is a number of hours, so that a minute of the hour may be named."""
    return found.every is not None and found.days is None and found.every % 3_600 == 0 and found.every < SECONDS["day"]


def _starts_weekdays(cursor: Cursor) -> bool:
    """Tell whether weekdays come next without an ``on``: ``every 15 minutes mon-fri``."""
    word = cursor.peek().text.partition("-")[0]
    return weekday_of(word) is not None or word in ("weekdays", "weekends")


def _starts_end_of(cursor: Cursor) -> bool:
    start = 1 if cursor.sees("the") else 0
    return (cursor.peek(start).text, cursor.peek(start + 1).text) == ("end", "of") and cursor.peek(start + 2).text in ("every", "each")


def _count(cursor: Cursor) -> int | None:
    """Return the number of ``twice a day`` or ``3 times a day``; None if none comes next."""
    word = cursor.peek()
    if word.text in TIMES and cursor.peek(1).text in ("a", "an", "per", "every", "each", "daily"):
        return TIMES[word.text]
    number = int(word.text) if word.kind == "number" and word.text.isdigit() else whole_number(word.text)
    return number if cursor.peek(1).text == "times" else None


def _times_a_unit(cursor: Cursor, count: int) -> Cycle:
    said = cursor.next().text
    said = f"{said} {cursor.next().text}" if cursor.sees("times") else said
    if cursor.take("daily"):
        return Cycle(days=EVERY_DAY, count=count)
    if cursor.take_one_of("a", "an", "per", "every", "each") in ("every", "each") and count == 1:
        return _thing(cursor)
    unit = cursor.take_one_of("hour", "day", "week", "month", "year")
    if unit is None:
        raise cursor.unexpected()
    if count == 1:
        return _unit(unit)
    if unit == "day" and 1 < count <= 24 and 24 % count == 0:
        return Cycle(days=EVERY_DAY, count=count)
    if unit == "hour" and 1 < count <= 60 and 60 % count == 0:
        return Cycle(every=Fraction(3_600, count))
    raise cursor.refusal(f"'{said} a {unit}' says no days or times", "Name them, e.g. 'every monday and thursday at 9:00'.")


def _unit(unit: str) -> Cycle:
    seconds = UNITS[unit].seconds
    return Cycle(None if seconds is None else Fraction(seconds), UNITS[unit].first, unit=unit)


def _thing(cursor: Cursor) -> Cycle:
    if cursor.take("other"):
        return _every_other(cursor)
    if cursor.peek().text in DAY_PARTS:
        return Cycle(days=EVERY_DAY)
    if (nth := _every_nth(cursor)) is not None:
        return nth
    if names_date_of_year(cursor):
        return Cycle(days=date_of_year(cursor))
    if days := positions(cursor):
        return Cycle(days=days)
    if cursor.peek().text in SECONDS and cursor.peek(1).text == "and":
        return Cycle(every=_seconds(cursor, duration(cursor, unsaid=Fraction(1))))
    is_part = cursor.sees("quarter", "of") or cursor.sees("quarter", "hour")
    unit = None if is_part else cursor.take_one_of(*UNITS)
    if unit:
        return _of_length(cursor, Fraction(SECONDS[unit])) if unit == "fortnight" else _unit(unit)
    if starts_quantity(cursor):
        return _of_number(cursor, duration(cursor))
    return Cycle(days=weekdays(cursor))


def _of_length(cursor: Cursor, seconds: Fraction) -> Cycle:
    """Return a length of time, or a number of weeks if days or a time of day follow."""
    weeks = seconds / SECONDS["week"]
    if weeks.denominator != 1 or not 1 < weeks <= _MAX_WEEKS or not (cursor.sees("on") or starts_clock(cursor)):
        return Cycle(every=seconds)
    return Cycle(weeks=int(weeks))


def _of_number(cursor: Cursor, length: Length) -> Cycle:
    """Return the cycle of a number of units; one month is every month, for it is as long as that."""
    return _unit("month") if length == Length(months=1) else _of_length(cursor, _seconds(cursor, length))


def _every_nth(cursor: Cursor) -> Cycle | None:
    """Take ``every 5th minute``, or return None and take nothing.

    Raises:
        InvalidSchedule: ``every third friday`` may mean every three weeks, or each month's third Friday.
    """
    said, what = cursor.peek().text, cursor.peek(1).text
    number = day_number(said) if cursor.peek().kind == "ordinal" or said in ORDINALS else None
    if number is None or number < 2 or position_comes_again(cursor):
        return None
    if what in ("minute", "hour", "week") or (what == "second" and said != "second"):
        cursor.place += 2
        return _of_length(cursor, Fraction(number * SECONDS[what]))
    weekday = weekday_of(what) is not None
    if (weekday or what == "day") and cursor.peek(2).text != "of":
        every = f"every other {what}" if number == 2 else f"every {number} weeks on {what}" if weekday else f"every {number} days"
        problem = f"'every {said} {what}' is ambiguous: {every}, or the {said} {what} of each month"
        raise cursor.refusal(problem, f"Write '{every}' or '{said} {what} of the month'.")
    return None


def _every_other(cursor: Cursor) -> Cycle:
    what = cursor.peek().text
    if weekday_of(what) is not None:
        return Cycle(days=weekdays(cursor), weeks=2)
    if what in ("month", "quarter", "year"):
        raise cursor.refusal(f"no crontab says 'every other {what}'", every_months(2 * UNIT_MONTHS[what]))
    if what in ("weekday", "weekend"):
        remedy = "'every other saturday and sunday at 9:00'" if what == "weekend" else "'every monday, wednesday and friday at 9:00'"
        raise cursor.refusal(f"no crontab says 'every other {what}'", f"Name the days, e.g. {remedy}.")
    unit = cursor.take_one_of(*SECONDS)
    if unit is None:
        raise cursor.unexpected()
    return _of_length(cursor, Fraction(2 * SECONDS[unit]))


def _seconds(cursor: Cursor, length: Length) -> Fraction:
    if length.months:
        raise cursor.refusal("months and years differ in length", every_months(length.months))
    return length.seconds


def _without_days(cursor: Cursor, found: Cycle) -> Cycle:
    """Read the weekdays after ``except``, and remove them."""
    cursor.take("not")
    cursor.take_one_of("on", "for")
    cursor.take("the")
    left = (weekdays_of(found.days or EVERY_DAY) or set[int]()) - weekday_set(cursor)
    if not left:
        raise cursor.refusal("'except' leaves no day", "Write e.g. 'every day except sunday', or name dates in 'exclude'.")
    return found.on(("*", "*", listed(sorted(left))))
