"""A cancelled job is remembered: who cancelled it, when and why, and what still ran."""

from __future__ import annotations

import pytest

from agentool.caller import OWN, Caller, acting_as
from agentoolkit.client import SchedulerClient
from agentoolkit.system.scheduler import JobNotFound


async def test_cancelled_job_is_found_with_who_and_when(kit, scheduler):
    """get_job finds a cancelled job, its definition, who cancelled it, when and why."""
    await scheduler.add("1 hour", job_id="report", tags=["a"])
    await kit.advance(minutes=90)
    with acting_as(Caller("maria", door="rest")):
        await scheduler("cancel", job_id="report", reason="no longer wanted")
    answer = await scheduler.output("get_job", job_id="report")
    info = answer.data["info"]
    assert (info["state"], info["reason"]) == ("cancelled", "cancelled by maria: no longer wanted")
    assert (info["ended_at"], info["tags"], answer.data["next_run"]) == ("2030-01-01T01:30:00+00:00", ["a"], None)
    assert answer.message == "Job 'report' was cancelled by maria: no longer wanted, at 2030-01-01T01:30:00+00:00."
    assert len(answer.data["recent_history"]) == 1


async def test_cancelled_job_is_listed_by_its_status_only(scheduler):
    """list leaves cancelled jobs out, and lists them by their status."""
    await scheduler.add("1 hour", job_id="kept")
    await scheduler.add("1 hour", job_id="gone")
    await scheduler("cancel", job_id="gone")
    assert [job["job_id"] for job in (await scheduler("list"))["jobs"]] == ["kept"]
    (gone,) = (await scheduler("list", job_status="cancelled"))["jobs"]
    assert (gone["job_id"], gone["state"], gone["reason"]) == ("gone", "cancelled", "cancelled by code")
    assert gone["ended_at"] == "2030-01-01T00:00:00+00:00"


async def test_finished_jobs_are_listed_by_their_status(kit, scheduler):
    """A job that is done is listed by its status."""
    await scheduler.add("now", job_id="once")
    await kit.advance(minutes=1)
    assert [job["job_id"] for job in (await scheduler("list", job_status="done"))["jobs"]] == ["once"]


async def test_client_lists_cancelled_tasks(kit, scheduler):
    """The client finds a cancelled task, and lists it by its status."""
    await scheduler.add("1 hour", job_id="gone")
    client = SchedulerClient(kit.injector)
    await client.cancel_task("gone")
    assert (await client.get_task("gone"))["info"]["state"] == "cancelled"
    assert [task["task_id"] for task in await client.list_tasks("cancelled")] == ["gone"]


@pytest.mark.parametrize("operation", ["cancel", "pause", "resume", "update", "run_now"])
async def test_cancelled_job_is_out_of_reach(scheduler, operation):
    """What changes or runs a job does not find a cancelled one."""
    await scheduler.add("1 hour", job_id="gone")
    await scheduler("cancel", job_id="gone")
    with pytest.raises(JobNotFound, match=r"Job 'gone' was cancelled on 2030-01-01 at 00:00\. Schedule it anew\."):
        await scheduler(operation, job_id="gone")


async def test_cancelled_job_gives_its_id_and_name_free(scheduler):
    """A new job may have the id and the name of a cancelled one, and is the one that is found."""
    await scheduler.add("1 hour", job_id="report", job_name="Report")
    await scheduler("cancel", job_id="report")
    assert (await scheduler.add("2 hours", job_id="report", job_name="Report", replace=True))["created"]
    assert (await scheduler("get_job", job_id="report"))["info"]["state"] == "active"
    assert (await scheduler("list", job_status="cancelled"))["jobs"] == []


async def test_cancel_says_what_still_runs(kit, scheduler, probe):
    """The answer to cancel names the executions that still run, and those that waited and do not run."""
    probe.blocks()
    await scheduler.add("1 minute", job_id="busy", overlap="queue_all")
    await kit.advance(minutes=2)
    heard = []
    leave = kit.scheduler.subscribe(heard.append)
    answer = await scheduler.output("cancel", job_id="busy")
    leave()
    first, second = "busy@2030-01-01T00:01:00+00:00", "busy@2030-01-01T00:02:00+00:00"
    assert (answer.data["running"], answer.data["cancelled"]) == ([first], [second])
    assert f"Still running: {first!r}" in answer.message
    assert [(event.type, event.execution and event.execution.execution_id) for event in heard] == [
        ("scheduler.task.cancelled", None),
        ("scheduler.task.cancelled", second),
    ]
    probe.may_end.set()
    await kit.advance(seconds=1)
    assert sorted(await scheduler.statuses("busy")) == ["cancelled", "success"]


async def test_replaced_single_run_is_another_job_of_the_next_version(kit, scheduler, probe):
    """A single run that is replaced is another job: it is one change, its version goes on, and the old due time is gone."""
    added = await scheduler.add("2030-01-05T00:00:00", job_id="once")
    await kit.advance(minutes=1)
    replaced = await scheduler.add("in 2 hours", job_id="once", replace=True)
    assert (replaced["changed"], replaced["version"], added["version"]) == (True, 2, 1)
    await kit.advance(days=10)
    assert probe.calls == ["2030-01-01T02:01:00+00:00"]


MARIA = Caller("maria", door="rest", scopes=OWN)


async def _cancelled_by_maria(kit, scheduler):
    """Let maria schedule a job, let it run once, and let her cancel it."""
    with acting_as(MARIA):
        await scheduler.add("1 hour", job_id="report")
        await kit.advance(minutes=90)
        await scheduler("cancel", job_id="report")


async def test_owner_reads_the_history_of_a_cancelled_job(kit, scheduler):
    """get_history finds what a cancelled job of the caller's did, as get_job finds the job."""
    await _cancelled_by_maria(kit, scheduler)
    with acting_as(MARIA):
        (run,) = (await scheduler("get_history", job_id="report"))["history"]
        assert (await scheduler("list_executions", job_id="report"))["count"] == 1
        assert (await scheduler("get_execution", execution_id=run["execution_id"]))["status"] == run["status"]


async def test_owner_lists_cancelled_jobs(kit, scheduler):
    """A caller finds its own cancelled jobs by their status."""
    await _cancelled_by_maria(kit, scheduler)
    with acting_as(MARIA):
        assert [job["job_id"] for job in (await scheduler("list", job_status="cancelled"))["jobs"]] == ["report"]


@pytest.mark.parametrize("operation", ["get_job", "get_history", "list_executions"])
async def test_others_do_not_find_a_cancelled_job(kit, scheduler, operation):
    """A cancelled job is its owner's: another caller finds neither it nor what it did."""
    await _cancelled_by_maria(kit, scheduler)
    with acting_as(Caller("paul", door="rest", scopes=OWN)):
        assert (await scheduler("list", job_status="cancelled"))["jobs"] == []
        with pytest.raises(JobNotFound):
            await scheduler(operation, job_id="report")
