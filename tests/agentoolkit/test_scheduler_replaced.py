"""A job that takes another's place under its id or name: what of the old one counts for it, and what of the old one is still due."""

from __future__ import annotations

from datetime import timedelta

import pytest


async def test_a_job_that_replaces_one_that_is_over_runs(kit, scheduler, probe):
    """It has all its runs before it: those of the job whose place it takes are not its own."""
    await scheduler.add("10 seconds", job_name="job", max_runs=2)
    await kit.advance(minutes=1)
    replaced = await scheduler.add("20 seconds", job_name="job", max_runs=2, replace=True)
    await kit.advance(minutes=2)
    assert (replaced["state"], len(probe.calls), (await scheduler("get_job", job_id="job"))["info"]["state"]) == ("active", 4, "done")


@pytest.mark.parametrize("schedule", ["10 seconds", "20 seconds"])
async def test_a_replacement_in_the_middle_goes_on_with_the_runs(kit, scheduler, probe, schedule):
    """It changes a job that is not over, so it has one run of two left."""
    await scheduler.add("10 seconds", job_name="job", max_runs=2)
    await kit.advance(seconds=15)
    await scheduler.add(schedule, job_name="job", max_runs=2, input_data={"operation": "run", "number": 2}, replace=True)
    await kit.advance(minutes=2)
    assert [given["number"] for given in probe.inputs] == [0, 2]


async def test_a_replacement_of_one_that_is_over_by_the_same_times_stays_over(kit, scheduler, probe):
    """A file of tasks may be applied again and again: what has had its runs does not run again with another input."""
    await scheduler.add("10 seconds", job_name="job", max_runs=2)
    await kit.advance(minutes=1)
    await scheduler.add("10 seconds", job_name="job", max_runs=2, input_data={"operation": "run", "number": 2}, replace=True)
    await kit.advance(minutes=2)
    assert len(probe.calls) == 2


@pytest.mark.parametrize("changes", ["schedule", "update"])
async def test_a_due_time_that_is_late_as_its_job_changes_has_a_record(kit, scheduler, probe, changes):
    """It was due under the old schedule, and runs as such."""
    await scheduler.add("1 minute", job_id="job")
    kit.clock.jump(kit.clock.now() + timedelta(seconds=65))
    if changes == "schedule":
        await scheduler.add("2 minutes", job_id="job", replace=True)
    else:
        await scheduler("update", job_id="job", schedule="2 minutes")
    await kit.advance(seconds=1)
    assert [record["scheduled_at"][14:19] for record in await scheduler.history("job")] == ["01:00"]


@pytest.mark.parametrize("again", ["cancelled", "replaced"])
async def test_a_new_job_does_not_inherit_failures(kit, scheduler, probe, again):
    """pause_after_failures: a job made anew under an id is paused by its own failures."""
    probe.raises = OSError("no")
    await scheduler.add("1 minute", job_id="job", pause_after_failures=3)
    await kit.advance(minutes=2, seconds=1)
    if again == "cancelled":
        await scheduler("cancel", job_id="job")
    await scheduler.add("2 minutes", job_id="job", pause_after_failures=3, replace=again == "replaced")
    states = []
    for _ in range(3):
        await kit.advance(minutes=2)
        states.append((await scheduler("get_job", job_id="job"))["info"]["state"])
    assert states == ["active", "active", "paused"]


async def test_a_dry_run_of_a_replacement_claims_nothing(kit, scheduler, probe):
    """It tells what the job would be, and leaves what is due to the clock."""
    await scheduler.add("1 hour", job_id="job", misfire_grace_time=3600)
    kit.clock.jump(kit.clock.now() + timedelta(hours=1, seconds=5))
    answer = await scheduler.add("2 hours", job_id="job", replace=True, dry_run=True)
    assert (answer["changed"], probe.calls) == (True, [])
