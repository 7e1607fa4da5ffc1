"""Simulate tasks: list their firings in a range of time, without running or waiting for anything."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from operator import attrgetter
from time import thread_time
from typing import Any, NamedTuple, Protocol, TypeVar
from zoneinfo import ZoneInfo

from agentool.errors import AgenToolError, InvalidInput, excerpt
from agentoolkit.system.scheduler.errors import InvalidSchedule
from agentoolkit.system.scheduler.job_fields import joined_schedules
from agentoolkit.system.scheduler.named_calendars import Calendars, expanded
from agentoolkit.system.scheduler.planning import id_from_name, read_when
from agentoolkit.system.scheduler.schedules import Reading, ReadingHabits, firings

MAX_FIRINGS = 10_000
"""Firings that one simulation returns."""

T = TypeVar("T")

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_PLAIN_HABITS = ReadingHabits()
_NO_CALENDARS: Calendars = {}


class Firing(NamedTuple):
    """One due time of one task."""

    due: datetime
    """Aware, in the task's zone."""
    name: str
    tool: str


class Schedulable(Protocol):
    """An object that knows its schedule, such as a task of a task file."""

    def scheduler_input(self) -> Mapping[str, Any]:
        """Return the input of the scheduler's operation ``schedule``."""
        ...


def simulate(
    tasks: Iterable[Schedulable | Mapping[str, Any]],
    start: datetime,
    end: datetime,
    *,
    timezone: str | None = None,
    limit: int = MAX_FIRINGS,
    seconds: float | None = None,
    habits: ReadingHabits = _PLAIN_HABITS,
    calendars: Calendars = _NO_CALENDARS,
) -> list[Firing]:
    """Return every firing from `start` (included) to `end` (excluded), in order, as if all tasks were scheduled at `start`.

    Args:
        tasks: Inputs of operation ``schedule``, or tasks of a file; paused and disabled tasks do not fire.
        start: Aware; intervals count from it, and 'tomorrow' is the day after it.
        end: Aware.
        timezone: IANA name of the zone of tasks that name none; by default that of `habits`, or this machine's.
        limit: Firings after which to stop.
        seconds: Largest processor time in seconds; None for no limit.
        habits: How texts are read; `reading_habits(settings)` and `kit.scheduler.habits` are those of a scheduler.
        calendars: Calendars that tasks may name, such as the settings' own; none by default.

    Raises:
        InvalidSchedule: A schedule cannot be read.
        InvalidInput: The simulation takes longer than `seconds`.
    """
    until = None if seconds is None else thread_time() + seconds
    wanted = [task if isinstance(task, Mapping) else task.scheduler_input() for task in tasks if getattr(task, "enabled", True)]
    habits = habits if timezone is None else replace(habits, timezone=timezone)
    read = partial(_named_firings, start=start, end=end, habits=habits, calendars=calendars)
    streams = [_within(read(task), until) for task in _within(wanted, until) if not task.get("paused")]
    return list(islice(heapq.merge(*streams, key=attrgetter("due", "name")), limit))


def busiest_minute(found: Iterable[Firing]) -> tuple[datetime, int] | None:
    """Return the minute with the most firings, and their number; None if no minute has more than one."""
    counted = Counter(firing.due.astimezone(UTC).replace(second=0, microsecond=0) for firing in found)
    minute, number = max(counted.items(), key=lambda item: (item[1], -item[0].timestamp()), default=(_LONG_AGO, 0))
    return (minute, number) if number > 1 else None


def _within(items: Iterable[T], until: float | None) -> Iterator[T]:
    """Yield items until this thread's processor time reaches `until`; then raise. Lists of times and delays make items cost more."""
    for item in items:
        if until is not None and thread_time() > until:
            problem = "Simulating these tasks takes longer than one request may."
            raise InvalidInput(problem, field="tasks", remedy="Give fewer tasks, a shorter range or a smaller limit.")
        yield item


def _named_firings(
    task: Mapping[str, Any], *, start: datetime, end: datetime, habits: ReadingHabits, calendars: Calendars
) -> Iterator[Firing]:
    """Return a task's firings; a refusal names the task, one of many."""
    try:
        days = {field: expanded(task[field], calendars, field) for field in ("exclude", "only") if task.get(field)}
        return _firings_of({**task, **days}, start, end, habits)
    except AgenToolError as error:
        error.problem = f"Task {excerpt(_name_of(task))}: {error.problem}"
        raise


def _name_of(task: Mapping[str, Any]) -> str:
    return task.get("job_name") or task.get("job_id") or task["agentool_name"]


def _firings_of(task: Mapping[str, Any], start: datetime, end: datetime, habits: ReadingHabits) -> Iterator[Firing]:
    name = _name_of(task)
    schedule = _read(task, task.get("job_id") or id_from_name(name), start, habits).schedule
    zone = ZoneInfo(schedule.timezone)
    due = islice(firings(schedule, start, end), task.get("max_runs"))
    return (Firing(moment.astimezone(zone), name, task["agentool_name"]) for moment in due)


def _read(task: Mapping[str, Any], job_id: str, start: datetime, habits: ReadingHabits) -> Reading:
    given = {name: value for name, value in task.items() if value is not None} | {"schedule": joined_schedules(task["schedule"])}
    try:
        return read_when(given, job_id, start, habits)
    except InvalidSchedule:
        # A schedule that is over at `start` is no error here: it does not fire.
        with suppress(InvalidSchedule):
            return read_when(given, job_id, _LONG_AGO, habits)
        raise
