"""Crontabs with years between two due times."""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import islice

import pytest

from agentoolkit.system.scheduler.schedules import Schedule, firings

START = datetime(2026, 11, 20, 14, 0, 7, tzinfo=UTC)
LEAP_DAYS = [date(year, 2, 29) for year in range(2028, 2199, 4) if year != 2100]
"""By the Gregorian calendar: 2100 is no leap year."""


def due(text: str, zone: str, count: int) -> list[datetime]:
    return list(islice(firings(Schedule(kind="cron", text=text, timezone=zone), START, START.replace(year=2199)), count))


@pytest.mark.parametrize(
    ("text", "weekdays"),
    [("0 12 29 2 *", range(1, 8)), ("0 12 29 2 */7", [7]), ("0 12 * 2 1#5", [1]), ("* 12 29 2 */3", [3, 6, 7])],
)
def test_leap_days_are_found_over_decades(text: str, weekdays: list[int]) -> None:
    """29 February, on any weekday or some, is due in every year that has it, also on the far side of 2100."""
    found = [time.date() for time in due(text, "UTC", 10_000) if time.minute == 0]
    assert found == [day for day in LEAP_DAYS if day.isoweekday() in weekdays]


def test_a_doubled_hour_years_ahead_is_due_twice() -> None:
    """On Sunday 25 October 2037, the next after 2026, Berlin's clocks go back at three: two o'clock comes twice."""
    times = [datetime(2037, 10, 25, hour, minute, tzinfo=UTC) for hour in (0, 1) for minute in (0, 30)]
    assert due("*/30 2 25 10 */7", "Europe/Berlin", 4) == times


def test_after_years_the_offset_is_that_of_the_day() -> None:
    """On Sunday 29 February 2032 midnight in Berlin is an hour before that of UTC, though it is asked for in summer of 2028."""
    summer = datetime(2028, 7, 1, tzinfo=UTC)
    schedule = Schedule(kind="cron", text="*/30 0 29 2 */7", timezone="Europe/Berlin")
    assert schedule.next_after(summer) == datetime(2032, 2, 28, 23, tzinfo=UTC)


def test_a_pattern_whose_every_match_is_left_out_is_never_due() -> None:
    """A Sunday that is 28 March is the last of its month: Berlin's clocks leave out the hour after two, this year and always."""
    assert due("*/30 2 28 3 */7", "Europe/Berlin", 1) == []
