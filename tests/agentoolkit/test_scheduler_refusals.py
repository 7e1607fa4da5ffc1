"""Bad input is refused at once, by an error that names the field, the value and the way out, and leaves nothing behind."""

from __future__ import annotations

import math
import re
from contextlib import suppress
from datetime import datetime

import pytest

from agentool import AgenToolError, InvalidInput
from agentool.caller import OWN, Caller, acting_as
from agentoolkit.system.scheduler import InvalidJob, InvalidSchedule, SchedulerError, UnknownTarget, checks
from agentoolkit.system.scheduler.ports import FoundJobs, Position

GOOD = {"schedule": "1 hour", "agentool_name": "probe", "input_data": {"operation": "run"}}


def nested(depth):
    """Return a list so many lists deep."""
    value = []
    for _ in range(depth):
        value = [value]
    return value


def run(**fields):
    """Return input for the probe."""
    return {"operation": "run", **fields}


async def refusal(scheduler, operation, fields):
    """Return the error that an operation is refused with."""
    with pytest.raises(AgenToolError) as refused:
        await scheduler(operation, **fields)
    return refused.value


SCHEDULES = [
    "-5 seconds",
    "0 minutes",
    "0.5 seconds",
    "5 parsecs",
    "5",
    "",
    "   ",
    "2029-12-31T23:59:59",
    "2030-02-30T00:00:00",
    "0 0 31 2 *",
    "61 * * * *",
    "* * * *",
    "every blue moon",
    "1000000 weeks",
    "1 hour" * 1000,
    "'; DROP TABLE jobs; --",
    "0 9 * * 1-5\n0 9 * * *",
]


@pytest.mark.parametrize("schedule", SCHEDULES)
async def test_impossible_schedule_is_refused(scheduler, schedule):
    """A schedule that is malformed, negative, past, never due or absurd is refused by field, value and remedy."""
    error = await refusal(scheduler, "schedule", {**GOOD, "schedule": schedule})
    assert isinstance(error, InvalidSchedule)
    assert (error.field, error.value, bool(error.remedy)) == ("schedule", schedule, True)


CASES = [
    ("schedule", {"schedule_type": "cron"}, InvalidSchedule),
    ("timezone", {"timezone": "Mars/Olympus"}, InvalidSchedule),
    ("timezone", {"timezone": "../../etc/passwd"}, InvalidSchedule),
    ("end_at", {"end_at": "soon"}, InvalidSchedule),
    ("end_at", {"start_at": "2030-02-01", "end_at": "2030-01-15"}, InvalidSchedule),
    ("jitter", {"jitter": -1}, InvalidSchedule),
    ("jitter", {"jitter": math.nan}, InvalidSchedule),
    ("exclude", {"exclude": ["never"]}, InvalidSchedule),
    ("agentool_name", {"agentool_name": "prob"}, UnknownTarget),
    ("max_instances", {"max_instances": 0}, InvalidJob),
    ("max_instances", {"max_instances": 10**9}, InvalidJob),
    ("misfire_grace_time", {"misfire_grace_time": -1}, InvalidJob),
    ("misfire_grace_time", {"misfire_grace_time": 10**12}, InvalidJob),
    ("max_runs", {"max_runs": 0}, InvalidJob),
    ("timeout", {"timeout": 0}, InvalidJob),
    ("timeout", {"timeout": math.nan}, InvalidJob),
    ("timeout", {"timeout": math.inf}, InvalidJob),
    ("timeout", {"timeout": 1e300}, InvalidJob),
    ("max_retries", {"max_retries": -1}, InvalidJob),
    ("retry_backoff", {"retry_backoff": math.nan}, InvalidJob),
    ("job_id", {"job_id": ""}, InvalidJob),
    ("job_id", {"job_id": "a@b"}, InvalidJob),
    ("job_id", {"job_id": "a\nb"}, InvalidJob),
    ("job_name", {"job_name": "a\nb"}, InvalidJob),
    ("job_name", {"job_name": "a\x1b[2Jb"}, InvalidJob),
    ("tags.0", {"tags": ["a\u2028b"]}, InvalidJob),
    ("job_id", {"job_id": "x" * 201}, InvalidJob),
    ("job_name", {"job_name": ""}, InvalidJob),
    ("job_name", {"job_name": " "}, InvalidJob),
    ("job_name", {"job_id": "j", "job_name": "x" * 201}, InvalidJob),
    ("description", {"description": "x" * 10_000}, InvalidJob),
    ("tags", {"tags": ["a"] * 1000}, InvalidJob),
    ("tags.1", {"tags": ["a", "x" * 1000]}, InvalidJob),
    ("concurrency_key", {"concurrency_key": "x" * 1000}, InvalidJob),
    ("result_queue", {"result_queue": ""}, InvalidJob),
    ("error_queue", {"error_queue": "x" * 1000}, InvalidJob),
    ("input_data.number", {"input_data": run(number="many")}, InvalidJob),
    ("input_data.nmber", {"input_data": run(nmber=1)}, InvalidJob),
    ("input_data.operation", {"input_data": {}}, InvalidJob),
    ("input_data.operation", {"input_data": {"operation": "fly"}}, InvalidJob),
    ("input_data.data.when", {"input_data": run(data={"when": datetime(2030, 1, 1)})}, InvalidJob),  # noqa: DTZ001
    ("input_data.data.set", {"input_data": run(data={"set": {1}})}, InvalidJob),
    ("input_data.data.bytes", {"input_data": run(data={"bytes": b"x"})}, InvalidJob),
    ("input_data.data.list.1", {"input_data": run(data={"list": [1, math.nan]})}, InvalidJob),
    ("input_data.data", {"input_data": run(data={1: "one"})}, InvalidJob),
    ("input_data", {"input_data": run(data={"deep": nested(500)})}, InvalidJob),
    ("input_data", {"input_data": run(data={"big": "x" * 1_000_000})}, InvalidJob),
]


@pytest.mark.parametrize(("field", "fields", "kind"), CASES)
async def test_impossible_field_is_refused(scheduler, field, fields, kind):
    """Every field that cannot be is refused by an error of its kind, which names it and the way out."""
    error = await refusal(scheduler, "schedule", {**GOOD, **fields})
    assert isinstance(error, kind)
    assert (error.field, bool(error.remedy), field in str(error)) == (field, True, True)


@pytest.mark.parametrize("fields", [{**GOOD, "schedule": "-5 seconds"}, *({**GOOD, **fields} for _, fields, _ in CASES)])
async def test_refused_job_is_not_left_behind(scheduler, fields):
    """After a refusal there is no job."""
    await refusal(scheduler, "schedule", fields)
    assert (await scheduler("list"))["count"] == 0


@pytest.mark.parametrize(
    ("operation", "fields", "field", "named"),
    [
        ("shedule", GOOD, "operation", "'schedule'"),
        ("schedule", {**GOOD, "scedule": "1 hour"}, "scedule", "Did you mean 'schedule'?"),
        ("schedule", {**GOOD, "max_instances": "many"}, "max_instances", "'many'"),
        ("schedule", {**GOOD, "input_data": "text"}, "input_data", "'text'"),
        ("schedule", {**GOOD, "coalesce": "perhaps"}, "coalesce", "'perhaps'"),
        ("cancel", {"job_id": 7}, "job_id", "7"),
        ("cancel", {"job_id": "j", "schedule": "1 hour"}, "schedule", "not used by operation 'cancel'"),
        ("get_history", {"limit": 0}, "limit", "0"),
        ("preview", {"schedule": "1 hour", "count": 1000}, "count", "1000"),
    ],
)
async def test_input_that_fits_no_operation_is_refused(scheduler, operation, fields, field, named):
    """An unknown operation, an unknown field, or a value of the wrong type raises InvalidInput and names what is right."""
    error = await refusal(scheduler, operation, fields)
    assert isinstance(error, InvalidInput)
    assert error.field == field
    assert named in str(error)


@pytest.mark.parametrize("operation", ["cancel", "pause", "resume", "get_job", "get_history", "update", "run_now"])
async def test_unknown_job_is_named_with_the_nearest(scheduler, operation):
    """An operation on a job that there is not raises KeyError, and names the job that was perhaps meant."""
    await scheduler.add("1 hour", job_id="daily_report")
    with pytest.raises(KeyError) as refused:
        await scheduler(operation, job_id="daily_reprot")
    assert str(refused.value) == "job_id: No job has the id or name 'daily_reprot'. Did you mean 'daily_report'?"


async def test_unknown_job_where_there_is_none(scheduler):
    """Where nothing is scheduled the error says so."""
    with pytest.raises(KeyError, match="Nothing is scheduled"):
        await scheduler("get_job", job_id="report")


async def test_unknown_job_where_not_all_that_there_is_was_read(scheduler, kit, monkeypatch):
    """Who sees a part of its jobs, and none in it, is not told that nothing is scheduled."""

    async def empty_page(*asked):
        return FoundJobs([], Position(kit.scheduler.now(), "others"))

    await scheduler("list")
    monkeypatch.setattr(kit.scheduler.store, "search_jobs", empty_page)
    with acting_as(Caller("ben", "rest", OWN)), pytest.raises(KeyError, match=r"No job has .*'report'\. Ask for a list"):
        await scheduler("get_job", job_id="report")


async def test_another_owners_job_is_unknown_though_something_is_scheduled(scheduler):
    """Who would replace it is not told that nothing is scheduled."""
    await scheduler.add("1 hour", job_id="report")
    with acting_as(Caller("ben", "rest", OWN)), pytest.raises(KeyError, match=r"No job has .*'report'\. Ask for a list"):
        await scheduler.add("2 hours", job_id="report", replace=True)


async def test_outcome_queue_without_queue_tool_is_refused(scheduler, kit, monkeypatch):
    """A result queue needs the AgenTool 'queue'; where there is none, the field is named; without the field it is not needed."""
    kit.injector.unregister("queue")
    error = await refusal(scheduler, "schedule", {**GOOD, "error_queue": "errors"})
    assert isinstance(error, UnknownTarget)
    assert (error.field, error.value) == ("error_queue", "errors")
    await scheduler("schedule", **GOOD)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"agentool_name": "nobody", "input_data": {}}, "agentool_name"),
        ({"agentool_name": "probe", "input_data": {"operation": "fly"}}, "input_data.operation"),
        ({"agentool_name": "probe", "input_data": {"operation": "run"}, "result_queue": ""}, "result_queue"),
        ({"agentool_name": "probe", "input_data": {"operation": "run"}, "job_id": "a@b"}, "job_id"),
        ({"agentool_name": "probe", "input_data": {"operation": "run"}, "timeout": math.nan}, "timeout"),
    ],
)
async def test_run_now_of_what_cannot_be_is_refused(scheduler, probe, fields, field):
    """run_now checks what it is given before anything runs, and leaves no history of what did not run."""
    error = await refusal(scheduler, "run_now", fields)
    assert (error.field, probe.calls, await scheduler.history()) == (field, [], [])


async def test_reference_in_input_is_taken_on_trust(scheduler):
    """A reference in the place of a number is no reason to refuse: it may become one when it is looked up."""
    added = await scheduler.add("1 hour", input_data=run(number="!ref:storage_kv:how_many"))
    assert added["created"]


@pytest.mark.parametrize("text", ["Bearer !ref:api_token", {"deep": ["!ref:storage_kv"]}, "!ref:storage_kv:a of !step:b"])
async def test_reference_that_could_not_be_resolved_is_refused(scheduler, text):
    """When it is scheduled, not when it is due: the text is named, and how a reference is written."""
    job = {"schedule": "1 hour", "agentool_name": "storage_kv", "input_data": {"operation": "set", "key": "k", "value": text}}
    with pytest.raises(InvalidJob, match=r"!ref:storage_kv:my_key|not from both") as refused:
        await scheduler("schedule", **job)
    assert refused.value.field == "input_data"


async def test_wrong_field_beside_a_reference_is_refused(scheduler):
    """A reference in one field does not hide what is wrong with another."""
    data = run(number="!ref:storage_kv:how_many", data="text")
    assert (await refusal(scheduler, "schedule", {**GOOD, "input_data": data})).field == "input_data.data"


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Auckland", "Etc/GMT+12"])
@pytest.mark.parametrize("until", ["9999-12-31T23:59:59-12:00", "9999-12-31T23:59:59", "9999-12-31"])
async def test_a_pause_ends_within_the_calendar_or_is_refused(kit, scheduler, probe, zone, until):
    """A time that the job's zone, or UTC, cannot write is refused; any other can be shown."""
    await scheduler.add("1 day", job_id="job", timezone=zone)
    with suppress(InvalidJob):
        await scheduler("pause", job_id="job", until=until)
    assert (await scheduler("get_job", job_id="job"))["info"]["state"] in ("active", "paused")


@pytest.mark.parametrize("operation", ["list", "list_executions"])
@pytest.mark.parametrize("query", ["since:99999999d", "color:red", "status:odd", "took:>x"])
async def test_a_query_that_cannot_be_read_is_the_schedulers_refusal(scheduler, operation, query):
    """It is a `SchedulerError`, as all refusals are, and a `ValueError`."""
    with pytest.raises(SchedulerError) as refused:
        await scheduler(operation, query=query)
    assert isinstance(refused.value, ValueError)


async def test_all_that_is_wrong_is_told_at_once(scheduler):
    """Schedule, target and gate are looked at each by itself, of a new job and of a change alike; nobody corrects in rounds."""
    await scheduler("schedule", job_id="x", **GOOD)
    wrong = {"schedule": "whenever", "agentool_name": "nobody", "gate": {"agentool_name": "dor", "input_data": {}}}
    for operation, fields in (("schedule", {**GOOD, "job_id": "y", **wrong}), ("update", {"job_id": "x", **wrong})):
        error = await refusal(scheduler, operation, fields)
        assert isinstance(error, InvalidSchedule)
        assert [each.field for each in (error, *error.also)] == ["schedule", "agentool_name", "gate"]
        assert all(word in str(error) for word in ("whenever", "nobody", "dor"))


@pytest.mark.parametrize("operation", ["schedule", "update", "preview"])
async def test_a_wrong_zone_hides_no_wrong_schedule(scheduler, operation):
    """Both are named, whether a job is new, changed or only looked at."""
    await scheduler("schedule", job_id="there", **GOOD)
    asked = {"schedule": {**GOOD, "job_id": "x"}, "update": {"job_id": "there"}, "preview": {}}[operation]
    error = await refusal(scheduler, operation, {**asked, "schedule": "whenever", "timezone": "Mars"})
    assert [each.field for each in (error, *error.also)] == ["timezone", "schedule"]
    assert ("'Mars'" in str(error), "'whenever'" in str(error)) == (True, True)


@pytest.mark.parametrize(("when", "told"), [("today at 0:01", ["timezone"]), ("2020-01-01", ["timezone", "schedule"])])
async def test_a_time_that_passed_in_some_zones_only_is_no_fault_of_a_wrong_zone(scheduler, when, told):
    """Whether it has passed is known for the right zone alone; what passed years ago has passed everywhere."""
    error = await refusal(scheduler, "schedule", {**GOOD, "schedule": when, "timezone": "Mars"})
    assert [each.field for each in (error, *error.also)] == told


@pytest.mark.parametrize("operation", ["schedule", "update"])
async def test_an_unknown_field_is_told_with_all_else(scheduler, operation):
    """A schedule that cannot be read, a gate without its tool, a field that there is not: in one refusal, and nothing is done."""
    await scheduler("schedule", job_name="there", **GOOD)
    asked = {"schedule": {"job_name": "x", **GOOD}, "update": {"job_id": "there"}}[operation]
    before = (await scheduler("list"))["jobs"]
    wrong = {"schedule": "whenever", "gate": {"agentool_name": "nobody", "input_data": {}}, "colour": "red"}
    refused = await refusal(scheduler, operation, {**asked, **wrong})
    (other,) = refused.also
    assert [refused.field, other.field, *(each.field for each in other.also)] == ["colour", "schedule", "gate"]
    assert (await refusal(scheduler, operation, {**asked, "colour": "red"})).also == ()
    assert (await scheduler("list"))["jobs"] == before


async def test_all_that_is_wrong_with_an_input_is_told(scheduler):
    """A field that there is not, and one that is missing for the operation."""
    call = {"agentool_name": "notification", "input_data": {"operation": "send", "colour": "red"}}
    refused = await refusal(scheduler, "schedule", {"job_name": "x", "schedule": "1 hour", **call})
    assert [refused.field, *(other.field for other in refused.also)] == ["input_data.colour", "input_data.message"]


IDLE = [
    ({"retry_backoff": 10}, "retry_backoff", "max_retries"),
    ({"retry_on": ["OSError"], "max_retries": 0}, "retry_on", "max_retries"),
    ({"catch_up_window": 60}, "catch_up_window", "catch_up 'latest' or 'all'"),
    ({"catch_up_window": 60, "catch_up": "none"}, "catch_up_window", "catch_up 'latest' or 'all'"),
    ({"shift": "next"}, "shift", "exclude or only"),
]


@pytest.mark.parametrize(("fields", "field", "needed"), IDLE)
async def test_field_that_does_nothing_is_refused(scheduler, fields, field, needed):
    """Whoever gives it expects something of it; the error names what it needs. So it is in an update."""
    said = f"{field}: It does nothing without {needed}. Give that too, or leave {field!r} out."
    with pytest.raises(InvalidJob, match=re.escape(said)):
        await scheduler.add("every day at 9", job_id="a", **fields)
    await scheduler.add("every day at 9", job_id="a")
    with pytest.raises(InvalidJob, match=re.escape(said)):
        await scheduler("update", job_id="a", **fields)


@pytest.mark.parametrize("fields", [{"retry_backoff": True}, {"retry_backoff": False}, {"retry_on": []}, {"catch_up": "none"}])
async def test_default_that_does_nothing_is_taken(scheduler, fields):
    """Programs and models fill in what is so anyway."""
    assert (await scheduler.add("every day at 9", **fields))["created"]


async def test_field_stays_where_an_update_takes_away_what_it_needs(scheduler):
    """It is there for when that comes back, and no other change is refused for it."""
    await scheduler.add("every day at 9", job_id="a", max_retries=2, retry_backoff=10)
    await scheduler("update", job_id="a", max_retries=0)
    await scheduler("update", job_id="a", description="new")
    assert (await scheduler("get_job", job_id="a"))["info"]["retry_backoff"] == 10


async def test_exception_classes_are_looked_at_only_for_names(scheduler, monkeypatch):
    """There are hundreds of them, and most jobs name none."""
    looks = []
    monkeypatch.setattr(checks, "_exception_names", lambda: looks.append(1) or {"OSError"})
    await scheduler.add("every day at 9", job_id="a", max_retries=2)
    await scheduler("update", job_id="a", description="new")
    assert looks == []
    await scheduler("update", job_id="a", retry_on=["OSError"])
    assert looks == [1]


async def test_error_class_that_nobody_knows_is_remarked(scheduler):
    """It may be a slip, and it may be defined where the job runs."""
    remarks = (await scheduler.add("every day at 9", max_retries=2, retry_on=["ConectionError", "OSError"]))["remarks"]
    assert [remark for remark in remarks if "class" in remark] == [
        "no exception class is named 'ConectionError' here. Did you mean 'ConnectionError'?"
    ]
