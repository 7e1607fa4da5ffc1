"""Reads the limits of a cycle in words: hours of the day, its start and its end.

start = ( hours | limit ) [ "," ] cycle: it is read as if it stood behind the cycle
hours = "between" clock "and" clock | "from" clock ( "to" | "until" | "till" | "-" ) clock
limit = ( "from" | "starting" [ "on" | "from" ] | "beginning" [ "on" ] ) moment | ( "until" | "till" ) moment
      | "for" [ "the" ] [ "next" ] duration
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from fractions import Fraction
from typing import NamedTuple

from agentoolkit.system.scheduler.errors import InvalidSchedule
from agentoolkit.system.scheduler.schedules.clock_changes import instant_of
from agentoolkit.system.scheduler.schedules.rules import TICK
from agentoolkit.system.scheduler.schedules.words.calendar_days import Day, add_months
from agentoolkit.system.scheduler.schedules.words.cycle_units import ADVERBS
from agentoolkit.system.scheduler.schedules.words.days import day as take_day
from agentoolkit.system.scheduler.schedules.words.durations import Length, duration, is_unit
from agentoolkit.system.scheduler.schedules.words.moments import only_clock, placed, relative
from agentoolkit.system.scheduler.schedules.words.periods import period
from agentoolkit.system.scheduler.schedules.words.times_of_day import clock, starts_bare_hour, starts_clock
from agentoolkit.system.scheduler.schedules.words.tokens import Cursor, TextToken
from agentoolkit.system.scheduler.schedules.words.vocabulary import HALVES

_STARTS = ("from", "starting", "beginning")
_ENDS = ("until", "till")
_CYCLE_STARTS = ("every", "each", *ADVERBS)


@dataclass(frozen=True, slots=True)
class CycleBounds:
    """Start and end of a cycle (aware); None if not given."""

    start: datetime | None = None
    end: datetime | None = None
    length: Length | None = None
    """How long it lasts, from the start or from now: ``for 2 weeks``."""
    clock: time | None = None
    """The time of day named with the start: ``starting tomorrow at 9``."""
    again: timedelta | None = None
    """After how long an end comes again that names a time of day or a weekday only; None: it does not."""


class _Limit(NamedTuple):
    """A moment that was named; ``clock`` is its time of day if that was, ``again`` after how long it comes again."""

    moment: datetime
    clock: time | None = None
    again: timedelta | None = None


def with_limit_last(tokens: Sequence[TextToken]) -> Sequence[TextToken]:
    """Return the tokens with a limit behind its cycle where it comes first: ``starting tomorrow, every day at 9``."""
    texts = [token.text for token in tokens]
    starts = [place for place, text in enumerate(texts) if text in _CYCLE_STARTS]
    starts += [place + 1 for place, text in enumerate(texts) if text == ","]
    if not starts or texts[0] not in ("between", "for", *_STARTS, *_ENDS):
        return tokens
    start = starts[0]
    return [*tokens[start:], *tokens[: start - 1 if texts[start - 1] == "," else start]]


def starts_hours(cursor: Cursor) -> bool:
    """Tell whether a span of hours comes next: ``from 9 to 17``, not ``from 1 december``."""
    if cursor.sees("between"):
        return True
    start = 1 if cursor.sees("from") else 0
    first, following = cursor.peek(start), cursor.peek(start + 1).text
    if not (first.kind in ("number", "clock") or first.text in ("noon", "midnight")):
        return False
    return (cursor.peek(start + 2).text if following in HALVES else following) in ("to", "-", *_ENDS)


def hours_between(cursor: Cursor) -> list[int]:
    """Take a span of full hours, in their order; the last one is not in it. One that goes on after midnight ends the next morning.

    Raises:
        InvalidSchedule: The hours are not full, or may be by day or through the night.
    """
    start = cursor.place
    opener = cursor.take_one_of("between", "from") or "from"
    first, is_first_clear = clock(cursor), cursor.peek(-1).text in HALVES
    if not cursor.take_one_of(*(("and",) if opener == "between" else ("to", "-", *_ENDS))):
        raise cursor.unexpected()
    last, is_last_clear = clock(cursor), cursor.peek(-1).text in HALVES
    if first.minute or last.minute or first.second or last.second or last.hour == first.hour:
        remedy = f"Write e.g. 'every 15 minutes {'between 9:00 and' if opener == 'between' else 'from 9:00 to'} 17:00'."
        raise cursor.refusal(f"{opener!r} takes two full hours", remedy)
    later = last.replace(hour=last.hour + 12) if last in cursor.bare_times and last.hour < 12 else last
    if is_first_clear and not is_last_clear and later > first > last:  # 8am to 6
        last = later
    elif later > first > last and first in cursor.bare_times:  # 9 to 5
        raise _either_span(cursor, start, (first, later), (first if first.hour > 11 else first.replace(hour=first.hour + 12), last))
    elif is_last_clear and first in cursor.bare_times and first.hour + 12 < last.hour:  # 1 to 5pm
        raise _either_span(cursor, start, (first.replace(hour=first.hour + 12), last), (first, last))
    for each in (first, last, last.replace(hour=last.hour % 12)):
        cursor.bare_times.pop(each, None)
    next_day = " of the next day" if last < first else ""
    cursor.remark(f"from {first.hour:02}:00 until just before {last.hour:02}:00{next_day}")
    return [(first.hour + hour) % 24 for hour in range((last.hour - first.hour) % 24)]


def _either_span(cursor: Cursor, start: int, *spans: tuple[time, time]) -> InvalidSchedule:
    """Return the refusal of hours that may be by day or through the night, to be raised."""
    head, rest = cursor.words(0, start), cursor.words(cursor.place)
    texts = (f"{head} from {first:%H:%M} to {last:%H:%M} {rest}" for first, last in spans)
    return cursor.either(f"{cursor.words(start, cursor.place)!r} may mean hours of the morning or of the afternoon", *map(str.strip, texts))


def take_limit(cursor: Cursor, limits: CycleBounds, timezone: str) -> CycleBounds | None:
    """Take ``starting monday``, ``until friday`` or ``for 2 weeks``, or return None and take nothing."""
    if cursor.take_one_of(*_STARTS):
        cursor.take_one_of("on", "from")
        start, clock_time, _ = _limit(cursor, timezone, is_end=False)
        limits = replace(limits, start=start, clock=clock_time)
        if limits.length:
            return replace(limits, end=_end_after(limits.length, start, cursor))
        return _until(cursor, limits, timezone) if cursor.take_one_of("to", "through") else _with_end_after_start(limits, cursor)
    if cursor.take_one_of(*_ENDS):
        return _until(cursor, limits, timezone)
    if cursor.take("for"):
        cursor.take("the")
        cursor.take("next")
        length = duration(cursor, unsaid=Fraction(1)) if is_unit(cursor.peek().text) else duration(cursor)
        if not length.months and not length.seconds:
            raise cursor.refusal("a length of zero holds nothing", "Write e.g. 'every 5 minutes for 2 hours'.")
        return replace(limits, length=length, end=_end_after(length, limits.start or cursor.now, cursor))
    return None


def _until(cursor: Cursor, limits: CycleBounds, timezone: str) -> CycleBounds:
    end, _, again = _limit(cursor, timezone, is_end=True)
    return _with_end_after_start(replace(limits, end=end, again=again), cursor)


def _with_end_after_start(limits: CycleBounds, cursor: Cursor) -> CycleBounds:
    """Return limits whose end, a time of day or a weekday, is the first one after the start.

    Raises:
        InvalidSchedule: It ends before it starts.
    """
    start, end = limits.start, limits.end
    if start is None or end is None or end > start:
        return limits
    first, last = (moment.astimezone(cursor.now.tzinfo) for moment in (start, end))
    if limits.again is None:
        problem = f"it would end on {last:%Y-%m-%d} at {last:%H:%M}, and start on {first:%Y-%m-%d} at {first:%H:%M}"
        raise cursor.refusal(problem, f"Name an end after the start, e.g. 'until {first.date() + timedelta(days=7)}'.")
    while last <= first:
        last += limits.again
    return replace(limits, end=last.astimezone(UTC))


def _end_after(length: Length, start: datetime, cursor: Cursor) -> datetime:
    """Return the instant that is a length of time after a start."""
    local = start.astimezone(cursor.now.tzinfo)
    moved = datetime.combine(add_months(local.date(), length.months), local.time(), local.tzinfo)
    return moved.astimezone(UTC) + timedelta(seconds=int(length.seconds))


def limit_moment(cursor: Cursor, timezone: str, *, is_end: bool) -> datetime:
    """Take a day, a time of day or both as a limit: a day alone begins at 00:00, and as an end holds to its last moment."""
    return _limit(cursor, timezone, is_end=is_end).moment


def _limit(cursor: Cursor, timezone: str, *, is_end: bool) -> _Limit:
    if cursor.take("now"):
        return _Limit(cursor.now)
    if cursor.sees("in") and (cursor.peek(1).kind == "number" or is_unit(cursor.peek(2).text)):
        cursor.next()
        return _Limit(relative(cursor, timezone))
    if cursor.peek().kind == "iso" and "t" in cursor.peek().text:
        wall = datetime.fromisoformat(cursor.next().text.upper())
        return _Limit(instant_of(timezone, wall), wall.time())
    day = take_day(cursor) or _period(cursor, is_end=is_end)
    given = only_clock(cursor) if starts_clock(cursor) or (day is None and starts_bare_hour(cursor)) else None
    if day is None and given is None:
        raise cursor.unexpected()
    if day is None or given is not None:
        return _Limit(placed(cursor, day, given, timezone), given, timedelta(days=1) if day is None else _week_after(day))
    # Until Friday, said on a Friday, is the next one.
    in_a_week = day.date + timedelta(days=7)
    is_next = is_end and day.date == cursor.now.date() and day.else_on == in_a_week
    start = datetime.combine(in_a_week if is_next else day.date, time())
    moment = instant_of(timezone, start + timedelta(days=1)) - TICK if is_end else instant_of(timezone, start)
    return _Limit(moment, None, _week_after(day))


def _week_after(day: Day) -> timedelta | None:
    """Return a week for a weekday that names no date; None for other days."""
    week = timedelta(days=7)
    return week if day.else_on == day.date + week else None


def _period(cursor: Cursor, *, is_end: bool) -> Day | None:
    """Take a month, quarter or year as a start. As an end it is refused: ``until march`` may mean two days."""
    here, start = cursor.place, period(cursor, cursor.now.date())
    if start is not None and is_end:
        said = " ".join(token.text for token in cursor.tokens[here : cursor.place])
        raise cursor.refusal(f"'until {said}' may mean its first day or its last", f"Name the day, e.g. 'until {start.date}'.")
    return start
