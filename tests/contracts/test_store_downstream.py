"""What a shared store owes besides: downstream jobs of other processes, of damaged jobs, and of transactions that failed."""

from __future__ import annotations

import asyncio

import pytest

from agentoolkit.database.database import Database
from agentoolkit.database.dialects import dialect_for
from agentoolkit.database.migrations import MIGRATIONS
from agentoolkit.system.scheduler.execution_records import ExecutionStatus
from agentoolkit.system.scheduler.stores.sql import SqlJobStore
from agentoolkit.system.scheduler.stores.sql.claims import Round
from agentoolkit.testing import ManualTime

from .job_store_steps import START, add, at, begin, claim, claim_one, finish, make, none_held, succeed
from .owners import dies, sql


async def test_outcome_and_follower_are_written_together_or_not_at_all(first: SqlJobStore, monkeypatch: pytest.MonkeyPatch):
    """If the downstream job cannot be written the outcome is not either; at the next try both are, once."""
    await add(first)
    await add(first, "load", schedule="after job")
    ended = succeed(await begin(first, await claim_one(first)))
    with monkeypatch.context() as broken:
        broken.setattr(Round, "write", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            await finish(first, ended)
    found = await first.execution(ended.execution_id)
    assert found is not None
    assert (found.status, list(await first.executions("load", 10))) == (ExecutionStatus.RUNNING, [])
    assert len((await finish(first, ended)).downstream) == 1
    assert len(await first.executions("load", 10)) == 1


async def test_follower_of_a_visitor_is_the_leaders(first: SqlJobStore, database_url: str, clock: ManualTime):
    """A process that starts nothing leaves what comes after its runs, and whoever leads takes it."""
    await add(first)
    await add(first, "load", schedule="after job")
    visitor = SqlJobStore(Database(dialect_for(database_url, "normal"), MIGRATIONS), clock, delivers=False)
    await visitor.open()
    asked = (await claim_one(first))._replace(execution_id="job@now-1", trigger="run_now", owner=visitor.owner)
    await visitor.insert([asked])
    done = await finish(visitor, succeed(asked))
    (taken,) = [found.execution for found in await first.take_over(at(2), lambda id_: id_.startswith("job"))]
    await visitor.close()
    assert (done.written, list(done.downstream)) == (True, [])
    assert (taken.execution_id, taken.owner, taken.status) == ("load@after-job@now-1", first.owner, ExecutionStatus.QUEUED)


async def test_follower_of_an_ended_process_is_taken_over(first: SqlJobStore, second: SqlJobStore):
    """What a process wrote down and did not start before it ended is started by whoever leads next."""
    await add(first)
    await add(first, "load", schedule="after job")
    ((_, waiting),) = (await finish(first, succeed(await begin(first, await claim_one(first))))).downstream
    await dies(first)
    assert await second.lead(START)
    assert [found.execution for found in await second.take_over(at(2), none_held)] == [waiting._replace(owner=second.owner)]


async def test_damaged_follower_holds_up_nobody(first: SqlJobStore, second: SqlJobStore):
    """A downstream job whose row cannot be read is broken; the outcome is written, and another downstream job runs."""
    await add(second)
    for job_id in ("a", "b"):
        await add(second, job_id, schedule="after job")
    await sql(first, "UPDATE agentool_jobs SET definition = 'nonsense' WHERE job_id = 'a'")
    done = await finish(first, succeed(await begin(first, await claim_one(first))))
    row = await first._database.read(lambda session: session.row("SELECT state, reason FROM agentool_jobs WHERE job_id = 'a'"))
    assert [claimed.execution.job_id for claimed in done.downstream] == ["b"]
    assert (row[0], "cannot be read" in row[1]) == ("broken", True)


async def test_two_processes_finish_at_once(first: SqlJobStore, second: SqlJobStore):
    """Ends that two processes write at the same time start a downstream job once, and every one leaves its record."""
    await add(first, max_instances=20)
    await add(first, "load", schedule="after job")
    started = [await begin(first, (await claim(first, minute))[0]) for minute in range(1, 11)]
    await sql(first, "UPDATE agentool_executions SET owner = :owner WHERE scheduled_at % 120000000 = 0", owner=second.owner)
    mine = [(first, execution) for execution in started[0::2]]
    theirs = [(second, execution._replace(owner=second.owner)) for execution in started[1::2]]
    done = await asyncio.gather(*(finish(store, succeed(execution)) for store, execution in [*mine, *theirs]))
    statuses = [claimed.execution.status for finished in done for claimed in finished.downstream]
    assert all(done)
    assert (statuses.count(ExecutionStatus.QUEUED), statuses.count(ExecutionStatus.SKIPPED)) == (1, 9)


async def test_circle_of_two_processes_is_refused(first: SqlJobStore, second: SqlJobStore):
    """Of two changes that would close a circle together, made at the same time, one is refused."""
    for job_id in ("a", "b"):
        await add(first, job_id)
    changes = [(first, "a", "after b"), (second, "b", "after a")]
    told = await asyncio.gather(*(_come_after(*change) for change in changes), return_exceptions=True)
    assert sorted(type(answer).__name__ for answer in told) == ["InvalidSchedule", "bool"]


async def _come_after(store: SqlJobStore, job_id: str, schedule: str) -> bool:
    stored = await store.find(job_id)
    assert stored is not None
    return await store.replace(make(job_id, schedule), stored.state, stored.state)
