"""What waits of a job, for room or for a retry, when it is cancelled and when its job is changed."""

from __future__ import annotations

import pytest

CANCELLED = ("cancelled", "no more")


async def one_waits(kit, scheduler, probe, **fields) -> str:
    """Let one execution of a job run and the next one wait for room; return the id of that one."""
    probe.blocks()
    await scheduler.add("1 minute", job_id="job", overlap="queue_all", max_runs=2, timeout=3600, **fields)
    await kit.advance(minutes=2)
    first, second = await scheduler.history("job")
    assert (first["status"], second["status"]) == ("running", "queued")
    return second["execution_id"]


async def told(scheduler) -> list[tuple[str, str]]:
    return [(message["status"], message["reason"]) for message in await scheduler.messages("errors")]


async def test_cancelled_while_queued_tells_the_error_queue(kit, scheduler, probe):
    """An execution that is cancelled while it waits for room sends the message that one that runs sends."""
    waiting = await one_waits(kit, scheduler, probe, error_queue="errors")
    await scheduler("cancel_execution", execution_id=waiting, reason="no more")
    await kit.advance()
    assert await told(scheduler) == [CANCELLED]


async def test_cancelled_while_retrying_tells_the_error_queue(kit, scheduler, probe):
    """So does one that waits for its retry."""
    probe.raises = OSError("busy")
    await scheduler.add("now", job_id="job", max_retries=3, error_queue="errors")
    await kit.advance()
    (record,) = await scheduler.history("job")
    await scheduler("cancel_execution", execution_id=record["execution_id"], reason="no more")
    await kit.advance(hours=1)
    assert (record["status"], await told(scheduler), len(probe.calls)) == ("retrying", [CANCELLED], 1)


async def test_replaced_while_queued_tells_the_error_queue(kit, scheduler, probe):
    """So does one that a newer due time takes the place of, behind a concurrency key."""
    probe.blocks()
    await scheduler.add("1 hour", job_id="other", concurrency_key="one", timeout=36000)
    await kit.advance(hours=1)
    await scheduler.add("1 minute", job_id="job", overlap="cancel_running", concurrency_key="one", max_runs=2, error_queue="errors")
    await kit.advance(minutes=2)
    ((status, reason),) = await told(scheduler)
    assert (status, "overlap: cancel_running" in reason, await scheduler.statuses("job")) == ("cancelled", True, ["cancelled", "queued"])


async def test_waiting_when_it_stops_tells_the_error_queue(kit, scheduler, probe):
    """In memory a stop ends what waits, and tells of it."""
    await one_waits(kit, scheduler, probe, error_queue="errors")
    await kit.scheduler.lifecycle.stop(0.2)
    await scheduler("start")
    await kit.advance()
    assert sorted(reason for _, reason in await told(scheduler)) == ["the scheduler stopped", "the scheduler stopped before it started"]


@pytest.mark.parametrize("after", ["after job ended", "after job failed"])
async def test_what_comes_after_a_cancelled_one_starts(kit, scheduler, probe, after):
    """A job downstream starts after an execution that was cancelled while it waited, if it does after one that ran."""
    running, waiting = [], await one_waits(kit, scheduler, probe)
    await scheduler.add(after, job_id="next", max_instances=5)
    for execution_id in (waiting, (await scheduler.history("job"))[0]["execution_id"]):
        await scheduler("cancel_execution", execution_id=execution_id)
        await kit.advance()
        running.append(len(await scheduler.history("next")))
    probe.may_end.set()
    await kit.advance()
    starts = running[1] - running[0]
    assert (running, await scheduler.statuses("next")) == ([starts, 2 * starts], ["success"] * 2 * starts)


async def test_what_waits_runs_as_its_job_is_now(kit, scheduler, probe):
    """After update(input_data) the execution that waits runs with the new input, as a retry does; what runs goes on with its own."""
    await one_waits(kit, scheduler, probe, input_data={"operation": "run", "number": 1})
    await scheduler("update", job_id="job", input_data={"operation": "run", "number": 2})
    probe.may_end.set()
    await kit.advance()
    assert [given["number"] for given in probe.inputs] == [1, 2]


async def test_what_waits_of_a_backfill_runs_as_its_job_is_now(kit, scheduler, probe):
    """So does what waits of a past range."""
    probe.blocks()
    await scheduler.add("0 5 * * *", job_id="job", input_data={"operation": "run", "number": 1})
    await scheduler("backfill", job_id="job", start_at="2029-12-30T00:00:00", end_at="2030-01-01T00:00:00")
    await kit.advance()
    await scheduler("update", job_id="job", input_data={"operation": "run", "number": 2})
    probe.may_end.set()
    await kit.advance()
    assert [given["number"] for given in probe.inputs] == [1, 2]


async def test_what_waits_ends_in_the_time_that_its_job_has_now(kit, scheduler, probe):
    """A timeout that was changed while an execution waited is that of its attempt."""
    waiting = await one_waits(kit, scheduler, probe)
    await scheduler("update", job_id="job", timeout=10)
    first = (await scheduler.history("job"))[0]["execution_id"]
    await scheduler("cancel_execution", execution_id=first)
    await kit.advance(seconds=30)
    assert (await scheduler("get_execution", execution_id=waiting))["status"] == "failed"
