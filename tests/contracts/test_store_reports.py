"""What a store tells of itself: who has it open, and what is still on its way to a queue."""

from __future__ import annotations

import pytest

from agentoolkit.database.database import Database
from agentoolkit.database.dialects import dialect_for
from agentoolkit.database.migrations import MIGRATIONS
from agentoolkit.system.scheduler.jobs import JobState, JobStatus
from agentoolkit.system.scheduler.ports import Message
from agentoolkit.system.scheduler.stores.memory import MemoryJobStore
from agentoolkit.system.scheduler.stores.sql import SqlJobStore
from agentoolkit.testing import ManualTime

from .job_store_steps import START, add, at, run


def opened_by(database_url: str, clock: ManualTime, *, delivers: bool = True) -> SqlJobStore:
    return SqlJobStore(Database(dialect_for(database_url, "normal"), MIGRATIONS), clock, delivers=delivers)


async def test_every_process_is_listed(database_url: str) -> None:
    """Each process that has the database open is listed with its heartbeat until it closes it."""
    clock = ManualTime(START)
    first, second = opened_by(database_url, clock), opened_by(database_url, clock)
    await first.open()
    await second.open()
    assert {owner.owner for owner in await first.owners()} == {first.owner, second.owner}
    await second.close()
    assert [owner.owner for owner in await first.owners()] == [first.owner]
    await first.close()


async def test_a_store_of_one_process_lists_nobody() -> None:
    """Memory is not shared, so there is nobody to name."""
    assert not await MemoryJobStore().owners()


async def test_a_visitor_sees_every_message(database_url: str) -> None:
    """`messages` holds what others deliver too, where `outbox` holds what is ours to deliver."""
    clock = ManualTime(START)
    leader, visitor = opened_by(database_url, clock), opened_by(database_url, clock, delivers=False)
    await leader.open()
    await visitor.open()
    await leader.lead(START)
    await add(leader)
    ended = await run(leader, queue_name="results")
    message = Message(ended.execution_id, "results", {"result": None})
    assert await visitor.messages(10) == [message]
    assert not await visitor.outbox(10)
    await visitor.close()
    await leader.close()


async def test_counting_jobs_stays_quick_however_often_they_change(database_url: str) -> None:
    """A status has one row with its number, which each change of a job changes: nothing is left to be added up."""
    clock = ManualTime(START)
    leader = opened_by(database_url, clock)
    await leader.open()
    await leader.lead(START)
    job, state = await add(leader), JobState(next_run_at=at(1))
    for number in range(20):
        after = state._replace(status=JobStatus.PAUSED if number % 2 else JobStatus.ACTIVE, version=state.version)
        before = (await leader.find("job")) or pytest.fail("no job")
        assert await leader.replace(job, after, before.state)
    rows = await leader.read(lambda tx: tx.session.rows("SELECT state, number FROM agentool_job_counts"))
    assert sorted(rows) == [("active", 0), ("broken", 0), ("done", 0), ("paused", 1), ("removed", 0)]
    assert dict(await leader.count_jobs()) == {JobStatus.PAUSED: 1}
    await leader.close()
