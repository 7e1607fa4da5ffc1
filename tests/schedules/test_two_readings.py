"""What has two natural readings is refused with both, and each of them reads."""

from __future__ import annotations

import re
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from agentoolkit.system.scheduler.errors import InvalidSchedule
from agentoolkit.system.scheduler.schedules import Reading, read_schedule

NOW = datetime(2026, 11, 20, 15, 0, tzinfo=ZoneInfo("Europe/Berlin"))


def said(text: str) -> Reading:
    return read_schedule(text, now=NOW, timezone="Europe/Berlin")


def offered(text: str) -> list[str]:
    """Return the texts that the refusal of one tells to write."""
    with pytest.raises(InvalidSchedule) as refusal:
        said(text)
    return re.findall(r"'([^']+)'", str(refusal.value.remedy))


TWO = (
    # A weekday comes more than once in a month, a quarter or a year.
    ("monthly on friday", "every friday", "first friday of the month"),
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
