"""When jobs fire, and what becomes of the due times that do not run."""

from __future__ import annotations

from datetime import timedelta

import pytest


async def jump(kit, **length):
    """Let time pass unnoticed, as when the machine slept, then let the scheduler notice."""
    kit.clock.jump(kit.clock.now() + timedelta(**length))
    await kit.advance()


def days(calls):
    return [call[:10] for call in calls]


async def test_cron_of_weekdays_fires_monday_to_friday(kit, scheduler, probe):
    """'0 9 * * 1-5' fires at nine from Monday to Friday: 5 and 6 January 2030 are a weekend."""
    await scheduler.add("0 9 * * 1-5", schedule_type="cron")
    await kit.advance(days=7)
    assert probe.calls == [f"2030-01-0{day}T09:00:00+00:00" for day in (1, 2, 3, 4, 7)]


@pytest.mark.parametrize("sunday", ["0", "7", "SUN"])
async def test_sunday_has_three_names(kit, scheduler, probe, sunday):
    """0, 7 and SUN in the last field of a cron expression all mean Sunday."""
    await scheduler.add(f"0 0 * * {sunday}")
    await kit.advance(days=14)
    assert days(probe.calls) == ["2030-01-06", "2030-01-13"]


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("*/15 * * * *", ["00:15", "00:30", "00:45", "01:00"]),
        ("30 seconds", None),
        ("5 minutes", [f"00:{minute:02}" for minute in range(5, 60, 5)] + ["01:00"]),
        ("1 hour", ["01:00"]),
    ],
)
async def test_documented_schedules_fire_within_an_hour(kit, scheduler, probe, schedule, expected):
    """Each documented schedule fires as its comment says; an interval for the first time one step from now."""
    await scheduler.add(schedule)
    await kit.advance(seconds=1)
    probe.calls.clear()
    await kit.advance(seconds=3600 - 1)
    if expected is None:
        assert len(probe.calls) == 120
    else:
        assert [call[11:16] for call in probe.calls] == expected


@pytest.mark.parametrize(
    ("schedule", "first", "second"),
    [
        ("0 0 1 * *", "2030-02-01T00:00:00+00:00", "2030-03-01T00:00:00+00:00"),
        ("2 days", "2030-01-03T00:00:00+00:00", "2030-01-05T00:00:00+00:00"),
        ("1 week", "2030-01-08T00:00:00+00:00", "2030-01-15T00:00:00+00:00"),
    ],
)
async def test_documented_long_schedules_fire(kit, scheduler, probe, schedule, first, second):
    """A monthly cron expression, and intervals of days and weeks, fire as documented."""
    await scheduler.add(schedule)
    await kit.advance(seconds=1)
    probe.calls.clear()
    await kit.advance(days=60)
    assert probe.calls[:2] == [first, second]


async def test_now_fires_at_once_and_is_then_done(kit, scheduler, probe):
    """A job scheduled once for 'now' runs at once, and is not listed any more."""
    await scheduler.add("now", job_id="urgent", schedule_type="once")
    await kit.advance()
    assert (await scheduler.statuses("urgent"), (await scheduler("list"))["jobs"]) == (["success"], [])


async def test_due_time_beyond_max_instances_is_skipped(kit, scheduler, probe):
    """A job due while its handler still runs leaves a record 'skipped' that says why, and its handler runs once."""
    probe.blocks()
    await scheduler.add("1 minute", job_id="slow")
    await kit.advance(minutes=2)
    assert await scheduler.statuses("slow") == ["running", "skipped"]
    assert "max_instances" in (await scheduler.history("slow"))[1]["reason"]
    assert probe.most_running == 1


async def test_max_instances_lets_as_many_run(kit, scheduler, probe):
    """With max_instances 2 two executions of a job run at once, and the third due time is skipped."""
    probe.blocks()
    await scheduler.add("1 minute", job_id="slow", max_instances=2)
    await kit.advance(minutes=3)
    assert await scheduler.statuses("slow") == ["running", "running", "skipped"]


async def test_skipped_job_runs_again_when_there_is_room(kit, scheduler, probe):
    """After a skipped due time the job's next due time runs."""
    probe.blocks()
    await scheduler.add("1 minute", job_id="slow")
    await kit.advance(minutes=2)
    probe.may_end.set()
    await kit.advance(minutes=1)
    assert await scheduler.statuses("slow") == ["success", "skipped", "success"]


async def test_due_time_noticed_too_late_is_missed(kit, scheduler, probe):
    """A due time noticed after its grace leaves a record 'missed', and its handler does not run."""
    await scheduler.add("2030-01-01T01:00:00", job_id="alarm", misfire_grace_time=60)
    await jump(kit, hours=1, seconds=61)
    (record,) = await scheduler.history("alarm")
    assert (record["status"], record["success"], record["due_count"], probe.calls) == ("missed", False, 1, [])
    assert "more than 60 s late" in record["reason"]


async def test_due_time_noticed_within_its_grace_runs(kit, scheduler, probe):
    """A due time noticed exactly at the end of its grace still runs, and its record keeps the due time."""
    await scheduler.add("2030-01-01T01:00:00", job_id="alarm", misfire_grace_time=60)
    await jump(kit, hours=1, seconds=60)
    (record,) = await scheduler.history("alarm")
    assert (record["status"], record["scheduled_at"]) == ("success", "2030-01-01T01:00:00+00:00")


async def test_grace_is_thirty_seconds_by_default(kit, scheduler, probe):
    """Without misfire_grace_time a due time may start up to 30 seconds late, and not 31."""
    for name, late in (("in_time", 30), ("late", 31)):
        await scheduler.add(f"{3600 - late} seconds", job_id=name)
    await jump(kit, seconds=3600)
    assert (await scheduler.statuses("in_time"), await scheduler.statuses("late")) == (["success"], ["missed"])


async def test_several_missed_due_times_share_one_counted_record(kit, scheduler, probe):
    """Due times missed together leave one record, which counts them and names the first and the last."""
    await scheduler.add("1 minute", job_id="often", misfire_grace_time=1)
    await jump(kit, minutes=10, seconds=30)
    (record,) = await scheduler.history("often")
    assert (record["status"], record["due_count"]) == ("missed", 10)
    assert "2030-01-01T00:01:00+00:00 to 2030-01-01T00:10:00+00:00" in record["reason"]


async def test_coalesce_runs_only_the_latest(kit, scheduler, probe):
    """With coalesce, of three due times found at once the latest runs, and one record counts the other two."""
    await scheduler.add("10 seconds", job_id="often", misfire_grace_time=60)
    await jump(kit, seconds=35)
    records = await scheduler.history("often")
    assert [(record["status"], record["due_count"], record["scheduled_at"][17:19]) for record in records] == [
        ("missed", 2, "20"),
        ("success", 1, "30"),
    ]


async def test_without_coalesce_each_due_time_runs(kit, scheduler, probe):
    """Without coalesce each due time within its grace runs, the others waiting for their turn."""
    await scheduler.add("10 seconds", job_id="often", misfire_grace_time=60, coalesce=False, max_instances=2)
    await jump(kit, seconds=35)
    assert await scheduler.statuses("often") == ["success", "success", "success"]


async def test_history_holds_the_last_hundred(kit, scheduler, probe):
    """Of 103 executions of a job the history holds exactly the last hundred."""
    await scheduler.add("1 minute", job_id="often")
    await kit.advance(minutes=103)
    records = await scheduler.history("often")
    assert len(records) == 100
    assert records[0]["scheduled_at"] == "2030-01-01T00:04:00+00:00"


async def test_history_can_be_limited(kit, scheduler, probe):
    """A limit gives so many of the newest records."""
    await scheduler.add("1 minute", job_id="often")
    await kit.advance(minutes=5)
    history = (await scheduler("get_history", job_id="often", limit=2))["history"]
    assert [record["scheduled_at"][14:16] for record in history] == ["05", "04"]


async def test_only_runs_that_will_happen_are_announced(kit, scheduler, probe):
    """With max_runs the answer names so many next runs, less those that have been, and its words name the limit."""
    added = await scheduler.add("1 hour", job_id="twice", max_runs=2)
    await kit.advance(hours=1.5)
    changed = await scheduler("update", job_id="twice", description="other")
    assert added["next_runs"] == ["2030-01-01T01:00:00+00:00", "2030-01-01T02:00:00+00:00"]
    assert changed["next_runs"] == ["2030-01-01T02:00:00+00:00"]
    assert added["words"] == changed["words"] == "every hour, at most 2 runs"


async def test_max_runs_ends_a_job(kit, scheduler, probe):
    """A job with max_runs runs so often, and is then done."""
    await scheduler.add("1 minute", job_id="twice", max_runs=2)
    await kit.advance(minutes=5)
    job = await scheduler("get_job", job_id="twice")
    assert (len(probe.calls), job["next_run"], job["info"]["state"]) == (2, None, "done")


async def test_skipped_due_times_do_not_count_as_runs(kit, scheduler, probe):
    """A due time that was skipped uses up none of a job's max_runs."""
    probe.blocks()
    await scheduler.add("1 minute", job_id="twice", max_runs=2)
    await kit.advance(minutes=2)
    probe.may_end.set()
    await kit.advance(minutes=5)
    assert await scheduler.statuses("twice") == ["success", "skipped", "success"]


async def test_end_at_is_the_last_due_time(kit, scheduler, probe):
    """No due time lies after end_at, and one at it runs."""
    await scheduler.add("1 minute", end_at="2030-01-01T00:03:00")
    await kit.advance(minutes=9)
    assert len(probe.calls) == 3


async def test_timezone_of_a_job_decides_its_hours(kit, scheduler, probe):
    """A cron expression is read in the job's zone: nine in Berlin is eight UTC in January."""
    added = await scheduler.add("0 9 * * *", timezone="Europe/Berlin")
    await kit.advance(hours=9)
    assert added["next_run"] == "2030-01-01T09:00:00+01:00"
    assert probe.calls == ["2030-01-01T08:00:00+00:00"]


async def test_jobs_that_say_nothing_of_their_policies_share_them(kit, scheduler):
    """However many jobs are as usual, one object holds how these are carried out."""
    for name in ("one", "other"):
        await scheduler.add("1 hour", job_id=name)
    one, other = [stored.job for stored in await kit.scheduler.store.jobs()]
    assert one.policies is other.policies
