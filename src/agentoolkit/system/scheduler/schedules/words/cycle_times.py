"""Reads the times of a cycle in words: clock times of its days, or a length of time within hours of the day.

minute-of-hour = [ "at" ] ( minutes [ "minutes" ] | [ "a" ] "quarter" | "half" ) "past" [ ( "the" | "every" | "each" ) "hour" ]
               | "at" ":" MM | "on the hour"
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import time
from fractions import Fraction

from agentoolkit.system.scheduler.errors import InvalidSchedule
from agentoolkit.system.scheduler.schedules.words.cycle_clauses import CycleBounds
from agentoolkit.system.scheduler.schedules.words.cycle_days import EVERY_DAY, Days, weekdays_of
from agentoolkit.system.scheduler.schedules.words.small_hours import night_of_days
from agentoolkit.system.scheduler.schedules.words.tokens import Cursor

_MINUTE_OF_HOUR = re.compile(
    r"(?:at )?(?:a )?(?:([0-5]?\d|quarter|half)(?: minutes?)? (?:past|after)(?: (?:the|every|each) hour\b| *$)"
    r"|: ([0-5]\d)\b|([0-5]?\d) (?:past|after) (?:the|every|each) hour\b)|on the hour\b"
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
        minute: The minutes of each hour, as a crontab has them; None if not given.
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
    minute: str | None = None
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


def minutes_of_hour(cursor: Cursor) -> str | None:
    """Take ``15 minutes past the hour`` or ``at :15 and :45`` as a crontab's field; None, and nothing taken, elsewhere."""
    if (first := _minute_of_hour(cursor)) is None:
        return None
    minutes = {first}
    while cursor.peek().text in ("and", ",") and (cursor.sees(cursor.peek().text, "at") or cursor.peek(1).text == ":"):
        here = cursor.place
        cursor.next()
        if (another := _minute_of_hour(cursor)) is None:
            cursor.place = here
            break
        minutes.add(another)
    return ",".join(map(str, sorted(minutes)))


def _minute_of_hour(cursor: Cursor) -> int | None:
    """Take ``15 minutes past the hour``, ``at :15``, ``at quarter past`` or ``on the hour``; None, and nothing taken, elsewhere."""
    ahead = " ".join(cursor.peek(index).text for index in range(_MAX_WORDS))
    shape = _MINUTE_OF_HOUR.match(ahead)
    if shape is None:
        return None
    cursor.place += len(shape[0].split())
    said = next((part for part in shape.groups() if part is not None), "0")
    return {"quarter": 15, "half": 30}.get(said) or int(said)


def starts_minute_of_hour(cursor: Cursor) -> bool:
    """Tell whether ``15 minutes past every hour`` comes next."""
    here = cursor.place
    found = _minute_of_hour(cursor) is not None and cursor.peek(-1).text == "hour" and cursor.peek(-2).text != "on"
    cursor.place = here
    return found


def stepping(cursor: Cursor, found: Cycle, times: list[time], hours: list[int] | None) -> Cycle:
    """Return a length of time as a crontab, where days, hours or a minute of the hour were named; else as it is.

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
    if found.every is None and hours is not None:
        raise _refuse_mere_hours(cursor, found, hours)
    crontab = crontab_of_length(found.every or Fraction())
    if crontab == "0 0 * * *":
        problem = "a length of a day does not repeat within days or hours"
        raise cursor.refusal(problem, "Write e.g. 'every hour from 9 to 17' or 'every monday at 9'.")
    if crontab is None:
        problem = "that length does not divide an hour or a day, so no crontab can say it"
        raise cursor.refusal(problem, "Use e.g. 'every 15 minutes on weekdays'.")
    minute, hour, *_ = crontab.split()
    minute = found.minute or minute
    if hours is None:
        return replace(found, every=None, days=found.days or EVERY_DAY, minutes=(f"{minute} {hour}",))
    chosen = hours[:: int(hour.partition("/")[2] or 1)] if hour.startswith("*") else hours[:1]
    if hours[-1] < hours[0] and found.days not in (None, EVERY_DAY):
        raise _refuse_nights(cursor, minute, chosen, found.days)
    return replace(found, every=None, days=found.days or EVERY_DAY, minutes=(f"{minute} {_hour_field(hours, chosen)}",))


def _hour_field(hours: list[int], chosen: list[int]) -> str:
    """Write hours as a crontab does: ``9-16``, ``8-17/2``, ``22-23,0-5``."""
    step = (chosen[1] - chosen[0]) % 24 if len(chosen) > 1 else 1
    if step > 1 and hours[0] <= hours[-1]:
        return f"{hours[0]}-{hours[-1]}/{step}"
    if step > 1 or len(chosen) == 1:
        return ",".join(map(str, sorted(chosen)))
    if hours[0] <= hours[-1]:
        return f"{hours[0]}-{hours[-1]}"
    evening = "23" if hours[0] == 23 else f"{hours[0]}-23"
    return f"{evening},{f'0-{hours[-1]}' if hours[-1] else '0'}"


def _refuse_nights(cursor: Cursor, minute: str, chosen: list[int], days: Days) -> InvalidSchedule:
    """Return the refusal of hours through the night of some weekdays: those after midnight are of the same day, or of the next one."""
    evening, morning = ([hour for hour in chosen if (hour >= chosen[0]) is late] for late in (True, False))
    listed_hours = [",".join(map(str, hours)) for hours in (evening, morning)]
    same = f"{minute} {listed_hours[1]},{listed_hours[0]} {' '.join(days)}"
    weekdays = weekdays_of(days)
    if weekdays is None or not morning:
        return cursor.either("hours after midnight are of the next day, and no crontab says that of these days", same)
    following = ",".join(str((day + 1) % 7) for day in sorted(weekdays))
    nights = f"{minute} {listed_hours[0]} {' '.join(days)}; {minute} {listed_hours[1]} * * {following}"
    return cursor.either("the hours after midnight may be those of these days, or of the days after them", same, nights)


def _refuse_mere_hours(cursor: Cursor, found: Cycle, hours: list[int]) -> InvalidSchedule:
    """Return the refusal of ``every weekday from 9 to 17``, which does not say how often within these hours."""
    start, end = found.head
    span = f"from {hours[0]}:00 to {(hours[-1] + 1) % 24}:00"
    cycle = cursor.words(start, end)
    days = cycle.removeprefix("every ").removeprefix("each ").removeprefix("on ")
    days = f"{days}s" if days in ("weekday", "weekend", "business day") else days
    every_hour = "every hour" if weekdays_of(found.days or EVERY_DAY) == set(range(7)) else f"every hour on {days}"
    return cursor.either(f"'{cycle} {span}' does not say how often within these hours", f"{every_hour} {span}", f"{cycle} at {hours[0]}:00")


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
