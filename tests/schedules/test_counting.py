"""Due times counted without a walk, judged by a walk through every one of them."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agentoolkit.system.scheduler.decisions.due_or_late import MAX_CAUGHT_UP, DueTimes, due_times
from agentoolkit.system.scheduler.schedules import Schedule
from agentoolkit.system.scheduler.schedules.cron import RepeatingTimes
from agentoolkit.system.scheduler.schedules.interval import IntervalRule

from .random_crontabs import crontabs

FULL = bool(os.environ.get("AGENTOOL_FULL"))
ZONES = {
    "UTC": datetime(2026, 3, 1, tzinfo=UTC),
    "Europe/Berlin": datetime(2026, 3, 29, 1, tzinfo=UTC),
    "America/New_York": datetime(2026, 11, 1, 6, tzinfo=UTC),
    "Australia/Lord_Howe": datetime(2026, 4, 4, 15, tzinfo=UTC),
    "America/Santiago": datetime(2026, 9, 6, 4, tzinfo=UTC),
    "Pacific/Apia": datetime(2011, 12, 30, 10, tzinfo=UTC),
}
"""Zones, each with an instant at which its clocks change."""
DENSE = ("* * * * *", "*/7 * * * *", "30 2 * * *", "15,45 1-3 * * *", "0 * * * *", "10,50 0-3 * * *", "* 2 * * *", "0 0 * * *")
SOME = [text for text in crontabs(seed=17, count=200) if text.split()[2:] == ["*", "*", "*"]] + list(crontabs(seed=18, count=40))
EXCLUDED = (
    (),
    ("02:00-03:00",),
    ("22:00-06:00", "2026-03-30"),
    ("2026-03-28/2026-03-29", "2026-11-01", "12:10-12:20"),
    ("01:30-02:30", "23:00-24:00"),
)

ends = st.tuples(st.integers(-130_000, 130_000), st.sampled_from([0, 0, 0, 1, 500_000])).map(
    lambda drawn: timedelta(seconds=drawn[0], microseconds=drawn[1])
)


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    """Crontabs and intervals in zones whose clocks change, with any bounds, exclusions and jitter."""
    timezone = draw(st.sampled_from(sorted(ZONES)))
    shift = ZONES[timezone]
    bounds = {name: draw(st.none() | ends.map(lambda away: shift + away)) for name in ("start_at", "end_at")}
    if bounds["start_at"] and bounds["end_at"] and bounds["start_at"] >= bounds["end_at"]:
        bounds["end_at"] = None
    more = {"jitter": draw(st.sampled_from([0.0, 0.0, 0.5, 20.0, 3_600.0, 90_000.0])), "jitter_key": "job", **bounds}
    more["exclude"] = draw(st.sampled_from(EXCLUDED))
    if draw(st.booleans()):
        seconds = draw(st.sampled_from([97, 600, 3_600, 5_000, 86_400]))
        return Schedule(kind="interval", text=f"{seconds} seconds", timezone=timezone, anchor=shift + draw(ends), **more)
    return Schedule(kind="cron", text=draw(st.sampled_from(DENSE) | st.sampled_from(SOME)), timezone=timezone, **more)


def walked(schedule: Schedule, after: datetime, until: datetime) -> list[datetime]:
    """Every due time later than ``after`` and not later than ``until``."""
    due, found = schedule.next_after(after), list[datetime]()
    while due is not None and due <= until:
        found.append(due)
        due = schedule.next_after(due)
    return found


@given(schedules(), ends, ends)
@example(Schedule(kind="cron", text="* * * * *", timezone="America/New_York", exclude=("02:00-03:00",)), timedelta(), timedelta(hours=1))
@settings(max_examples=300 if FULL else 100, deadline=None)
def test_count_is_what_a_walk_finds(schedule: Schedule, start: timedelta, end: timedelta) -> None:
    """Whatever the schedule, and across any change of clocks: as many as there are."""
    after, until = (ZONES[schedule.timezone] + away for away in (start, end))
    assert schedule.count(after, until) == len(walked(schedule, after, until))


@given(schedules(), ends, ends)
@example(Schedule(kind="cron", text="* * * * *", timezone="America/New_York", exclude=("01:30-02:30",)), timedelta(), timedelta(hours=-1))
@settings(max_examples=150 if FULL else 50, deadline=None)
def test_late_due_times_are_those_of_a_walk(schedule: Schedule, start: timedelta, end: timedelta) -> None:
    """How many were passed over, the last of them, the newest ninety-nine and the next one are those that a walk finds."""
    after, now = sorted(ZONES[schedule.timezone] + away for away in (start, end))
    late = walked(schedule, after, now)
    if not late:
        return
    older, newest = late[:-MAX_CAUGHT_UP], late[-MAX_CAUGHT_UP:]
    expected = DueTimes(late[0], len(older), older[-1] if older else None, newest, schedule.next_after(now))
    found = due_times(schedule, late[0], now)
    assert found._replace(times=list(found.times)) == expected


@pytest.mark.parametrize("kind", ["once", "after"])
def test_schedules_of_few_due_times_are_counted_too(kind: str) -> None:
    """A single time counts once, from just before it on; what comes after another job has none."""
    at = datetime(2026, 3, 1, tzinfo=UTC)
    text = at.isoformat() if kind == "once" else "after extract succeeded"
    schedule = Schedule(kind=kind, text=text, timezone="UTC")  # type: ignore[arg-type]
    spans = [(at - timedelta(seconds=1), at), (at, at + timedelta(seconds=1)), (at + timedelta(1), at)]
    assert [schedule.count(*span) for span in spans] == ([1, 0, 0] if kind == "once" else [0, 0, 0])


YEARS = 10
ABSENCES = {
    "cron": ("* * * * *", {}),
    "exclusions": ("* * * * *", {"exclude": ("02:00-03:00", "2026-03-01/2027-03-01")}),
    "jitter": ("*/5 * * * *", {"jitter": 20.0}),
    "interval with exclusions": ("1 second", {"exclude": ("02:00-03:00",)}),
    "interval with jitter": ("1 second", {"jitter": 0.5}),
}


@pytest.mark.parametrize("name", ABSENCES)
def test_ten_years_are_counted_in_few_steps(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """However long nobody looked, what is late is found in a few steps for each day of exclusions, and in a few hundred without any."""
    steps = itertools.count()
    for rule in (RepeatingTimes, IntervalRule):
        monkeypatch.setattr(rule, "next_after", _counted(rule.next_after, steps))
    text, more = ABSENCES[name]
    now = datetime(2036, 3, 1, tzinfo=UTC)
    first = now - timedelta(days=365 * YEARS)
    kind = "interval" if "second" in text else "cron"
    schedule = Schedule(kind=kind, text=text, timezone="Europe/Berlin", anchor=first if kind == "interval" else None, **more)  # type: ignore[arg-type]
    due = due_times(schedule, schedule.first_from(first) or first, now)
    assert (len(due.times), due.earlier > 1_000_000) == (MAX_CAUGHT_UP, True)
    assert next(steps) < (30_000 if "exclude" in more else 3_000)


def _counted(step: Callable[..., object], steps: itertools.count[int]) -> Callable[..., object]:
    def counting(*args: object) -> object:
        next(steps)
        return step(*args)

    return counting
