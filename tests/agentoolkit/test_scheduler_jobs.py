"""The life of a job: scheduled, found, changed, paused, resumed, run at once, cancelled."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agentoolkit.system.scheduler import ExecutionFailed, InvalidJob, JobExists, JobNotFound

RUN = {"operation": "run"}

# Ids and names


async def test_job_id_is_made_from_the_name(scheduler):
    """Without a job_id it is made from the job_name, so that the job is found by either."""
    added = await scheduler.add("1 hour", job_name="Daily report")
    assert (added["job_id"], added["job_name"]) == ("Daily-report", "Daily report")
    assert (await scheduler("get_job", job_id="Daily report"))["job_id"] == "Daily-report"


async def test_job_id_is_generated_without_a_name(scheduler):
    """Without job_id and job_name two jobs get ids of their own."""
    first, second = await scheduler.add("1 hour"), await scheduler.add("1 hour")
    assert first["job_id"] != second["job_id"]


@pytest.mark.parametrize("operation", ["get_job", "get_history", "pause", "resume", "run_now", "update", "cancel"])
async def test_name_works_as_an_id(scheduler, operation):
    """Wherever a job_id is asked for, the job's name does too."""
    await scheduler.add("1 hour", job_id="j1", job_name="Daily report")
    assert (await scheduler(operation, job_id="Daily report"))["job_id"] in ("j1", "Daily report")


async def test_same_job_again_returns_the_one_there_is(kit, scheduler):
    """Scheduling the very same job a second time, also later, makes no second one and changes nothing."""
    first = await scheduler.add("1 hour", job_name="report")
    await kit.advance(minutes=10)
    second = await scheduler.add("1 hour", job_name="report")
    assert (first["created"], second["created"]) == (True, False)
    assert (second["next_run"], (await scheduler("list"))["count"]) == (first["next_run"], 1)


@pytest.mark.parametrize("named", [{"job_id": "report"}, {"job_name": "report"}, {}])
async def test_new_job_is_not_looked_for(kit, scheduler, monkeypatch, named):
    """A job that is not there yet is written without a question before: the store refuses an id or a name that is taken."""
    asked: list[str] = []
    monkeypatch.setattr(kit.scheduler.store, "find", asked.append)
    assert (await scheduler.add("1 hour", **named))["created"]
    assert asked == []


async def test_same_job_again_is_there_also_where_nothing_could_run_it(kit, scheduler):
    """The very same job is there as it was, also where a new one would be refused because nobody carries it out."""
    await scheduler.add("1 hour", job_id="report")
    job, state = await kit.scheduler.store.find("report")
    await kit.scheduler.store.replace(replace(job, policies=replace(job.policies, executor="celery")), state, state)
    assert not (await scheduler.add("1 hour", job_id="report", executor="celery"))["created"]
    with pytest.raises(InvalidJob):
        await scheduler.add("1 hour", job_id="other", executor="celery")


@pytest.mark.parametrize(
    "other",
    [
        {"schedule": "2 hours"},
        {"input_data": {"operation": "run", "number": 1}},
        {"max_instances": 2},
        {"result_queue": "results"},
        {"timezone": "Europe/Berlin"},
        {"tags": ["other"]},
    ],
)
async def test_different_job_under_the_same_name_is_refused(scheduler, other):
    """A job that differs in anything from the one that has its name is refused, and the first stays as it is."""
    await scheduler.add("1 hour", job_name="report")
    before = await scheduler("get_job", job_id="report")
    with pytest.raises(JobExists, match="'report'"):
        await scheduler.add(**{"schedule": "1 hour", **other}, job_name="report")
    assert await scheduler("get_job", job_id="report") == before


async def test_name_that_is_another_jobs_id_is_refused(scheduler):
    """A name must not be another job's id: whoever asks for it would get the wrong one."""
    await scheduler.add("1 hour", job_id="report")
    with pytest.raises(JobExists):
        await scheduler.add("1 hour", job_id="j2", job_name="report")


async def test_finished_job_makes_room_for_another(kit, scheduler):
    """A different job may have the id of one that is done."""
    await scheduler.add("now", job_id="report")
    await kit.advance()
    assert (await scheduler.add("1 hour", job_id="report"))["created"]


async def test_callers_input_is_copied(kit, scheduler, probe):
    """Changing the dict after scheduling changes nothing: the job has its own copy."""
    given = {"operation": "run", "data": {"list": [1]}}
    await scheduler.add("1 hour", input_data=given)
    given["data"]["list"].append(2)
    await kit.advance(hours=1)
    assert probe.inputs[0]["data"] == {"list": [1]}


async def test_handler_cannot_change_the_jobs_input(kit, scheduler, probe):
    """What a handler does to its input does not reach the next run."""
    await scheduler.add("1 hour", input_data={"operation": "run", "data": {"list": [1]}})
    await kit.advance(hours=1)
    probe.inputs[0]["data"]["list"].append(2)
    await kit.advance(hours=1)
    assert probe.inputs[1]["data"] == {"list": [1]}


# Pause, resume, cancel


async def test_paused_job_does_not_fire(kit, scheduler, probe):
    """A paused job keeps its definition, does not fire, and its due times leave no record."""
    await scheduler.add("1 hour", job_id="report")
    await scheduler("pause", job_id="report")
    await kit.advance(hours=3)
    assert (probe.calls, await scheduler.history("report"), (await scheduler("list"))["count"]) == ([], [], 1)


async def test_resumed_job_fires_from_now_on(kit, scheduler, probe):
    """A resumed job fires at its next due time, and those during the pause are not made up for."""
    await scheduler.add("1 hour", job_id="report")
    await scheduler("pause", job_id="report")
    await kit.advance(hours=2.5)
    await scheduler("resume", job_id="report")
    await kit.advance(hours=1)
    assert probe.calls == ["2030-01-01T03:00:00+00:00"]


@pytest.mark.parametrize("operation", ["pause", "resume"])
async def test_pause_and_resume_twice_change_nothing_more(scheduler, operation):
    """Pausing a paused job, or resuming an active one, is no error."""
    await scheduler.add("1 hour", job_id="report")
    assert await scheduler(operation, job_id="report") == await scheduler(operation, job_id="report")


@pytest.mark.parametrize("operation", ["pause", "resume"])
async def test_job_that_is_done_stays_done(kit, scheduler, operation):
    """What is done can neither be paused nor resumed: the answer says so, and what can be done instead."""
    await scheduler.add("now", job_id="j1")
    await kit.advance()
    version = (await scheduler("get_job", job_id="j1"))["info"]["version"]
    answer = await scheduler.output(operation, job_id="j1")
    assert answer.message == "Job 'j1' is done, and stays so: nothing of it is due any more. Operation 'update' can give it a new schedule."
    assert (answer.data["job_id"], answer.data["state"], answer.data["next_run"]) == ("j1", "done", None)
    assert (await scheduler("get_job", job_id="j1"))["info"]["version"] == version


async def test_job_resumed_after_its_only_time_is_done(kit, scheduler, probe):
    """A single run whose time passed during a pause is done when it is resumed, and the answer says so."""
    await scheduler.add("2030-01-01T01:00:00", job_id="once")
    await scheduler("pause", job_id="once")
    await kit.advance(hours=2)
    resumed = await scheduler("resume", job_id="once")
    assert (resumed["state"], resumed["next_run"], probe.calls) == ("done", None, [])


async def test_cancelled_job_is_gone_and_its_history_stays(kit, scheduler, probe):
    """A cancelled job does not fire, cannot be changed, and its history can still be read."""
    await scheduler.add("1 hour", job_id="report")
    await kit.advance(hours=1)
    await scheduler("cancel", job_id="report")
    await kit.advance(hours=5)
    assert await scheduler.statuses("report") == ["success"]
    assert (await scheduler("get_job", job_id="report"))["info"]["state"] == "cancelled"
    with pytest.raises(JobNotFound):
        await scheduler("pause", job_id="report")


# Run now


async def test_run_now_of_a_tool_answers_with_its_result(scheduler, probe):
    """run_now of an AgenTool waits for its result, and leaves history under an id of its own."""
    probe.returns = {"rows": 3}
    answer = await scheduler("run_now", agentool_name="probe", input_data=RUN)
    (record,) = await scheduler.history(answer["job_id"])
    assert (answer["result"], record["trigger"], record["result"]) == ({"rows": 3}, "run_now", {"rows": 3})


async def test_run_now_of_a_job_runs_it_and_leaves_its_schedule(kit, scheduler, probe):
    """run_now of a job runs it with its own input, in its own history, and its schedule goes on as before."""
    added = await scheduler.add("1 hour", job_id="report", input_data={"operation": "run", "number": 7})
    await scheduler("run_now", job_id="report")
    assert probe.inputs[0]["number"] == 7
    assert await scheduler.statuses("report") == ["success"]
    assert (await scheduler("get_job", job_id="report"))["next_run"] == added["next_run"]


async def test_run_now_of_a_job_takes_input_for_this_once(kit, scheduler, probe):
    """Input given to run_now stands in the place of the job's own, this once."""
    await scheduler.add("1 hour", job_id="report", input_data={"operation": "run", "number": 7})
    await scheduler("run_now", job_id="report", input_data={"operation": "run", "number": 8})
    await kit.advance(hours=1)
    assert [given["number"] for given in probe.inputs] == [8, 7]


async def test_run_now_of_a_paused_job_runs(scheduler, probe):
    """A paused job can be run by hand."""
    await scheduler.add("1 hour", job_id="report")
    await scheduler("pause", job_id="report")
    await scheduler("run_now", job_id="report")
    assert len(probe.calls) == 1


async def test_run_now_that_fails_leaves_history(scheduler, probe):
    """A failed run_now raises, and its record has the error."""
    probe.raises = ValueError("no such thing")
    with pytest.raises(ExecutionFailed):
        await scheduler("run_now", job_id="label", agentool_name="probe", input_data=RUN)
    (record,) = await scheduler.history("label")
    assert (record["status"], record["error"]["message"]) == ("failed", "no such thing")


async def test_run_now_has_a_timeout(kit, scheduler, probe):
    """run_now with a timeout ends a handler that takes longer."""
    probe.blocks()
    running = scheduler.begin("run_now", agentool_name="probe", input_data=RUN, timeout=5)
    await kit.advance(seconds=5)
    with pytest.raises(ExecutionFailed, match="timeout of 5 s"):
        await running


async def test_history_of_all_jobs_is_the_newest_first(kit, scheduler):
    """get_history without a job gives the records of all, the newest first."""
    await scheduler.add("20 minutes", job_id="often")
    await scheduler.add("30 minutes", job_id="seldom")
    await kit.advance(minutes=30)
    assert [record["job_id"] for record in await scheduler.history()] == ["often", "seldom"]
