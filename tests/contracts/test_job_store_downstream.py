"""What every store of jobs owes: executions of jobs that come after others, written down with the outcome they come after."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from agentoolkit.system.scheduler.decisions.downstream import scheduler_start
from agentoolkit.system.scheduler.errors import InvalidSchedule
from agentoolkit.system.scheduler.execution_records import Execution, ExecutionStatus
from agentoolkit.system.scheduler.jobs import JobState, JobStatus
from agentoolkit.system.scheduler.ports import Claimed, Ending, JobStore, Message

from .job_store_steps import START, add, at, begin, change, claim, claim_one, finish, make, none_held, run, start, succeed

ENDED = START + timedelta(minutes=1)
"""When the first execution of ``job`` is due, and when it ends in these tests."""


async def downstream(store: JobStore, job_id: str = "load", schedule: str = "after job", status: JobStatus = JobStatus.ACTIVE, **more: Any):
    return await add(store, job_id, status, schedule=schedule, **more)


async def end(store: JobStore, execution: Execution, status: ExecutionStatus = ExecutionStatus.SUCCESS) -> list[Claimed]:
    """Finish an execution so, and return what comes after it."""
    done = await finish(store, execution._replace(status=status, finished_at=execution.scheduled_at))
    assert done.written
    return list(done.downstream)


async def stands(store: JobStore, job_id: str = "load") -> JobState:
    stored = await store.find(job_id)
    assert stored is not None
    return stored.state


async def test_success_is_followed_by_an_execution(store: JobStore):
    """It is there with the outcome: queued, ours, due when that ended, its id computed from the execution it comes after."""
    await add(store)
    load = await downstream(store)
    first = await begin(store, await claim_one(store))
    expected = Execution(
        "load@after-job@2030-01-01T00:01:00+00:00", "load", "probe", scheduled_at=ENDED, trigger="after", owner=store.owner
    )
    assert await end(store, first) == [Claimed(load, expected)]
    assert await store.execution(expected.execution_id) == expected
    assert list(await store.executions("load", 10)) == [expected]
    assert (await stands(store)).runs == 1


@pytest.mark.parametrize("outcome", ["succeeded", "failed", "ended"])
@pytest.mark.parametrize(
    "status",
    [
        ExecutionStatus.SUCCESS,
        ExecutionStatus.FAILED,
        ExecutionStatus.LOST,
        ExecutionStatus.CANCELLED,
        ExecutionStatus.MISSED,
        ExecutionStatus.SKIPPED,
    ],
)
async def test_only_the_outcome_waited_for_is_followed(store: JobStore, outcome: str, status: ExecutionStatus):
    """failed and lost are failures; cancelled, missed and skipped are followed by nothing."""
    expected = {"succeeded": {"success"}, "failed": {"failed", "lost"}, "ended": {"success", "failed", "lost"}}[outcome]
    await add(store)
    await downstream(store, schedule=f"after job {outcome}")
    followed = await end(store, await begin(store, await claim_one(store)), status)
    assert bool(followed) == (status.value in expected)


async def test_outcome_is_followed_once(store: JobStore):
    """A second outcome is not written, and nothing comes after it."""
    await add(store)
    await downstream(store)
    ended = await run(store)
    assert not (await finish(store, ended)).downstream
    assert len(await store.executions("load", 10)) == 1


async def test_every_follower_has_its_own_execution(store: JobStore):
    """Of three jobs that come after one, two after its success and one after its failure, two run."""
    await add(store)
    await add(store, "other")
    for job_id, schedule in (("a", "after job"), ("b", "after job ended"), ("c", "after job failed"), ("d", "after other")):
        await downstream(store, job_id, schedule)
    followed = await end(store, await begin(store, await claim_one(store)))
    assert sorted(claimed.execution.job_id for claimed in followed) == ["a", "b"]
    assert [list(await store.downstream(job_id)) for job_id in ("job", "other", "a")] == [["a", "b", "c"], ["d"], []]


async def test_chain_goes_on(store: JobStore):
    """What comes after what comes after: each link is due when the one before ended."""
    await add(store)
    await downstream(store)
    await downstream(store, "report", "after load")
    ((_, second),) = await end(store, await begin(store, await claim_one(store)))
    ((_, third),) = await end(store, await begin(store, second))
    assert third.execution_id == "report@after-load@after-job@2030-01-01T00:01:00+00:00"
    assert await store.execution(third.execution_id) == third


@pytest.mark.parametrize("trigger", ["run_now", "backfill"])
async def test_runs_by_hand_are_followed(store: JobStore, trigger: Any):
    """Whatever started an execution of the job, it counts."""
    await add(store)
    await downstream(store)
    asked = Execution("job@now-1", "job", "probe", START, trigger=trigger, owner=store.owner)
    await store.insert([asked])
    assert [claimed.execution.execution_id for claimed in await end(store, asked)] == ["load@after-job@now-1"]


async def test_recorded_end_is_followed_by_nothing(store: JobStore):
    """An execution that is recorded as finished, as from an export, brings its message and starts nothing downstream."""
    await add(store)
    await downstream(store)
    ended = succeed(Execution("job@now-1", "job", "probe", START))
    assert list(await store.insert([ended], [Message("job@now-1", "q", {"x": 1}), Message("other@now", "q", {})])) == ["job@now-1"]
    assert list(await store.insert([ended], [Message("job@now-1", "q", {"x": 2})])) == []
    assert [message.payload for message in await store.outbox(10)] == [{"x": 1}]
    assert list(await store.executions("load", 10)) == []


# The downstream job's own policies


@pytest.mark.parametrize("status", [JobStatus.PAUSED, JobStatus.DONE, JobStatus.BROKEN])
async def test_inactive_follower_leaves_no_record(store: JobStore, status: JobStatus):
    """A job that is paused, done or broken does not run after others either."""
    await add(store)
    await downstream(store, status=status)
    assert await end(store, await begin(store, await claim_one(store))) == []
    assert (await stands(store)).status is status


async def test_pause_that_is_over_is_over(store: JobStore):
    """A job whose pause ended when its upstream job ended runs, and is active."""
    await add(store)
    await store.add(make("load", "after job"), JobState(JobStatus.PAUSED, paused_until=at(1), reason="a while"))
    assert len(await end(store, await begin(store, await claim_one(store)))) == 1
    assert await stands(store) == JobState(JobStatus.ACTIVE, runs=1)


async def test_pause_of_a_follower_ends_by_itself(store: JobStore):
    """When the alarm of its pause rings it is active, although nothing is due."""
    await store.add(make("load", "after job"), JobState(JobStatus.PAUSED, paused_until=at(1)))
    assert await claim(store, 1, "load") == []
    assert await stands(store) == JobState(JobStatus.ACTIVE)


async def test_last_run_makes_a_follower_done(store: JobStore):
    """With max_runs 1 it runs after the first end, is done, and leaves no record after the second."""
    await add(store)
    await downstream(store, max_runs=1)
    followed = [await end(store, await begin(store, await claim_one(store, minute))) for minute in (1, 2)]
    assert [len(found) for found in followed] == [1, 0]
    assert (await stands(store)).status is JobStatus.DONE


@pytest.mark.parametrize(
    ("overlap", "statuses"),
    [("skip", ["queued", "skipped", "skipped"]), ("queue_one", ["queued", "queued", "skipped"]), ("allow", ["queued"] * 3)],
)
async def test_overlap_decides_as_for_due_times(store: JobStore, overlap: str, statuses: list[str]):
    """While an execution of it runs or waits the next one is skipped, with the reason, or waits, as its job says."""
    await add(store)
    await downstream(store, overlap=overlap)
    followed = [await end(store, await begin(store, await claim_one(store, minute))) for minute in (1, 2, 3)]
    told = [claimed.execution for found in followed for claimed in found]
    assert [execution.status.value for execution in told] == statuses
    assert all(bool(execution.reason) == (execution.status is ExecutionStatus.SKIPPED) for execution in told)
    assert [await store.execution(execution.execution_id) for execution in told] == told


async def test_ends_at_the_same_time_are_decided_together(store: JobStore):
    """Of twenty ends that are written at once one starts the downstream job, and each of the others leaves a record that it did not."""
    await add(store, max_instances=20)
    await downstream(store)
    started = [await begin(store, await claim_one(store, minute)) for minute in range(1, 21)]
    told = await asyncio.gather(*(end(store, execution) for execution in started))
    statuses = [claimed.execution.status for found in told for claimed in found]
    assert (len(told), statuses.count(ExecutionStatus.QUEUED), statuses.count(ExecutionStatus.SKIPPED)) == (20, 1, 19)
    assert (await stands(store)).runs == 1


async def test_bounds_hold(store: JobStore):
    """An end before its start, or in an excluded time, starts nothing; one after its end makes it done."""
    await add(store, max_instances=5)
    for job_id, bounds in (
        ("early", {"start_at": at(1) + timedelta(seconds=1)}),
        ("quiet", {"exclude": ["00:01-00:02"]}),
        ("over", {"end_at": at(1) - timedelta(seconds=1)}),
        ("last", {"end_at": at(1)}),
    ):
        job = make(job_id, "after job", **bounds)
        await store.add(job, JobState())
    followed = await end(store, await begin(store, await claim_one(store)))
    states = {job_id: (await stands(store, job_id)).status.value for job_id in ("early", "quiet", "over", "last")}
    assert [claimed.execution.job_id for claimed in followed] == ["last"]
    assert states == {"early": "active", "quiet": "active", "over": "done", "last": "active"}


async def test_history_of_a_follower_is_its_newest_hundred(store: JobStore):
    """Records of what was skipped are pruned like any other."""
    await add(store)
    await downstream(store)
    for minute in range(1, 111):
        await run(store, minute)
    assert len([found for found in await store.executions("load", 1000) if found.finished]) == 100


async def test_endless_chain_ends(store: JobStore):
    """An id that would be too long for any index is a record that says why, and starts nothing."""
    await add(store)
    await downstream(store)
    asked = Execution(f"job@{'x' * 2_000}", "job", "probe", START, owner=store.owner)
    await store.insert([asked._replace(execution_id="job@now-1")])
    await end(store, asked._replace(execution_id="job@now-1"))
    await finish(store, (await store.executions("load", 1))[0]._replace(status=ExecutionStatus.CANCELLED, finished_at=START))
    await store.insert([asked])
    await end(store, asked)
    (record,) = await store.executions("load", 10, ExecutionStatus.SKIPPED)
    assert (record.reason, len(record.execution_id) < 100) == ("too many jobs come one after another", True)


# Definitions that change


async def test_changed_job_follows_what_it_says_now(store: JobStore):
    """A job that comes after another one from now on, or after none, no longer follows the first."""
    await add(store, max_instances=5)
    await add(store, "other")
    for job_id in ("moved", "freed", "gone"):
        await downstream(store, job_id)
    await change(store, make("moved", "after other"), JobState())
    await change(store, make("freed", "1 hour"), JobState(next_run_at=at(60)))
    await store.remove("gone", at(5))
    assert await end(store, await begin(store, await claim_one(store))) == []
    followed = await end(store, await begin(store, (await claim(store, 1, "other"))[0]))
    assert [claimed.execution.job_id for claimed in followed] == ["moved"]
    assert list(await store.downstream("job")) == []


async def test_job_that_ran_after_another_meanwhile_is_not_put_back(store: JobStore):
    """An editor that did not see its last run is refused."""
    await add(store)
    job = await downstream(store)
    seen = await stands(store)
    await run(store)
    assert not await store.replace(job, seen._replace(status=JobStatus.PAUSED), seen)
    assert (await stands(store)).runs == 1


async def test_circle_is_refused(store: JobStore):
    """No job comes after itself, neither directly nor by way of others, neither new nor changed; the way round is named."""
    with pytest.raises(InvalidSchedule, match="'a' after 'a'"):
        await store.add(make("a", "after a"), JobState())
    await add(store, "a")
    await downstream(store, "b", "after a")
    await downstream(store, "c", "after b ended")
    with pytest.raises(InvalidSchedule, match="'a' after 'c', 'c' after 'b', 'b' after 'a'") as refused:
        await change(store, make("a", "after c failed"), JobState())
    assert (refused.value.field, refused.value.value) == ("schedule", "after c failed")
    assert [stored.job.schedule.kind for stored in await store.jobs()] == ["interval", "after", "after"]


async def test_upstream_job_need_not_be_there(store: JobStore):
    """A job may come after one that is added later, as in an import."""
    await downstream(store)
    await add(store)
    assert len(await end(store, await begin(store, await claim_one(store)))) == 1


# What an ended process left


async def test_lost_execution_is_followed(store: JobStore):
    """What comes after a lost execution is given out with it, to be started."""
    await add(store, on_interrupt="fail")
    load = await downstream(store, schedule="after job failed")
    await begin(store, await claim_one(store))
    lost, followed = await store.take_over(at(2), none_held)
    assert (lost.execution.status, followed.job, followed.execution.status) == (ExecutionStatus.LOST, load, ExecutionStatus.QUEUED)
    assert await start(store, followed.execution._replace(status=ExecutionStatus.RUNNING))


async def test_follower_that_nobody_started_is_taken_over(store: JobStore):
    """A process that ends between the outcome and the start of what comes after it leaves that to the next."""
    await add(store)
    load = await downstream(store)
    ((_, waiting),) = await end(store, await begin(store, await claim_one(store)))
    assert await store.take_over(at(2), none_held) == [Claimed(load, waiting)]


async def test_follower_is_an_execution_like_any_other(store: JobStore):
    """It is begun, retried, released and finished once."""
    await add(store)
    await downstream(store)
    ((_, waiting),) = await end(store, await begin(store, await claim_one(store)))
    started = await begin(store, waiting)
    assert await store.retry(started._replace(status=ExecutionStatus.RETRYING, attempt=2, retry_at=at(3), started_at=None))
    again = await begin(store, started._replace(attempt=2))
    assert await store.release(again)
    (taken,) = await store.take_over(at(4), none_held)
    assert (taken.execution.attempt, taken.execution.trigger) == (3, "after")
    assert await end(store, await begin(store, taken.execution)) == []


# After any job


async def test_failure_of_any_job_is_followed(store: JobStore):
    """A job that comes after any failed one starts after each of them, and after no success."""
    await downstream(store, "alarm", "after any failed", overlap="queue_all")
    for job_id in ("a", "b", "c"):
        await add(store, job_id)
    started: list[str] = []
    for job_id, status in (("a", ExecutionStatus.FAILED), ("b", ExecutionStatus.SUCCESS), ("c", ExecutionStatus.LOST)):
        (claimed,) = (await store.claim([job_id], at(1))).records
        first = await begin(store, claimed.execution)
        started += [claimed.execution.execution_id for claimed in await end(store, first, status)]
    assert started == [f"alarm@any-{job_id}@2030-01-01T00:01:00+00:00" for job_id in ("a", "c")]


async def test_alarms_do_not_start_alarms(store: JobStore):
    """What any failure starts may fail itself: that starts neither it again nor another one of its kind."""
    await add(store)
    for name in ("alarm", "siren"):
        await downstream(store, name, "after any failed")
    first = await begin(store, await claim_one(store))
    alarms = [claimed.execution for claimed in await end(store, first, ExecutionStatus.FAILED)]
    assert [execution.job_id for execution in alarms] == ["alarm", "siren"]
    for execution in alarms:
        assert await end(store, await begin(store, execution), ExecutionStatus.FAILED) == []


async def test_job_after_one_and_job_after_any_both_start(store: JobStore):
    """A job after this one, and one after any, are started by the same outcome."""
    await add(store)
    await downstream(store, "clean", "after job failed")
    await downstream(store, "alarm", "after any ended")
    first = await begin(store, await claim_one(store))
    assert {claimed.execution.job_id for claimed in await end(store, first, ExecutionStatus.FAILED)} == {"alarm", "clean"}


async def test_room_that_an_outcome_leaves_is_there_for_what_comes_after_another(store: JobStore):
    """Outcomes that are written together are written first: the job that has ended with them can start again, in any order of theirs."""
    await add(store)
    await downstream(store)
    first = await begin(store, await claim_one(store))
    (before,) = await end(store, first)
    running = await begin(store, before.execution)
    second = await begin(store, await claim_one(store, 2))
    ended = [succeed(each)._replace(finished_at=at(2)) for each in (second, running)]
    (after, _) = await store.finish([Ending(each, None) for each in ended])
    assert [(claimed.execution.job_id, claimed.execution.status) for claimed in after.downstream] == [("load", ExecutionStatus.QUEUED)]


# The scheduler's start


async def test_start_is_followed_once(store: JobStore):
    """A job of ``@reboot`` has one execution for each start, however often it is asked for; others have none."""
    boots = await downstream(store, "boots", "@reboot")
    await downstream(store, "any", "after any ended")
    started = [await store.follow(scheduler_start(moment)) for moment in (START, START, ENDED)]
    ids = ["boots@start-2030-01-01T00:00:00+00:00", "boots@start-2030-01-01T00:01:00+00:00"]
    first = Execution(ids[0], "boots", "probe", scheduled_at=START, trigger="start", owner=store.owner)
    assert started[0] == [Claimed(boots, first)]
    assert [claimed.execution.execution_id for claimed in (*started[1], *started[2])] == ids[1:]
    assert list(await store.executions("any", 10)) == []


async def test_paused_job_sleeps_through_a_start(store: JobStore):
    """Nothing is written for it."""
    await downstream(store, "boots", "@reboot", JobStatus.PAUSED)
    assert await store.follow(scheduler_start(START)) == []
    assert list(await store.executions("boots", 10)) == []
