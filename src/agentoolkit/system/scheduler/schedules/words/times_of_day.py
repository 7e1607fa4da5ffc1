"""Times of day in words: ``9am``, ``14:30``, ``noon``.

clocks = [ "at" ] clock { ("," | "and") clock }
clock  = HH:MM[:SS] [ "am" | "pm" ] | hour ( "am" | "pm" ) | "at" hour [ "o'clock" ] | "noon" | "midnight"
"""

from __future__ import annotations

from datetime import time

from agentoolkit.system.scheduler.schedules.words.durations import whole_number
from agentoolkit.system.scheduler.schedules.words.tokens import Cursor, Token

_NAMED = {"noon": time(12), "midday": time(12), "midnight": time()}
_HALVES = ("am", "pm")


def starts_clock(cursor: Cursor) -> bool:
    """Whether a time of day comes next."""
    token = cursor.peek()
    return token.text == "at" or _is_clock(cursor, 0)


def clocks(cursor: Cursor) -> list[time]:
    """Take one time of day or a list of them.

    Raises:
        InvalidSchedule: for an hour or minute that no clock shows.
    """
    cursor.take("at")
    times = [_clock(cursor)]
    while cursor.peek().text in ("and", ",") and (_is_clock(cursor, 1) or cursor.peek(1).kind == "number"):
        cursor.next()
        times.append(_clock(cursor))
    return times


def clock(cursor: Cursor) -> time:
    """Take one time of day."""
    cursor.take("at")
    return _clock(cursor)


def _is_clock(cursor: Cursor, ahead: int) -> bool:
    token, following = cursor.peek(ahead), cursor.peek(ahead + 1).text
    if token.kind == "clock" or token.text in _NAMED:
        return True
    return _hour_of(token) is not None and following in (*_HALVES, "o'clock")


def _clock(cursor: Cursor) -> time:
    token = cursor.peek()
    if token.text in _NAMED:
        if token.text == "midnight":
            cursor.remark("midnight is 00:00, with which a day begins")
        return _NAMED[cursor.next().text]
    if token.kind == "clock":
        hour, minute, second = (*(int(part) for part in cursor.next().text.split(":")), 0)[:3]
        return _checked(cursor, token.text, hour, minute, second)
    hour = _hour_of(token)
    if hour is None:
        raise cursor.unexpected()
    cursor.next()
    return _checked(cursor, token.text, hour, 0, 0)


def _checked(cursor: Cursor, said: str, hour: int, minute: int, second: int) -> time:
    half = cursor.take_one_of(*_HALVES)
    if not half:
        bare = ":" not in said
        cursor.take("o'clock")
    else:
        bare = False
        if not 1 <= hour <= 12:
            raise cursor.refusal(f"'{said} {half}' is no time of day", "With am or pm an hour lies between 1 and 12; write e.g. '14:00'.")
        hour = hour % 12 + (12 if half == "pm" else 0)
    if (hour, minute) == (24, 0):
        raise cursor.refusal("'24:00' belongs to two days", "Write '00:00' of the following day, or '23:59'.")
    if hour > 23 or minute > 59 or second > 59:
        raise cursor.refusal(f"{said!r} is no time of day", "Hours go from 0 to 23, minutes and seconds from 0 to 59.")
    if bare and hour <= 12:
        cursor.remark(f"'{said}' without am or pm is read on the 24-hour clock, as {hour:02}:00")
    return time(hour, minute, second)


def _hour_of(token: Token) -> int | None:
    if token.kind == "number":
        return int(token.text) if token.text.isdigit() else None
    return whole_number(token.text)
