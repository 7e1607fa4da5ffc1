"""Every two, three, four weeks on weekdays at wall-clock time, judged by dateutil's reading of RFC 5545."""

from __future__ import annotations

import itertools
import random
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from dateutil import rrule

from agentoolkit.system.scheduler.errors import InvalidSchedule
from agentoolkit.system.scheduler.schedules import Schedule, firings, preview, read_schedule

NOW = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def by_dateutil(first: datetime, weeks: int, weekdays: list[int], hour: int, count: int) -> list[datetime]:
    """Walk RFC 5545's weekly rule over wall times, weeks beginning on Monday."""
    start = first.replace(hour=hour, minute=30, second=0, tzinfo=None)
    rule = rrule.rrule(rrule.WEEKLY, dtstart=start, interval=weeks, byweekday=weekdays, wkst=rrule.MO)
    return [due.replace(tzinfo=BERLIN) for due in itertools.islice(rule, count)]


@pytest.mark.parametrize("seed", range(12))
def test_the_due_times_are_those_of_the_weekly_rule(seed: int) -> None:
    """Any weekdays every two to six weeks, over several changes of clocks."""
    chance = random.Random(seed)
    weeks, hour = chance.randint(2, 6), chance.randint(5, 22)
    weekdays = sorted(chance.sample(range(7), chance.randint(1, 4)))
    text = f"every {weeks} weeks on {' and '.join(NAMES[day] for day in weekdays)} at {hour}:30"
    schedule = read_schedule(text, now=NOW, timezone="Europe/Berlin").schedule
    first = schedule.first_from(NOW)
    assert first is not None
    expected = by_dateutil(first.astimezone(BERLIN), weeks, weekdays, hour, 40)
    assert [due.astimezone(BERLIN) for due in itertools.islice(firings(schedule, NOW, NOW + timedelta(days=9_999)), 40)] == expected


def test_the_first_week_is_that_of_the_first_due_time() -> None:
    """Said on a Friday at 15:00: Monday's first time is in three days, Friday morning's in a week."""
    for text, first in (
        ("every other monday at 9", "2026-11-23"),
        ("every other friday at 9", "2026-11-27"),
        ("every other friday at 18:00", "2026-11-20"),
    ):
        due = read_schedule(text, now=NOW, timezone="Europe/Berlin").schedule.first_from(NOW)
        assert due is not None
        assert due.astimezone(BERLIN).date().isoformat() == first


@pytest.mark.parametrize("start", ["starting 7 december", "from monday, 7 december 2026", "starting 2026-12-07"])
def test_the_weeks_are_counted_from_the_start_that_is_named(start: str) -> None:
    """The week of the start is the first one."""
    schedule = read_schedule(f"every 3 weeks on monday and thursday at 9 {start}", now=NOW, timezone="Europe/Berlin").schedule
    days = [due.astimezone(BERLIN).date().isoformat() for due in itertools.islice(firings(schedule, NOW, NOW + timedelta(days=99)), 3)]
    assert days == ["2026-12-07", "2026-12-10", "2026-12-28"]


def test_said_again_later_it_is_the_same_schedule() -> None:
    """From when weeks are counted is not part of what was said, so that an update to the same text changes nothing."""
    first = read_schedule("every other monday at 9", now=NOW, timezone="Europe/Berlin").schedule
    second = read_schedule("every other monday at 9", now=NOW + timedelta(days=8), timezone="Europe/Berlin").schedule
    assert first.same_times(second)
    assert first != second


def test_it_is_kept_with_its_first_week() -> None:
    """JSON in and JSON out; the canonical text can be read again."""
    schedule = read_schedule("every other monday at 9", now=NOW, timezone="Europe/Berlin").schedule
    assert Schedule.from_json(schedule.to_json()) == schedule
    again = read_schedule(schedule.text, now=NOW + timedelta(days=9), timezone="Europe/Berlin", kind="cron", anchor=schedule.anchor)
    assert again.schedule == schedule
    assert again.words == "every Monday at 09:00, every 2 weeks, counted from 2026-11-23"


@pytest.mark.parametrize("days", [3, 30, 400, 4_000])
def test_its_due_times_are_counted_without_a_walk(days: int) -> None:
    """The count is that of a walk, from any moment."""
    schedule = read_schedule("every 3 weeks on tuesday and sunday at 2:30", now=NOW, timezone="Europe/Berlin").schedule
    for hours in (0, 31, 400):
        start = NOW + timedelta(hours=hours)
        walked = sum(1 for due in firings(schedule, start, start + timedelta(days=days)) if due > start)
        assert schedule.count(start, start + timedelta(days=days)) == walked


@pytest.mark.parametrize("text", ["30 2 * * 0 every 2 weeks", "30 2 * * 0,3 every 3 weeks"])
def test_a_time_that_clocks_leave_out_runs_at_the_first_moment_after_it(text: str) -> None:
    """The rule of fixed times holds: 02:30 on 28 March 2027 runs at 03:00."""
    start = datetime(2027, 3, 22, 12, 0, tzinfo=BERLIN)
    schedule = read_schedule(text, now=start, timezone="Europe/Berlin", start_at="2027-03-22").schedule
    assert "2027-03-28T03:00:00+02:00" in [
        due.astimezone(BERLIN).isoformat() for due in firings(schedule, start, start + timedelta(days=7))
    ]
    assert any("does not exist" in warning for warning in preview(schedule, now=start).warnings)


def test_weeks_without_their_first_one_are_refused() -> None:
    """A record that has lost its anchor is damaged."""
    with pytest.raises(InvalidSchedule) as refusal:
        Schedule(kind="cron", text="0 9 * * 1 every 2 weeks", timezone="UTC")
    assert refusal.value.field == "anchor"


@pytest.mark.parametrize(
    "text", ["0 9 * * 1 every 0 weeks", "0 9 * * 1 every 53 weeks", "0 9 * 6 1 every 2 weeks", "0 9 * * 1#1 every 2 weeks"]
)
def test_what_weeks_cannot_count_is_refused(text: str) -> None:
    """Two to fifty-two weeks, on weekdays of any month."""
    with pytest.raises(InvalidSchedule):
        read_schedule(text, now=NOW, timezone="UTC")
