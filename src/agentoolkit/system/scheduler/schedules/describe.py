"""Describes schedules in plain English. Crontab is described by its matching values, so that text and due times cannot differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import lru_cache

from cronsim import CronSim

from agentoolkit.system.scheduler.schedules.cron import wall_times
from agentoolkit.system.scheduler.schedules.cron_days import DayTerms
from agentoolkit.system.scheduler.schedules.cron_text import split_weeks
from agentoolkit.system.scheduler.schedules.schedule import Schedule
from agentoolkit.system.scheduler.schedules.zones import load_zone

_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_ORDINALS = ("first", "second", "third", "fourth", "fifth")
_EVERY_DAY = "every day"
_MAX_CLOCKS = 6
"""Maximum number of clock times that are listed one by one."""


def describe(schedule: Schedule) -> str:
    """Describe a schedule with its bounds: ``every 5 minutes, until 2026-12-31 18:00``."""
    said = [_rule(schedule)]
    if schedule.start_at:
        said.append(f"from {_local(schedule, schedule.start_at)}")
    if schedule.end_at:
        said.append(f"until {_local(schedule, schedule.end_at)}")
    if schedule.exclude:
        said.append(f"except {', '.join(schedule.exclude)}")
    if schedule.only:
        said.append(f"only on {', '.join(schedule.only)}")
    if schedule.shift:
        said.append(f"moved to the {schedule.shift} other day")
    if schedule.jitter:
        said.append(f"delayed by up to {schedule.jitter:g} seconds")
    return ", ".join(said)


def long_date(moment: datetime) -> str:
    """Write ``Friday 2026-12-25 at 09:00``, with seconds unless they are 0."""
    return f"{_WEEKDAYS[moment.isoweekday() % 7]} {date_text(moment)} at {clock_text(moment)}"


def date_text(moment: datetime) -> str:
    """Write ``2026-12-25``, with four digits of the year whatever the platform."""
    return moment.date().isoformat()


def clock_text(moment: datetime) -> str:
    """Write ``09:00`` or ``09:00:30``."""
    return moment.time().isoformat("seconds" if moment.second else "minutes")


def _rule(schedule: Schedule) -> str:
    if schedule.kind == "cron":
        crontab, weeks = split_weeks(schedule.text)
        counted = f", every {weeks} weeks, counted from {_local(schedule, schedule.anchor)[:10]}" if weeks > 1 and schedule.anchor else ""
        return describe_cron(crontab) + counted
    if schedule.kind == "interval":
        return f"every {schedule.text.removeprefix('1 ') if schedule.text.count(' ') == 1 else schedule.text}"
    if schedule.after is not None:
        return schedule.after.words
    if schedule.kind == "list":
        return "; and ".join(_rule(part) for part in schedule.parts)
    return f"once, on {long_date(datetime.fromisoformat(schedule.text))}"


def _local(schedule: Schedule, moment: datetime) -> str:
    local = moment.astimezone(load_zone(schedule.timezone))
    return f"{date_text(local)} {clock_text(local)}"


@lru_cache(maxsize=4096)
def describe_cron(text: str) -> str:
    """Describe canonical crontab text: ``every weekday (Monday to Friday) at 09:00``."""
    matcher = wall_times(text).matcher
    minute, hour, *_ = text.split()
    days, clock = _days(text, matcher), _clock(minute, hour, matcher)
    if days == _EVERY_DAY and len(matcher.hours) == 24:
        return clock
    return f"{days} {clock}" if clock[3:5].isdigit() else f"{clock}, {days}"


def either_day_is_enough(text: str) -> bool:
    """Tell whether canonical crontab text restricts day-of-month and day-of-week such that either one is enough."""
    _, _, day_of_month, _, day_of_week = text.split()[:5]
    return not day_of_month.startswith("*") and not day_of_week.startswith("*")


def _clock(minute: str, hour: str, matcher: DayTerms) -> str:
    minutes, hours = sorted(matcher.minutes), sorted(matcher.hours)
    if len(minutes) * len(hours) <= _MAX_CLOCKS and not hour.startswith("*"):
        return f"at {_join(f'{h:02}:{m:02}' for h in hours for m in minutes)}"
    within = "" if len(hours) == 24 else f" of hour{'s' if len(hours) > 1 else ''} {_join(_runs(hours))}"
    if len(minutes) == 60:
        return f"every minute{within}"
    if (step := _even_step(minutes, 60)) and minute.startswith("*"):
        return f"every {step} minutes{within}"
    if minutes == [0] and (step := _even_step(hours, 24)) and hour.startswith("*"):
        return "every hour, on the hour" if step == 1 else f"every {step} hours, on the hour"
    if minutes == [0] and hours == list(range(hours[0], hours[-1] + 1)):
        return f"every hour from {hours[0]:02}:00 to {hours[-1]:02}:00"
    return f"at minute {_join(_runs(minutes))}{within or ' of every hour'}"


def _days(text: str, matcher: DayTerms) -> str:
    _, _, day_of_month, _, day_of_week = text.split()[:5]
    months = "" if len(matcher.months) == 12 else _join(_runs(sorted(matcher.months), lambda month: _MONTHS[month - 1]))
    dates = None if day_of_month == "*" else _dates(matcher, months or "the month")
    weekdays = None if day_of_week == "*" else _weekdays(matcher)
    if dates and weekdays:
        if matcher.day_and:
            return f"{weekdays} that is also {dates}"
        return f"on {dates} and also on {weekdays}{months and f' in {months}'} (either one is enough)"
    if dates:
        return f"on {dates}"
    return f"{weekdays or _EVERY_DAY}{months and f' in {months}'}"


def _dates(matcher: DayTerms, months: str) -> str:
    numbers = sorted(day for day in matcher.days if day > 0)
    parts = [f"day {_join(_runs(numbers))}"] if numbers else []
    parts += ["the last day"] if CronSim.LAST in matcher.days else []
    parts += ["the last weekday (Monday to Friday)"] if CronSim.LAST_WEEKDAY in matcher.days else []
    nearest, before_last = matcher.special_days
    parts += [f"the weekday (Monday to Friday) nearest to day {day}" for day in nearest]
    parts += [f"the last day but {count}" for count in before_last]
    return f"{_join(parts)} of {months}"


def _weekdays(matcher: DayTerms) -> str:
    plain = sorted({item % 7 or 7 for item in matcher.weekdays if isinstance(item, int)})
    special = sorted(item for item in matcher.weekdays if not isinstance(item, int))
    parts: list[str] = []
    if plain == [1, 2, 3, 4, 5]:
        parts.append("every weekday (Monday to Friday)")
    elif plain:
        parts.append("every day of the week" if len(plain) == 7 else f"every {_join(_runs(plain, lambda day: _WEEKDAYS[day % 7]))}")
    places = ((_WEEKDAYS[day % 7], "last" if nth == CronSim.LAST else _ORDINALS[nth - 1]) for day, nth in special)
    return _join([*parts, *(f"the {place} {day} of the month" for day, place in places)])


def _even_step(values: Sequence[int], size: int) -> int | None:
    step = size // len(values)
    return step if list(values) == list(range(0, size, step)) and size % step == 0 else None


def _runs(values: Sequence[int], write: Callable[[int], str] = str) -> list[str]:
    """Write values one by one, three or more in a row as ``1 to 5``, five or more at equal steps as ``1, 3, 5 … 31``."""
    step = values[1] - values[0] if len(values) > 4 else 1
    if step > 1 and list(values) == list(range(values[0], values[-1] + 1, step)):
        return [f"{', '.join(map(write, values[:3]))} … {write(values[-1])}"]
    runs: list[list[int]] = []
    for value in values:
        if runs and runs[-1][-1] == value - 1:
            runs[-1].append(value)
        else:
            runs.append([value])
    return [part for run in runs for part in ([f"{write(run[0])} to {write(run[-1])}"] if len(run) > 2 else map(write, run))]


def _join(parts: Iterable[str]) -> str:
    *head, last = parts
    return f"{', '.join(head)} and {last}" if head else last
