"""Reads a single moment in words: ``in 30 minutes``, ``tomorrow at 2pm``, ``2 days from monday at 14:30``.

moment = "in" duration [ clock ] | duration ( "from" | "after" | "before" ) ( "now" | day [ clock ] )
       | clock [ day [ part ] ] | day [ clock ]
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction

from agentoolkit.system.scheduler.schedules.clock_changes import clock_note, instant_of
from agentoolkit.system.scheduler.schedules.interval import LONGEST
from agentoolkit.system.scheduler.schedules.words.calendar_days import Day, add_business_days, add_months, weekday_of
from agentoolkit.system.scheduler.schedules.words.days import day as take_day
from agentoolkit.system.scheduler.schedules.words.days import months_from
from agentoolkit.system.scheduler.schedules.words.durations import Length, duration, is_unit, quantity, whole_number
from agentoolkit.system.scheduler.schedules.words.small_hours import night_of_date
from agentoolkit.system.scheduler.schedules.words.times_of_day import clocks, starts_clock, take_part, within_part
from agentoolkit.system.scheduler.schedules.words.tokens import Cursor

_MAX_BUSINESS_DAYS = 2_610
"""Ten years of business days."""


def relative(cursor: Cursor, timezone: str) -> datetime:
    """Take ``30 minutes`` after ``in``, and return the instant in UTC. ``2 days at 9am`` names a day instead."""
    if cursor.peek(1).text == "business":
        return _business_days(cursor, timezone)
    if cursor.peek().text in ("-", "+") or cursor.peek().kind == "offset":
        raise cursor.refusal("a length of time carries no sign", "Write e.g. 'in 5 minutes'.")
    length = _checked(cursor, duration(cursor))
    if length.is_whole_days and starts_clock(cursor):
        chosen = months_from(cursor, length.months)
        days = timedelta(seconds=int(length.seconds))
        return placed(cursor, Day(chosen.date + days), only_clock(cursor), timezone)
    if length.is_whole_days and (wanted := weekday_of(cursor.peek(int(cursor.sees("on"))).text)) is not None:
        return _on_weekday(cursor, length, wanted, timezone)
    return _elapsed(cursor, length, timezone)


def _on_weekday(cursor: Cursor, length: Length, wanted: int, timezone: str) -> datetime:
    """Take the weekday of ``in 2 weeks on monday``, which the day that far ahead must be: another has two readings."""
    end = add_months(cursor.now.date(), length.months) + timedelta(seconds=int(length.seconds))
    cursor.place += 1 + cursor.sees("on")
    if end.weekday() == wanted:
        return placed(cursor, Day(end), only_clock(cursor) if starts_clock(cursor) else None, timezone)
    after = end + timedelta(days=(wanted - end.weekday()) % 7)
    problem = f"{cursor.source.strip()!r} may be the one before {end} or the one after"
    rest = cursor.words(cursor.place)
    raise cursor.either(problem, *(f"{each} {rest}".strip() for each in (after - timedelta(days=7), after)))


def from_now(cursor: Cursor, length: Length, timezone: str) -> datetime:
    """Return the instant of ``30 minutes from now``, in UTC."""
    return _elapsed(cursor, _checked(cursor, length), timezone)


def starts_next_units(cursor: Cursor) -> bool:
    """Tell whether ``next 2 weeks``, ``two upcoming weeks``, ``next hour`` or ``3 fridays from now`` comes next."""
    first, second = cursor.peek().text, cursor.peek(1).text
    if first == "upcoming" or second == "upcoming":
        return True
    if _weekdays_from_now(cursor) is not None:
        return True
    counted = cursor.peek(1).kind == "number" or whole_number(second) is not None
    return first == "next" and (second in ("hour", "day", "quarter", "minute", "qtr") or (counted and is_unit(cursor.peek(2).text)))


def next_units(cursor: Cursor, timezone: str) -> datetime:
    """Take ``next 2 weeks``, and return the instant that much later; or take ``3 fridays from now``, the third Friday."""
    if (wanted := _weekdays_from_now(cursor)) is not None:
        count = int(quantity(cursor))
        cursor.place += 3
        away = (wanted - cursor.now.weekday() - 1) % 7 + 1
        later = cursor.now.date() + timedelta(days=away + 7 * (count - 1))
        return placed(cursor, Day(later), only_clock(cursor) if starts_clock(cursor) else None, timezone)
    if cursor.take_one_of("next", "upcoming"):
        length = duration(cursor, unsaid=Fraction(1)) if is_unit(cursor.peek().text) else duration(cursor)
    else:
        del cursor.tokens[cursor.place + 1]
        length = duration(cursor)
    return _elapsed(cursor, _checked(cursor, length), timezone)


def _weekdays_from_now(cursor: Cursor) -> int | None:
    """Return the weekday of ``3 fridays from now``; None for anything else."""
    number, name = cursor.peek(), cursor.peek(1).text
    count = int(number.text) if number.kind == "number" and number.text.isdigit() else whole_number(number.text)
    if not count or count > _MAX_BUSINESS_DAYS // 5 or (cursor.peek(2).text, cursor.peek(3).text) != ("from", "now"):
        return None
    return weekday_of(name.removesuffix("s"))


def from_day(cursor: Cursor, length: Length, timezone: str, side: int) -> datetime:
    """Read the day that follows ``2 weeks from`` (`side` 1) or ``2 days before`` (`side` -1). Return the UTC instant that far after
    or before it."""
    start = take_day(cursor)
    if start is None and starts_clock(cursor) and not length.months:
        given, named = only_clock(cursor), take_day(cursor)
        if named is not None and given == time() and side < 0:
            raise cursor.refusal("midnight of a day may be its beginning or its end", "Write e.g. '31 december at 22:00'.")
        return placed(cursor, named, given, timezone) + side * timedelta(seconds=int(length.seconds))
    if start is None or not length.is_whole_days:
        raise cursor.unexpected()
    later = add_months(start.date, side * _checked(cursor, length).months) + side * timedelta(seconds=int(length.seconds))
    given = only_clock(cursor) if starts_clock(cursor) else None
    return placed(cursor, Day(later, unless_given=start.unless_given), given, timezone)


def only_clock(cursor: Cursor) -> time:
    """Take exactly one time of day."""
    return only(cursor, clocks(cursor))


def only(cursor: Cursor, times: list[time]) -> time:
    """Return the only time of day of a list.

    Raises:
        InvalidSchedule: There are several.
    """
    if len(times) > 1:
        remedy = "Make one schedule for each, or write e.g. 'every day at 9:00 and 17:00'."
        raise cursor.refusal("a single time names one time of day", remedy)
    return times[0]


def placed(cursor: Cursor, day: Day | None, given: time | None, timezone: str) -> datetime:
    """Return the instant, in UTC, of a day and a time of day, each of which may be None.

    Raises:
        InvalidSchedule: It has passed, and no later day can be meant.
    """
    if day is None:
        return _today_or_tomorrow(cursor, given or time(), timezone)
    clock_time = _clock_on(cursor, day, given)
    chosen = day.date
    if day.evening and clock_time == time():  # midnight tonight belongs to tomorrow
        chosen += timedelta(days=1)
    if _has_passed(cursor, chosen, clock_time, timezone) and day.else_on is not None:
        chosen = day.else_on
        cursor.remark(f"that time has passed today, so {chosen.isoformat()}")
    if _has_passed(cursor, chosen, clock_time, timezone):
        said = datetime.combine(chosen, clock_time)
        raise cursor.refusal(f"{said:%A} {said.isoformat(' ', 'minutes')} is in the past", "Name a time to come, e.g. 'tomorrow at 14:00'.")
    if cursor.small_hour is not None:
        raise night_of_date(cursor, chosen, clock_time)
    return _instant(cursor, chosen, clock_time, timezone)


def _business_days(cursor: Cursor, timezone: str) -> datetime:
    """Take ``3 business days [ at 9 ]``: days from Monday to Friday."""
    count = quantity(cursor)
    cursor.next()
    if cursor.take_one_of("day", "days") is None:
        raise cursor.unexpected()
    if count.denominator != 1 or not 1 <= count <= _MAX_BUSINESS_DAYS:
        raise cursor.refusal(f"business days are counted from 1 to {_MAX_BUSINESS_DAYS}", "Write e.g. 'in 3 business days at 9:00'.")
    cursor.remark("business days are Monday to Friday")
    later = add_business_days(cursor.now.date(), int(count))
    return placed(cursor, Day(later), only_clock(cursor) if starts_clock(cursor) else None, timezone)


def _checked(cursor: Cursor, length: Length) -> Length:
    if not length.months and not length.seconds:
        raise cursor.refusal("a length of zero is no time to come", "Write 'now'.")
    if length.months > 120 or length.seconds > LONGEST.total_seconds():
        raise cursor.refusal("that is more than ten years away", "Name a nearer time.")
    return length


def _elapsed(cursor: Cursor, length: Length, timezone: str) -> datetime:
    start, cursor.is_elapsed = cursor.now, True
    if length.months:
        start = _instant(cursor, months_from(cursor, length.months).date, cursor.now.time(), timezone)
    instant = start.astimezone(UTC) + timedelta(microseconds=int(length.seconds * 1_000_000))
    if length.is_whole_days and instant.astimezone(cursor.now.tzinfo).time() != cursor.now.time():
        cursor.remark("days are counted as 24 hours each, and clocks change meanwhile")
    return instant


def _today_or_tomorrow(cursor: Cursor, clock_time: time, timezone: str) -> datetime:
    today = cursor.now.date()
    if not _has_passed(cursor, today, clock_time, timezone):
        return _instant(cursor, today, clock_time, timezone)
    cursor.remark("that time has passed today, so tomorrow")
    return _instant(cursor, today + timedelta(days=1), clock_time, timezone)


def _clock_on(cursor: Cursor, day: Day, given: time | None) -> time:
    if given is not None and (part := take_part(cursor)):
        given = within_part(cursor, given, part)
    if given is not None:
        return _evening(cursor, given) if day.evening else given
    if day.needs_clock:
        raise cursor.refusal(f"{cursor.source.strip()!r} names no time of day", "Write e.g. 'today at 18:00' or 'tonight at 20:00'.")
    if day.unless_given is not None:
        cursor.remark(f"no time of day given: {day.unless_given:%H:%M}")
        return day.unless_given
    cursor.remark(f"no time of day given: the present one, {cursor.now:%H:%M}")
    return cursor.now.time()


def _evening(cursor: Cursor, given: time) -> time:
    if given.hour >= 17 or given == time():
        return given
    if 5 <= given.hour <= 11 and given in cursor.bare_times:
        del cursor.bare_times[given]
        later = given.replace(hour=given.hour + 12)
        cursor.remark(f"tonight, so {later:%H:%M}")
        return later
    raise cursor.refusal(f"{given:%H:%M} is not tonight", "Write e.g. 'tonight at 20:00' or 'tomorrow at 02:00'.")


def _has_passed(cursor: Cursor, day: date, clock_time: time, timezone: str) -> bool:
    return instant_of(timezone, datetime.combine(day, clock_time)) <= cursor.now


def _instant(cursor: Cursor, day: date, clock_time: time, timezone: str) -> datetime:
    wall = datetime.combine(day, clock_time)
    note = clock_note(timezone, wall)
    if note is not None:
        cursor.remark(note)
    return instant_of(timezone, wall)
