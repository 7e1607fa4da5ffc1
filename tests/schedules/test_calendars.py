"""Days that are left out, kept to, or moved: weekends, holidays of countries, calendars by name."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from agentoolkit.entrypoints.taskfile import read_tasks
from agentoolkit.system.scheduler.errors import InvalidSchedule
from agentoolkit.system.scheduler.named_calendars import expanded
from agentoolkit.system.scheduler.schedules import Schedule, firings, preview, read_schedule
from agentoolkit.system.scheduler.schedules.calendars import dates_of_ics, holidays_of

NOW = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")

PUBLISHED = {
    ("DE", 2026): "01-01 04-03 04-06 05-01 05-14 05-25 10-03 12-25 12-26",
    ("DE", 2027): "01-01 03-26 03-29 05-01 05-06 05-17 10-03 12-25 12-26",
    ("FR", 2026): "01-01 04-06 05-01 05-08 05-14 05-25 07-14 08-15 11-01 11-11 12-25",
    ("FR", 2027): "01-01 03-29 05-01 05-06 05-08 05-17 07-14 08-15 11-01 11-11 12-25",
    ("US", 2026): "01-01 01-19 02-16 05-25 06-19 07-03 07-04 09-07 10-12 11-11 11-26 12-25",
    ("US", 2027): "01-01 01-18 02-15 05-31 06-18 06-19 07-04 07-05 09-06 10-11 11-11 11-25 12-24 12-25 12-31",
}
"""Holidays of the whole country as its authorities publish them, observed days of the United States included."""


def made(text: str, **bounds: object) -> Schedule:
    return read_schedule(text, now=NOW, timezone="Europe/Berlin", **bounds).schedule  # type: ignore[arg-type]


def days(schedule: Schedule, count: int) -> list[str]:
    runs = itertools.islice(firings(schedule, NOW, NOW + timedelta(days=900)), count)
    return [due.astimezone(BERLIN).date().isoformat() for due in runs]


@pytest.mark.parametrize(("country", "year"), PUBLISHED)
def test_holidays_are_those_that_are_published(country: str, year: int) -> None:
    """Three countries, two years."""
    assert sorted(f"{day:%m-%d}" for day in holidays_of(country, None, year)) == PUBLISHED[country, year].split()


def test_subdivisions_have_holidays_of_their_own() -> None:
    """Corpus Christi is a holiday in Bavaria, and not in Berlin."""
    assert date(2027, 5, 27) in holidays_of("DE", "BY", 2027)
    assert date(2027, 5, 27) not in holidays_of("DE", "BE", 2027)


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ({"exclude": ["holidays:DE", "weekends"]}, ["2026-12-24", "2026-12-28", "2026-12-29"]),
        ({"exclude": ["holidays:de-by"]}, ["2026-12-24", "2026-12-27", "2026-12-28"]),
        ({"only": ["2026-12-25", "2026-12-30/2026-12-31"]}, ["2026-12-25", "2026-12-30", "2026-12-31"]),
        ({"only": ["holidays:DE"], "exclude": ["2026-12-26"]}, ["2026-12-25", "2027-01-01", "2027-03-26"]),
        ({"exclude": ["christmas", "boxing day"]}, ["2026-12-24", "2026-12-27", "2026-12-28"]),
        ({"exclude": ["New Year's Eve", "weekends"]}, ["2026-12-24", "2026-12-25", "2026-12-28"]),
        ({"only": ["easter", "good friday"]}, ["2027-03-26", "2027-03-28", "2028-04-14"]),
        ({"only": ["thanksgiving"]}, ["2027-11-25", "2028-11-23"]),
        ({"only": ["weekends"]}, ["2026-12-26", "2026-12-27", "2027-01-02"]),
    ],
)
def test_days_are_left_out_or_kept_to(bounds: dict[str, object], expected: list[str]) -> None:
    """A daily job from Christmas Eve on."""
    assert days(made("0 9 * * *", start_at="2026-12-24", **bounds), len(expected)) == expected


@pytest.mark.parametrize(
    ("text", "shift", "expected"),
    [
        ("0 9 25 * *", "next", ["2026-11-25", "2026-12-28", "2027-01-25", "2027-02-25", "2027-03-25", "2027-04-26"]),
        ("0 9 25 * *", "previous", ["2026-11-25", "2026-12-24", "2027-01-25", "2027-02-25", "2027-03-25", "2027-04-23"]),
        ("0 17 L * *", "previous", ["2026-11-30", "2026-12-31", "2027-01-29", "2027-02-26", "2027-03-31", "2027-04-30"]),
        ("0 9 16 * *", "next", ["2026-12-16", "2027-01-18", "2027-02-16", "2027-03-16", "2027-04-16", "2027-05-18"]),
    ],
)
def test_what_falls_on_such_a_day_is_moved(text: str, shift: str, expected: list[str]) -> None:
    """The 25th, the last business day of the month, the first one after the 15th: weekends and holidays of Germany left out."""
    assert days(made(text, exclude=["weekends", "holidays:DE"], shift=shift), 6) == expected


def by_hand(schedule: Schedule, plain: Schedule, start: datetime, end: datetime) -> list[datetime]:
    """Move each due time day by day, and sort what comes out."""
    step = timedelta(days=1 if schedule.shift == "next" else -1)
    found: set[datetime] = set()
    for due in firings(plain, start - timedelta(days=40), end + timedelta(days=40)):
        day, clock = due.astimezone(BERLIN).date(), due.astimezone(BERLIN).time()
        while day.weekday() > 4 or day in holidays_of("DE", None, day.year):
            day += step
        found.add(datetime.combine(day, clock, BERLIN).astimezone(UTC))
    return [due for due in sorted(found) if start <= due < end]


@pytest.mark.parametrize("shift", ["next", "previous"])
@pytest.mark.parametrize("text", ["0 9 * * *", "30 18 * * 5-7", "0 6,22 25,26 * *", "15 12 1 * *"])
def test_moved_due_times_are_those_found_by_hand(text: str, shift: str) -> None:
    """Over two years; two due times that meet are one, and the count is theirs."""
    schedule, plain = made(text, exclude=["weekends", "holidays:DE"], shift=shift), made(text)
    end = NOW + timedelta(days=730)
    expected = by_hand(schedule, plain, NOW, end)
    assert list(firings(schedule, NOW, end)) == expected
    assert schedule.count(NOW, end) == len([due for due in expected if due > NOW])


def test_a_business_day_job_runs_once_on_each_business_day_of_a_year() -> None:
    """Words and a calendar together: 2027 has 254 days from Monday to Friday that are no holiday of all Germany."""
    schedule = made("every business day at 9", exclude=["holidays:DE"], start_at="2027-01-01", end_at="2027-12-31")
    runs = [due.astimezone(BERLIN) for due in firings(schedule, NOW, NOW + timedelta(days=900))]
    year = [date(2027, 1, 1) + timedelta(days=number) for number in range(365)]
    expected = [day for day in year if day.weekday() < 5 and f"{day:%m-%d}" not in PUBLISHED["DE", 2027].split()]
    assert [run.date() for run in runs] == expected
    assert {run.time() for run in runs} == {time(9)}


def test_it_is_said_kept_and_equal() -> None:
    """The words name the calendars, and JSON keeps them."""
    reading = read_schedule("0 9 25 * *", now=NOW, timezone="Europe/Berlin", exclude=["weekends", "holidays:DE"], shift="next")
    assert reading.words == "on day 25 of the month at 09:00, except weekends, holidays:DE, moved to the next other day"
    assert Schedule.from_json(reading.schedule.to_json()) == reading.schedule


@pytest.mark.parametrize(
    ("bounds", "field", "problem"),
    [
        ({"exclude": ["holidays:XX"]}, "exclude", "no holidays are known of country 'XX'"),
        ({"exclude": ["holidays:DE-ZZ"]}, "exclude", "no holidays are known of subdivision 'ZZ' of DE"),
        ({"only": ["holidays:XX"]}, "only", "no holidays are known of country 'XX'"),
        ({"only": ["22:00-06:00"]}, "only", "takes whole days"),
        ({"only": ["chrismas"]}, "only", "cannot be read"),
        ({"only": ["2020-01-01"]}, "only", "leaves no due time"),
        ({"exclude": ["weekends"], "shift": "sideways"}, "shift", "does not fit"),
    ],
)
def test_what_is_no_calendar_is_refused_by_name(bounds: dict[str, object], field: str, problem: str) -> None:
    """The field, the value and a way out."""
    with pytest.raises(InvalidSchedule, match=problem) as refusal:
        made("0 9 * * *", **bounds)
    assert refusal.value.field == field
    assert str(refusal.value).count(f"{field}:") == 1  # said once, with one way out
    assert str(refusal.value).count("Write ") <= 1


def test_an_interval_cannot_be_moved() -> None:
    """It counts elapsed time, so there is no day to move it to."""
    with pytest.raises(InvalidSchedule, match="shift"):
        made("5 hours", exclude=["weekends"], shift="next")


ICS = """BEGIN:VCALENDAR
BEGIN:VEVENT
DTSTART;VALUE=DATE:20261224
DTEND;VALUE=DATE:20261227
SUMMARY:Works closed
END:VEVENT
BEGIN:VEVENT
DTSTART;VALUE=DATE:20270106
END:VEVENT
END:VCALENDAR
"""


def test_an_ics_file_is_a_calendar(tmp_path: Path) -> None:
    """Whole days, the end of an event not included; names stand for dates, files and countries."""
    assert dates_of_ics(ICS) == ["2026-12-24/2026-12-26", "2027-01-06"]
    path = tmp_path / "closed.ics"
    path.write_text(ICS, "utf-8")
    calendars = {"closed": (f"ics:{path}", "holidays:DE")}
    assert expanded(["closed", "2027-02-01"], calendars, "exclude") == ["2026-12-24/2026-12-26", "2027-01-06", "holidays:DE", "2027-02-01"]


@pytest.mark.parametrize(
    ("calendars", "problem"), [({"closed": ("ics:/nowhere.ics",)}, "cannot be read"), ({"close": ("2026-12-25",)}, "no calendar is called")]
)
def test_a_calendar_that_cannot_be_read_is_refused(calendars: dict[str, tuple[str, ...]], problem: str) -> None:
    """A missing file and an unknown name."""
    with pytest.raises(InvalidSchedule, match=problem):
        expanded(["closed"], calendars, "exclude")


def test_a_task_file_names_its_calendars() -> None:
    """`calendars:` beside `tasks:`; other names are left for the settings."""
    tasks = read_tasks(
        """
calendars:
  closed: ["holidays:DE", "2026-12-24"]
tasks:
  - name: report
    schedule: every business day at 9
    agentool_name: after
    input_data: {operation: result}
    exclude: [closed, "2027-02-01", of-the-settings]
"""
    )
    assert tasks[0].scheduler_input()["exclude"] == ["holidays:DE", "2026-12-24", "2027-02-01", "of-the-settings"]


@pytest.mark.parametrize(
    ("shift", "told"),
    [
        (
            None,
            [
                "2026-12-25 (Christmas Day) is left out",
                "2026-12-26 (Second Day of Christmas) is left out",
                "2026-12-27 (weekend) is left out",
            ],
        ),
        ("next", ["2026-12-25 (Christmas Day) is moved to 2026-12-28", "2026-12-26 (Second Day of Christmas) is moved to 2026-12-28"]),
    ],
)
def test_a_preview_says_why_a_day_is_left_out_or_moved(shift: str | None, told: list[str]) -> None:
    """The first days of the year, by name."""
    schedule = made("0 9 * * *", start_at="2026-12-24", end_at="2027-01-31", exclude=["holidays:DE", "weekends"], shift=shift)
    assert [note for note in preview(schedule, now=NOW).warnings if note.startswith("2026")][: len(told)] == told


@pytest.mark.parametrize("text", ["0 9 */2 * 1", "0 9 13 * */2", "0 9 */7 * mon-fri"])
def test_a_star_beside_a_day_is_remarked(text: str) -> None:
    """Debian's cron lets both fields count, other crons either."""
    assert any("other crons take either" in remark for remark in read_schedule(text, now=NOW).remarks)


@pytest.mark.parametrize("text", ["0 9 * * 1", "0 9 13 * *", "0 9 13 * 5", "0 9 * * *"])
def test_other_day_fields_are_not(text: str) -> None:
    """A plain ``*`` restricts nothing, and two lists are warned of by the preview."""
    assert not any("other crons" in remark for remark in read_schedule(text, now=NOW).remarks)


def test_a_day_by_its_name_is_no_calendar_of_the_settings() -> None:
    """Beside calendars that have names, `christmas` is still the day; one that the settings call so goes before it."""
    assert expanded(["christmas", "closed"], {"closed": ("2027-02-01",)}, "exclude") == ["christmas", "2027-02-01"]
    assert expanded(["christmas"], {"christmas": ("2026-12-24/2026-12-26",)}, "exclude") == ["2026-12-24/2026-12-26"]
