"""Reads times of day in words: ``9am``, ``14:30``, ``noon``, ``half past nine``, ``8 in the evening``.

clocks = [ "at" ] clock { ("," | "and") [ "at" ] clock } | [ "in the" | "at" ] part [ clocks ]
clock  = time [ "in the" part | "at night" ]
time   = HH:MM[:SS] [ "am" | "pm" ] | hour ( "am" | "pm" ) | "at" hour [ "o'clock" ] | "noon" | "midnight"
       | ( "half" | [ "a" ] "quarter" | minutes [ "minutes" ] ) ( "past" | "to" ) hour [ "am" | "pm" ]
part   = "morning" | "afternoon" | "evening" | "night"
"""

from __future__ import annotations

from datetime import time

from agentoolkit.system.scheduler.schedules.words.durations import is_unit, whole_number
from agentoolkit.system.scheduler.schedules.words.tokens import Cursor, TextToken
from agentoolkit.system.scheduler.schedules.words.vocabulary import DAY_PARTS, HALVES, MONTHS, PARTS_AGAIN

_NAMED = ("noon", "midday", "midnight")
_HOURS_OF_PART = {"morning": range(12), "afternoon": range(12, 19), "evening": range(16, 24), "night": range(18, 24)}


def starts_clock(cursor: Cursor) -> bool:
    """Tell whether a time of day comes next."""
    return cursor.peek().text == "at" or _part_ahead(cursor) is not None or _is_clock(cursor, 0)


def starts_bare_hour(cursor: Cursor) -> bool:
    """Whether an hour in digits comes next that nothing makes a length, a date or a span."""
    hour, following = cursor.peek(), cursor.peek(1)
    if hour.kind != "number" or not hour.text.isdigit() or len(hour.text) > 2 or following.kind not in ("end", "word"):
        return False
    return not is_unit(following.text) and following.text not in ("to", "times", "of", *MONTHS)


def clocks(cursor: Cursor) -> list[time]:
    """Take one time of day or a list of them.

    Raises:
        InvalidSchedule: No clock shows that hour or minute.
    """
    if part := take_part(cursor):
        if not starts_clock(cursor):
            moment: time = getattr(cursor.parts, part)
            cursor.remark(f"{part!r} is read as {moment:%H:%M}")
            cursor.lone_part = part
            return [moment]
        return [within_part(cursor, each, part) for each in clocks(cursor)]
    cursor.take("at")
    times = [_clock(cursor)]
    while cursor.peek().text in ("and", ","):
        ahead = 1
        while cursor.peek(ahead).text in ("and", "at"):
            ahead += 1
        if not (_is_clock(cursor, ahead) or cursor.peek(ahead).kind == "number"):
            break
        cursor.place += ahead
        times.append(_clock(cursor))
    return times


def more_clocks(cursor: Cursor, times: list[time]) -> list[time]:
    """Take times of day after others. A part of the day beside them is theirs: ``every evening on monday at 8``, ``at 8 every morning``."""
    lone, cursor.lone_part = cursor.lone_part, None
    part = take_part(cursor) if times and lone is None else None
    if part is not None and not starts_clock(cursor):
        return [within_part(cursor, each, part) for each in times]
    taken = [within_part(cursor, each, part) if part else each for each in clocks(cursor)]
    if lone is None:
        return [*times, *taken]
    cursor.remarks[:] = [remark for remark in cursor.remarks if not remark.startswith(f"{lone!r} is read as")]
    return [*times[:-1], *(within_part(cursor, each, lone) for each in taken)]


def clock(cursor: Cursor) -> time:
    """Take one time of day."""
    cursor.take("at")
    return _clock(cursor)


def take_part(cursor: Cursor) -> str | None:
    """Take ``morning``, ``in the evening`` or ``at night``, and return the part of the day."""
    ahead = _part_ahead(cursor)
    if ahead is None:
        return None
    cursor.place += ahead + 1
    return cursor.peek(-1).text.removesuffix("s")


def within_part(cursor: Cursor, said: time, part: str) -> time:
    """Return a time of day that belongs to a part of the day: ``8`` in the evening is 20:00.

    Raises:
        InvalidSchedule: It is not in that part of the day.
    """
    afternoon = said.replace(hour=said.hour + 12) if said.hour < 12 and said in cursor.bare_times else said
    fits = _HOURS_OF_PART[part]
    if said.hour not in fits and afternoon.hour in fits:
        del cursor.bare_times[said]
        return afternoon
    if said.hour in fits or (part == "night" and said.hour < 5):
        cursor.bare_times.pop(said, None)
        cursor.small_hour = said if said.hour < 5 and part == "night" else cursor.small_hour
        return said
    raise cursor.refusal(f"{said:%H:%M} is not in the {part}", "Write the time alone, e.g. '14:00'.")


def _part_ahead(cursor: Cursor) -> int | None:
    """Return the number of words before a part of the day; None if no part comes next."""
    starts = ((), ("in", "the"), ("at",))
    for start in starts:
        part = cursor.peek(len(start)).text
        if cursor.sees(*start) and part in (*DAY_PARTS, *PARTS_AGAIN) and (start != ("at",) or part == "night"):
            return len(start)
    return None


def _is_clock(cursor: Cursor, ahead: int) -> bool:
    token, following = cursor.peek(ahead), cursor.peek(ahead + 1).text
    if token.kind == "clock" or token.text in _NAMED or _past(cursor, ahead) is not None:
        return True
    if _hour_of(token) is None:
        return False
    if following in _NAMED and _hour_of(token) == 12:
        return True
    if _spoken_minutes(token, cursor.peek(ahead + 1)) is not None:
        # 'three twenty' alone may be a number.
        is_alone = cursor.place + ahead == 0 and cursor.peek(2).kind == "end"
        return not is_alone and (_hour_of(token) or 0) < 24 and not is_unit(cursor.peek(ahead + 2).text)
    if following in ("tomorrow", "tonight", "today") or (following == "this" and cursor.peek(ahead + 2).text in DAY_PARTS):
        return True
    if following == "at" and cursor.peek(ahead + 2).text == "night":
        return True
    return following in (*HALVES, "o'clock") or (following == "in" and cursor.peek(ahead + 3).text in DAY_PARTS)


def _clock(cursor: Cursor) -> time:
    said = _time(cursor)
    part = take_part(cursor) if not cursor.sees("night") else None
    return within_part(cursor, said, part) if part else said


def _time(cursor: Cursor) -> time:
    token = cursor.peek()
    if token.text in _NAMED:
        cursor.next()
        if token.text == "midnight":
            cursor.remark("midnight is 00:00, with which a day begins")
        return time() if token.text == "midnight" else cursor.parts.noon
    if token.kind == "clock":
        hour, minute, second = (*(int(part) for part in cursor.next().text.split(":")), 0)[:3]
        return _checked(cursor, token.text, hour, minute, second)
    if (past := _past(cursor, 0)) is not None:
        return _past_hour(cursor, *past)
    hour = _hour_of(token)
    if hour is None:
        raise cursor.unexpected()
    cursor.next()
    if hour == 12 and cursor.peek().text in _NAMED:
        return _time(cursor)
    if (minutes := _spoken_minutes(token, cursor.peek())) is not None:
        return _checked(cursor, f"{token.text} {cursor.next().text}", hour, minutes, 0)
    if len(token.text) in (3, 4) and token.text.isdigit():  # 'at 1030'
        return _checked(cursor, f"{token.text[:-2]}:{token.text[-2:]}", hour // 100, hour % 100, 0)
    return _checked(cursor, token.text, hour, 0, 0)


def _spoken_minutes(hour: TextToken, following: TextToken) -> int | None:
    """Return the minutes of ``ten thirty``: both in words, and at least ten."""
    minutes = whole_number(following.text) if hour.kind == following.kind == "word" else None
    return minutes if minutes is not None and 10 <= minutes < 60 else None


def _past(cursor: Cursor, ahead: int) -> tuple[int, int] | None:
    """Return the minutes after the hour of ``quarter to`` or ``20 past``, and the number of its words; None for anything else."""
    start = ahead + (cursor.peek(ahead).text == "a")
    token = cursor.peek(start)
    minutes = {"half": 30, "quarter": 15}.get(token.text) or _hour_of(token)
    after = start + 1 + (cursor.peek(start + 1).text in ("minutes", "minute"))
    word = cursor.peek(after).text
    if minutes is None or not 0 < minutes < 60 or word not in ("past", "after", "to") or (word == "to" and minutes == 30):
        return None
    if cursor.peek(after + 1).text in _NAMED and word != "to":
        return minutes, after + 1 - ahead
    if _hour_of(cursor.peek(after + 1)) is None or (
        word == "to" and cursor.peek(after + 1).text.isdigit() and after == start + 1 and token.text.isdigit()
    ):
        return None  # '9 to 17' is a span of hours
    if word == "after" and after == start + 1 + 1 and cursor.peek(after + 2).text not in HALVES:
        return None  # '5 minutes after 3' may name a job
    return (-minutes if word == "to" else minutes), after + 1 - ahead


def _past_hour(cursor: Cursor, minutes: int, words: int) -> time:
    start = cursor.place
    cursor.place += words
    token = cursor.next()
    if token.text in _NAMED:
        return (time() if token.text == "midnight" else cursor.parts.noon).replace(minute=minutes)
    hour = _checked(cursor, token.text, _hour_of(token) or 0, 0, 0)
    said = cursor.bare_times.pop(hour, None)
    total = (hour.hour * 60 + minutes) % 1_440
    found = time(total // 60, total % 60)
    if said is not None:
        cursor.bare_times[found] = cursor.words(start, cursor.place)
    return found


def _checked(cursor: Cursor, said: str, hour: int, minute: int, second: int) -> time:
    cursor.take("o'clock")
    half = cursor.take_one_of(*HALVES)
    if half:
        if not 1 <= hour <= 12:
            raise cursor.refusal(f"'{said} {half}' is no time of day", "With am or pm an hour lies between 1 and 12; write e.g. '14:00'.")
        hour = hour % 12 + (12 if half == "pm" else 0)
    cursor.take("o'clock")
    if (hour, minute) == (24, 0):
        raise cursor.refusal("'24:00' belongs to two days", "Write '00:00' of the following day, or '23:59'.")
    if hour > 23 or minute > 59 or second > 59:
        raise cursor.refusal(f"{said!r} is no time of day", "Hours go from 0 to 23, minutes and seconds from 0 to 59.")
    found = time(hour, minute, second)
    if not half and 0 < hour <= 12 and not said.startswith("0"):
        cursor.bare_times[found] = said
    return found


def _hour_of(token: TextToken) -> int | None:
    if token.kind == "number":
        return int(token.text) if token.text.isdigit() else None
    return whole_number(token.text)
