"""Late due times that all run, beside a policy of overlaps that lets a newer one replace the older ones."""

from __future__ import annotations

from datetime import timedelta

import pytest


async def is_late(kit, seconds):
    """Let the clock leap, as a machine does that slept, and then go on."""
    kit.clock.jump(kit.clock.now() + timedelta(seconds=seconds))
    await kit.advance(seconds=1)


@pytest.mark.parametrize("late", [{"catch_up": "all"}, {"coalesce": False, "misfire_grace_time": 600}])
async def test_late_due_times_that_all_run_do_not_replace_each_other(kit, scheduler, probe, late):
    """cancel_running: three due times noticed at once run one after another."""
    probe.blocks()
    await scheduler.add("1 minute", job_id="job", overlap="cancel_running", timeout=36000, **late)
    await is_late(kit, 225)
    waits = await scheduler.statuses("job")
    probe.may_end.set()
    await kit.advance(seconds=5)
    assert (waits, await scheduler.statuses("job"), probe.most_running) == (["running", "queued", "queued"], ["success"] * 3, 1)


async def test_a_single_late_due_time_waits_for_the_run_before_it(kit, scheduler, probe):
    """cancel_running, catch_up all: one noticed after more than 30 seconds cancels nothing that runs."""
    probe.blocks()
    await scheduler.add("1 hour", job_id="job", overlap="cancel_running", catch_up="all", timeout=36000)
    await kit.advance(hours=1)
    await is_late(kit, 3600 + 40)
    assert await scheduler.statuses("job") == ["running", "queued"]


async def test_a_due_time_that_is_not_late_still_replaces_the_run_before_it(kit, scheduler, probe):
    """cancel_running, catch_up all: noticed after 20 seconds it is not late, and the older run is cancelled."""
    probe.blocks()
    await scheduler.add("1 hour", job_id="job", overlap="cancel_running", catch_up="all", timeout=36000)
    await kit.advance(hours=1)
    await is_late(kit, 3600 + 20)
    assert await scheduler.statuses("job") == ["cancelled", "running"]


@pytest.mark.parametrize("max_instances", [1, 2])
async def test_of_coalesced_due_times_the_latest_replaces_the_run_before_it(kit, scheduler, probe, max_instances):
    """cancel_running: only one of several late ones runs, and it is the newer run, where there is no room for both."""
    probe.blocks()
    more = {"misfire_grace_time": 600, "max_instances": max_instances}
    await scheduler.add("1 minute", job_id="job", overlap="cancel_running", timeout=36000, **more)
    await kit.advance(minutes=1)
    await is_late(kit, 120)
    first = "cancelled" if max_instances == 1 else "running"
    assert await scheduler.statuses("job") == [first, "missed", "running"]
