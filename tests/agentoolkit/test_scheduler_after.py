"""Jobs that come after others: by name, under policies of their own."""

from __future__ import annotations

import pytest

from agentool.caller import OWN, Caller, acting_as
from agentoolkit.system.scheduler import InvalidSchedule
from agentoolkit.system.scheduler.errors import NotPermitted

TARGET = {"agentool_name": "probe", "input_data": {"operation": "run"}}


# Scheduling


async def test_answer_says_what_was_understood(scheduler):
    """The text in its normal form, words, and no next time."""
    await scheduler.add("1 minute", job_id="extract")
    added = await scheduler.add("after extract", job_id="load")
    assert (added["schedule_type"], added["schedule"]) == ("after", "after extract succeeded")
    assert (added["words"], added["next_run"], added["next_runs"], added["remarks"]) == ("after job 'extract' succeeded", None, [], [])
    assert (added["state"], added["created"]) == ("active", True)


async def test_messages_name_no_time(kit, scheduler):
    """No sentence ends in 'next at None'."""
    await scheduler.add("1 minute", job_id="extract")
    calls = [
        {"operation": "schedule", "job_id": "load", "schedule": "after extract", **TARGET},
        {"operation": "update", "job_id": "load", "description": "x"},
        {"operation": "get_job", "job_id": "load"},
        {"operation": "pause", "job_id": "load"},
        {"operation": "resume", "job_id": "load"},
        {"operation": "preview", "schedule": "after extract failed"},
    ]
    told = [(await kit.injector.run("scheduler", call)).message for call in calls]
    assert told[0] == "Scheduled 'load': after job 'extract' succeeded."
    assert told[-1] == "after job 'extract' failed."
    assert not any("None" in message for message in told)


async def test_predecessor_is_named_by_id_or_name(scheduler):
    """Its unique name will do, and the job keeps following it when that name changes."""
    await scheduler.add("1 minute", job_id="x-17", job_name="Nightly extract")
    added = await scheduler.add("after Nightly extract failed", job_id="load")
    assert added["schedule"] == "after x-17 failed"
    again = await scheduler.add("after 'Nightly extract' failed", job_id="load")
    assert (again["created"], again["version"]) == (False, 1)


@pytest.mark.parametrize("operation", ["schedule", "update"])
async def test_unknown_predecessor_is_refused_with_the_nearest(scheduler, operation):
    """The error names the field, the text and the job that was probably meant."""
    await scheduler.add("1 minute", job_id="extract")
    await scheduler.add("1 minute", job_id="load")
    job = {"agentool_name": "probe", "input_data": {"operation": "run"}} if operation == "schedule" else {}
    with pytest.raises(InvalidSchedule, match="Did you mean 'extract'") as refused:
        await scheduler(operation, job_id="new" if job else "load", schedule="after extrakt", **job)
    assert (refused.value.field, refused.value.value) == ("schedule", "after extrakt")


async def test_first_predecessor_of_all_is_unknown_too(scheduler):
    """Where nothing is scheduled the way out is said as well."""
    with pytest.raises(InvalidSchedule, match="Schedule the job first"):
        await scheduler.add("after extract")


async def test_circle_is_refused(scheduler):
    """No job can be changed to come after itself, by way of others or directly; nothing is changed."""
    await scheduler.add("1 minute", job_id="a")
    await scheduler.add("after a", job_id="b")
    await scheduler.add("after b", job_id="c")
    for text in ("after c", "after a"):
        with pytest.raises(InvalidSchedule, match="come after itself"):
            await scheduler("update", job_id="a", schedule=text)
    assert (await scheduler("get_job", job_id="a"))["info"]["schedule"] == "1 minute"


async def test_predecessor_that_is_over_is_remarked(scheduler, kit):
    """Who comes after a job that is done is told that it does not run by itself."""
    await scheduler.add("now", job_id="extract")
    await kit.advance(seconds=1)
    added = await scheduler.add("after extract", job_id="load")
    assert added["remarks"] == ["job 'extract' is over: only a run of it by hand starts this one"]


async def test_cancelling_tells_what_comes_after(kit, scheduler, probe):
    """The jobs that nothing starts any more are named; they run again when there is such a job again."""
    await scheduler.add("1 minute", job_id="extract")
    await scheduler.add("after extract", job_id="load")
    cancelled = await kit.injector.run("scheduler", {"operation": "cancel", "job_id": "extract"})
    assert cancelled.message == "Cancelled 'extract'. Nothing starts 'load' any more, unless there is such a job again."
    await scheduler.add("1 minute", job_id="extract")
    await kit.advance(minutes=1)
    assert await scheduler.statuses("load") == ["success"]


@pytest.mark.parametrize(("field", "more"), [("jitter", {"jitter": 5}), ("end_at", {"end_at": "2029-01-01"})])
async def test_bounds_without_meaning_are_refused(scheduler, field, more):
    """There is no due time to delay, and an end that has passed leaves nothing."""
    await scheduler.add("1 minute", job_id="extract")
    with pytest.raises(InvalidSchedule) as refused:
        await scheduler.add("after extract", **more)
    assert refused.value.field == field


async def test_list_and_details_show_it(scheduler):
    """A job without a next time is listed like any other."""
    await scheduler.add("1 minute", job_id="extract")
    await scheduler.add("after extract ended", job_id="load", timezone="Europe/Berlin")
    listed = {job["job_id"]: job for job in (await scheduler("list"))["jobs"]}["load"]
    details = await scheduler("get_job", job_id="load")
    assert (listed["schedule_type"], listed["schedule"], listed["next_run"]) == ("after", "after extract ended", None)
    assert (details["next_run"], details["info"]["state"], details["info"]["timezone"]) == (None, "active", "Europe/Berlin")
    assert (await scheduler("status"))["jobs_count"] == 2


# Running


async def test_it_runs_when_the_other_succeeded(kit, scheduler, probe):
    """Each success is followed by one execution, due when that ended."""
    await scheduler.add("1 minute", job_id="extract")
    await scheduler.add("after extract", job_id="load", input_data={"operation": "run", "number": 2})
    await kit.advance(minutes=3)
    history = await scheduler.history("load")
    assert [call["number"] for call in probe.inputs] == [0, 2] * 3
    assert [(record["trigger"], record["status"]) for record in history] == [("after", "success")] * 3
    assert history[0]["execution_id"] == "load@after-extract@2030-01-01T00:01:00+00:00"
    assert history[0]["scheduled_at"] == (await scheduler.history("extract"))[0]["finished_at"]


@pytest.mark.parametrize(("outcome", "ran"), [("succeeded", False), ("failed", True), ("ended", True)])
async def test_final_outcome_decides_not_an_attempt(kit, scheduler, probe, outcome, ran):
    """An execution that fails twice is followed once, when its last attempt failed."""
    probe.raises = ValueError("no")
    await scheduler.add("now", job_id="extract", max_retries=1, retry_backoff=60)
    await scheduler.add(f"after extract {outcome}", job_id="load")
    await kit.advance(seconds=5)
    before = await scheduler.history("load")
    await kit.advance(minutes=5)
    assert (before, len(await scheduler.history("load"))) == ([], int(ran))


async def test_success_at_a_second_attempt_is_a_success(kit, scheduler, probe):
    """What failed first and then succeeded is followed as a success only."""
    probe.raises = ValueError("no")
    await scheduler.add("now", job_id="extract", max_retries=1, retry_backoff=60)
    await scheduler.add("after extract failed", job_id="mend")
    await scheduler.add("after extract", job_id="load")
    await kit.advance(seconds=5)
    probe.raises = None
    await kit.advance(minutes=5)
    assert await scheduler.statuses("load") == ["success"]
    assert (await scheduler("list_executions", execution_status="failed"))["history"] == []


async def test_cancelled_execution_is_followed_by_nothing(kit, scheduler, probe):
    """What was ended from outside neither succeeded nor failed."""
    probe.blocks()
    await scheduler.add("1 minute", job_id="extract")
    await scheduler.add("after extract ended", job_id="load")
    await kit.advance(minutes=1)
    (running,) = await scheduler.history("extract")
    await scheduler("cancel_execution", execution_id=running["execution_id"])
    await kit.advance(seconds=1)
    assert (await scheduler("get_job", job_id="load"))["recent_history"] == []


async def test_runs_by_hand_and_of_the_past_count(kit, scheduler, probe):
    """run_now with the job's id and backfill are followed as its schedule is."""
    await scheduler.add("30 * * * *", job_id="extract")
    await scheduler.add("after extract", job_id="load", overlap="queue_all")
    await scheduler("run_now", job_id="extract")
    await kit.advance(seconds=1)
    await scheduler("backfill", job_id="extract", start_at="2029-12-31T22:00:00", end_at="2029-12-31T23:45:00")
    await kit.advance(seconds=1)
    triggers = {record["execution_id"]: record["trigger"] for record in await scheduler.history("extract")}
    followed = [record["execution_id"].removeprefix("load@after-") for record in await scheduler.history("load")]
    assert sorted(triggers.values()) == ["backfill", "backfill", "run_now"]
    assert sorted(followed) == sorted(triggers)


async def test_chain_of_three(kit, scheduler, probe):
    """Jobs follow each other at once, each when the one before ended."""
    await scheduler.add("now", job_id="extract")
    await scheduler.add("after extract", job_id="load")
    await scheduler.add("after load", job_id="report")
    await kit.advance(seconds=1)
    assert [record["job_id"] for record in await scheduler.history()] == ["extract", "load", "report"]
    assert await scheduler.statuses("report") == ["success"]


async def test_queue_is_its_own(kit, scheduler, probe):
    """Its result goes to its own queue, the other's to the other's."""
    await scheduler.add("now", job_id="extract", result_queue="extracted")
    await scheduler.add("after extract", job_id="load", result_queue="loaded")
    await kit.advance(seconds=1)
    assert [message["job_id"] for message in await scheduler.messages("extracted")] == ["extract"]
    assert [message["execution_id"] for message in await scheduler.messages("loaded")] == ["load@after-extract@2030-01-01T00:00:00+00:00"]


async def test_retries_are_its_own(kit, scheduler, probe):
    """An error of its own is tried again, as its own policies say, in one execution."""
    await scheduler.add("now", job_id="extract", agentool_name="queue", input_data={"operation": "list_queues"})
    await scheduler.add("after extract", job_id="load", max_retries=2, retry_backoff=1)
    probe.raises = ValueError("no")
    await kit.advance(minutes=1)
    (record,) = await scheduler.history("load")
    assert (record["status"], record["attempt"], len(record["attempts"])) == ("failed", 3, 2)


async def test_gate_is_asked(kit, scheduler, probe):
    """A gate that does not pass leaves a skipped record."""
    probe.returns = False
    await scheduler.add("now", job_id="extract")
    gate = {"agentool_name": "probe", "input_data": {"operation": "run"}}
    await scheduler.add("after extract", job_id="load", gate=gate)
    await kit.advance(seconds=1)
    assert await scheduler.statuses("load") == ["skipped"]


async def test_skipped_follower_is_told_of(kit, scheduler, probe):
    """While one still runs the next leaves a record that says so, and listeners hear of it."""
    heard: list[tuple[str, str]] = []
    kit.scheduler.subscribe(lambda event: heard.append((event.type, event.job_id)))
    await scheduler.add("1 minute", job_id="extract", agentool_name="queue", input_data={"operation": "list_queues"})
    await scheduler.add("after extract", job_id="load")
    probe.blocks()
    await kit.advance(minutes=2)
    first, second = await scheduler.history("load")
    assert (first["status"], second["status"]) == ("running", "skipped")
    assert second["reason"] == "still running: 1 of at most 1 (max_instances)"
    assert ("scheduler.task.skipped", "load") in heard


async def test_paused_it_does_not_run_and_resumed_it_does(kit, scheduler, probe):
    """Ends of the other while it is paused are not its own."""
    await scheduler.add("1 minute", job_id="extract")
    await scheduler.add("after extract", job_id="load")
    paused = await scheduler("pause", job_id="load")
    await kit.advance(minutes=1)
    resumed = await scheduler("resume", job_id="load")
    await kit.advance(minutes=1)
    assert (paused["state"], paused["next_run"], resumed["state"]) == ("paused", None, "active")
    assert [record["scheduled_at"] for record in await scheduler.history("load")] == ["2030-01-01T00:02:00+00:00"]


async def test_pause_until_a_time_ends_by_itself(kit, scheduler, probe):
    """It is active again then, and runs after the next end."""
    await scheduler.add("2 minutes", job_id="extract")
    await scheduler.add("after extract", job_id="load")
    await scheduler("pause", job_id="load", until="2030-01-01T00:03:00")
    await kit.advance(minutes=3, seconds=1)
    assert (await scheduler("get_job", job_id="load"))["info"]["state"] == "active"
    await kit.advance(minutes=1)
    assert await scheduler.statuses("load") == ["success"]


async def test_it_ends_after_its_last_run(kit, scheduler, probe):
    """max_runs counts what it ran, and makes it done."""
    await scheduler.add("1 minute", job_id="extract")
    await scheduler.add("after extract", job_id="load", max_runs=2)
    await kit.advance(minutes=5)
    info = (await scheduler("get_job", job_id="load"))["info"]
    assert (info["runs"], info["state"]) == (2, "done")
    assert len(await scheduler.history("load")) == 2


async def test_changed_job_comes_after_another_or_none(kit, scheduler, probe):
    """update moves it behind another job, gives it due times, and back."""
    await scheduler.add("1 minute", job_id="a")
    await scheduler.add("1 hour", job_id="b")
    await scheduler.add("after a", job_id="load")
    changed = await scheduler("update", job_id="load", schedule="after b ended")
    await kit.advance(minutes=1)
    timed = await scheduler("update", job_id="load", schedule="every 10 minutes")
    back = await scheduler("update", job_id="load", schedule="after a")
    await kit.advance(minutes=1)
    assert (changed["words"], timed["next_run"], back["next_run"]) == ("after job 'b' ended", "2030-01-01T00:11:00+00:00", None)
    assert [record["scheduled_at"] for record in await scheduler.history("load")] == ["2030-01-01T00:02:00+00:00"]


async def test_other_changes_leave_it_active(scheduler):
    """A new description, zone or number of runs does not end a job without due times."""
    await scheduler.add("1 minute", job_id="extract")
    await scheduler.add("after extract", job_id="load")
    for change in ({"description": "x"}, {"timezone": "Asia/Tokyo"}, {"max_runs": 3}, {"end_at": "2031-01-01"}):
        assert (await scheduler("update", job_id="load", **change))["state"] == "active"


async def test_stop_leaves_nothing_to_start(kit, scheduler, probe):
    """What comes after a run that ends while the scheduler stops is not started; in memory it is cancelled."""
    probe.blocks()
    await scheduler.add("now", job_id="extract")
    await scheduler.add("after extract", job_id="load")
    await kit.advance(seconds=1)
    stopping = scheduler.begin("stop")
    await kit.clock.let_run()
    probe.may_end.set()
    await stopping
    assert len(probe.calls) == 1
    assert await scheduler.statuses("load") == ["cancelled"]


# After any job


async def test_after_any_failed_is_understood(scheduler):
    """'any' stands for every other job, in the text and in the words."""
    added = await scheduler.add("after any job failed", job_id="alarm")
    assert (added["schedule"], added["words"], added["remarks"]) == ("after any failed", "after any job failed", [])


async def test_job_that_is_called_any_is_named_in_quotes(scheduler):
    """A job that is called so is meant where its name is in quotes."""
    await scheduler.add("1 minute", job_id="any")
    added = await scheduler.add("after 'any' failed", job_id="one")
    assert (added["schedule"], added["words"]) == ("after 'any' failed", "after job 'any' failed")


async def test_alarm_knows_what_failed(kit, scheduler, probe):
    """The record of the failed execution is at hand by !ref:after."""
    probe.raises = OSError("no")
    await scheduler.add("1 minute", job_id="bad", max_runs=1)
    await scheduler.add("after any failed", job_id="alarm", input_data={"operation": "run", "data": {"who": "!ref:after:job_id"}})
    await kit.advance(minutes=2)
    assert [(run["status"], run["trigger"]) for run in await scheduler.history("alarm")] == [("failed", "after")]
    assert probe.inputs[-1]["data"] == {"who": "bad"}


async def test_only_administrators_watch_all_jobs(scheduler):
    """A caller that sees its own jobs only may not come after everybody's."""
    with acting_as(Caller("maria", door="rest", scopes=OWN)), pytest.raises(NotPermitted, match="Name one job"):
        await scheduler.add("after any failed", job_id="alarm")
