"""Who makes room for whom: retries, backfills, due times and callers of one job, and of a concurrency key."""

from __future__ import annotations

import pytest


async def test_a_retry_of_an_older_due_time_spares_the_newer_run(kit, scheduler, probe):
    """cancel_running: the retry of the first due time does not cancel the run of the second, and waits for it."""
    probe.raises = OSError("busy")
    await scheduler.add("1 minute", job_id="job", overlap="cancel_running", max_retries=2, retry_backoff=90, max_runs=2, timeout=36000)
    await kit.advance(minutes=1)
    probe.raises = None
    probe.blocks()
    await kit.advance(minutes=2)
    statuses = await scheduler.statuses("job")
    probe.may_end.set()
    await kit.advance(minutes=10)
    assert (statuses[-1], (await scheduler.statuses("job"))[-1]) == ("running", "success")


async def test_a_backfill_and_the_live_run_spare_each_other(kit, scheduler, probe):
    """cancel_running: a backfill cancels no live run, and the next due time cancels no backfill."""
    probe.blocks()
    await scheduler.add("1 minute", job_id="job", overlap="cancel_running", timeout=36000)
    await kit.advance(minutes=1)
    await scheduler("update", job_id="job", schedule="* * * * *")
    await scheduler("backfill", job_id="job", start_at="2029-12-31T23:57:00", end_at="2029-12-31T23:59:00")
    await kit.advance()
    before = [record["status"] for record in await scheduler.history("job") if record["trigger"] == "schedule"]
    await kit.advance(minutes=1)
    backfilled = [record["status"] for record in await scheduler.history("job") if record["trigger"] == "backfill"]
    assert (before, "cancelled" in backfilled) == (["running"], False)


async def test_nothing_stale_piles_up_behind_a_key(kit, scheduler, probe):
    """cancel_running: of due times that wait for their concurrency key only the newest stays."""
    probe.blocks()
    await scheduler.add("1 hour", job_id="other", concurrency_key="one", timeout=36000)
    await kit.advance(hours=1)
    await scheduler.add("1 minute", job_id="job", concurrency_key="one", overlap="cancel_running", timeout=36000)
    await kit.advance(minutes=9)
    statuses = await scheduler.statuses("job")
    assert statuses == ["cancelled"] * 8 + ["queued"]


async def test_a_waiting_retry_makes_room_too(kit, scheduler, probe):
    """cancel_running: a due time replaces an older one that waits for its retry."""
    probe.raises = OSError("busy")
    await scheduler.add("1 minute", job_id="job", overlap="cancel_running", max_retries=2, retry_backoff=600, max_runs=2, timeout=36000)
    await kit.advance(minutes=1)
    probe.raises = None
    await kit.advance(minutes=1)
    assert await scheduler.statuses("job") == ["cancelled", "success"]


@pytest.mark.parametrize("overlap", ["queue_all", "queue_one", "skip"])
async def test_a_backfill_and_due_times_share_their_room(kit, scheduler, probe, overlap):
    """With max_instances=1 a backfill and what comes due never run at the same time, whatever `overlap` says."""
    probe.blocks()
    await scheduler.add("* * * * *", job_id="job", overlap=overlap, timeout=36000)
    await scheduler("backfill", job_id="job", start_at="2029-12-31T23:50:00", end_at="2029-12-31T23:53:00")
    await kit.advance(minutes=2)
    during = probe.running
    probe.may_end.set()
    await kit.advance(minutes=3)
    assert (during, probe.most_running) == (1, 1)


async def test_due_times_go_before_what_waits_of_a_backfill(kit, scheduler, probe):
    """What comes due while a backfill waits is not skipped for it, and runs before the rest of it."""
    probe.blocks()
    await scheduler.add("* * * * *", job_id="job", overlap="queue_all", timeout=36000)
    await scheduler("backfill", job_id="job", start_at="2029-12-31T23:50:00", end_at="2029-12-31T23:53:00")
    await kit.advance(minutes=1)
    live = [record["status"] for record in await scheduler.history("job") if record["trigger"] == "schedule"]
    assert set(live) <= {"queued", "running"}


@pytest.mark.parametrize(("change", "statuses"), [("update", ["running"]), ("cancel_execution", ["cancelled"])])
async def test_what_is_to_start_at_the_opening_follows_what_is_asked_before(kit, scheduler, probe, change, statuses):
    """What was claimed before a scheduler lets work begin waits for the key that its job has then, or not at all if it was cancelled."""
    probe.blocks()
    await scheduler.add("now", job_id="other", concurrency_key="one", timeout=36000)
    await kit.advance()
    dispatch = kit.scheduler.lifecycle.engine.dispatch
    dispatch.waiting.early = {}
    await scheduler.add("now", job_id="job", concurrency_key="one", timeout=36000)
    await kit.advance()
    (record,) = await scheduler.history("job")
    target = {"job_id": "job", "concurrency_key": "two"} if change == "update" else {"execution_id": record["execution_id"]}
    await scheduler(change, **target)
    dispatch.waiting.open()
    await kit.advance()
    assert await scheduler.statuses("job") == statuses


async def test_what_is_to_start_at_the_opening_is_given_back_where_all_were_stopped_before(kit, scheduler, probe):
    """A stop of all processes that comes before a scheduler lets work begin takes out what was claimed: it starts nothing."""
    await scheduler.add("1 hour", job_id="job")
    dispatch = kit.scheduler.lifecycle.engine.dispatch
    dispatch.waiting.early = {}
    record = await scheduler("start_run", job_id="job", run_key="once")
    dispatch.suspend(True)
    dispatch.waiting.open()
    await kit.advance()
    assert (probe.calls, await scheduler.statuses("job"), dispatch.holds(record["execution_id"])) == ([], ["queued"], False)
