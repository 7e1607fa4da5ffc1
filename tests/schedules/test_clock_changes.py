"""Changes of clocks, judged against a walk through every minute."""

from __future__ import annotations

import itertools
import os
from datetime import date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import pytest

from agentoolkit.system.scheduler.schedules import Schedule, firings

from .zone_reference import Walk, changes, fixed, repeating, utc

ZONES = {
    "Europe/Berlin": (utc(2026, 1, 1), utc(2028, 1, 1)),
    "America/New_York": (utc(2026, 1, 1), utc(2028, 1, 1)),
    "Europe/London": (utc(2026, 1, 1), utc(2028, 1, 1)),
    "Australia/Sydney": (utc(2026, 1, 1), utc(2028, 1, 1)),
    "America/Santiago": (utc(2026, 1, 1), utc(2028, 1, 1)),
    "Australia/Lord_Howe": (utc(2026, 1, 1), utc(2028, 1, 1)),
    "Pacific/Apia": (utc(2011, 1, 1), utc(2013, 1, 1)),
}
FIXED = (
    *("0 0 * * *", "30 0 * * *", "0 9 * * *", "30 2 * * *", "0 3 * * *", "30 1 * * *", "45 1 * * *", "0 0 * * 0", "30 2 * * 0"),
    *("0,30 1-3 * * *", "15 2 * * *", "0 0 L * *", "0 12 30 * *", "59 23 * * *", "10,50 0-3 * * *"),
)
REPEATING = (
    *("0 * * * *", "30 * * * *", "*/15 * * * *", "*/20 2 * * *", "*/10 1 * * *", "*/15 0 * * *", "15 */2 * * *", "* 2 * * *"),
    *("*/30 * * * 0", "* 23 * * 6"),
)
AROUND = timedelta(days=2)


@cache
def transitions() -> list[tuple[str, datetime]]:
    return [(zone, change) for zone, (start, end) in ZONES.items() for change in changes(zone, start, end)]


def due_times(text: str, walk: Walk) -> list[datetime]:
    """Ask the package, leaving out the walk's first minute, before which nothing is known."""
    return list(firings(Schedule(kind="cron", text=text, timezone=walk.zone), walk.start + timedelta(minutes=1), walk.end))


@pytest.mark.parametrize(("zone", "change"), transitions())
def test_fixed_times_hold_through_every_change(zone: str, change: datetime) -> None:
    """Around each change of clocks, fixed times are due exactly when a walk through the minutes says so."""
    walk = Walk(zone, change - AROUND, change + AROUND)
    assert {text: due_times(text, walk) for text in FIXED} == {text: fixed(text, walk) for text in FIXED}


@pytest.mark.parametrize(("zone", "change"), transitions())
def test_repeating_patterns_hold_through_every_change(zone: str, change: datetime) -> None:
    """Around each change of clocks, repeating patterns are due in exactly the minutes whose wall time matches."""
    walk = Walk(zone, change - AROUND, change + AROUND)
    answers = {text: due_times(text, walk) for text in REPEATING}
    assert answers == {text: [due for due in repeating(text, walk) if due > walk.start] for text in REPEATING}


@pytest.mark.parametrize(("zone", "change"), [change for zone in ZONES for change in transitions() if change[0] == zone][::2])
def test_the_answer_is_the_same_from_every_moment(zone: str, change: datetime) -> None:
    """Asked at any minute around a change, also within the doubled hour, the next time is the first one of the walk that is later."""
    walk = Walk(zone, change - AROUND, change + AROUND)
    moments = [change + timedelta(minutes=minute, seconds=17) for minute in range(-150, 240, 13)]
    for text in ("30 2 * * *", "45 1 * * *", "0,30 1-3 * * *", "*/20 2 * * *", "15 */2 * * *"):
        schedule = Schedule(kind="cron", text=text, timezone=zone)
        due = (fixed if text in FIXED else repeating)(text, walk)
        answers = {moment: schedule.next_after(moment) for moment in moments}
        assert answers == {moment: next(time for time in due if time > moment) for moment in moments}, text


def two_years(zone: str, text: str) -> list[datetime]:
    start, end = ZONES[zone]
    return [due.astimezone(ZoneInfo(zone)) for due in firings(Schedule(kind="cron", text=text, timezone=zone), start, end)]


def dates(zone: str) -> list[date]:
    """Return all calendar dates of the zone's two years that lie wholly within them."""
    start = ZONES[zone][0].date() + timedelta(days=1)
    return [start + timedelta(days=index) for index in range(365 * 2 - 3)]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("text", ["0 9 * * *", "30 2 * * *", "30 1 * * *", "0 12 * * *"])
def test_a_daily_time_never_skips_or_doubles_a_day(zone: str, text: str, figure) -> None:
    """In two years every date has its one run; the date Apia left out has its run when the next one begins."""
    runs = two_years(zone, text)
    moved = [run for run in runs if run.date() == date(2011, 12, 31) and (run.hour, run.minute) == (0, 0)]
    ran = [run.date() for run in runs if run not in moved] + [date(2011, 12, 30) for _ in moved]
    wrong = [day for day in dates(zone) if ran.count(day) != 1]
    figure(18, f"{zone}, {text!r}: {len(wrong)} of {len(dates(zone))} days skipped or doubled")
    assert wrong == []


@pytest.mark.parametrize("zone", [zone for zone in ZONES if zone != "Pacific/Apia"])
def test_midnight_never_skips_or_doubles_a_day(zone: str) -> None:
    """Midnight runs once on every date, also where clocks skip it (Santiago goes from 24:00 to 01:00)."""
    ran = [run.date() for run in two_years(zone, "0 0 * * *")]
    assert [day for day in dates(zone) if ran.count(day) != 1] == []


@pytest.mark.parametrize("zone", ZONES)
def test_every_quarter_of_an_hour_is_elapsed_time(zone: str) -> None:
    """``*/15 * * * *`` runs every 900 seconds through every change of clocks (``AGENTOOL_FULL=1``: through two whole years)."""
    start, end = ZONES[zone]
    spans = (
        [(start, end)] if os.environ.get("AGENTOOL_FULL") else [(change - AROUND, change + AROUND) for change in changes(zone, start, end)]
    )
    schedule = Schedule(kind="cron", text="*/15 * * * *", timezone=zone)
    for first, last in spans:
        runs = list(firings(schedule, first, last))
        assert {later - run for run, later in itertools.pairwise(runs)} == {timedelta(minutes=15)}


@pytest.mark.parametrize("zone", [zone for zone in ZONES if zone != "Australia/Lord_Howe"])
def test_hourly_is_elapsed_time(zone: str) -> None:
    """``0 * * * *`` runs every 3,600 seconds for two years wherever clocks move by whole hours."""
    runs = two_years(zone, "0 * * * *")
    assert {later.timestamp() - run.timestamp() for run, later in itertools.pairwise(runs)} == {3_600.0}


def test_hourly_in_lord_howe_keeps_to_the_full_hour() -> None:
    """Where clocks move by half an hour, ``0 * * * *`` is due at full hours, once 90 minutes apart at each change."""
    runs = two_years("Australia/Lord_Howe", "0 * * * *")
    apart = [later.timestamp() - run.timestamp() for run, later in itertools.pairwise(runs)]
    assert {run.minute for run in runs} == {0}
    assert sorted(set(apart)) == [3_600.0, 5_400.0]
    assert apart.count(5_400.0) == 4


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("text", ["30 2 * * 0", "0 9 * * 1"])
def test_weekly_runs_once_in_every_week(zone: str, text: str) -> None:
    """A weekly time runs 7 days apart by the calendar for two years."""
    days = [run.date() for run in two_years(zone, text)]
    assert {(later - day).days for day, later in itertools.pairwise(days)} == {7}
