"""Preview: the next times, and what may surprise."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from agentoolkit.system.scheduler.schedules import Preview, preview, read_schedule

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 20, 15, 0, tzinfo=BERLIN)


def shown(text: str, now: datetime = NOW, **more: object) -> Preview:
    return preview(read_schedule(text, now=NOW, **{"timezone": "Europe/Berlin", **more}).schedule, now=now)  # type: ignore[arg-type]


def test_the_next_five_times_are_in_the_schedules_zone() -> None:
    """Five due times, each with the zone's own offset."""
    runs = shown("0 9 * * 1-5").next_runs
    assert [run.isoformat() for run in runs] == [f"2026-11-{day}T09:00:00+01:00" for day in (23, 24, 25, 26, 27)]
    assert {run.tzinfo for run in runs} == {BERLIN}


def test_the_count_can_be_chosen() -> None:
    """As many due times as were asked for, and no more."""
    schedule = read_schedule("0 9 * * *", now=NOW, timezone="UTC").schedule
    assert [len(preview(schedule, now=NOW, count=count).next_runs) for count in (0, 1, 12)] == [0, 1, 12]


def test_now_shows_now() -> None:
    """A schedule for now still shows its one run."""
    assert shown("now").next_runs == (NOW,)


def test_words_and_zone_are_told() -> None:
    """The preview repeats the schedule in words, its bounds included."""
    told = shown("0 9 * * 1-5", start_at="2026-12-01", end_at="2026-12-31T18:00", exclude=["2026-12-25"], jitter=30)
    assert told.timezone == "Europe/Berlin"
    assert told.words == (
        "every weekday (Monday to Friday) at 09:00, from 2026-12-01 00:00, until 2026-12-31 18:00, except 2026-12-25, "
        "delayed by up to 30 seconds"
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1 hour", "every hour"),
        ("5 minutes", "every 5 minutes"),
        ("1 hour 30 minutes", "every 1 hour 30 minutes"),
        ("2026-12-25T09:00:00", "once, on Friday 2026-12-25 at 09:00"),
        ("2026-12-25T09:00:30", "once, on Friday 2026-12-25 at 09:00:30"),
    ],
)
def test_words_of_intervals_and_single_times(text: str, words: str) -> None:
    """Every kind of schedule is told in plain English."""
    assert shown(text).words == words


EITHER = "day-of-month and day-of-week are both given: cron runs on days that match either one, not only both"


@pytest.mark.parametrize(
    ("text", "warnings"),
    [
        ("0 9 * * 1-5", ()),
        ("5 minutes", ()),
        ("*/15 * * * *", ()),
        ("0 * * * *", ()),
        ("0 0 13 * 5", (EITHER,)),
        ("0 0 */2 * 1", ()),
        ("30 seconds", ("runs 2,880 times a day",)),
        ("1 minute", ()),
        ("0 0 29 2 *", ("the first run is more than a year away, on 2028-02-29",)),
        (
            "30 2 * * *",
            (
                "on 2027-03-28 02:30 does not exist in Europe/Berlin; runs at 03:00+02:00",
                "on 2027-10-31 02:30 comes twice in Europe/Berlin; runs once, the first time, at 02:30+02:00",
            ),
        ),
        ("30 2 * * 1", ()),
        ("30 2 28 3 *", ("on 2027-03-28 02:30 does not exist in Europe/Berlin; runs at 03:00+02:00",)),
        (
            "*/20 2 * * *",
            (
                "on 2027-03-28 02:00 does not exist in Europe/Berlin; a repeating pattern does not run then",
                "on 2027-10-31 02:00 comes twice in Europe/Berlin; a repeating pattern runs both times, first at 02:00+02:00",
            ),
        ),
        (
            "15 */2 * * *",
            (
                "on 2027-03-28 02:15 does not exist in Europe/Berlin; a repeating pattern does not run then",
                "on 2027-10-31 02:15 comes twice in Europe/Berlin; a repeating pattern runs both times, first at 02:15+02:00",
            ),
        ),
        ("2027-10-31T02:30", ("on 2027-10-31 02:30 comes twice in Europe/Berlin; runs once, the first time, at 02:30+02:00",)),
    ],
)
def test_warnings(text: str, warnings: tuple[str, ...]) -> None:
    """What may surprise within a year is told, by date, and nothing else is."""
    assert shown(text).warnings == warnings


@pytest.mark.parametrize(
    ("text", "zone", "warnings"),
    [
        ("1 day", "Europe/Berlin", ("2027-03-28", "16:00", "15:00")),
        ("every other day", "Europe/Berlin", ("2027-03-28", "16:00", "15:00")),
        ("2 weeks", "Europe/Berlin", ("2027-04-09", "16:00", "15:00")),
        ("1 day", "America/New_York", ("2027-03-14", "10:00", "09:00")),
        ("1 day", "Asia/Kolkata", None),
        ("36 hours", "Europe/Berlin", None),
    ],
)
def test_days_that_move_with_the_clocks_are_warned_of(text: str, zone: str, warnings: tuple[str, str, str] | None) -> None:
    """An interval of whole days, begun at 15:00 in Berlin, says from when a change of clocks moves it, and what would not move."""
    expected = ()
    if warnings:
        day, after, before = warnings
        moved = f"a day is 24 hours, whatever clocks do: from {day} it runs at {after} instead of {before} in {zone}"
        expected = (f"{moved}; a time of day, as in 'every day at {before}', does not move",)
    assert shown(text, timezone=zone).warnings == expected


def test_a_change_of_clocks_outside_the_bounds_is_not_warned_of() -> None:
    """A schedule that ends before clocks change has nothing to warn of."""
    assert shown("30 2 * * *", end_at="2027-03-01").warnings == ()
    assert shown("1 day", end_at="2027-03-01").warnings == ()
    assert shown("30 2 * * *", exclude=["2027-03-28", "2027-10-31"]).warnings == ()


def test_a_finished_schedule_says_so() -> None:
    """When nothing is left, the preview shows no time and says why."""
    past = shown("2026-12-25T09:00:00", now=datetime(2027, 1, 1, tzinfo=UTC))
    assert past.next_runs == ()
    assert past.warnings == ("there is no further run",)
