"""Crontab text: canonical form, aliases, days, words."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from agentoolkit.system.scheduler.errors import InvalidSchedule
from agentoolkit.system.scheduler.schedules import Schedule, firings, read_schedule

NOW = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)


def cron(text: str, timezone: str = "UTC") -> Schedule:
    return Schedule(kind="cron", text=text, timezone=timezone)


def days_of(text: str, year: int = 2027) -> list[date]:
    start = datetime(year, 1, 1, tzinfo=UTC)
    return [due.date() for due in firings(cron(text), start, start.replace(year=year + 1))]


def all_days(year: int = 2027) -> list[date]:
    return [date(year, 1, 1) + timedelta(days=index) for index in range(365)]


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("  0   9 *  * 1-5 ", "0 9 * * 1-5"),
        ("0 9 * JAN Mon-FRI", "0 9 * jan mon-fri"),
        ("0 9 l * *", "0 9 L * *"),
        ("0 9 lw * *", "0 9 LW * *"),
        ("0 9 * * 5l", "0 9 * * 5L"),
        ("0 9 * * MON#1", "0 9 * * mon#1"),
        ("7-7/2 9 * * *", "7 9 * * *"),
        ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
        ("@monthly", "0 0 1 * *"),
        ("@weekly", "0 0 * * 0"),
        ("@daily", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        ("@hourly", "0 * * * *"),
    ],
)
def test_equal_crontabs_have_one_text(text: str, canonical: str) -> None:
    """Blanks, case and aliases do not tell schedules apart."""
    assert cron(text) == cron(canonical)
    assert cron(text).text == canonical


@pytest.mark.parametrize("text", ["0 0 * * 0", "0 0 * * 7", "0 0 * * sun", "0 0 * * 7-7", "@weekly"])
def test_0_and_7_are_sunday(text: str) -> None:
    """Sunday has two numbers and a name."""
    assert days_of(text) == [day for day in all_days() if day.isoweekday() == 7]


@pytest.mark.parametrize("text", ["0 0 * * 1-5", "0 0 * * mon-fri", "0 0 * * mon,tue,wed,thu,fri"])
def test_1_to_5_is_monday_to_friday(text: str) -> None:
    """Weekday numbers count from Sunday, so 1-5 is the working week."""
    assert days_of(text) == [day for day in all_days() if day.isoweekday() <= 5]


def test_either_day_is_enough_when_both_are_restricted() -> None:
    """``0 0 13 * 5`` runs on every 13th and on every Friday."""
    assert days_of("0 0 13 * 5") == [day for day in all_days() if day.day == 13 or day.isoweekday() == 5]


@pytest.mark.parametrize("text", ["0 0 */2 * 1", "0 0 1-31/2 * */7"])
def test_both_days_must_match_when_one_starts_with_a_star(text: str) -> None:
    """A step after a star is a star: the day must match both fields."""
    weekday = 1 if text.endswith("1") else 7
    assert days_of(text) == [day for day in all_days() if day.day % 2 == 1 and day.isoweekday() == weekday]


def test_last_day_last_weekday_and_last_friday() -> None:
    """``L`` is the last day of each month, ``LW`` its last working day, ``5L`` its last Friday."""
    lasts = [day for day in all_days() if (day + timedelta(days=1)).day == 1]
    working = [max(last - timedelta(days=back) for back in range(3) if (last - timedelta(days=back)).isoweekday() <= 5) for last in lasts]
    fridays = [max(last - timedelta(days=back) for back in range(7) if (last - timedelta(days=back)).isoweekday() == 5) for last in lasts]
    assert (days_of("0 0 L * *"), days_of("0 0 LW * *"), days_of("0 0 * * 5L")) == (lasts, working, fridays)


@pytest.mark.parametrize("text", ["0 0 * * mon#1", "0 0 * * 1#1"])
def test_nth_weekday(text: str) -> None:
    """``mon#1`` is the Monday among the first seven days."""
    assert days_of(text) == [day for day in all_days() if day.isoweekday() == 1 and day.day <= 7]


def test_29_february_waits_for_a_leap_year() -> None:
    """A rare date is found years ahead."""
    assert cron("0 0 29 2 *").next_after(NOW) == datetime(2028, 2, 29, tzinfo=UTC)


def test_next_after_is_strict_and_first_from_is_not() -> None:
    """A due time does not follow itself, but it is the first one from itself on."""
    due = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
    assert cron("0 9 * * 1-5").next_after(due) == due + timedelta(days=1)
    assert cron("0 9 * * 1-5").first_from(due) == due
    assert cron("0 9 * * 1-5").first_from(due + timedelta(microseconds=1)) == due + timedelta(days=1)


def test_the_end_of_the_calendar_is_no_error() -> None:
    """After the last due time the calendar can hold there is none, and nothing is raised."""
    assert cron("0 0 1 1 *").next_after(datetime.max.replace(tzinfo=UTC)) is None
    assert cron("0 0 1 1 *", "Asia/Tokyo").next_after(datetime.max.replace(tzinfo=UTC)) is None
    assert cron("0 0 1 1 *", "America/New_York").first_from(datetime.min.replace(tzinfo=UTC)) is None


@pytest.mark.parametrize(
    ("text", "remark"),
    [
        ("5/15 * * * *", "minute '5/15' is read as 5-59/15"),
        ("10-12/5 * * * *", "minute '10-12/5' matches 10 only, because the step is longer than the range"),
    ],
)
def test_odd_steps_are_remarked_upon(text: str, remark: str) -> None:
    """What crontab(5) leaves open, or what hardly anybody means, is accepted and said."""
    assert remark in read_schedule(text, now=NOW, timezone="UTC").remarks


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0 9 * * 1-5", "every weekday (Monday to Friday) at 09:00"),
        ("0 9 * * *", "every day at 09:00"),
        ("0 9,17 * * *", "every day at 09:00 and 17:00"),
        ("30 8 * * 1,4", "every Monday and Thursday at 08:30"),
        ("0 0 * * 0", "every Sunday at 00:00"),
        ("0 10 * * 0,6", "every Saturday and Sunday at 10:00"),
        ("0 9 * * mon,wed-fri", "every Monday and Wednesday to Friday at 09:00"),
        ("* * * * *", "every minute"),
        ("*/5 * * * *", "every 5 minutes"),
        ("*/15 9-17 * * 1-5", "every 15 minutes of hours 9 to 17, every weekday (Monday to Friday)"),
        ("*/7 * * * *", "at minute 0, 7, 14 … 56 of every hour"),
        ("5 * * * *", "at minute 5 of every hour"),
        ("0 * * * *", "every hour, on the hour"),
        ("0 */2 * * *", "every 2 hours, on the hour, every day"),
        ("0 9-17 * * *", "every hour from 09:00 to 17:00, every day"),
        ("15 */2 * * *", "at minute 15 of hours 0, 2, 4 … 22, every day"),
        ("* 3 * * *", "every minute of hour 3, every day"),
        ("*/20 2 * * *", "every day at 02:00, 02:20 and 02:40"),
        ("0 12 1 * *", "on day 1 of the month at 12:00"),
        ("0 0 1,15 * *", "on day 1 and 15 of the month at 00:00"),
        ("0 0 L * *", "on the last day of the month at 00:00"),
        ("0 0 LW * *", "on the last weekday (Monday to Friday) of the month at 00:00"),
        ("0 9 25 12 *", "on day 25 of December at 09:00"),
        ("0 0 * 6-8 *", "every day in June to August at 00:00"),
        ("0 9 * * 1#1", "the first Monday of the month at 09:00"),
        ("0 9 * * 5L", "the last Friday of the month at 09:00"),
        ("0 0 13 * 5", "on day 13 of the month and also on every Friday (either one is enough) at 00:00"),
        ("0 0 13 1-3 5", "on day 13 of January to March and also on every Friday in January to March (either one is enough) at 00:00"),
        ("0 0 */2 * 1", "every Monday that is also day 1, 3, 5 … 31 of the month at 00:00"),
    ],
)
def test_words(text: str, words: str) -> None:
    """A crontab is told in plain English, with the rule for its two day fields."""
    assert read_schedule(text, now=NOW, timezone="UTC").words == words


def test_a_schedule_that_never_fires_cannot_be_made() -> None:
    """An impossible date is refused as soon as it is written down."""
    with pytest.raises(InvalidSchedule, match="day-of-month and month never meet"):
        cron("0 0 30 2 *")
