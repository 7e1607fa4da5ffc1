"""Changing a job: what is not named stays, what is impossible is refused, and no run is lost or repeated by it."""

from __future__ import annotations

import re

import pytest

from agentoolkit.system.scheduler import InvalidJob, InvalidSchedule, JobExists, JobNotFound, SchedulerError
from agentoolkit.system.scheduler.job_fields import CLEARABLE


async def test_update_keeps_what_is_not_named(scheduler):
    """update changes the named fields, and every other one stays, the due time included."""
    added = await scheduler.add("1 hour", job_id="report", max_instances=3, coalesce=False, tags=["a"], timeout=9, jitter=2)
    updated = await scheduler("update", job_id="report", description="new")
    info = (await scheduler("get_job", job_id="report"))["info"]
    kept = {"max_instances": 3, "coalesce": False, "tags": ["a"], "timeout": 9, "jitter": 2, "description": "new", "schedule": "1 hour"}
    assert kept.items() <= info.items()
    assert updated["next_run"] == added["next_run"]


async def test_update_of_the_schedule_moves_the_next_run(kit, scheduler, probe):
    """A new schedule, of whatever type, counts from now on."""
    await scheduler.add("1 hour", job_id="report")
    updated = await scheduler("update", job_id="report", schedule="0 6 * * *")
    await kit.advance(hours=6)
    assert (updated["schedule_type"], probe.calls) == ("cron", ["2030-01-01T06:00:00+00:00"])


@pytest.mark.parametrize("changes", [{"tags": ["a"]}, {"description": ""}, {"timezone": "UTC"}, {"paused": False}, {"max_runs": 9}])
async def test_update_that_changes_nothing_is_no_change(scheduler, changes):
    """update with what is so already says so and leaves the version, so that nobody else's change is refused for it."""
    added = await scheduler.add("1 hour", job_id="report", tags=["a"], max_runs=9)
    answer = await scheduler.output("update", job_id="report", **changes)
    assert answer.message.startswith("Nothing to change: 'report': every hour")
    assert (answer.data["changed"], answer.data["version"]) == (False, added["version"])
    await scheduler("update", job_id="report", description="theirs", version=added["version"])


GATE = {"agentool_name": "storage_kv", "input_data": {"operation": "exists", "key": "ready"}}
TAKEN_BACK = {
    "start_at": "2030-02-01",
    "end_at": "2030-03-01",
    "jitter": 5,
    "exclude": ["weekends"],
    "only": ["2030-02-01/2030-02-20"],
    "shift": "next",
    "result_queue": "r",
    "error_queue": "e",
    "max_runs": 3,
    "timeout": 5,
    "max_retries": 2,
    "retry_backoff": 5,
    "retry_on": ["ValueError"],
    "overlap": "queue_one",
    "catch_up": "all",
    "catch_up_window": 60,
    "on_interrupt": "fail",
    "concurrency_key": "db",
    "pause_after_failures": 2,
    "priority": "high",
    "gate": GATE,
    "executor": "local",
    "description": "it",
    "tags": ["a"],
    "max_instances": 3,
    "misfire_grace_time": 9,
    "coalesce": False,
    "timezone": "Asia/Tokyo",
}


async def test_update_takes_back_what_a_job_need_not_have(scheduler):
    """All of it at once, and the job is as one that was never given any; what is not named stays."""
    plain = await scheduler.add("every day at 9", job_id="plain")
    await scheduler.add("every day at 9", job_id="report", **TAKEN_BACK)
    told = await scheduler("update", job_id="report", clear=[*TAKEN_BACK])
    report, never = [(await scheduler("get_job", job_id=name))["info"] for name in ("report", "plain")]
    assert {name: report[name] for name in TAKEN_BACK} == {name: never[name] for name in TAKEN_BACK}
    assert (told["changed"], told["next_run"]) == (True, plain["next_run"])


def test_every_field_that_a_job_need_not_have_can_be_taken_back():
    """The list comes from the fields, of which the test before names all; a queue of workers needs workers."""
    assert {*CLEARABLE} == {*TAKEN_BACK, "queue"}


async def test_update_takes_one_end_back_and_keeps_the_other(scheduler):
    """As for a daily report that was to end on Friday: it goes on, and still begins when it was to."""
    await scheduler.add("every day at 9 until 2030-01-05", job_id="report", start_at="2030-01-03")
    await scheduler("update", job_id="report", schedule="every day at 10", clear=["end_at"])
    info = (await scheduler("get_job", job_id="report"))["info"]
    assert (info["end_at"], info["start_at"][:10]) == (None, "2030-01-03")


@pytest.mark.parametrize(
    ("clear", "fields", "said"),
    [(["end_t"], {}, "Did you mean 'end_at'?"), (["schedule"], {}, "Known:"), (["timeout"], {"timeout": 5}, "not both")],
)
async def test_update_refuses_to_take_back_what_it_cannot(scheduler, clear, fields, said):
    """A field that is none, one that every job has, or one that has a new value in the same call."""
    await scheduler.add("1 hour", job_id="report")
    with pytest.raises(InvalidJob, match=re.escape(said)) as refused:
        await scheduler("update", job_id="report", clear=clear, **fields)
    assert refused.value.field.startswith("clear")


async def test_update_with_null_says_how_a_field_is_taken_back(scheduler):
    """null says nothing: who meant to take something back is told how."""
    await scheduler.add("1 hour", job_id="report", end_at="2030-02-01")
    answer = await scheduler.output("update", job_id="report", end_at=None)
    assert answer.message.startswith("Nothing to change (null leaves a field as it is; 'clear' takes it back): 'report'")


async def test_update_that_changes_something_says_so(scheduler):
    """update tells that the job is different now."""
    await scheduler.add("1 hour", job_id="report")
    assert (await scheduler("update", job_id="report", description="new"))["changed"]


async def test_update_of_the_zone_moves_the_next_run(scheduler):
    """A new zone moves the due time of a cron schedule: six in Tokyo is nine in the evening before, UTC."""
    await scheduler.add("0 6 * * *", job_id="report")
    updated = await scheduler("update", job_id="report", timezone="Asia/Tokyo")
    assert updated["next_run"] == "2030-01-02T06:00:00+09:00"


async def test_update_of_jitter_keeps_an_intervals_grid(kit, scheduler):
    """An interval that gets another jitter still counts from when it was scheduled."""
    await scheduler.add("1 hour", job_id="report", jitter=60)
    await kit.advance(minutes=50)
    updated = await scheduler("update", job_id="report", jitter=0)
    assert updated["next_run"] == "2030-01-01T01:00:00+00:00"


@pytest.mark.parametrize(("max_runs", "state", "runs"), [(1, "done", 2), (2, "done", 2), (3, "done", 3), (9, "active", 5)])
async def test_update_of_max_runs_counts_the_runs_there_were(kit, scheduler, max_runs, state, runs):
    """A new max_runs counts from the job's beginning: after two runs, 1 and 2 end it, 3 leaves one more."""
    await scheduler.add("1 hour", job_id="report")
    await kit.advance(hours=2)
    await scheduler("update", job_id="report", max_runs=max_runs)
    await kit.advance(hours=3)
    info = (await scheduler("get_job", job_id="report"))["info"]
    assert (info["state"], info["runs"]) == (state, runs)


async def test_update_of_max_runs_revives_a_finished_job(kit, scheduler, probe):
    """A job that had all its runs goes on when it is given more."""
    await scheduler.add("1 hour", job_id="report", max_runs=1)
    await kit.advance(hours=2.5)
    await scheduler("update", job_id="report", max_runs=2)
    await kit.advance(hours=5)
    assert probe.calls == ["2030-01-01T01:00:00+00:00", "2030-01-01T03:00:00+00:00"]


async def test_change_at_the_moment_of_a_run_makes_no_second(kit, scheduler, probe):
    """A job that is paused and resumed, or changed, at the very instant of its due time does not run for it twice."""
    await scheduler.add("1 hour", job_id="report")
    await kit.advance(hours=1)
    await scheduler("pause", job_id="report")
    resumed = await scheduler("resume", job_id="report")
    updated = await scheduler("update", job_id="report", timezone="Europe/Berlin")
    await kit.advance()
    assert (resumed["next_run"], updated["next_run"]) == ("2030-01-01T02:00:00+00:00", "2030-01-01T03:00:00+01:00")
    assert len(probe.calls) == 1


async def test_update_can_pause_and_resume(kit, scheduler, probe):
    """`paused` can be changed like any field."""
    await scheduler.add("1 hour", job_id="report")
    await scheduler("update", job_id="report", paused=True)
    await kit.advance(hours=2.5)
    await scheduler("update", job_id="report", paused=False)
    await kit.advance(hours=1)
    assert probe.calls == ["2030-01-01T03:00:00+00:00"]


async def test_update_of_bounds_moves_the_next_run(scheduler):
    """A start in the future moves the due time behind it."""
    await scheduler.add("0 6 * * *", job_id="report")
    updated = await scheduler("update", job_id="report", start_at="2030-03-01T00:00:00")
    assert updated["next_run"] == "2030-03-01T06:00:00+00:00"


async def test_update_with_an_old_version_is_refused(scheduler):
    """update with the version that was read refuses to overwrite a change made since."""
    version = (await scheduler.add("1 hour", job_id="report"))["version"]
    await scheduler("update", job_id="report", description="theirs", version=version)
    with pytest.raises(SchedulerError, match="changed meanwhile") as refused:
        await scheduler("update", job_id="report", description="ours", version=version)
    assert (refused.value.field, refused.value.value) == ("version", version)
    assert (await scheduler("get_job", job_id="report"))["info"]["description"] == "theirs"


async def test_update_to_another_jobs_name_is_refused(scheduler):
    """A job cannot be given the name or id of another."""
    await scheduler.add("1 hour", job_id="j1", job_name="first")
    await scheduler.add("1 hour", job_id="j2", job_name="second")
    for taken in ("first", "j1"):
        with pytest.raises(JobExists):
            await scheduler("update", job_id="j2", job_name=taken)
    assert (await scheduler("get_job", job_id="first"))["job_id"] == "j1"


async def test_update_can_rename(scheduler):
    """A renamed job is found by its new name and no longer by the old."""
    await scheduler.add("1 hour", job_id="j1", job_name="first")
    await scheduler("update", job_id="first", job_name="better")
    assert (await scheduler("get_job", job_id="better"))["job_id"] == "j1"
    with pytest.raises(JobNotFound):
        await scheduler("get_job", job_id="first")


async def test_refused_update_changes_nothing(scheduler):
    """An update that cannot be is refused as a whole."""
    await scheduler.add("1 hour", job_id="report")
    before = await scheduler("get_job", job_id="report")
    with pytest.raises(ValueError, match="number"):
        await scheduler("update", job_id="report", description="new", input_data={"operation": "run", "number": "many"})
    assert await scheduler("get_job", job_id="report") == before


async def test_update_revives_a_finished_job(kit, scheduler, probe):
    """A new schedule makes a job that is done fire again."""
    await scheduler.add("now", job_id="report")
    await kit.advance()
    await scheduler("update", job_id="report", schedule="in 1 hour")
    await kit.advance(hours=1)
    assert len(probe.calls) == 2


async def test_finished_job_can_be_described(kit, scheduler):
    """A job that is done can have its description changed, and stays done."""
    await scheduler.add("now", job_id="report")
    await kit.advance(hours=1)
    await scheduler("update", job_id="report", description="was once")
    info = (await scheduler("get_job", job_id="report"))["info"]
    assert (info["description"], info["state"]) == ("was once", "done")


async def test_update_leaves_a_paused_job_paused(kit, scheduler, probe):
    """A paused job that is changed does not fire before it is resumed."""
    await scheduler.add("1 hour", job_id="report")
    await scheduler("pause", job_id="report")
    await scheduler("update", job_id="report", schedule="1 minute")
    await kit.advance(hours=2)
    assert probe.calls == []


@pytest.mark.parametrize("operation", ["update", "pause"])
async def test_change_that_a_firing_came_between_is_repeated(kit, scheduler, monkeypatch, operation):
    """A change is made also when the job fired between being read and written."""
    await scheduler.add("1 hour", job_id="report")
    replace, refusals = kit.scheduler.store.replace, [1, 2, 3]

    async def refuses(*args):
        return False if refusals and refusals.pop() else await replace(*args)

    monkeypatch.setattr(kit.scheduler.store, "replace", refuses)
    changed = await scheduler(operation, job_id="report", **({"description": "new"} if operation == "update" else {}))
    info = (await scheduler("get_job", job_id="report"))["info"]
    assert (changed["job_id"], info["version"]) == ("report", 2)


@pytest.mark.parametrize("operation", ["update", "pause", "resume"])
async def test_change_that_cannot_be_written_is_refused(kit, scheduler, monkeypatch, operation):
    """If somebody else changes the job again and again, the change is refused and says what to do."""
    await scheduler.add("1 hour", job_id="report", paused=operation == "resume")

    async def refuses(*args):
        return False

    monkeypatch.setattr(kit.scheduler.store, "replace", refuses)
    with pytest.raises(SchedulerError, match="changed meanwhile"):
        await scheduler(operation, job_id="report", **({"description": "new"} if operation == "update" else {}))


# Dry runs


async def test_dry_run_schedules_nothing(kit, scheduler):
    """schedule with dry_run answers as schedule does, bounds included, and leaves no job."""
    answer = await scheduler.add("1 hour", job_name="report", start_at="2030-01-02T00:00:00", max_runs=2, dry_run=True)
    assert answer["next_runs"] == ["2030-01-02T00:00:00+00:00", "2030-01-02T01:00:00+00:00"]
    assert (await scheduler("list"))["count"] == 0


@pytest.mark.parametrize("schedule", ["30 minutes", "in 2 hours"])
@pytest.mark.parametrize("before", ["1 hour", "in 1 hour"])
async def test_dry_run_of_a_replacement_changes_nothing(scheduler, before, schedule):
    """schedule with replace and dry_run says that the job would be another, and leaves it as it is."""
    await scheduler.add(before, job_name="report")
    there = await scheduler("get_job", job_id="report")
    assert (await scheduler.add(schedule, job_name="report", replace=True, dry_run=True))["changed"]
    assert await scheduler("get_job", job_id="report") == there


async def test_dry_run_refuses_what_schedule_refuses(scheduler):
    """A dry run finds what is wrong: the target, its input, a name that is taken."""
    await scheduler.add("1 hour", job_name="report")
    for wrong in ({"agentool_name": "nobody"}, {"input_data": {"operation": "fly"}}, {"job_name": "report", "schedule": "2 hours"}):
        with pytest.raises(SchedulerError):
            await scheduler.add(**{"schedule": "1 hour", "job_name": "other", **wrong}, dry_run=True)


async def test_dry_run_may_assume_a_job_to_come(scheduler):
    """A dry run refuses a job after one that is not there, as a real call does, unless that one is assumed to be there by then."""
    with pytest.raises(InvalidSchedule, match="'extract'"):
        await scheduler.add("after extract", dry_run=True)
    answer = await scheduler.add("after extract", dry_run=True, assume_jobs=["extract"])
    assert answer["words"] == "after job 'extract' succeeded"


async def test_dry_run_refuses_a_circle(scheduler):
    """A dry run tells that a job would come after itself, as a real call does."""
    await scheduler.add("1 hour", job_id="extract")
    await scheduler.add("after extract", job_id="load")
    for dry_run in (True, False):
        with pytest.raises(InvalidSchedule, match="'extract' after 'load', 'load' after 'extract'"):
            await scheduler.add("after load", job_id="extract", replace=True, dry_run=dry_run)


# Replacing


async def test_replace_makes_a_job_where_there_is_none(scheduler):
    """schedule with replace makes a new job like schedule without."""
    assert (await scheduler.add("1 hour", job_name="report", replace=True))["created"]


async def test_replace_changes_what_differs(kit, scheduler, probe):
    """schedule with replace makes a different job of that name into the one asked for, and keeps its id and history."""
    await scheduler.add("1 hour", job_name="report", tags=["old"])
    await kit.advance(hours=1)
    answer = await scheduler.add("30 minutes", job_name="report", replace=True)
    await kit.advance(minutes=30)
    job = await scheduler("get_job", job_id="report")
    assert (answer["created"], answer["changed"], job["info"]["schedule"], job["info"]["tags"]) == (False, True, "30 minutes", [])
    assert await scheduler.statuses("report") == ["success", "success"]


async def test_replace_leaves_the_very_same_alone(kit, scheduler):
    """schedule with replace of the very same job changes nothing, not even its next due time."""
    first = await scheduler.add("1 hour", job_name="report")
    await kit.advance(minutes=10)
    second = await scheduler.add("1 hour", job_name="report", replace=True)
    assert (second["created"], second["changed"], second["next_run"], second["version"]) == (False, False, first["next_run"], 1)


async def test_replace_of_a_single_time_counts_from_now(kit, scheduler, probe):
    """A single time that is replaced by another one, said in words, counts from now."""
    await scheduler.add("in 1 hour", job_name="report")
    await kit.advance(minutes=30)
    answer = await scheduler.add("in 2 hours", job_name="report", replace=True)
    await kit.advance(hours=3)
    assert (answer["changed"], probe.calls) == (True, ["2030-01-01T02:30:00+00:00"])


async def test_refused_replacement_leaves_the_job(scheduler):
    """A replacement that cannot be is refused, and the job stays as it is."""
    await scheduler.add("in 1 hour", job_name="report")
    before = await scheduler("get_job", job_id="report")
    with pytest.raises(ValueError, match="schedule"):
        await scheduler.add("-5 seconds", job_name="report", replace=True)
    assert await scheduler("get_job", job_id="report") == before


# What says what is so already


@pytest.mark.parametrize(
    ("schedule", "same"),
    [
        ("3 days", "3 days"),
        ("3 days", "every 3 days"),
        ("3 days", "72 hours"),
        ("0 9 * * 1-5", "every weekday at 9am"),
        ("2 hours", "120 minutes"),
    ],
)
async def test_schedule_that_says_the_same_is_no_change(kit, scheduler, schedule, same):
    """An interval that is told once more goes on counting, and its version stays, however it is written."""
    added = await scheduler.add(schedule, job_id="report")
    await kit.advance(hours=1)
    answer = await scheduler("update", job_id="report", schedule=same)
    assert (answer["changed"], answer["version"], answer["next_run"]) == (False, added["version"], added["next_run"])


async def test_interval_that_is_told_once_a_day_runs(kit, scheduler, probe):
    """A job every three days runs, though somebody updates it to every three days each day."""
    await scheduler.add("3 days", job_id="report")
    for _ in range(7):
        await kit.advance(days=1)
        await scheduler("update", job_id="report", schedule="3 days")
    assert len(probe.calls) == 2


async def test_start_that_is_told_once_more_is_no_change(kit, scheduler):
    """A start_at that is so already moves nothing."""
    added = await scheduler.add("3 hours", job_id="report", start_at="2030-01-01T05:00:00")
    await kit.advance(hours=1)
    answer = await scheduler("update", job_id="report", start_at="2030-01-01T05:00:00")
    assert (answer["changed"], answer["next_run"]) == (False, added["next_run"])


EVERY_FIELD = {
    "job_name": "Report",
    "schedule": "3 hours",
    "schedule_type": "interval",
    "timezone": "Asia/Tokyo",
    "start_at": "2030-01-02T00:00:00",
    "end_at": "2031-01-01T00:00:00",
    "jitter": 5,
    "exclude": ["2030-02-01"],
    "agentool_name": "probe",
    "input_data": {"operation": "run", "number": 3},
    "max_instances": 2,
    "misfire_grace_time": 60,
    "coalesce": False,
    "max_runs": 9,
    "timeout": 7,
    "max_retries": 2,
    "retry_backoff": True,
    "retry_on": ["OSError"],
    "overlap": "queue_one",
    "catch_up": "latest",
    "catch_up_window": 600,
    "on_interrupt": "fail",
    "concurrency_key": "one",
    "priority": "high",
    "gate": {"agentool_name": "probe", "input_data": {"operation": "run"}},
    "result_queue": "results",
    "error_queue": "errors",
    "description": "What it is for",
    "tags": ["a", "b"],
}


@pytest.mark.parametrize("field", EVERY_FIELD)
async def test_field_that_is_so_already_is_no_change(kit, scheduler, field):
    """Each field alone, told as it is, changes nothing: neither version nor due time."""
    added = await scheduler.add(**EVERY_FIELD, job_id="report")
    await kit.advance(minutes=1)
    answer = await scheduler("update", job_id="report", **{field: EVERY_FIELD[field]})
    assert (answer["changed"], answer["version"], answer["next_run"]) == (False, added["version"], added["next_run"])


async def test_replacement_that_says_the_same_is_no_change(kit, scheduler):
    """With replace, a job with every field told as it is changes nothing."""
    added = await scheduler.add(**EVERY_FIELD, job_id="report")
    await kit.advance(minutes=1)
    answer = await scheduler.add(**EVERY_FIELD, job_id="report", replace=True)
    assert (answer["created"], answer["changed"], answer["version"]) == (False, False, added["version"])


async def test_replacement_by_words_that_count_from_now_is_one_change(kit, scheduler):
    """A job replaced by 'in 3 days' is that job the next day as well, when the same text is told."""
    await scheduler.add("1 hour", job_name="report")
    await kit.advance(days=1)
    first = await scheduler.add("in 3 days", job_name="report", replace=True)
    await kit.advance(days=1)
    again = await scheduler.add("in 3 days", job_name="report", replace=True)
    assert (first["changed"], again["changed"], again["version"]) == (True, False, first["version"])


@pytest.mark.parametrize(("before", "after"), [(1, True), (0, False), (1, 1.0), ([1], [True])])
async def test_input_of_another_type_is_a_change(scheduler, before, after):
    """1 and true are equal in Python and different in JSON: an input with the other one is another input."""
    await scheduler.add("1 hour", job_id="report", input_data={"operation": "run", "data": {"flag": before}})
    changed = {"operation": "run", "data": {"flag": after}}
    assert (await scheduler("update", job_id="report", input_data=changed))["changed"]
    kept = (await scheduler("get_job", job_id="report"))["info"]["input_data"]["data"]["flag"]
    assert (kept, type(kept)) == (after, type(after))


async def test_input_of_another_type_is_another_job(scheduler):
    """The very same job but for true in the place of 1 is a different one."""
    await scheduler.add("1 hour", job_id="report", input_data={"operation": "run", "data": {"flag": 1}})
    with pytest.raises(JobExists):
        await scheduler.add("1 hour", job_id="report", input_data={"operation": "run", "data": {"flag": True}})


# Pauses


async def test_new_schedule_keeps_a_pause(kit, scheduler):
    """A paused job that gets another schedule stays paused, with the reason and the end of its pause."""
    await scheduler.add("1 hour", job_id="report")
    await scheduler("pause", job_id="report", reason="holidays", until="2030-01-05T00:00:00")
    await scheduler("update", job_id="report", schedule="2 hours")
    info = (await scheduler("get_job", job_id="report"))["info"]
    assert (info["state"], info["reason"], info["paused_until"]) == ("paused", "holidays", "2030-01-05T00:00:00+00:00")


@pytest.mark.parametrize("way", ["update", "resume"])
async def test_nothing_of_a_pause_outlives_it(scheduler, way):
    """A job that goes on has neither the reason nor the end of a pause, by whichever operation it goes on."""
    await scheduler.add("1 hour", job_id="report")
    await scheduler("pause", job_id="report", reason="holidays", until="2030-01-05T00:00:00")
    await scheduler(way, job_id="report", **({"paused": False} if way == "update" else {}))
    info = (await scheduler("get_job", job_id="report"))["info"]
    assert (info["state"], info["reason"], info["paused_until"]) == ("active", "", None)


# Replacements


async def test_replacement_finds_the_job_by_its_name(scheduler):
    """replace changes the job of this name, though its id was not made from it."""
    await scheduler.add("1 hour", job_id="r-17", job_name="Monthly report")
    answer = await scheduler.add("2 hours", job_name="Monthly report", replace=True)
    assert (answer["job_id"], answer["changed"], answer["schedule"]) == ("r-17", True, "2 hours")


async def test_same_job_by_its_name_is_the_one_that_is_there(scheduler):
    """The very same job by its name alone is the one that is there, though its id was not made from the name."""
    await scheduler.add("1 hour", job_id="r-17", job_name="Monthly report")
    answer = await scheduler.add("1 hour", job_name="Monthly report")
    assert (answer["job_id"], answer["created"]) == ("r-17", False)


@pytest.mark.parametrize("wrong", [{"job_name": "taken"}, {"schedule": "after load"}])
async def test_refused_replacement_loses_nothing(scheduler, wrong):
    """A single run that is to become what cannot be stays as it was."""
    await scheduler.add("1 hour", job_id="other", job_name="taken")
    added = await scheduler.add("2031-01-01T00:00:00", job_id="report")
    await scheduler.add("after report", job_id="load")
    with pytest.raises(SchedulerError):
        await scheduler.add(**{"schedule": "2032-01-01T00:00:00", "job_id": "report", **wrong}, replace=True)
    assert (await scheduler("get_job", job_id="report"))["next_run"] == added["next_run"]


@pytest.mark.parametrize("schedule", ["1 hour", "0 9 * * *", "2031-01-01T00:00:00"])
@pytest.mark.parametrize("taken", ["1 hour", "0 8 * * *", "2032-01-01T00:00:00"])
async def test_name_that_is_taken_is_refused_as_such(scheduler, taken, schedule):
    """A name that another job has is refused by `JobExists`, whatever kinds their schedules are."""
    await scheduler.add(taken, job_id="one", job_name="report")
    with pytest.raises(JobExists):
        await scheduler.add(schedule, job_id="two", job_name="report")


async def test_resume_of_another_version_is_refused(scheduler):
    """Whoever lets a job fire again as it has read it does not let it fire as somebody else has changed it meanwhile."""
    await scheduler.add("1 hour", job_id="job")
    await scheduler("pause", job_id="job")
    read = (await scheduler("get_job", job_id="job"))["info"]["version"]
    await scheduler("update", job_id="job", description="another")
    with pytest.raises(SchedulerError, match=f"no longer version {read}"):
        await scheduler("resume", job_id="job", version=read)
    assert (await scheduler("get_job", job_id="job"))["info"]["state"] == "paused"
    assert (await scheduler("resume", job_id="job", version=read + 1))["state"] == "active"


@pytest.mark.parametrize(
    ("was", "becomes", "due"),
    [
        ("every other friday at 9", "every other friday at 10", 18),
        ("every other friday at 9", "0 10 * * fri every 2 weeks", 18),
        ("every 3 weeks on tuesday and friday at 9", "every 3 weeks on friday and tuesday at 10", 22),
        ("every other friday at 9:00 and 17:30", "every other friday at 10:00 and 17:30", 18),
    ],
)
@pytest.mark.parametrize("operation", ["update", "schedule"])
async def test_another_time_of_day_keeps_the_weeks_that_are_counted(kit, scheduler, operation, was, becomes, due):
    """What runs every so many weeks, and ran this week, does not run next week as well; in an update or a task file."""
    call = {"agentool_name": "probe", "input_data": {"operation": "run"}}
    await scheduler.add(was, job_id="pay", **call)
    await kit.advance(days=4)
    more = {} if operation == "update" else {"replace": True, **call}
    updated = await scheduler(operation, job_id="pay", schedule=becomes, **more)
    assert updated["next_run"] == f"2030-01-{due}T10:00:00+00:00"


@pytest.mark.parametrize(
    "changes",
    [
        {"schedule": "every other monday at 9"},
        {"schedule": "every 3 weeks on friday at 9"},
        {"start_at": "2030-02-01", "schedule": "every other friday at 9"},
    ],
)
async def test_weeks_that_are_counted_anew_are_remarked(kit, scheduler, changes):
    """Where other weeks or weekdays are asked for, the answer tells that counting begins again."""
    await scheduler.add("every other friday at 9", job_id="pay")
    await kit.advance(days=4)
    updated = await scheduler("update", job_id="pay", **changes)
    assert any("counted anew" in remark for remark in updated["remarks"])
