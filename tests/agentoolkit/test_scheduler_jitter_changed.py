"""A change of delays or exclusions gives no due time out twice, and drops none."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from agentoolkit.system.scheduler.errors import InvalidSchedule

HOUR = "2030-01-01T01:00:00+00:00"


async def delay_of(scheduler, job_id: str, jitter: float) -> timedelta:
    """Return by how much the due time at one o'clock is delayed."""
    await scheduler.add("0 1-23 * * *", job_id=job_id, jitter=jitter)
    job = await scheduler("get_job", job_id=job_id)
    return datetime.fromisoformat(job["next_run"]) - datetime.fromisoformat(HOUR)


async def waiting_job(scheduler, jitter: float = 3000) -> tuple[str, timedelta]:
    """Schedule until there is a job whose delay is at least half of what it may be."""
    for number in range(50):
        job_id = f"job{number}"
        if (delay := await delay_of(scheduler, job_id, jitter)) > timedelta(seconds=jitter / 2):
            return job_id, delay
        await scheduler("cancel", job_id=job_id)
    raise AssertionError("no delay is long")


async def test_a_due_time_that_ran_gets_no_delay(kit, scheduler, probe):
    """From no jitter to a long one: the due time that ran at one o'clock does not come again, delayed."""
    job_id, delay = await waiting_job(scheduler)
    await scheduler("update", job_id=job_id, jitter=0)
    await kit.advance(hours=1, seconds=60)
    await scheduler("update", job_id=job_id, jitter=3000)
    await kit.advance(seconds=delay.total_seconds() + 1)
    assert [call[11:16] for call in probe.calls] == ["01:00"]


@pytest.mark.parametrize("jitter", [0, 1, 30])
async def test_a_due_time_that_waits_for_its_delay_is_not_dropped(kit, scheduler, probe, jitter):
    """With the delay taken away or shortened while it waits, it runs at once, and once."""
    job_id, _ = await waiting_job(scheduler)
    await kit.advance(hours=1, seconds=60)
    await scheduler("update", job_id=job_id, jitter=jitter)
    await kit.advance(minutes=50)
    assert [call[11:16] for call in probe.calls] == ["01:01"]
    assert await scheduler.statuses(job_id) == ["success"]


async def test_the_last_due_time_is_not_dropped(kit, scheduler, probe):
    """Where the end comes before the next one, the change is refused, and what waits for its delay runs."""
    job_id, _ = await waiting_job(scheduler)
    await scheduler("update", job_id=job_id, end_at="2030-01-01T01:59:00")
    await kit.advance(hours=1, seconds=60)
    with pytest.raises(InvalidSchedule):
        await scheduler("update", job_id=job_id, jitter=0)
    await kit.advance(minutes=50)
    assert await scheduler.statuses(job_id) == ["success"]


async def test_a_due_time_that_ran_is_not_given_out_by_an_exclusion(kit, scheduler, probe):
    """Jitter and exclusions changed together: what ran does not run again."""
    job_id, delay = await waiting_job(scheduler)
    await scheduler("update", job_id=job_id, jitter=0)
    await kit.advance(hours=1, seconds=60)
    await scheduler("update", job_id=job_id, jitter=3000, exclude=["2030-01-02"])
    await kit.advance(seconds=delay.total_seconds() + 1)
    assert [call[11:16] for call in probe.calls] == ["01:00"]


async def test_an_exclusion_that_is_taken_away_lets_the_next_hour_run(kit, scheduler, probe):
    """What was excluded and is not any more is due at its time, not after the one that was due next."""
    await scheduler.add("0 * * * *", job_id="job", exclude=["2030-01-01"])
    await scheduler("update", job_id="job", exclude=[])
    await kit.advance(hours=1)
    assert [call[11:16] for call in probe.calls] == ["01:00"]
