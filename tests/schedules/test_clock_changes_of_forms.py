"""Changes of clocks in the forms that are not plain crontabs, judged against the walk through every minute."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from agentoolkit.system.scheduler.schedules import Schedule, firings, read_schedule

from .test_clock_changes import AROUND, transitions
from .zone_reference import Walk, fixed

CLOCKS = ((0, 0), (0, 30), (1, 30), (1, 45), (2, 0), (2, 15), (2, 30), (3, 0))
"""Hours and minutes at which clocks of some zone change, and others."""

Form = Callable[[date, int, int, str], Schedule]


def read(text: str, day: date, zone: str, **bounds: object) -> Schedule:
    """Read a text as it would have been read a month before."""
    now = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(days=31)
    return read_schedule(text, now=now, timezone=zone, **bounds).schedule  # type: ignore[arg-type]


def days_before_last(day: date, hour: int, minute: int, zone: str) -> Schedule:
    left = monthrange(day.year, day.month)[1] - day.day
    return read(f"{minute} {hour} {f'L-{left}' if left else 'L'} {day.month} *", day, zone)


def every_two_weeks(day: date, hour: int, minute: int, zone: str) -> Schedule:
    text = f"{minute} {hour} * * {day.isoweekday() % 7} every 2 weeks"
    anchor = datetime(day.year, day.month, day.day, 12, tzinfo=ZoneInfo(zone)) - timedelta(days=14)
    return Schedule(kind="cron", text=text, timezone=zone, anchor=anchor)


def moved_on(day: date, hour: int, minute: int, zone: str) -> Schedule:
    before = day - timedelta(days=1)
    return read(f"{minute} {hour} {before.day} {before.month} *", day, zone, exclude=[before.isoformat()], shift="next")


def moved_back(day: date, hour: int, minute: int, zone: str) -> Schedule:
    after = day + timedelta(days=1)
    return read(f"{minute} {hour} {after.day} {after.month} *", day, zone, exclude=[after.isoformat()], shift="previous")


def only_on_it(day: date, hour: int, minute: int, zone: str) -> Schedule:
    return read(f"{minute} {hour} * * *", day, zone, only=[day.isoformat()])


def recurrence_rule(day: date, hour: int, minute: int, zone: str) -> Schedule:
    rule = f"FREQ=YEARLY;BYMONTH={day.month};BYMONTHDAY={day.day};BYHOUR={hour};BYMINUTE={minute};BYSECOND=0"
    return read(f"RRULE:{rule}", day, zone)


def calendar_event(day: date, hour: int, minute: int, zone: str) -> Schedule:
    return read(f"*-{day.month:02}-{day.day:02} {hour:02}:{minute:02}:00", day, zone)


def one_of_a_list(day: date, hour: int, minute: int, zone: str) -> Schedule:
    return read(f"{minute} {hour} {day.day} {day.month} *; 0 12 15 {day.month % 12 + 1} *", day, zone)


def nth_weekday(day: date, hour: int, minute: int, zone: str) -> Schedule:
    return read(f"{minute} {hour} * {day.month} {day.isoweekday() % 7}#{(day.day + 6) // 7}", day, zone)


def zone_set_before(day: date, hour: int, minute: int, zone: str) -> Schedule:
    return read(f"CRON_TZ={zone} {minute} {hour} {day.day} {day.month} *", day, "UTC")


def a_date_in_words(day: date, hour: int, minute: int, zone: str) -> Schedule:
    return read(f"{day.day} {day:%B} {day.year} at {hour}:{minute:02}", day, zone)


def a_date_of_every_year(day: date, hour: int, minute: int, zone: str) -> Schedule:
    return read(f"every {day.day} {day:%B} at {hour}:{minute:02}", day, zone)


def the_day_before_another(day: date, hour: int, minute: int, zone: str) -> Schedule:
    after = day + timedelta(days=1)
    return read(f"the day before {after.day} {after:%B} {after.year} at {hour}:{minute:02}", day, zone)


def a_place_of_the_month(day: date, hour: int, minute: int, zone: str) -> Schedule:
    place = ("first", "second", "third", "fourth", "fifth")[(day.day - 1) // 7]
    return read(f"{place} {day:%A} of {day:%B} {day.year} at {hour}:{minute:02}", day, zone)


FORMS: tuple[Form, ...] = (
    days_before_last,
    every_two_weeks,
    moved_on,
    moved_back,
    only_on_it,
    recurrence_rule,
    calendar_event,
    one_of_a_list,
    nth_weekday,
    zone_set_before,
    a_date_in_words,
    a_date_of_every_year,
    the_day_before_another,
    a_place_of_the_month,
)


@pytest.mark.parametrize(("zone", "change"), [each for each in transitions() if each[0] != "Pacific/Apia"])
def test_every_form_holds_through_every_change(zone: str, change: datetime) -> None:
    """On the day of each change, at any time of it, each form is due when the crontab of that date is: once, or after the gap."""
    walk = Walk(zone, change - AROUND, change + AROUND)
    day = change.astimezone(ZoneInfo(zone)).date()
    wrong = {}
    for hour, minute in CLOCKS:
        expected = fixed(f"{minute} {hour} {day.day} {day.month} *", walk)
        for form in FORMS:
            due = list(firings(form(day, hour, minute, zone), walk.start + timedelta(minutes=1), walk.end))
            if due != expected:
                wrong[form.__name__, hour, minute] = (due, expected)
    assert wrong == {}


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "America/Santiago"])
@pytest.mark.parametrize(("shift", "days"), [("next", 1), ("previous", -2)])
@pytest.mark.parametrize("text", ["30 2 * * 0", "0 0 * * 0", "30 2 * * 0; 0 12 1 1 *"])
def test_a_time_that_clocks_left_out_is_moved_as_it_is_written(zone: str, shift: str, days: int, text: str) -> None:
    """A Sunday's run goes to Monday or Friday at the time that the crontab says, also from the Sunday that has no such time."""
    minute, hour = map(int, text.split()[:2])
    schedule = read(text, date(2027, 2, 1), zone, exclude=["weekends"], shift=shift)
    due = firings(schedule, datetime(2027, 2, 2, tzinfo=UTC), datetime(2027, 12, 1, tzinfo=UTC))
    local = [moment.astimezone(ZoneInfo(zone)) for moment in due]
    sundays = [day.date() - timedelta(days=days) for day in local]
    assert {(day.hour, day.minute) for day in local} == {(hour, minute)}
    assert {day.weekday() for day in sundays} == {6}


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Africa/Cairo", "America/Havana"])
def test_the_nearest_weekday_holds_where_clocks_change_on_one(zone: str) -> None:
    """`15W` keeps its time of day over a year; where clocks change on a weekday it is due as the crontab of that date."""
    wrong = []
    for month in range(1, 13):
        schedule = Schedule(kind="cron", text=f"30 0 15W {month} *", timezone=zone)
        (due,) = firings(schedule, datetime(2027, month, 1, tzinfo=UTC), datetime(2027, month, 27, tzinfo=UTC))
        local = due.astimezone(ZoneInfo(zone))
        plain = Schedule(kind="cron", text=f"30 0 {local.day} {month} *", timezone=zone)
        if local.weekday() > 4 or abs(local.day - 15) > 1 or plain.first_from(due) != due:
            wrong.append(due)
    assert wrong == []
