"""Compute and print the firings of a task file in a range of time, for ``agentool simulate``."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from rich.text import Text

from agentool.errors import AgenToolError, InvalidInput, excerpt
from agentoolkit.default_zone import reading_habits
from agentoolkit.entrypoints.cli.printing import present, print_table, say
from agentoolkit.entrypoints.cli.session import read_settings
from agentoolkit.entrypoints.taskfile import Task, TasksRefused, load_tasks
from agentoolkit.simulation import MAX_FIRINGS, Firing, busiest_minute, simulate
from agentoolkit.system.scheduler.schedules import upstream_in
from agentoolkit.system.scheduler.schedules.clock_changes import shifts_between
from agentoolkit.system.scheduler.schedules.machine_zone import machine_zone
from agentoolkit.system.scheduler.schedules.zones import zone_named
from agentoolkit.text import counted

_DAY = timedelta(days=1)


class Simulated(NamedTuple):
    """The range of a simulation and its firings."""

    start: datetime
    end: datetime
    zone: str
    zones: Sequence[str]
    """The zone of the output and the zones of the tasks, whose clock changes are noted."""
    firings: Sequence[Firing]
    is_cut: bool
    downstream: int
    """Number of tasks that come after other jobs, and so have no due times."""


def simulated(path: Path, start: str | None, end: str | None, timezone: str | None) -> Simulated:
    """Simulate a task file.

    Raises:
        TaskFileError, InvalidInput, InvalidSchedule: The file, a time or a schedule cannot be read.
    """
    settings = read_settings()
    habits = reading_habits(settings)
    name = zone_named(timezone or habits.timezone or machine_zone())
    zone = ZoneInfo(name)
    first = _moment(start, "--from", zone, timedelta()) if start else present().astimezone(zone)
    if end:
        last = _moment(end, "--to", zone, _DAY)
    else:
        with _within_calendar(first.isoformat(), "--from"):
            last = (first.astimezone(UTC) + _DAY).astimezone(first.tzinfo)
    if last <= first:
        raise InvalidInput("The time is not after --from.", field="--to", value=end, remedy="Give a later time.")
    tasks = [task for task in load_tasks(path) if task.enabled]
    computed = partial(simulate, start=first, end=last, timezone=name, habits=habits, calendars=settings.calendars)
    _check_schedules(tasks, computed)
    found = computed(tasks, limit=MAX_FIRINGS + 1)
    downstream = sum(upstream_in(task.schedule) is not None for task in tasks)
    others = {zone_named(task.timezone) for task in tasks if task.timezone} | {str(firing.due.tzinfo) for firing in found}
    zones = [name, *sorted(others - {name})]
    return Simulated(first, last, name, zones, found[:MAX_FIRINGS], len(found) > MAX_FIRINGS, downstream)


def _check_schedules(tasks: Sequence[Task], computed: Callable[..., object]) -> None:
    """Raise one error for all schedules that cannot be read, with their tasks and lines."""
    refusals: list[str] = []
    for task in tasks:
        try:
            computed([task], limit=1)
        except AgenToolError as error:
            refusals.append(task.refusal(error))
    if refusals:
        raise TasksRefused(refusals)


def print_days(found: Simulated) -> None:
    """Print the firings by day, with a note on each day on which clocks change."""
    zone = ZoneInfo(found.zone)
    by_day = {day: list(firings) for day, firings in groupby(found.firings, lambda firing: firing.due.astimezone(zone).date())}
    clock = "%H:%M:%S" if any(firing.due.second for firing in found.firings) else "%H:%M"
    notes = _clock_change_notes(found)
    for day in sorted({*by_day, *notes}):
        say(Text(f"{day:%A} {day.isoformat()}", "bold"))
        for note in notes.get(day, ()):
            say(Text(f"  {note}", "yellow"))
        rows: list[Sequence[str | Text]] = []
        for firing in by_day.get(day, ()):
            local, own = firing.due.astimezone(zone), firing.due.tzinfo
            elsewhere = "" if own == zone else f"{firing.due:%a %H:%M} in {own}"
            time_of_day = f"{local.strftime(clock)} {local.isoformat()[-6:]}"
            rows.append((time_of_day, Text(firing.name, "bold"), firing.tool, Text(elsewhere, "dim")))
        print_table(rows, indent=2)
    if found.downstream:
        tasks = "1 task comes" if found.downstream == 1 else f"{found.downstream} tasks come"
        say(Text(f"{tasks} after other jobs, whenever those end.", "dim"))
    if busiest := busiest_minute(found.firings):
        minute, number = busiest
        say(Text(f"Busiest minute: {minute.astimezone(zone).isoformat(' ', 'minutes')}, {number} firings.", "dim"))
    if found.is_cut:
        last = found.firings[-1].due.astimezone(zone).isoformat(" ", "minutes")
        say(Text(f"Cut after {MAX_FIRINGS:,} firings, at {last}; there are more.", "yellow"))
    else:
        span = f"{found.start.isoformat(' ', 'minutes')} to {found.end.isoformat(' ', 'minutes')}"
        say(Text(f"{counted(len(found.firings), 'firing')} from {span} in {found.zone}. Nothing was run.", "dim"))


def _clock_change_notes(found: Simulated) -> Mapping[date, Sequence[str]]:
    """Return notes on clock changes, by day."""
    start, end = (moment.astimezone(UTC).replace(tzinfo=None) for moment in (found.start, found.end))
    notes: defaultdict[date, list[str]] = defaultdict(list)
    for zone in found.zones:
        for shift in shifts_between(zone, start, end):
            day = shift.at.replace(tzinfo=UTC).astimezone(ZoneInfo(found.zone)).date()
            first, after = shift.edges
            where = "" if zone == found.zone else f" in {zone} on {first.date().isoformat()}"
            happens = "are skipped" if shift.leaves_gap else "come twice"
            way = "forward" if shift.leaves_gap else "back"
            notes[day].append(f"clocks go {way}{where}: {first:%H:%M} to {after:%H:%M} {happens}")
    return notes


def _moment(text: str, flag: str, zone: ZoneInfo, for_a_date: timedelta) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        remedy = "Write ISO 8601, e.g. '2026-03-28' or '2026-03-28T09:00'."
        raise InvalidInput(f"{excerpt(text)} is not a time.", field=flag, value=text, remedy=remedy) from error
    is_date = moment.time() == time.min and not re.search(r"[T :]\d", text)
    with _within_calendar(text, flag):
        moment = moment + for_a_date if is_date else moment
        moment = moment if moment.tzinfo else moment.replace(tzinfo=zone)
        moment.astimezone(UTC)
    return moment


@contextmanager
def _within_calendar(text: str, flag: str) -> Generator[None]:
    try:
        yield
    except OverflowError as error:
        raise InvalidInput(f"{excerpt(text)} is beyond the calendar.", field=flag, value=text, remedy="Name an earlier time.") from error
