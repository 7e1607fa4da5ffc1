"""What comes again, in words: ``every weekday at 9am``, ``first monday of the month at 8``, ``every 5 minutes``.

recurring = cycle [ "on" days ] [ clocks ] | clocks cycle [ "on" days ] | steps
cycle     = "hourly" | "daily" | "weekly" | "monthly" | "yearly" | ( "every" | "each" ) thing | [ "on" ] weekdays | position again
thing     = [ "other" ] unit | quantity unit | weekdays | position | date
steps     = cycle of minutes or hours { "on" weekdays | "between" clock "and" clock }
days      = weekdays | position | date                                            see cycle_days.py
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import time
from fractions import Fraction

from agentoolkit.system.scheduler.schedules.words.cycle_days import (
    EVERY_DAY,
    Days,
    date_of_year,
    names_date_of_year,
    position_comes_again,
    positions,
    weekdays,
)
from agentoolkit.system.scheduler.schedules.words.days import weekday_of
from agentoolkit.system.scheduler.schedules.words.durations import Length, duration, starts_quantity
from agentoolkit.system.scheduler.schedules.words.times_of_day import clock, clocks, starts_clock
from agentoolkit.system.scheduler.schedules.words.tokens import Cursor

_NAMED = {"hourly": "hour", "daily": "day", "weekly": "week", "monthly": "month", "yearly": "year", "annually": "year"}
_PLAIN = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400, "week": 604_800, "fortnight": 1_209_600}


@dataclass(frozen=True, slots=True)
class Cycle:
    """What was understood: days of a crontab, or a length of time, or both.

    Attributes:
        every: A length in seconds that was asked for by number or unit; None for days only.
        days: ``day-of-month month day-of-week`` of the crontab; None for a mere length.
        minutes: ``minute hour`` of the crontab where clock times were given or implied.
        spoken: Whether it was said with a word such as ``every``; a mere ``5 minutes`` is not.
    """

    every: Fraction | None = None
    days: Days | None = None
    minutes: str | None = None
    spoken: bool = True

    @property
    def crontab(self) -> str | None:
        """The crontab text; None where only a length of time was named."""
        return f"{self.minutes} {' '.join(self.days)}" if self.days and self.minutes else None


_HOURLY = Cycle(Fraction(3_600), EVERY_DAY, "0 *")
_OF_UNIT = {"day": EVERY_DAY, "week": ("*", "*", "0"), "month": ("1", "*", "*"), "year": ("1", "1", "*")}


def starts_cycle(cursor: Cursor) -> bool:
    """Whether something that comes again is named next."""
    ahead = 1 if cursor.sees("on") else 0
    text, following = cursor.peek(ahead).text, cursor.peek(ahead + 1).text
    if weekday_of(text.partition("-")[0]) is not None and ("-" in text or following in ("to", "through", "-")):
        return True
    if text in ("every", "each") or text in _NAMED or text in ("weekdays", "weekends"):
        return True
    if text.endswith("s") and weekday_of(text[:-1]) is not None and len(text) > 4:
        return True
    return position_comes_again(cursor)


def cycle(cursor: Cursor, earlier: list[time]) -> Cycle:
    """Take a cycle with its clock times; ``earlier`` are those named before it (``at 9 every monday``).

    Raises:
        InvalidSchedule: when it means two things, or no crontab can say it.
    """
    found = _cycle(cursor)
    is_length = found.days is None
    found = _with_days(cursor, found) if cursor.take("on") else found
    times = earlier or (clocks(cursor) if starts_clock(cursor) else [])
    if is_length or (found.minutes and times):
        return _stepping(cursor, found, times)
    return replace(found, every=None, minutes=_minutes(cursor, times)) if times else replace(found, minutes=_midnight(cursor, found))


def crontab_of_length(seconds: Fraction) -> str | None:
    """Return the crontab text that fires every so many seconds; None when hours and days do not divide evenly."""
    for size, whole, text in ((60, 60, "*/{} * * * *"), (3_600, 24, "0 */{} * * *")):
        count = seconds / size
        if count.denominator == 1 and 1 <= count < whole and whole % count == 0:
            return text.format(count).replace("*/1 ", "* ")
    return "0 0 * * *" if seconds == 86_400 else None


def _cycle(cursor: Cursor) -> Cycle:
    cursor.take("on")
    named = cursor.take_one_of(*_NAMED)
    if named:
        return _HOURLY if named == "hourly" and cursor.at_end() else _unit(_NAMED[named])
    if cursor.take_one_of("every", "each"):
        return _thing(cursor)
    return Cycle(days=positions(cursor) or weekdays(cursor))


def _unit(unit: str) -> Cycle:
    return Cycle(Fraction(_PLAIN[unit]) if unit in _PLAIN else None, _OF_UNIT.get(unit))


def _thing(cursor: Cursor) -> Cycle:
    if cursor.take("other"):
        return _every_other(cursor)
    if cursor.sees("second") and not position_comes_again(cursor):
        _refuse_every_second(cursor)
    if names_date_of_year(cursor):
        return Cycle(days=date_of_year(cursor))
    if days := positions(cursor):
        return Cycle(days=days)
    if cursor.peek().text in _PLAIN and cursor.peek(1).text == "and":
        return Cycle(every=_seconds(cursor, duration(cursor, unsaid=Fraction(1))))
    unit = cursor.take_one_of(*_PLAIN, "month", "year")
    if unit:
        return _unit(unit)
    if starts_quantity(cursor):
        return Cycle(every=_seconds(cursor, duration(cursor)))
    return Cycle(days=weekdays(cursor))


def _refuse_every_second(cursor: Cursor) -> None:
    what = cursor.peek(1).text
    if weekday_of(what) is not None or what in _OF_UNIT:
        problem = f"'every second {what}' is ambiguous: every other {what}, or the second {what} of each month"
        raise cursor.refusal(problem, f"Write 'every other {what}' or 'second {what} of the month'.")


def _every_other(cursor: Cursor) -> Cycle:
    what = cursor.peek().text
    if weekday_of(what) is not None or what in ("month", "year", "weekday", "weekend"):
        raise cursor.refusal(f"no crontab says 'every other {what}'", "Use 'every 2 weeks' with a start_at on the first of those days.")
    unit = cursor.take_one_of(*_PLAIN)
    if unit is None:
        raise cursor.unexpected()
    return Cycle(every=Fraction(2 * _PLAIN[unit]))


def _seconds(cursor: Cursor, length: Length) -> Fraction:
    if length.months:
        remedy = "Count in days, e.g. 'every 30 days', or give a crontab, e.g. '0 9 1 */3 *' for every third month."
        raise cursor.refusal("months and years differ in length", remedy)
    return length.seconds


def _with_days(cursor: Cursor, found: Cycle) -> Cycle:
    """Read the days after ``on``: ``weekly on monday``, ``every month on the 15th``, ``every 15 minutes on weekdays``."""
    days = positions(cursor)
    if days is None and found.days == _OF_UNIT["year"]:
        days = date_of_year(cursor)
    if days is None:
        days = weekdays(cursor)
    if found.days == _OF_UNIT["day"] or (found.days == _OF_UNIT["week"] and days[0] != "*"):
        raise cursor.refusal("those days do not fit together", "Write e.g. 'every monday at 9:00' or 'every month on the 15th'.")
    keeps_length = found.every is not None and found.days is None
    return replace(found, days=days, every=found.every if keeps_length else None)


def _stepping(cursor: Cursor, found: Cycle, times: list[time]) -> Cycle:
    if times:
        raise cursor.refusal("a length of time cannot hold a time of day when clocks change", _without_clock(found.every or Fraction()))
    if found.days is None and not cursor.sees("between"):
        return found
    crontab = crontab_of_length(found.every or Fraction())
    if crontab is None or crontab == "0 0 * * *":
        problem = "that length does not divide an hour or a day, so no crontab can say it"
        raise cursor.refusal(problem, "Use e.g. 'every 15 minutes on weekdays'.")
    minute, hour, *_ = crontab.split()
    hours = _between(cursor, hour) if cursor.take("between") else hour
    found = _with_days(cursor, found) if cursor.take("on") else found
    return Cycle(days=found.days or EVERY_DAY, minutes=f"{minute} {hours}")


def _without_clock(every: Fraction) -> str:
    if every < _PLAIN["day"]:
        return "Leave the time out, and give it as start_at if the first one is to be then."
    return "Leave the time out, or give a crontab, e.g. '0 9 */2 * *' for 09:00 on odd days of the month."


def _between(cursor: Cursor, hour: str) -> str:
    first = clock(cursor)
    if not cursor.take("and"):
        raise cursor.unexpected()
    last = clock(cursor)
    if first.minute or last.minute or first.second or last.second or last.hour <= first.hour:
        remedy = "Write e.g. 'every 15 minutes between 9:00 and 17:00'."
        raise cursor.refusal("'between' takes two full hours, the earlier one first", remedy)
    cursor.remark(f"from {first.hour:02}:00 until just before {last.hour:02}:00")
    span = f"{first.hour}-{last.hour - 1}" if last.hour - first.hour > 1 else f"{first.hour}"
    return span if hour == "*" else f"{span}{hour.removeprefix('*')}" if "-" in span else span


def _minutes(cursor: Cursor, times: list[time]) -> str:
    if any(each.second for each in times):
        raise cursor.refusal("a crontab has no seconds", "Name hours and minutes only.")
    hours, minutes = sorted({each.hour for each in times}), sorted({each.minute for each in times})
    if len(hours) * len(minutes) != len(set(times)):
        said = " and ".join(f"{each:%H:%M}" for each in times)
        raise cursor.refusal(f"{said} do not fit in one crontab", "Make one schedule for each time.")
    return f"{','.join(map(str, minutes))} {','.join(map(str, hours))}"


def _midnight(cursor: Cursor, found: Cycle) -> str | None:
    if found.minutes is not None or found.days is None:
        return found.minutes
    cursor.remark("no time of day given: at midnight, 00:00")
    return "0 0"
