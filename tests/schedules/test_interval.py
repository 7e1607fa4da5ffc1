"""Intervals: counted from an anchor, without drift."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from agentoolkit.system.scheduler.errors import InvalidSchedule
from agentoolkit.system.scheduler.schedules import Schedule, firings, read_schedule

ANCHOR = datetime(2026, 11, 20, 14, 0, 0, 250_000, tzinfo=UTC)


def interval(text: str, timezone: str = "UTC") -> Schedule:
    return Schedule(kind="interval", text=text, timezone=timezone, anchor=ANCHOR)


@pytest.mark.parametrize(
    ("texts", "canonical", "length"),
    [
        (("5 minutes", "5 min", "5m", "300 seconds", "PT5M", "PT300S", "every 5 minutes"), "5 minutes", timedelta(minutes=5)),
        (("1 hour 30 minutes", "90 minutes", "1.5 hours", "1h30m", "PT1H30M", "PT1.5H"), "1 hour 30 minutes", timedelta(minutes=90)),
        (("1 week", "7 days", "168 hours", "P7D", "P1W"), "1 week", timedelta(days=7)),
        (("1 day", "24 hours", "P1D"), "1 day", timedelta(days=1)),
        (("1 day 1 hour", "25 hours", "P1DT1H"), "1 day 1 hour", timedelta(hours=25)),
        (("1 second", "1s", "PT1S", "every second"), "1 second", timedelta(seconds=1)),
        (("3653 days",), "521 weeks 6 days", timedelta(days=3653)),
    ],
)
def test_equal_lengths_have_one_text(texts: tuple[str, ...], canonical: str, length: timedelta) -> None:
    """However a length is written, its text and its step are the same."""
    readings = [read_schedule(text, now=ANCHOR, kind="interval", timezone="UTC") for text in texts]
    assert {reading.schedule.text for reading in readings} == {canonical}
    assert {reading.schedule.next_after(ANCHOR) for reading in readings} == {ANCHOR + length}


def test_the_first_due_time_is_one_step_after_the_anchor() -> None:
    """An interval counts from its anchor, and the anchor itself is not due."""
    assert interval("5 minutes").first_from(ANCHOR) == ANCHOR + timedelta(minutes=5)
    assert interval("5 minutes").first_from(ANCHOR - timedelta(days=9)) == ANCHOR + timedelta(minutes=5)


def test_a_million_steps_do_not_drift() -> None:
    """However late it is asked, the next due time lies on the grid."""
    late = ANCHOR + timedelta(seconds=7) * 1_000_000 + timedelta(microseconds=1)
    assert interval("7 seconds").next_after(late) == ANCHOR + timedelta(seconds=7) * 1_000_001


def test_an_interval_does_not_notice_changes_of_clocks() -> None:
    """Through the night in which Berlin's clocks go forward, an hour is an hour."""
    runs = list(firings(interval("1 hour", "Europe/Berlin"), datetime(2027, 3, 27, tzinfo=UTC), datetime(2027, 3, 29, tzinfo=UTC)))
    assert {later - run for run, later in itertools.pairwise(runs)} == {timedelta(hours=1)}


def test_now_is_the_anchor_unless_one_is_given() -> None:
    """Without an anchor the count starts when the schedule is read."""
    local = ANCHOR.astimezone(ZoneInfo("Asia/Tokyo"))
    assert read_schedule("1 hour", now=local).schedule.anchor == ANCHOR
    assert read_schedule("1 hour", now=local, anchor=ANCHOR - timedelta(minutes=10)).schedule.anchor == ANCHOR - timedelta(minutes=10)


def test_start_at_is_itself_due() -> None:
    """With a start and no anchor, the first due time is the start."""
    start = datetime(2026, 12, 1, 6, 0, tzinfo=UTC)
    schedule = read_schedule("1 hour", now=ANCHOR, timezone="UTC", start_at=start).schedule
    assert schedule.first_from(ANCHOR) == start
    assert schedule.next_after(start) == start + timedelta(hours=1)


def test_an_interval_needs_an_anchor() -> None:
    """A record without an anchor is refused by that name."""
    with pytest.raises(InvalidSchedule) as refusal:
        Schedule(kind="interval", text="5 minutes", timezone="UTC")
    assert refusal.value.field == "anchor"


@pytest.mark.parametrize("text", ["5 parsecs", "minutes", "", "5", "5 minutes 5 minutes", "-5 minutes"])
def test_a_text_that_is_no_length_makes_no_schedule(text: str) -> None:
    """A damaged text is refused when the schedule is made."""
    with pytest.raises(InvalidSchedule):
        interval(text)


def test_a_leap_is_not_taken_where_nothing_is_gained() -> None:
    """Few due times are all left to the walk."""
    now, first = ANCHOR + timedelta(hours=1), ANCHOR + timedelta(minutes=7)
    assert interval("7 minutes").leap(first, now, keep=100) == (0, first)


def test_a_leap_passes_over_what_a_walk_would() -> None:
    """A long absence is counted without a walk: the number and the place fit, and those that are to be kept are left, and one more."""
    now = ANCHOR + timedelta(days=30)
    schedule = interval("7 minutes")
    walked = list(firings(schedule, ANCHOR, now + timedelta(microseconds=1)))
    passed, start = schedule.leap(walked[0], now, keep=100)
    assert (walked[passed], 100 < len(walked) - passed <= 200) == (start, True)
