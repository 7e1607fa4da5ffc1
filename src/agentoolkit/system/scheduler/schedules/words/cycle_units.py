"""The units that something repeats by: ``every week``, ``monthly``, ``the end of every quarter``."""

from __future__ import annotations

from typing import NamedTuple

from agentoolkit.system.scheduler.schedules.words.cycle_days import EVERY_DAY, Days

_SUNDAY: Days = ("*", "*", "0")


class Unit(NamedTuple):
    """A unit of time.

    Attributes:
        name: It in English, singular.
        seconds: Its length; None where units of that name differ in length.
        first: The days of the crontab that is due once in each; None where it is shorter than a day, or no crontab is.
        last: The days of the crontab that is due on its last day.
    """

    name: str
    seconds: int | None
    first: Days | None = None
    last: Days | None = None


UNITS = {
    unit.name: unit
    for unit in (
        Unit("second", 1),
        Unit("minute", 60),
        Unit("hour", 3_600),
        Unit("day", 86_400, EVERY_DAY, EVERY_DAY),
        Unit("week", 604_800, _SUNDAY, _SUNDAY),
        Unit("fortnight", 1_209_600),
        Unit("month", None, ("1", "*", "*"), ("L", "*", "*")),
        Unit("quarter", None, ("1", "1,4,7,10", "*"), ("L", "3,6,9,12", "*")),
        Unit("year", None, ("1", "1", "*"), ("31", "12", "*")),
    )
}
SECONDS = {unit.name: unit.seconds for unit in UNITS.values() if unit.seconds is not None}
"""The length of each unit that has one."""
LAST_DAYS = {unit.name: unit.last for unit in UNITS.values() if unit.last is not None}
ADVERBS = {
    "hourly": "hour",
    "daily": "day",
    "weekly": "week",
    "monthly": "month",
    "quarterly": "quarter",
    "yearly": "year",
    "annually": "year",
}
"""What is said for ``every`` and a unit."""
