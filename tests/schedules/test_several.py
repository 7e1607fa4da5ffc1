"""A list of schedules of one job: due whenever one of them is, each instant once."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from agentoolkit.system.scheduler.errors import InvalidSchedule
from agentoolkit.system.scheduler.job_fields import JobFields
from agentoolkit.system.scheduler.schedules import Schedule, firings, preview, read_schedule

NOW = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
LISTS = (
    "0 9 * * 1-5; 0 12 * * 6",
    "0 9 * * *; 30 17 * * *; 0 9 1 * *",
    "0 */2 * * *; 0 0 * * *; 90 minutes",
    "30 2 * * *; 0 3 * * *; 2027-12-25T09:00",
    "every other monday at 9; every friday at 9",
    "6 hours; 4 hours",
)


def made(text: str, start: datetime = NOW) -> Schedule:
    return read_schedule(text, now=start, timezone="Europe/Berlin").schedule


def merged(text: str, start: datetime, days: int) -> list[datetime]:
    """Read each schedule by itself, and sort their due times into one list without doubles."""
    whole = made(text, start)
    singles = (read_schedule(part, now=start, timezone="Europe/Berlin", anchor=whole.anchor).schedule for part in text.split(";"))
    return sorted({due for single in singles for due in firings(single, start, start + timedelta(days=days))})


@pytest.mark.parametrize("text", LISTS)
@pytest.mark.parametrize("start", [NOW, datetime(2027, 3, 20, 1, 7, tzinfo=UTC), datetime(2027, 10, 25, 23, 0, tzinfo=UTC)])
def test_it_is_due_whenever_one_of_them_is(text: str, start: datetime) -> None:
    """Through changes of clocks, and never twice at one instant."""
    assert list(firings(made(text, start), start, start + timedelta(days=20))) == merged(text, start, 20)


@pytest.mark.parametrize("text", LISTS)
def test_its_due_times_are_counted(text: str) -> None:
    """The count is the number of due times, those of several schedules counted once."""
    schedule = made(text)
    for days in (1, 7, 200):
        end = NOW + timedelta(days=days)
        assert schedule.count(NOW, end) == sum(1 for due in firings(schedule, NOW, end + timedelta(microseconds=1)) if due > NOW)


@pytest.mark.parametrize("text", LISTS)
def test_it_can_be_kept_and_read_again(text: str) -> None:
    """Its canonical text, and JSON, give the same list."""
    schedule = made(text)
    assert Schedule.from_json(schedule.to_json()) == schedule
    assert read_schedule(schedule.text, now=NOW, timezone="Europe/Berlin", kind="list", anchor=schedule.anchor).schedule == schedule


def test_the_answer_lists_each_reading() -> None:
    """Words and remarks are those of every schedule."""
    reading = read_schedule("every weekday at 9am; @weekly", now=NOW, timezone="Europe/Berlin")
    assert reading.words == "every weekday (Monday to Friday) at 09:00; and every Sunday at 00:00"
    assert reading.remarks == ("read as cron '0 9 * * 1-5'", "read as cron '0 0 * * 0'")


def test_a_single_time_of_it_that_has_passed_is_kept() -> None:
    """The list that is kept can be read again, with another bound, when one of its times has passed."""
    schedule = made("0 9 * * *; 2026-12-25T12:00")
    later = read_schedule(schedule.text, now=NOW + timedelta(days=90), timezone="Europe/Berlin", kind="list", end_at="2027-12-31")
    assert later.schedule.text == schedule.text


def test_bounds_hold_around_the_list() -> None:
    """Start, end and exclusions are those of the whole."""
    reading = read_schedule(
        "0 9 * * *; 0 12 * * *", now=NOW, timezone="Europe/Berlin", start_at="2026-12-24", end_at="2026-12-26", exclude=["2026-12-25"]
    )
    runs = [
        due.astimezone(BERLIN).isoformat()[:16] for due in itertools.islice(firings(reading.schedule, NOW, NOW + timedelta(days=99)), 9)
    ]
    assert runs == ["2026-12-24T09:00", "2026-12-24T12:00", "2026-12-26T09:00", "2026-12-26T12:00"]


def test_a_preview_warns_of_each() -> None:
    """What a change of clocks does to one of them is said."""
    assert [
        warning for warning in preview(made("30 2 * * *; 0 12 * * *"), now=NOW).warnings if "2027-03-28 02:30 does not exist" in warning
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [(["0 9 * * 1-5", "0 12 * * 6"], "0 9 * * 1-5; 0 12 * * 6"), (["@daily"], "@daily"), ("@daily", "@daily"), (None, None)],
)
def test_the_field_takes_a_list(value: object, text: str | None) -> None:
    """A list in a call or a task file is one text with semicolons."""
    assert JobFields.model_validate({"schedule": value}).schedule == text


@pytest.mark.parametrize("kind", ["cron", "interval", "once"])
def test_a_list_is_of_its_own_kind(kind: str) -> None:
    """Asked for as another kind it is refused."""
    with pytest.raises(InvalidSchedule, match="is a list of schedules"):
        read_schedule("0 9 * * *; 0 12 * * *", now=NOW, kind=kind)  # type: ignore[arg-type]


def test_more_than_twenty_are_refused() -> None:
    """A list has at most twenty schedules."""
    with pytest.raises(InvalidSchedule, match="at most 20"):
        read_schedule("; ".join(f"{minute} 9 * * *" for minute in range(21)), now=NOW)
