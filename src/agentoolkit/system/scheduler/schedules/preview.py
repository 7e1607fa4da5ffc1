"""Previews a schedule: its words, its next due times, and warnings of surprises."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from agentoolkit.system.scheduler.schedules.clock_changes import Shift, clock_note, clock_with_offset, instant_of, shifts_between
from agentoolkit.system.scheduler.schedules.cron import wall_times
from agentoolkit.system.scheduler.schedules.cron_text import is_repeating
from agentoolkit.system.scheduler.schedules.describe import clock_text, date_text, describe, either_day_is_enough
from agentoolkit.system.scheduler.schedules.exclusions import LISTED
from agentoolkit.system.scheduler.schedules.interval import interval_step
from agentoolkit.system.scheduler.schedules.left_out import calendar_end_note, calendar_of
from agentoolkit.system.scheduler.schedules.rules import TICK
from agentoolkit.system.scheduler.schedules.schedule import Schedule, undelayed
from agentoolkit.system.scheduler.schedules.zones import load_zone

MAX_RUNS_A_DAY = 1_440
"""One a minute; more than that gives a warning."""

_MAX_TOLD = 3
"""Maximum number of excluded due times that are named."""
_MAX_LOOKED_AT = 400
"""Maximum number of due times that are searched for them."""
_YEAR = timedelta(days=366)
_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Preview:
    """What to show a person before they agree to a schedule.

    Attributes:
        schedule: The schedule.
        next_runs: The next due times, in its zone.
        warnings: One sentence for each possible surprise.
    """

    schedule: Schedule
    next_runs: tuple[datetime, ...]
    warnings: tuple[str, ...]

    @property
    def words(self) -> str:
        """The schedule in plain English."""
        return describe(self.schedule)

    @property
    def timezone(self) -> str:
        """IANA name of its zone."""
        return self.schedule.timezone


def preview(schedule: Schedule, *, now: datetime, count: int = 5) -> Preview:
    """Return the next ``count`` due times at or after ``now`` (aware), and warnings about the year to come."""
    zone = load_zone(schedule.timezone)
    runs = list[datetime]()
    due = first = schedule.first_from(now)
    while due is not None and len(runs) < count:
        runs.append(due.astimezone(zone))
        due = schedule.next_after(due) if len(runs) < count else None
    return Preview(schedule, tuple(runs), tuple(_warnings(schedule, first, now)))


def _warnings(schedule: Schedule, first: datetime | None, now: datetime) -> Iterator[str]:
    if schedule.kind == "after":
        return
    if first is None:
        yield "there is no further run"
        return
    if first - now > _YEAR:
        yield f"the first run is more than a year away, on {date_text(first.astimezone(load_zone(schedule.timezone)))}"
    for part in schedule.parts:
        yield from _warnings_of_part(part, now)
    yield from _days_left_out(schedule, now)
    if schedule.kind != "once" and (note := calendar_end_note(schedule, first)):
        yield note


def _days_left_out(schedule: Schedule, now: datetime) -> Iterator[str]:
    """Yield the first due times of the year that a calendar excludes or moves, with the day's name."""
    if schedule.kind == "interval" or not schedule.excludes:
        return
    calendar, told = calendar_of(schedule), 0
    due = calendar.plain.next_after(now - TICK)
    for _ in range(_MAX_LOOKED_AT):
        if due is None or due - now > _YEAR or told == _MAX_TOLD:
            return
        # Dates that are listed one by one need no warning unless they move due times.
        if (fate := calendar.fate_of(due)) and (schedule.shift or LISTED not in fate):
            told += 1
            yield fate
        due = calendar.plain.next_after(due)


def _warnings_of_part(schedule: Schedule, now: datetime) -> Iterator[str]:
    if schedule.kind == "cron" and either_day_is_enough(schedule.text):
        yield "day-of-month and day-of-week are both given: cron runs on days that match either one, not only both"
    if schedule.kind == "interval" and timedelta(days=1) / interval_step(schedule.text) > MAX_RUNS_A_DAY:
        yield f"runs {timedelta(days=1) // interval_step(schedule.text):,} times a day"
    yield from _moves(schedule, now) if schedule.kind == "interval" else _clock_changes(schedule, now)


def _moves(schedule: Schedule, now: datetime) -> Iterator[str]:
    """Warn if an interval of whole days moves to another time of day within a year, and say from when on."""
    if interval_step(schedule.text) % _DAY or (first := undelayed(schedule).next_after(now - TICK)) is None:
        return
    zone, utc = load_zone(schedule.timezone), now.astimezone(UTC).replace(tzinfo=None)
    before = first.astimezone(zone)
    for shift in shifts_between(schedule.timezone, utc, utc + _YEAR):
        due = undelayed(schedule).next_after(shift.at.replace(tzinfo=UTC) - TICK)
        after = due.astimezone(zone) if due else before
        if after.time() != before.time():
            clocks = f"{date_text(after)} it runs at {clock_text(after)} instead of {clock_text(before)} in {schedule.timezone}"
            stays = f"a time of day, as in 'every day at {clock_text(before)}', does not move"
            yield f"a day is 24 hours, whatever clocks do: from {clocks}; {stays}"
            return


def _clock_changes(schedule: Schedule, now: datetime) -> Iterator[str]:
    utc = now.astimezone(UTC).replace(tzinfo=None)
    for shift in shifts_between(schedule.timezone, utc, utc + _YEAR):
        wall = _first_affected(schedule, shift)
        if wall is None:
            continue
        if schedule.kind == "cron" and is_repeating(schedule.text):
            place, zone = f"on {date_text(wall)} {clock_text(wall)}", schedule.timezone
            if shift.leaves_gap:
                yield f"{place} does not exist in {zone}; a repeating pattern does not run then"
            else:
                first = clock_with_offset(instant_of(zone, wall).astimezone(load_zone(zone)))
                yield f"{place} comes twice in {zone}; a repeating pattern runs both times, first at {first}"
        elif undelayed(schedule).next_after(instant_of(schedule.timezone, wall) - TICK) == instant_of(schedule.timezone, wall):
            yield clock_note(schedule.timezone, wall) or ""


def _first_affected(schedule: Schedule, shift: Shift) -> datetime | None:
    start, end = shift.edges
    if schedule.kind == "once":
        wall = datetime.fromisoformat(schedule.text).replace(tzinfo=None, fold=0)
        return wall if start <= wall < end else None
    walls = wall_times(schedule.text)
    if is_repeating(schedule.text) and len(walls.matcher.hours) == 24:
        return None
    wall = walls.starting(start)
    return wall if wall is not None and wall < end else None
