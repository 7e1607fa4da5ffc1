"""What has two natural readings is refused with both, and each of them reads."""

from __future__ import annotations

import re
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from agentoolkit.system.scheduler.errors import InvalidSchedule
from agentoolkit.system.scheduler.schedules import Reading, read_schedule

from .said import REFUSED

NOW = datetime(2026, 11, 20, 15, 0, tzinfo=ZoneInfo("Europe/Berlin"))


def said(text: str) -> Reading:
    return read_schedule(text, now=NOW, timezone="Europe/Berlin")


def offered(text: str) -> list[str]:
    """Return the texts that the refusal of one tells to write."""
    with pytest.raises(InvalidSchedule) as refusal:
        said(text)
    return [written or quoted for written, quoted in re.findall(r"\"([^\"]+)\"|'([^']+)'", str(refusal.value.remedy))]


TWO = (
    # A weekday comes more than once in a month, a quarter or a year.
    ("monthly on friday", "every friday", "first friday of the month"),
    ("once a month on a monday", "every monday", "first monday of the month"),
    ("once a month on monday at 9", "every monday at 9", "first monday of the month at 9"),
    ("every month on weekends at 10", "every weekend at 10", "first saturday of the month at 10"),
    ("every month on business days", "every business day", "first weekday of the month"),
    ("quarterly on mon-fri", "every mon-fri", "first weekday of the quarter"),
    ("quarterly on monday at 9", "every monday at 9", "first monday of the quarter at 9"),
    ("every year on monday", "every monday", "first monday of the year"),
    ("monthly on friday at 9 Asia/Tokyo", "every friday at 9 Asia/Tokyo", "first friday of the month at 9 Asia/Tokyo"),
    # So does a day of the month in a year.
    ("yearly on the 1st at 9", "every month on the 1st at 9", "every year on 1 january at 9"),
    ("once a year on the 15th", "every month on the 15th", "every year on 15 january"),
    ("every year on the last day", "every month on the last day", "last day of the year"),
    ("quarterly on 1 may", "every year on 1 may", "quarterly"),
    # Days that are named already are not dropped for others.
    ("every weekday on the 15th at 9", "every month on the 15th at 9", "every weekday at 9"),
    ("at 9 every business day on the 1st", "every month on the 1st at 9", "every business day at 9"),
    ("every weekend on the 1st until christmas", "every month on the 1st until christmas", "every weekend until christmas"),
    ("every monday on tuesday", "every tuesday", "every monday"),
    ("every monday in june on the 15th", "every month on the 15th in june", "every monday in june"),
    ("every week on the 15th at 9", "every month on the 15th at 9", "every week on monday at 9"),
    ("every day on monday", "every monday", "every day"),
    # An hour after midnight is of one of two nights.
    ("saturday night at 1", "2026-11-21 at 01:00", "2026-11-22 at 01:00"),
    ("tomorrow night at 1", "2026-11-21 at 01:00", "2026-11-22 at 01:00"),
    ("25 december at 2 at night", "2026-12-25 at 02:00", "2026-12-26 at 02:00"),
    ("every friday night at 1", "every friday at 1", "every saturday at 1"),
    ("every monday and sunday night at 2am", "every monday and sunday at 2 am", "every tuesday and monday at 2 am"),
    # Hours within a day, and of a night.
    ("every hour from 9 to 5", "every hour from 09:00 to 17:00", "every hour from 21:00 to 05:00"),
    ("every hour from 1 to 5pm on monday", "every hour from 13:00 to 17:00 on monday", "every hour from 01:00 to 17:00 on monday"),
    ("every hour between 10pm and 6am on monday", "0 0,1,2,3,4,5,22,23 * * 1", "0 22,23 * * 1; 0 0,1,2,3,4,5 * * 2"),
    ("every 30 minutes from 23 to 1 on saturday", "*/30 0,23 * * 6", "*/30 23 * * 6; */30 0 * * 0"),
    ("every weekday from 9 to 17", "every hour on weekdays from 9:00 to 17:00", "every weekday at 9:00"),
    ("mondays between 9 and 17", "every hour on mondays from 9:00 to 17:00", "mondays at 9:00"),
    # A number may be a length or a time of day.
    ("17.30", "at 17:30", "17.30 minutes"),
    ("9.15", "at 9:15", "9.15 minutes"),
    ("1730", "at 17:30", "1730 minutes"),
    ("every 9", "every day at 9", "every 9 minutes"),
    ("in 10", "in 10 minutes", "in 10 hours"),
    # A day beside a length that does not lead to it.
    ("in two weeks on monday", "2026-11-30", "2026-12-07"),
    ("in a week on sunday at 9", "2026-11-22 at 9", "2026-11-29 at 9"),
    ("tomorrow mornings", "tomorrow morning", "every morning"),
    # A job, or something else.
    ("after 5pm", "at 5pm", "after 5pm succeeded"),
    ("after 17:00", "at 17:00", "after 17:00 succeeded"),
    ("every weekday night at midnight", "every weekday at midnight", "every tuesday to saturday at midnight"),
)


@pytest.mark.parametrize(("text", "first", "second"), TWO)
def test_both_readings_are_offered_and_read(text: str, first: str, second: str) -> None:
    """The refusal of each has both, so that either can be written instead; they differ."""
    assert offered(text) == [first, second]
    assert said(first).schedule.text != said(second).schedule.text


@pytest.mark.parametrize(
    ("text", "remark"),
    [
        ("every day 9", "'9' without am or pm is read on the 24-hour clock, as 09:00"),
        ("half past 5", "'half past 5' without am or pm is read on the 24-hour clock, as 05:30"),
        ("every monday at ten to six", "'ten to six' without am or pm is read on the 24-hour clock, as 05:50"),
        ("tomorrow at a quarter past 3", "'a quarter past 3' without am or pm is read on the 24-hour clock, as 03:15"),
    ],
)
def test_an_hour_that_may_be_in_the_afternoon_is_remarked(text: str, remark: str) -> None:
    """Whichever way an hour of the 12-hour clock is said."""
    assert remark in said(text).remarks


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("every workday foo", "'foo' is not understood."),
        ("every workday every", "'every' is out of place after 'every workday'."),
        ("right now tomorrow", "'tomorrow' is out of place after 'right now'."),
    ],
)
def test_a_refusal_has_no_word_that_nobody_wrote(text: str, problem: str) -> None:
    """What the grammar knows by another name is told by the writer's."""
    with pytest.raises(InvalidSchedule) as refusal:
        said(text)
    assert refusal.value.problem == problem


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("after extract fails", ["after extract failed", "after 'extract fails'"]),
        ("after extract finishes", ["after extract ended", "after 'extract finishes'"]),
        ("after the import is done", ["after the import succeeded", "after the import ended", "after 'the import is done'"]),
        ("tue/thu at 4pm", ["every tue and thu at 4pm"]),
        ("mon & wed 9:00", ["every mon and wed at 9:00"]),
        ("every monday at 9am, every friday at 5pm", ["every monday at 9am; every friday at 5pm"]),
        ("weekdays at 9 and weekends at 11", ["weekdays at 9; weekends at 11"]),
        ("every monday and the 15th at 9", ["every monday at 9; every 15th at 9"]),
        ("nine thirty", ["at nine thirty"]),
        ("every 6 months", ["every 182 days", "0 0 1 */6 *"]),
        ("every 2 months", ["every 61 days", "0 0 1 */2 *"]),
        ("every two years", ["every 730 days"]),
        ("every other quarter", ["every 182 days", "0 0 1 */6 *"]),
        ("every other weekend", ["every other saturday and sunday at 9:00"]),
        ("every day at 9 starting 15 december until 1 december", ["until 2026-12-22"]),
    ],
)
def test_the_way_out_says_what_was_meant(text: str, meant: list[str]) -> None:
    """A number, a day or an outcome that was written is in the way out."""
    assert offered(text) == meant


@pytest.mark.parametrize("text", ["noons", "midnights", "on weekdays, every 30 minutes between 8:00 and 18:00"])
def test_nothing_is_offered_that_means_something_else(text: str) -> None:
    """What comes again is not answered with what is once, nor one schedule with two."""
    assert "every 5 minutes" in offered(text)


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("every 2 hours starting at 9", "2026-11-21T09:00", None),
        ("every 2 hours starting tomorrow at 9", "2026-11-21T09:00", None),
        ("every 10 minutes until 17", None, "2026-11-20T17:00"),
        ("every 10 minutes until 5", None, "2026-11-21T05:00"),
        ("every 10 minutes starting tomorrow at 8 until 18:00", "2026-11-21T08:00", "2026-11-21T18:00"),
        ("every hour until 17:00 starting monday at 9", "2026-11-23T09:00", "2026-11-23T17:00"),
        ("every day at 9 starting tuesday until monday", "2026-11-24T00:00", "2026-11-30T23:59:59.999999"),
        ("every day at 9 from 1 december to 15 december", "2026-12-01T00:00", "2026-12-15T23:59:59.999999"),
    ],
)
def test_an_end_is_the_first_one_after_the_start(text: str, start: str | None, end: str | None) -> None:
    """A time of day or a weekday as the end is counted from the start; hours in limits need no am or pm."""
    schedule = said(text).schedule
    for found, meant in ((schedule.start_at, start), (schedule.end_at, end)):
        assert found == (meant and datetime.fromisoformat(meant).replace(tzinfo=ZoneInfo("Europe/Berlin")))


_NO_SCHEDULES = re.compile(r"takes e\.g\.|Did you mean|'L'\.$|zone|place|IANA")
"""Ways out that name a field's values, a word or a zone."""
_PARTS = re.compile(r"only|exclude|(until|from) .*|minute hour day-of-month month day-of-week")
"""What is quoted of a schedule."""


@pytest.mark.parametrize("text", [text for text, *_ in (*REFUSED, *TWO)])
def test_every_schedule_that_a_way_out_quotes_reads(text: str) -> None:
    """Whatever a refusal tells to write can be written."""
    with pytest.raises(InvalidSchedule) as refusal:
        said(text)
    if not _NO_SCHEDULES.search(str(refusal.value.remedy)):
        for written in offered(text):
            assert _PARTS.fullmatch(written) or said(written)
