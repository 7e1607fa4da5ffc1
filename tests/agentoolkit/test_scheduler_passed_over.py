"""Due times that a change of their job leaves to nobody have a record, and what was asked for of a job ends with it."""

from __future__ import annotations

from datetime import timedelta

import pytest


async def missed(scheduler):
    return [(record["status"], record["scheduled_at"][11:16], record["due_count"]) for record in await scheduler.history("job")]


@pytest.mark.parametrize("ends", [("resume", {}), ("update", {"paused": False})])
@pytest.mark.parametrize("paused", [{}, {"until": "2030-01-01T00:30:00+00:00"}])
async def test_a_pause_that_is_ended_by_hand_too_late_leaves_a_missed_record(kit, scheduler, probe, ends, paused):
    """The job's only time was in the pause: it is over, and its history says that the time was missed."""
    await scheduler.add("2030-01-01T00:10:00", job_id="job")
    await scheduler("pause", job_id="job", **paused)
    await kit.advance(minutes=20)
    operation, fields = ends
    await scheduler(operation, job_id="job", **fields)
    assert (await missed(scheduler), probe.calls) == ([("missed", "00:10", 1)], [])


async def test_a_pause_after_which_something_is_due_leaves_no_record(kit, scheduler, probe):
    """Due times in a pause that is ended by hand are passed over, as the person wanted."""
    await scheduler.add("10 minutes", job_id="job")
    await scheduler("pause", job_id="job")
    await kit.advance(minutes=25)
    await scheduler("resume", job_id="job")
    assert await missed(scheduler) == []


async def test_all_times_in_such_a_pause_share_a_record(kit, scheduler, probe):
    """Three times, the last three of the job, are missed together."""
    await scheduler.add("10 minutes", job_id="job", end_at="2030-01-01T00:35:00+00:00")
    await scheduler("pause", job_id="job")
    await kit.advance(hours=1)
    await scheduler("resume", job_id="job")
    assert await missed(scheduler) == [("missed", "00:30", 3)]


@pytest.mark.parametrize(
    "asks", [("start_run", {"run_key": "one"}), ("backfill", {"start_at": "2030-01-01T00:00:00", "end_at": "2030-01-01T00:05:00"})]
)
async def test_what_is_asked_for_of_a_job_as_it_is_cancelled_does_not_run(kit, scheduler, probe, asks):
    """The job is cancelled before the execution is written down: it is cancelled too."""
    await scheduler.add("* * * * *", job_id="job")
    kit.clock.jump(kit.clock.now() + timedelta(hours=1))
    store = kit.scheduler.store
    insert = store.insert

    async def meanwhile(*args, **kwargs):
        store.insert = insert
        await scheduler("cancel", job_id="job")
        return await insert(*args, **kwargs)

    store.insert = meanwhile
    operation, fields = asks
    await scheduler(operation, job_id="job", **fields)
    await kit.advance(seconds=5)
    ran = {record["status"] for record in await scheduler.history("job") if record["trigger"] in ("requested", "backfill")}
    assert (ran, probe.calls) == ({"cancelled"}, [])


async def test_what_is_asked_for_of_a_job_as_it_is_changed_runs_as_it_is_then(kit, scheduler, probe):
    """The execution was written down after the change, so it has the new input."""
    await scheduler.add("1 hour", job_id="job")
    store = kit.scheduler.store
    insert = store.insert

    async def meanwhile(*args, **kwargs):
        await scheduler("update", job_id="job", input_data={"operation": "run", "number": 2})
        return await insert(*args, **kwargs)

    store.insert = meanwhile
    await scheduler("start_run", job_id="job", run_key="one")
    await kit.advance(seconds=5)
    assert [given["number"] for given in probe.inputs] == [2]
