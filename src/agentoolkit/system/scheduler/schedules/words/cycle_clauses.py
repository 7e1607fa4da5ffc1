"""Reads the limits of a cycle in words: hours of the day, its start and its end.

hours = "between" clock "and" clock | "from" clock ( "to" | "until" | "till" | "-" ) clock
limit = ( "from" | "starting" [ "on" | "from" ] | "beginning" [ "on" ] ) moment | ( "until" | "till" ) moment
      | "for" [ "the" ] [ "next" ] duration
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from fractions import Fraction

from agentoolkit.system.scheduler.schedules.clock_changes import instant_of
from agentoolkit.system.scheduler.schedules.rules import TICK
from agentoolkit.system.scheduler.schedules.words.calendar_days import Day, add_months
from agentoolkit.system.scheduler.schedules.words.days import day as take_day
from agentoolkit.system.scheduler.schedules.words.durations import Length, duration, is_unit
from agentoolkit.system.scheduler.schedules.words.moments import only_clock, placed, relative
from agentoolkit.system.scheduler.schedules.words.periods import period
from agentoolkit.system.scheduler.schedules.words.times_of_day import clock, starts_clock
from agentoolkit.system.scheduler.schedules.words.tokens import Cursor
from agentoolkit.system.scheduler.schedules.words.vocabulary import HALVES

_STARTS = ("from", "starting", "beginning")
_ENDS = ("until", "till")


@dataclass(frozen=True, slots=True)
class CycleBounds:
    """Start and end of a cycle (aware); None if not given."""

    start: datetime | None = None
    end: datetime | None = None
    length: Length | None = None
    """How long it lasts, from the start or from now: ``for 2 weeks``."""
    clock: time | None = None
    """The time of day named with the start: ``starting tomorrow at 9``."""


def starts_hours(cursor: Cursor) -> bool:
    """Tell whether a span of hours comes next: ``from 9 to 17``, not ``from 1 december``."""
    if cursor.sees("between"):
        return True
    start = 1 if cursor.sees("from") else 0
    first, following = cursor.peek(start), cursor.peek(start + 1).text
    if not (first.kind in ("number", "clock") or first.text in ("noon", "midnight")):
        return False
    return (cursor.peek(start + 2).text if following in HALVES else following) in ("to", "-", *_ENDS)


def hours_between(cursor: Cursor) -> range:
    """Take a span of full hours; the last one is not in it.

    Raises:
        InvalidSchedule: The hours are not full, or not in order.
    """
    opener = cursor.take_one_of("between", "from") or "from"
    first = clock(cursor)
    if not cursor.take_one_of(*(("and",) if opener == "between" else ("to", "-", *_ENDS))):
        raise cursor.unexpected()
    last = clock(cursor)
    if first.minute or last.minute or first.second or last.second or last.hour <= first.hour:
        remedy = f"Write e.g. 'every 15 minutes {'between 9:00 and' if opener == 'between' else 'from 9:00 to'} 17:00'."
        raise cursor.refusal(f"{opener!r} takes two full hours, the earlier one first", remedy)
    for each in (first, last):
        cursor.bare_times.pop(each, None)
    cursor.remark(f"from {first.hour:02}:00 until just before {last.hour:02}:00")
    return range(first.hour, last.hour)


def take_limit(cursor: Cursor, limits: CycleBounds, timezone: str) -> CycleBounds | None:
    """Take ``starting monday``, ``until friday`` or ``for 2 weeks``, or return None and take nothing."""
    if cursor.take_one_of(*_STARTS):
        cursor.take_one_of("on", "from", "at")
        here = cursor.place
        start = limit_moment(cursor, timezone, is_end=False)
        names_clock = any(token.kind == "clock" or token.text in ("at", *HALVES) for token in cursor.tokens[here : cursor.place])
        limits = replace(limits, end=_end_after(limits.length, start, cursor)) if limits.length else limits
        return replace(limits, start=start, clock=start.astimezone(cursor.now.tzinfo).time() if names_clock else None)
    if cursor.take_one_of(*_ENDS):
        return replace(limits, end=limit_moment(cursor, timezone, is_end=True))
    if cursor.take("for"):
        cursor.take("the")
        cursor.take("next")
        length = duration(cursor, unsaid=Fraction(1)) if is_unit(cursor.peek().text) else duration(cursor)
        if not length.months and not length.seconds:
            raise cursor.refusal("a length of zero holds nothing", "Write e.g. 'every 5 minutes for 2 hours'.")
        return replace(limits, length=length, end=_end_after(length, limits.start or cursor.now, cursor))
    return None


def _end_after(length: Length, start: datetime, cursor: Cursor) -> datetime:
    """Return the instant that is a length of time after a start."""
    local = start.astimezone(cursor.now.tzinfo)
    moved = datetime.combine(add_months(local.date(), length.months), local.time(), local.tzinfo)
    return moved.astimezone(UTC) + timedelta(seconds=int(length.seconds))


def limit_moment(cursor: Cursor, timezone: str, *, is_end: bool) -> datetime:
    """Take a day, a time of day or both as a limit. A day alone means 00:00, and as an end its last moment."""
    if cursor.take("now"):
        return cursor.now
    if cursor.sees("in") and (cursor.peek(1).kind == "number" or is_unit(cursor.peek(2).text)):
        cursor.next()
        return relative(cursor, timezone)
    if cursor.peek().kind == "iso" and "t" in cursor.peek().text:
        return instant_of(timezone, datetime.fromisoformat(cursor.next().text.upper()))
    day = take_day(cursor) or _period(cursor, is_end=is_end)
    given = only_clock(cursor) if starts_clock(cursor) else None
    if day is None and given is None:
        raise cursor.unexpected()
    if day is None or given is not None:
        return placed(cursor, day, given, timezone)
    # 'until friday', read on a Friday, means the next one.
    in_a_week = day.date + timedelta(days=7)
    is_next = is_end and day.date == cursor.now.date() and day.else_on == in_a_week
    start = datetime.combine(in_a_week if is_next else day.date, time())
    return instant_of(timezone, start + timedelta(days=1)) - TICK if is_end else instant_of(timezone, start)


def _period(cursor: Cursor, *, is_end: bool) -> Day | None:
    """Take a month, quarter or year as a start. As an end it is refused: ``until march`` may mean two days."""
    here, start = cursor.place, period(cursor, cursor.now.date())
    if start is not None and is_end:
        said = " ".join(token.text for token in cursor.tokens[here : cursor.place])
        raise cursor.refusal(f"'until {said}' may mean its first day or its last", f"Name the day, e.g. 'until {start.date}'.")
    return start
