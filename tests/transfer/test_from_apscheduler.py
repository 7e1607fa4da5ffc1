"""Jobs of APScheduler 3, compared with APScheduler itself: the next firings must be the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any

import pytest
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.combining import OrTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger
from dateutil import tz

from agentoolkit.simulation import simulate
from agentoolkit.testing import toolkit
from agentoolkit.transfer import Imported, import_apscheduler

NOW = datetime(2026, 1, 1, 0, 0, 30, tzinfo=UTC)
FIRINGS = 60


def work(*args: object, **kwargs: object) -> None:
    """Be scheduled."""


WORK = "apscheduler.util:asint"


def imported(trigger: Any, function: Any = WORK, **options: Any) -> Imported:
    """Translate a scheduler with one job."""
    scheduler = BackgroundScheduler(timezone="UTC")
    scheduler.add_job(function, trigger, id="job", **{"args": ["1"], **options})
    return import_apscheduler(scheduler)


def theirs(trigger: Any) -> list[datetime]:
    """Ask APScheduler for the next firings."""
    found: list[datetime] = []
    previous, now = None, NOW
    while len(found) < FIRINGS and (due := trigger.get_next_fire_time(previous, now)):
        found.append(due)
        previous, now = due, due + timedelta(microseconds=1)
    return found


CRON: list[dict[str, Any]] = [
    {"hour": 9},
    {"minute": "*/7"},
    {"minute": "5/15", "hour": "8-18/2"},
    {"day_of_week": 0, "hour": 9},
    {"day_of_week": 6, "hour": 9},
    {"day_of_week": "mon-fri", "hour": 9, "minute": 30},
    {"day_of_week": "sat,sun", "hour": 9},
    {"day_of_week": "4-6", "hour": 9},
    {"day_of_week": "*/2", "hour": 9},
    {"day_of_week": "fri-sun,tue", "hour": "1,13"},
    {"day": "1,15", "hour": 0},
    {"day": "*/10"},
    {"day": "last", "hour": 12},
    {"day": "2nd fri", "hour": 12},
    {"day": "last sun", "hour": 12},
    {"day": "1st mon,3rd wed", "hour": 12},
    {"month": "jan-mar,6", "day": 3},
    {"month": "*/5"},
]


@pytest.mark.parametrize("fields", CRON, ids=str)
def test_a_cron_trigger_means_the_same(fields: dict[str, Any]) -> None:
    """The crontab text it becomes fires at the very same times."""
    trigger = CronTrigger(timezone="UTC", **fields)
    result = imported(trigger)
    assert not result.refused
    ours = simulate(result.inputs, NOW, NOW + timedelta(days=3_650), limit=FIRINGS)
    assert [firing.due for firing in ours] == theirs(trigger)[: len(ours)]
    assert len(ours) >= 20


def test_an_interval_trigger_means_the_same() -> None:
    """An interval counts from its start, as it does there."""
    trigger = IntervalTrigger(minutes=90, start_date=NOW + timedelta(minutes=7), end_date=NOW + timedelta(days=2), timezone="UTC")
    ours = simulate(imported(trigger).inputs, NOW, NOW + timedelta(days=30), limit=FIRINGS)
    assert [firing.due for firing in ours] == theirs(trigger)


def test_an_interval_that_began_keeps_its_phase() -> None:
    """A start in the past stays what is counted from."""
    trigger = IntervalTrigger(hours=5, start_date=NOW - timedelta(hours=7), timezone="UTC")
    ours = simulate(imported(trigger).inputs, NOW, NOW + timedelta(days=30), limit=FIRINGS)
    assert [firing.due for firing in ours] == theirs(trigger)


def test_a_date_trigger_means_the_same() -> None:
    """A date is a single run, with its offset."""
    result = imported(DateTrigger("2030-06-01 09:00:00", timezone="Europe/Berlin"))
    assert result.inputs[0]["schedule"] == "2030-06-01T09:00:00+02:00"
    assert result.inputs[0]["timezone"] == "Europe/Berlin"


@pytest.mark.parametrize(
    ("trigger", "reason"),
    [
        (CronTrigger(day=13, day_of_week="fri"), "day and day_of_week are both set"),
        (CronTrigger(day="1st mon", day_of_week="fri"), "both set"),
        (CronTrigger(day="1,2nd fri"), "mixes"),
        (CronTrigger(year=2030), "year 2030"),
        (CronTrigger(week=5), "week 5"),
        (CronTrigger(second="*/10"), "second */10"),
        (IntervalTrigger(seconds=0.5), "whole number"),
        (OrTrigger([CronTrigger(hour=1), CronTrigger(hour=2)]), "OrTrigger"),
    ],
    ids=str,
)
def test_a_trigger_without_an_equal_is_refused(trigger: Any, reason: str) -> None:
    """What a crontab cannot say is refused with the reason, not approximated."""
    result = imported(trigger)
    assert not result.inputs
    assert reason in result.refused[0].reason


UNNAMED = [timezone(timedelta(hours=1)), tz.tzutc(), tz.gettz("Europe/Berlin"), tz.tzoffset(None, 3_600)]


@pytest.mark.parametrize("zone", UNNAMED, ids=str)
def test_a_zone_without_a_name_is_refused_for_times_of_day(zone: tzinfo) -> None:
    """A crontab needs a zone by its name: it is refused here, and not only when the job is scheduled."""
    result = imported(CronTrigger(hour=9, timezone=zone))
    assert (result.inputs, "has no IANA name" in result.refused[0].reason) == ([], True)


@pytest.mark.parametrize("zone", UNNAMED, ids=str)
async def test_an_instant_needs_no_zone(zone: tzinfo) -> None:
    """A date and an interval keep their instants, whatever their zone is called, and can be scheduled."""
    start = datetime(2030, 1, 1, 12, tzinfo=zone)
    for trigger in (DateTrigger(start), IntervalTrigger(hours=5, start_date=start, timezone=zone)):
        (job,) = imported(trigger).inputs
        assert "timezone" not in job
        assert simulate([job], start - timedelta(days=1), start + timedelta(hours=1))[0].due == start


def test_policies_are_carried_over() -> None:
    """Instances, coalescing and grace keep their values; no grace limit becomes the longest one."""
    (job,) = imported(CronTrigger(hour=9), max_instances=3, coalesce=False, misfire_grace_time=None, name="daily").inputs
    assert (job["max_instances"], job["coalesce"], job["description"]) == (3, False, "daily")
    assert job["misfire_grace_time"] > 86_400 * 365


def test_the_call_is_carried_over() -> None:
    """Function and arguments become the input of the function AgenTool."""
    (job,) = imported(CronTrigger(hour=9), args=["1"], kwargs={}).inputs
    assert job["input_data"] == {"operation": "call", "function": WORK, "args": ["1"]}


def test_a_paused_job_is_scheduled_paused() -> None:
    """A job without a next run is paused here too."""
    scheduler = BackgroundScheduler(timezone="UTC")
    scheduler.start(paused=True)
    try:
        scheduler.add_job(WORK, CronTrigger(hour=9), args=["1"], id="job").pause()
        (job,) = import_apscheduler(scheduler).inputs
    finally:
        scheduler.shutdown()
    assert job["paused"] is True


@pytest.mark.parametrize(
    ("function", "options", "reason"),
    [
        (lambda text: None, {}, "not a function at the top of a module"),
        (WORK, {"args": [object()]}, "not JSON"),
        (WORK, {"args": [["!ref:storage_kv:key"]]}, "would be a reference"),
    ],
)
def test_a_call_without_an_equal_is_refused(function: Any, options: dict[str, Any], reason: str) -> None:
    """What cannot be found again by its name, or not be written as JSON, is refused."""
    result = imported(CronTrigger(hour=9), function, **options)
    assert reason in result.refused[0].reason


async def test_what_is_returned_can_be_scheduled() -> None:
    """Each input is one that the scheduler takes."""
    from agentoolkit.settings import Settings

    trigger = CronTrigger(day_of_week="mon-fri", hour=9, jitter=30, timezone="Europe/Berlin")
    (job,) = imported(trigger).inputs
    async with toolkit(settings=Settings(functions=("apscheduler.util",))) as kit:
        answer = await kit.injector.run("scheduler", job)
    assert answer.data["schedule"] == "0 9 * * 1,2,3,4,5"
