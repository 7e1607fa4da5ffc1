"""What comes again, in words: ``every weekday at 9am``, ``first monday of the month at 8``, ``every 5 minutes``.

recurring = cycle { clause } | clocks cycle { clause }
cycle     = "hourly" | "daily" | "weekly" | "monthly" | "yearly" | ( "every" | "each" ) thing | [ "on" ] weekdays | position again
          | ( "once" | "twice" | number "times" ) ( "a" | "per" | "every" ) unit
thing     = [ "other" ] unit | quantity unit | weekdays | position | date | part | "other" weekday
clause    = "on" days | clocks | "in" months | "except" weekdays | hours | limit
hours     = "between" clock "and" clock | "from" clock ( "to" | "until" ) clock
limit     = ( "from" | "starting" | "beginning" ) moment | ( "until" | "till" ) moment
days      = weekdays | position | date                                            see cycle_days.py
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import time
from fractions import Fraction

from agentoolkit.system.scheduler.schedules.words.calendar_days import weekday_of
from agentoolkit.system.scheduler.schedules.words.cycle_clauses import Limits, hours_between, starts_hours, take_limit
from agentoolkit.system.scheduler.schedules.words.cycle_days import (
    EVERY_DAY,
    Days,
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
from agentoolkit.system.scheduler.schedules.words.durations import Length, duration, starts_quantity, whole_number
from agentoolkit.system.scheduler.schedules.words.times_of_day import clocks, starts_clock
from agentoolkit.system.scheduler.schedules.words.tokens import Cursor
from agentoolkit.system.scheduler.schedules.words.vocabulary import DAY_PARTS, TIMES

_NAMED = {"hourly": "hour", "daily": "day", "weekly": "week", "monthly": "month", "yearly": "year", "annually": "year"}
_PLAIN = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400, "week": 604_800, "fortnight": 1_209_600}
_MAX_WEEKS = 52


@dataclass(frozen=True, slots=True)
class Cycle:
    """What was understood: days of a crontab, or a length of time, or both.

    Attributes:
        every: A length in seconds that was asked for by number or unit; None for days only.
        days: ``day-of-month month day-of-week`` of the crontab; None for a mere length.
        minutes: ``minute hour`` of each crontab, where clock times were given or implied.
        spoken: Whether it was said with a word such as ``every``; a mere ``5 minutes`` is not.
        weeks: Every how many weeks its days count.
        count: How often a day or an hour it was asked for: ``twice a day``.
        limits: From when and until when it was said to hold.
    """

    every: Fraction | None = None
    days: Days | None = None
    minutes: tuple[str, ...] = ()
    spoken: bool = True
    weeks: int = 1
    count: int = 1
    limits: Limits = field(default_factory=Limits)

    @property
    def crontabs(self) -> list[str]:
        """The crontab texts, one for each set of clock times; none where only a length of time was named."""
        weeks = f" every {self.weeks} weeks" if self.weeks > 1 else ""
        return [f"{each} {' '.join(self.days)}{weeks}" for each in self.minutes] if self.days else []


_HOURLY = Cycle(Fraction(3_600), EVERY_DAY, ("0 *",))
_OF_UNIT = {"day": EVERY_DAY, "week": ("*", "*", "0"), "month": ("1", "*", "*"), "year": ("1", "1", "*")}


def starts_cycle(cursor: Cursor) -> bool:
    """Whether something that comes again is named next."""
    ahead = 1 if cursor.sees("on") else 0
    text, following = cursor.peek(ahead).text, cursor.peek(ahead + 1).text
    if weekday_of(text.partition("-")[0]) is not None and ("-" in text or following in ("to", "through", "-")):
        return True
    if text in ("every", "each") or text in _NAMED or text in ("weekdays", "weekends") or _count(cursor) is not None:
        return True
    if text.endswith("s") and weekday_of(text[:-1]) is not None and len(text) > 4:
        return True
    return position_comes_again(cursor)


def cycle(cursor: Cursor, earlier: list[time], timezone: str) -> Cycle:
    """Take a cycle with its clauses; ``earlier`` are the clock times named before it (``at 9 every monday``).

    Raises:
        InvalidSchedule: when it means two things, or no crontab can say it.
    """
    found, times = _cycle(cursor), list(earlier)
    is_length, hours = found.days is None and found.weeks == 1, None
    while not cursor.at_end():
        if starts_hours(cursor):
            hours = hours_between(cursor)
        elif cursor.take_one_of("except", "but"):
            found = _without_days(cursor, found)
        elif cursor.take("on"):
            found = _with_days(cursor, found)
        elif starts_clock(cursor):
            times += clocks(cursor)
        elif cursor.take("in"):
            found = _in_months(cursor, found)
        elif (limits := take_limit(cursor, found.limits, timezone)) is not None:
            found = replace(found, limits=limits)
        else:
            raise cursor.unexpected()
    if is_length or hours is not None or (found.minutes and times):
        return _stepping(cursor, found, times, hours)
    if found.weeks > 1 and found.days is None:
        raise cursor.refusal(
            f"every {found.weeks} weeks at a time of day needs a weekday", f"Write e.g. 'every {found.weeks} weeks on monday at 9:00'."
        )
    return _at_times(cursor, found, times)


def crontab_of_length(seconds: Fraction) -> str | None:
    """Return the crontab text that fires every so many seconds; None when hours and days do not divide evenly."""
    for size, whole, text in ((60, 60, "*/{} * * * *"), (3_600, 24, "0 */{} * * *")):
        count = seconds / size
        if count.denominator == 1 and 1 <= count < whole and whole % count == 0:
            return text.format(count).replace("*/1 ", "* ")
    return "0 0 * * *" if seconds == 86_400 else None


def _cycle(cursor: Cursor) -> Cycle:
    cursor.take("on")
    if (count := _count(cursor)) is not None:
        return _times_a_unit(cursor, count)
    named = cursor.take_one_of(*_NAMED)
    if named:
        return _HOURLY if named == "hourly" and cursor.at_end() else _unit(_NAMED[named])
    if cursor.take_one_of("every", "each"):
        return _thing(cursor)
    return Cycle(days=positions(cursor) or weekdays(cursor))


def _count(cursor: Cursor) -> int | None:
    """Return how often ``twice a day`` or ``3 times a day`` says; None when nothing of the kind comes next."""
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
    cursor.take_one_of("a", "an", "per", "every", "each")
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
    return Cycle(Fraction(_PLAIN[unit]) if unit in _PLAIN else None, _OF_UNIT.get(unit))


def _thing(cursor: Cursor) -> Cycle:
    if cursor.take("other"):
        return _every_other(cursor)
    if cursor.peek().text in DAY_PARTS:
        return Cycle(days=EVERY_DAY)
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
        return _of_length(cursor, _seconds(cursor, duration(cursor)))
    return Cycle(days=weekdays(cursor))


def _of_length(cursor: Cursor, seconds: Fraction) -> Cycle:
    """Return a length of time, or a number of weeks if days or a time of day follow."""
    weeks = seconds / _PLAIN["week"]
    if weeks.denominator != 1 or not 1 < weeks <= _MAX_WEEKS or not (cursor.sees("on") or starts_clock(cursor)):
        return Cycle(every=seconds)
    return Cycle(weeks=int(weeks))


def _refuse_every_second(cursor: Cursor) -> None:
    what = cursor.peek(1).text
    if weekday_of(what) is not None or what in _OF_UNIT:
        problem = f"'every second {what}' is ambiguous: every other {what}, or the second {what} of each month"
        raise cursor.refusal(problem, f"Write 'every other {what}' or 'second {what} of the month'.")


def _every_other(cursor: Cursor) -> Cycle:
    what = cursor.peek().text
    if weekday_of(what) is not None:
        return Cycle(days=weekdays(cursor), weeks=2)
    if what in ("month", "year", "weekday", "weekend"):
        remedy = (
            "Write '0 9 1 */2 *' for every other month." if what == "month" else "Name the weekday, e.g. 'every other saturday at 9:00'."
        )
        raise cursor.refusal(f"no crontab says 'every other {what}'", remedy)
    unit = cursor.take_one_of(*_PLAIN)
    if unit is None:
        raise cursor.unexpected()
    return _of_length(cursor, Fraction(2 * _PLAIN[unit]))


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
    of_week = found.days == _OF_UNIT["week"] or found.weeks > 1
    if (found.days == _OF_UNIT["day"] and found.every) or (of_week and days[0] != "*"):
        raise cursor.refusal("those days do not fit together", "Write e.g. 'every monday at 9:00' or 'every month on the 15th'.")
    keeps_length = found.every is not None and found.days is None
    return replace(found, days=days, every=found.every if keeps_length else None)


def _without_days(cursor: Cursor, found: Cycle) -> Cycle:
    """Read the weekdays after ``except``, and leave them out."""
    cursor.take("not")
    cursor.take_one_of("on", "for")
    cursor.take("the")
    left = (weekdays_of(found.days or EVERY_DAY) or set[int]()) - weekday_set(cursor)
    if not left:
        raise cursor.refusal("'except' leaves no day", "Write e.g. 'every day except sunday', or name dates in 'exclude'.")
    keeps_length = found.every is not None and found.days is None
    return replace(found, days=("*", "*", listed(sorted(left))), every=found.every if keeps_length else None)


def _in_months(cursor: Cursor, found: Cycle) -> Cycle:
    days = found.days or EVERY_DAY
    if days[1] != "*" or found.weeks > 1:
        raise cursor.refusal("those days do not fit together", "Write e.g. 'every monday in june at 9:00'.")
    keeps_length = found.every is not None and found.days is None
    return replace(found, days=(days[0], months(cursor), days[2]), every=found.every if keeps_length else None)


def _stepping(cursor: Cursor, found: Cycle, times: list[time], hours: range | None) -> Cycle:
    if times:
        raise cursor.refusal("a length of time cannot hold a time of day when clocks change", _without_clock(found.every or Fraction()))
    if found.days is None and hours is None:
        return found
    crontab = crontab_of_length(found.every or Fraction())
    if crontab == "0 0 * * *":
        problem = "a length of a day does not repeat within days or hours"
        raise cursor.refusal(problem, "Write e.g. 'every hour from 9 to 17' or 'every monday at 9'.")
    if crontab is None:
        problem = "that length does not divide an hour or a day, so no crontab can say it"
        raise cursor.refusal(problem, "Use e.g. 'every 15 minutes on weekdays'.")
    minute, hour, *_ = crontab.split()
    if hours is not None:
        span = f"{hours.start}-{hours.stop - 1}" if len(hours) > 1 else f"{hours.start}"
        hour = span if hour == "*" else f"{span}{hour.removeprefix('*')}" if "-" in span else span
    return replace(found, every=None, days=found.days or EVERY_DAY, minutes=(f"{minute} {hour}",))


def _without_clock(every: Fraction) -> str:
    if every < _PLAIN["day"]:
        return "Leave the time out, and give it as start_at if the first one is to be then."
    return "Leave the time out, or give a crontab, e.g. '0 9 */2 * *' for 09:00 on odd days of the month."


def _at_times(cursor: Cursor, found: Cycle, times: list[time]) -> Cycle:
    """Put clock times to days; where none are named, those that ``twice a day`` implies, or midnight."""
    if not times and found.minutes:
        return found
    if not times and found.count > 1:
        hours = range(0, 24, 24 // found.count)
        cursor.remark(f"no times of day given: at {', '.join(f'{hour:02}:00' for hour in hours)}")
        return replace(found, every=None, minutes=(f"0 {','.join(map(str, hours))}",))
    if not times:
        cursor.remark("no time of day given: at midnight, 00:00")
        return replace(found, minutes=("0 0",))
    if found.count > 1 and len(set(times)) != found.count:
        raise cursor.refusal(f"{len(set(times))} times of day are named, not {found.count}", "Write e.g. 'twice a day at 9:00 and 17:00'.")
    return replace(found, every=None, minutes=_minutes(cursor, times))


def _minutes(cursor: Cursor, times: list[time]) -> tuple[str, ...]:
    """Return ``minute hour`` of as few crontabs as say these times: one, or one for each minute."""
    if any(each.second for each in times):
        raise cursor.refusal("a crontab has no seconds", "Name hours and minutes only.")
    hours, minutes = sorted({each.hour for each in times}), sorted({each.minute for each in times})
    if len(hours) * len(minutes) == len(set(times)):
        return (f"{','.join(map(str, minutes))} {','.join(map(str, hours))}",)
    return tuple(f"{minute} {','.join(str(each) for each in hours if time(each, minute) in times)}" for minute in minutes)
