"""Finds the due times that calendars exclude, and where they are moved."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from typing import NamedTuple

from agentoolkit.system.scheduler.schedules.clock_changes import instant_of
from agentoolkit.system.scheduler.schedules.describe import date_text
from agentoolkit.system.scheduler.schedules.exclusions import day_exclusions, last_listed_day, window_texts
from agentoolkit.system.scheduler.schedules.once import OnceRule
from agentoolkit.system.scheduler.schedules.rules import TICK, Rule
from agentoolkit.system.scheduler.schedules.schedule import Schedule, nominal_due, undelayed
from agentoolkit.system.scheduler.schedules.shifting import MAX_DAYS, Shifted
from agentoolkit.system.scheduler.schedules.zones import load_zone

MIN_DAYS = 5
"""Minimum number of dates in `exclude` that count as a calendar."""
NOTICE = timedelta(days=60)
"""Time before a calendar's end from which on a warning is given."""

_MINUTE = timedelta(minutes=1)


class LeftOut(NamedTuple):
    """The excluded due times of one day: the last of them, their number, and the reason."""

    last: datetime
    number: int
    why: str


class Calendar:
    """The days that a schedule excludes.

    Args:
        schedule: The schedule.
    """

    def __init__(self, schedule: Schedule) -> None:
        self._zone = load_zone(schedule.timezone)
        self._days = day_exclusions(schedule.exclude, schedule.only, schedule.timezone)
        self._mover = Shifted(OnceRule(datetime.max.replace(tzinfo=UTC)), self._days, schedule.shift) if schedule.shift else None
        self.plain: Rule = undelayed(replace(schedule, exclude=window_texts(schedule.exclude), only=(), shift=None))
        """The rule of the schedule without excluded days."""

    @property
    def leaves_out(self) -> bool:
        """True if the schedule excludes days."""
        return bool(self._days.spans)

    def fate_of(self, due: datetime) -> str | None:
        """Say what happens to a due time of the plain rule: ``2026-12-25 (Christmas Day) is left out``; None if it stays."""
        day = due.astimezone(self._zone).date()
        if (name := self._days.name_of(day)) is None:
            return None
        moved = self._mover.moved(due) if self._mover else None
        becomes = f"moved to {date_text(moved.astimezone(self._zone))}" if moved else "left out"
        return f"{day.isoformat()} ({name}) is {becomes}"

    def start_of_day(self, due: datetime) -> datetime:
        """Return the first instant of a due time's day."""
        day = due.astimezone(self._zone).date()
        return instant_of(self._days.timezone, datetime.combine(day, time()))


@lru_cache(maxsize=4096)
def calendar_of(schedule: Schedule) -> Calendar:
    """Return the calendar of a schedule, cached."""
    return Calendar(schedule)


def left_out_before(schedule: Schedule, due: datetime, since: datetime) -> Iterator[LeftOut]:
    """Yield the excluded days between a due time and the one before it, the latest first.

    Args:
        schedule: The schedule.
        due: One of its due times.
        since: Days before it are ignored, as are days further back than due times can be moved.
    """
    calendar = calendar_of(schedule)
    if not calendar.leaves_out:
        return
    moment = nominal_due(schedule, due)
    since = max(since, moment - timedelta(days=MAX_DAYS))
    while (last := _last_before(calendar.plain, moment, since)) and (fate := calendar.fate_of(last)):
        moment = max(calendar.start_of_day(last), since)
        yield LeftOut(last, calendar.plain.count(moment - TICK, last), fate)


def calendar_end_note(schedule: Schedule, moment: datetime) -> str | None:
    """Return a warning if the dates that a schedule lists end soon after a moment (aware), or before it; else None."""
    for field, texts, then in (("only", schedule.only, "nothing is due"), ("exclude", schedule.exclude, "no day is left out")):
        last, number = last_listed_day(texts)
        is_calendar = number == len(texts) if field == "only" else number >= MIN_DAYS
        if last is not None and is_calendar and last - moment.date() <= NOTICE:
            return f"the days in '{field}' end on {last.isoformat()}: {then} after them"
    return None


def _last_before(rule: Rule, moment: datetime, since: datetime) -> datetime | None:
    """Return the last due time from ``since`` on that is earlier than ``moment``."""
    window = _MINUTE
    while True:
        start = max(moment - window, since)
        found, due = None, rule.next_after(start - TICK)
        while due is not None and due < moment:
            found, due = due, rule.next_after(due)
        if found is not None or start == since:
            return found
        window *= 4
