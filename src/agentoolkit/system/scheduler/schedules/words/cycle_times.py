"""Reads the times of a cycle in words: clock times of its days, or a length of time within hours of the day.

minute-of-hour = [ "at" ] ( minutes [ "minutes" ] | [ "a" ] "quarter" | "half" ) "past" [ ( "the" | "every" | "each" ) "hour" ]
               | "at" ":" MM | "on the hour"
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import time
from fractions import Fraction

from agentoolkit.system.scheduler.schedules.words.cycle_clauses import CycleBounds
from agentoolkit.system.scheduler.schedules.words.cycle_days import EVERY_DAY, Days
from agentoolkit.system.scheduler.schedules.words.small_hours import night_of_days
from agentoolkit.system.scheduler.schedules.words.tokens import Cursor

_MINUTE_OF_HOUR = re.compile(
    r"(?:at )?(?:a )?(?:([0-5]?\d|quarter|half)(?: minutes?)? (?:past|after)(?: (?:the|every|each) hour\b| *$)"
    r"|(?<=at ): ([0-5]\d)\b|([0-5]?\d) (?:past|after) (?:the|every|each) hour\b)|on the hour\b"
)
_MAX_WORDS = 7
"""Number of words of the longest match."""


@dataclass(frozen=True, slots=True)
class Cycle:
    """A recurring phrase: days of a crontab, or a length of time, or both.

    Attributes:
        every: A length in seconds that was given by number or unit; None for days only.
        days: ``day-of-month month day-of-week`` of the crontab; None for a length only.
        minutes: ``minute hour`` of each crontab, if clock times were given or implied.
        spoken: True if it has a word such as ``every``; ``5 minutes`` has none.
        weeks: The number of weeks between two weeks that count.
        count: How often a day or an hour: ``twice a day``.
        limits: Its start and end.
        minute: The minute of each hour; None if not given.
        unless_given: ``minute hour`` if no clock times are given.
        unit: The unit by which it repeats: ``month`` of ``monthly``; None if there is none, or days in it are named.
        head: The places of the first token that names it, and of the first one after.
    """

    every: Fraction | None = None
    days: Days | None = None
    minutes: tuple[str, ...] = ()
    spoken: bool = True
    weeks: int = 1
    count: int = 1
    limits: CycleBounds = field(default_factory=CycleBounds)
    minute: int | None = None
    unless_given: str = "0 0"
    unit: str | None = None
    head: tuple[int, int] = (0, 0)

    @property
    def crontabs(self) -> list[str]:
        """The crontab texts, one for each set of clock times; empty if only a length of time was named."""
        weeks = f" every {self.weeks} weeks" if self.weeks > 1 else ""
        return [f"{each} {' '.join(self.days)}{weeks}" for each in self.minutes] if self.days else []

    def on(self, days: Days) -> Cycle:
        """Return the cycle on these days. A length stays only if it was given without days."""
        return replace(self, days=days, every=self.every if self.days is None else None, unit=None)


def crontab_of_length(seconds: Fraction) -> str | None:
    """Return the crontab text that fires after each length in seconds; None if it does not divide an hour or a day."""
    for size, whole, text in ((60, 60, "*/{} * * * *"), (3_600, 24, "0 */{} * * *")):
        count = seconds / size
        if count.denominator == 1 and 1 <= count < whole and whole % count == 0:
            return text.format(count).replace("*/1 ", "* ")
    return "0 0 * * *" if seconds == 86_400 else None


def minute_of_hour(cursor: Cursor) -> int | None:
    """Take ``15 minutes past the hour``, ``at :15``, ``at quarter past`` or ``on the hour``, or return None and take nothing."""
    ahead = " ".join(cursor.peek(index).text for index in range(_MAX_WORDS))
    shape = _MINUTE_OF_HOUR.match(ahead)
    if shape is None:
        return None
    cursor.place += len(shape[0].split())
    said = shape[1] or shape[2] or shape[3] or "0"
    return {"quarter": 15, "half": 30}.get(said) or int(said)


def starts_minute_of_hour(cursor: Cursor) -> bool:
    """Tell whether ``15 minutes past every hour`` comes next."""
    here = cursor.place
    found = minute_of_hour(cursor) is not None and cursor.peek(-1).text == "hour" and cursor.peek(-2).text != "on"
    cursor.place = here
    return found


def stepping(cursor: Cursor, found: Cycle, times: list[time], hours: range | None) -> Cycle:
    """Return a length of time as a crontab if days, hours or a minute of the hour were named; else unchanged.

    Raises:
        InvalidSchedule: A time of day was named with it, or no crontab has that length.
    """
    if times:
        as_start = "Leave the time out, and give it as start_at if the first one is to be then."
        as_crontab = "Leave the time out, or give a crontab, e.g. '0 9 */2 * *' for 09:00 on odd days of the month."
        remedy = as_start if (found.every or 0) < 86_400 else as_crontab
        raise cursor.refusal("a length of time cannot hold a time of day when clocks change", remedy)
    if found.days is None and hours is None and found.minute is None:
        return found
    crontab = crontab_of_length(found.every or Fraction())
    if crontab == "0 0 * * *":
        problem = "a length of a day does not repeat within days or hours"
        raise cursor.refusal(problem, "Write e.g. 'every hour from 9 to 17' or 'every monday at 9'.")
    if crontab is None:
        problem = "that length does not divide an hour or a day, so no crontab can say it"
        raise cursor.refusal(problem, "Use e.g. 'every 15 minutes on weekdays'.")
    minute, hour, *_ = crontab.split()
    minute = minute if found.minute is None else str(found.minute)
    if hours is not None:
        span = f"{hours.start}-{hours.stop - 1}" if len(hours) > 1 else f"{hours.start}"
        hour = span if hour == "*" else f"{span}{hour.removeprefix('*')}" if "-" in span else span
    return replace(found, every=None, days=found.days or EVERY_DAY, minutes=(f"{minute} {hour}",))


def at_times(cursor: Cursor, found: Cycle, times: list[time]) -> Cycle:
    """Add clock times to days: the given ones, else that of the start, those that ``twice a day`` implies, or midnight."""
    if cursor.small_hour is not None and found.days != EVERY_DAY:
        raise night_of_days(cursor)
    if not times and found.minutes:
        return found
    if not times and found.limits.clock is not None:
        times = [found.limits.clock]
        cursor.remark(f"at {found.limits.clock:%H:%M}, the time of its start")
    if not times and found.count > 1:
        hours = range(0, 24, 24 // found.count)
        cursor.remark(f"no times of day given: at {', '.join(f'{hour:02}:00' for hour in hours)}")
        return replace(found, every=None, minutes=(f"0 {','.join(map(str, hours))}",))
    if not times:
        minute, hour = map(int, found.unless_given.split())
        cursor.remark("no time of day given: at midnight, 00:00" if not hour else f"no time of day given: at {hour:02}:{minute:02}")
        return replace(found, minutes=(found.unless_given,))
    if found.count > 1 and len(set(times)) != found.count:
        raise cursor.refusal(f"{len(set(times))} times of day are named, not {found.count}", "Write e.g. 'twice a day at 9:00 and 17:00'.")
    return replace(found, every=None, minutes=_minutes(cursor, times))


def _minutes(cursor: Cursor, times: list[time]) -> tuple[str, ...]:
    """Return ``minute hour`` of the crontabs for these times: one if possible, else one for each minute."""
    if any(each.second for each in times):
        raise cursor.refusal("a crontab has no seconds", "Name hours and minutes only.")
    hours, minutes = sorted({each.hour for each in times}), sorted({each.minute for each in times})
    if len(hours) * len(minutes) == len(set(times)):
        return (f"{','.join(map(str, minutes))} {','.join(map(str, hours))}",)
    return tuple(f"{minute} {','.join(str(each) for each in hours if time(each, minute) in times)}" for minute in minutes)
