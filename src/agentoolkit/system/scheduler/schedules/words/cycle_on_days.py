"""Reads the days of a cycle: ``weekly on monday``, ``every month on the 15th``, ``every 15 minutes on weekdays``.

A cycle that names a period can be limited to days of that period. If it names days already, or the days belong to another
period, it has two readings, and is refused with both.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from agentoolkit.system.scheduler.errors import InvalidSchedule
from agentoolkit.system.scheduler.schedules.words.calendar_days import month_of
from agentoolkit.system.scheduler.schedules.words.cycle_days import (
    EVERY_DAY,
    Days,
    date_of_year,
    in_quarter,
    months,
    names_date_of_year,
    positions,
    weekdays,
    weekdays_of,
)
from agentoolkit.system.scheduler.schedules.words.cycle_times import Cycle
from agentoolkit.system.scheduler.schedules.words.cycle_units import UNITS
from agentoolkit.system.scheduler.schedules.words.tokens import Cursor
from agentoolkit.system.scheduler.schedules.words.vocabulary import WEEKDAY_NAMES

_PLURAL = re.compile(r"\b(\w*day|weekend)s\b")
_LONG = ("month", "quarter", "year")
"""Units in which a weekday comes more than once."""


def with_days(cursor: Cursor, found: Cycle) -> Cycle:
    """Take the days after ``on``, and return the cycle on these days.

    Raises:
        InvalidSchedule: The cycle names other days, or the days do not belong to its period.
    """
    start = cursor.place
    days = positions(cursor)
    if days is None:
        cursor.take_one_of("the", "a")
        days = date_of_year(cursor) if names_date_of_year(cursor) else weekdays(cursor)
    if found.unit == "year" and days[1] == "*" and cursor.peek().text in ("in", "of") and month_of(cursor.peek(1).text):
        cursor.next()
        days = (days[0], months(cursor), days[2])
    if found.unit == "quarter" and not _is_week(days) and days[1] == "*":
        days = in_quarter(cursor, days)
    elif not _fit(found, days):
        raise _refusal(cursor, found, days, start)
    # ``every day in june on monday``: the month named before stays.
    month = found.days[1] if found.days and found.unit == "day" else "*"
    return found.on(days if days[1] != "*" else (days[0], month, days[2]))


def _is_week(days: Days) -> bool:
    return weekdays_of(days) is not None


def _fit(found: Cycle, days: Days) -> bool:
    """Tell whether the days belong to the period by which the cycle repeats."""
    unit = "week" if found.weeks > 1 else found.unit
    if unit == "week":
        return _is_week(days)
    if unit == "day" and found.every:
        return any(sign in days[2] for sign in ",-")
    if unit == "month":
        return not _is_week(days)
    if unit in ("quarter", "year"):
        return unit == "year" and days[1] != "*"
    return found.days in (None, EVERY_DAY) or unit is not None


def _refusal(cursor: Cursor, found: Cycle, days: Days, start: int) -> InvalidSchedule:
    """Return the refusal of a cycle and days that do not fit, with the meaning of each alone."""
    head, end = found.head
    cycle = cursor.words(head, end)
    said = _PLURAL.sub(r"\1", cursor.words(start, cursor.place).removeprefix("the ").removeprefix("a ").removesuffix(" of the month"))
    others = f"{cursor.words(0, head)} {cursor.words(end, start).removesuffix('on')} {cursor.words(cursor.place)}"
    problem = "those days do not fit together"
    if found.unit in _LONG:
        problem = f"{cursor.words(head, cursor.place)!r} may be once a {found.unit} or more often"
    readings = (_alone(days, said), *(_in_unit(found, days, said, cycle)))
    return cursor.either(problem, *(" ".join(f"{reading} {others}".split()) for reading in readings))


def _alone(days: Days, said: str) -> str:
    """Write the days as a cycle of their own."""
    if _is_week(days):
        return f"every {said}"
    return f"every month on the {said}" if days[1] == "*" else f"every year on {said}"


def _in_unit(found: Cycle, days: Days, said: str, cycle: str) -> Iterator[str]:
    """Write readings that are due once in each period of the cycle; the cycle itself if it names days or no days fit."""
    if found.unit == "week" or found.weeks > 1:
        yield f"{cycle} on monday"
    elif found.unit not in _LONG or days[1] != "*":
        yield cycle
    elif (numbers := weekdays_of(days)) is not None:
        first = min((number - 1) % 7 for number in numbers)
        yield f"first {'weekday' if numbers == {1, 2, 3, 4, 5} else WEEKDAY_NAMES[first]} of the {found.unit}"
    elif days[0].replace(",", "").isdigit():
        yield f"every {UNITS[found.unit].name} on {days[0].split(',')[0]} january"
    else:
        yield f"{said} of the {found.unit}"
