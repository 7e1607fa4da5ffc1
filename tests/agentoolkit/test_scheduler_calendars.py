"""Days that a calendar leaves out, as the history tells of them: the engine over a year of moved time."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import holidays
import pytest

YEAR = [date(2030, 1, 1) + timedelta(days=ahead) for ahead in range(365)]
BAVARIA = holidays.country_holidays("DE", subdiv="BY", years=[2030, 2031], language="en_US")


def local_days(calls):
    return [datetime.fromisoformat(call).date() for call in calls]


async def test_business_days_of_a_year(kit, scheduler, probe):
    """It runs on each weekday that is no holiday, and on no other day; each quarter's records say so, day by day."""
    await scheduler.add("0 9 * * 1-5", job_id="job", exclude=["holidays:DE-BY"])
    told: dict[date, dict[str, str]] = {}
    for _ in range(4):
        await kit.advance(days=92)
        for execution in await scheduler.history("job"):
            told[datetime.fromisoformat(execution["scheduled_at"]).date()] = execution
    weekdays = [day for day in YEAR if day.weekday() < 5]
    assert [day for day in local_days(probe.calls) if day.year == 2030] == [day for day in weekdays if day not in BAVARIA]
    left_out = {day: told[day]["reason"] for day in weekdays if day in BAVARIA}
    assert left_out == {day: f"{day} ({BAVARIA[day]}) is left out" for day in weekdays if day in BAVARIA}
    assert {day: told[day]["status"] for day in weekdays} == {day: "skipped" if day in BAVARIA else "success" for day in weekdays}


@pytest.mark.parametrize(("shift", "runs"), [("next", date(2030, 1, 7)), ("previous", date(2030, 1, 4))])
async def test_moved_day_says_where_it_went(kit, scheduler, probe, shift, runs):
    """The first Sunday's run is made on Monday or Friday, once, and the Sunday's record says so."""
    await scheduler.add("0 9 * * 0", job_id="job", exclude=["weekends"], shift=shift)
    await kit.advance(days=14)
    records = {execution["scheduled_at"][:10]: execution for execution in await scheduler.history("job")}
    assert local_days(probe.calls)[0] == runs
    assert records["2030-01-06"]["status"] == "skipped"
    assert records["2030-01-06"]["reason"] == f"2030-01-06 (weekend) is moved to {runs}"


async def test_due_times_of_a_day_share_a_record(kit, scheduler):
    """What was left out of an hourly job on a weekend is a record for each day, which counts 24 due times."""
    await scheduler.add("0 * * * *", job_id="job", exclude=["weekends"])
    await kit.advance(days=6, hours=1)
    skipped = [execution for execution in await scheduler.history("job") if execution["status"] == "skipped"]
    assert [(each["scheduled_at"], each["due_count"]) for each in skipped] == [(f"2030-01-0{day}T23:00:00+00:00", 24) for day in (5, 6)]
    assert [each["reason"] for each in skipped] == ["2030-01-05 (weekend) is left out", "2030-01-06 (weekend) is left out"]


async def test_days_before_the_job_are_not_its_own(kit, scheduler):
    """A job that was made on a Saturday has no record of that morning."""
    await kit.advance(days=4, hours=10)
    await scheduler.add("0 9 * * *", job_id="job", exclude=["weekends"])
    await kit.advance(days=2)
    (skipped,) = [execution for execution in await scheduler.history("job") if execution["status"] == "skipped"]
    assert (skipped["due_count"], skipped["reason"]) == (1, "2030-01-06 (weekend) is left out")


async def test_quiet_hours_leave_no_record(kit, scheduler, probe):
    """A window of the day is no day that is left out, and hides none."""
    await scheduler.add("0 * * * *", job_id="job", exclude=["00:00-09:00", "2030-01-02"])
    await kit.advance(days=2, hours=9)
    reasons = [execution["reason"] for execution in await scheduler.history("job") if execution["status"] == "skipped"]
    assert reasons == ["2030-01-02 (in 'exclude') is left out"]


async def test_delayed_runs_tell_of_days_left_out_too(kit, scheduler):
    """With jitter the record is found all the same, once."""
    await scheduler.add("0 9 * * *", job_id="job", exclude=["2030-01-03"], jitter=600)
    await kit.advance(days=5)
    skipped = [execution["scheduled_at"] for execution in await scheduler.history("job") if execution["status"] == "skipped"]
    assert skipped == ["2030-01-03T09:00:00+00:00"]


# Calendars that end


DAYS = [f"2030-{month:02}-15" for month in range(1, 7)]
"""Six days, the last of them 15 June."""


async def test_end_of_a_calendar_is_said_before_it_comes(kit, scheduler):
    """Sixty days before, and not a month earlier, the job says that its days come to their end."""
    added = await scheduler.add("0 9 * * *", job_id="job", exclude=DAYS)
    reasons = [(await scheduler("get_job", job_id="job"))["info"]["reason"]]
    await kit.advance(days=120)
    listed = await scheduler("list")
    reasons.append(listed["jobs"][0]["reason"])
    note = "the days in 'exclude' end on 2030-06-15: no day is left out after them"
    assert (note in added["remarks"], reasons) == (False, ["", note])


async def test_last_of_the_only_days_is_said_when_it_is_scheduled(scheduler):
    """A job that ends within sixty days says so at once."""
    added = await scheduler.add("0 9 * * *", job_id="job", only=["2030-01-15", "2030-01-16"])
    assert "the days in 'only' end on 2030-01-16: nothing is due after them" in added["remarks"]


async def test_few_days_and_endless_calendars_have_no_end_to_speak_of(scheduler):
    """A day or two that are left out are no calendar; weekends do not end."""
    first = await scheduler.add("0 9 * * *", job_id="a", exclude=["2030-01-15", "2030-01-16"])
    second = await scheduler.add("0 9 * * *", job_id="b", only=["weekends", "2030-01-16"])
    assert not [remark for added in (first, second) for remark in added["remarks"] if "end on" in remark]
