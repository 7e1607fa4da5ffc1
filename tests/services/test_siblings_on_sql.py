"""Siblings of the grave faults, on real databases: what one process asks for while another is in the middle of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import pytest

from agentoolkit.settings import Settings
from agentoolkit.testing import ManualTime
from agentoolkit.wiring import Toolkit

from .lives import RUN, Life
from .scenario import START


@pytest.fixture
async def lives(emptied_database_url: str, nothing_left: None) -> AsyncIterator[tuple[Life, Life]]:
    """Two processes on one database, of which the first leads."""
    first = Life(emptied_database_url)
    await first.open()
    second = Life(emptied_database_url, first.clock)
    await second.open()
    yield first, second
    await second.close()
    await first.close()


async def status(life: Life, job_id: str = "job") -> list[str]:
    return [row.status.value for row in await life.kit.scheduler.store.executions(job_id, 100)]


async def cancel(life: Life, asked: str) -> None:
    """Cancel the job, or its only execution."""
    if asked == "cancel":
        await life.kit.injector.run("scheduler", {"operation": "cancel", "job_id": "job"})
    else:
        (row,) = await life.kit.scheduler.store.executions("job", 1)
        await life.kit.injector.run("scheduler", {"operation": "cancel_execution", "execution_id": row.execution_id})


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("asked", ["cancel", "cancel_execution"])
async def test_what_another_process_cancels_as_it_begins_is_as_its_record_says(lives: tuple[Life, Life], asked: str, moment: str):
    """Cancelled before its start is written down, it never starts; afterwards a job leaves it be, and its own cancellation ends it."""
    owner, other = lives
    begin, owner.naps = owner.kit.scheduler.store.begin, True

    async def meanwhile(executions):
        if moment == "before":
            await cancel(other, asked)
        answer = await begin(executions)
        if moment == "after":
            await cancel(other, asked)
        return answer

    owner.kit.scheduler.store.begin = meanwhile
    two_writes = {"schedule": "now", "on_interrupt": "fail"}  # others begin with their claim
    await owner.kit.injector.run("scheduler", {"operation": "schedule", "job_id": "job", **two_writes, **RUN})
    for _ in range(10):
        await owner.clock.advance(seconds=0.5)
        await asyncio.sleep(0.05)
    found = await status(other)
    ran = (moment, asked) == ("after", "cancel")
    assert (found, bool(owner.starts)) == (["running"] if ran else ["cancelled"], moment == "after")


async def test_what_runs_of_a_job_that_another_process_cancels_and_makes_anew_is_not_retried_as_the_new_one(lives: tuple[Life, Life]):
    """Its failure is its last, and the new job has no execution before its own first time."""
    owner, other = lives
    owner.raises, retry = 1, owner.kit.scheduler.store.retry

    async def meanwhile(*given):
        await cancel(other, "cancel")
        owner.clock.jump(owner.now + timedelta(seconds=1))
        await other.kit.injector.run("scheduler", {"operation": "schedule", "job_id": "job", "schedule": "1 minute", **RUN})
        return await retry(*given)

    owner.kit.scheduler.store.retry = meanwhile
    await owner.ask("schedule", job_id="job", schedule="now", max_retries=3, retry_backoff=2, **RUN)
    await owner.advance(seconds=50)
    assert (await status(owner), owner.starts + other.starts) == (["failed"], 1)


async def test_a_replacement_whose_caller_leaves_loses_no_job(lives: tuple[Life, Life]):
    """At whichever moment a caller of schedule(replace=True) leaves: the old job is there, or the new one."""
    owner, _ = lives
    asked = {"operation": "schedule", "job_id": "job", "replace": True, **RUN}
    for turns in range(30):
        await owner.ask(**asked, schedule="2031-01-01T00:00:00")
        replacing = asyncio.ensure_future(owner.kit.injector.run("scheduler", {**asked, "schedule": "2032-01-01T00:00:00"}))
        for _ in range(turns):
            await asyncio.sleep(0.0002 if turns % 2 else 0)
        replacing.cancel()
        await asyncio.wait({replacing})
        await owner.quiet()
        found = await owner.ask("get_job", job_id="job")
        assert found["next_run"][:4] in ("2031", "2032")


@pytest.mark.parametrize("asks", ["owner", "other"])
async def test_a_handler_that_cleans_up_after_its_cancellation_is_not_cancelled_again(lives: tuple[Life, Life], asks: str):
    """It is cancelled once, whichever process it was asked of: what it awaits while it cleans up is not cut short."""
    owner, other = lives
    owner.naps = owner.stays = True
    await owner.kit.injector.run("scheduler", {"operation": "schedule", "job_id": "job", "schedule": "now", "timeout": 3600, **RUN})
    await waits_for(owner, lambda: bool(owner.starts))
    await cancel(owner if asks == "owner" else other, "cancel_execution")
    for _ in range(8):
        await owner.clock.advance(seconds=0.5)
        await asyncio.sleep(0.05)
    cleans_up = await status(owner)
    owner.may_end.set()
    await owner.advance(seconds=2)
    assert (cleans_up, await status(owner)) == (["running"], ["success"])


@pytest.mark.parametrize("changes", [{"operation": "pause"}, {"operation": "update", "schedule": "3 hours"}])
async def test_due_times_that_nobody_noticed_before_a_change_are_missed(emptied_database_url: str, changes: dict[str, str]):
    """No process leads, and a command pauses or changes the job: both due times are in one record, that says why."""
    clock = ManualTime(START)
    settings = Settings(database=emptied_database_url, timezone="UTC")
    call = {"agentool_name": "queue", "input_data": {"operation": "list_queues"}}
    async with Toolkit(settings, time=clock, runs_jobs=False) as visitor:
        await visitor.injector.run("scheduler", {"operation": "schedule", "job_id": "job", "schedule": "1 hour", "catch_up": "all", **call})
        clock.jump(clock.now() + timedelta(hours=2, minutes=10))
        await visitor.injector.run("scheduler", {"job_id": "job", **changes})
        (missed,) = await visitor.scheduler.store.executions("job", 10)
    assert (missed.status.value, missed.due_count) == ("missed", 2)
    assert "before any process noticed" in missed.reason


async def waits_for(life: Life, holds: Callable[[], bool]) -> None:
    """Let time pass until something holds, five seconds at most."""
    for _ in range(100):
        await life.clock.advance(seconds=0.05)
        await asyncio.sleep(0.05)
        if holds():
            return
    raise AssertionError("it does not come to hold")
