"""Records that somebody damaged: each costs itself alone, is shown as damaged, and is named."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agentoolkit.system.scheduler.errors import InvalidJob
from agentoolkit.system.scheduler.execution_records import ExecutionStatus
from agentoolkit.system.scheduler.jobs import JobState, JobStatus
from agentoolkit.system.scheduler.ports import Message
from agentoolkit.system.scheduler.stores.sql import SqlJobStore

from .job_store_steps import add, at, begin, claim, claim_one, finish, make, none_held, run, succeed
from .owners import sql

DAMAGES = ["status = 'weird'", "result = '{bad'", "error = '[]'", "attempts = '[1]'", "started_at = 9223372036854775807"]


@pytest.mark.parametrize("damage", DAMAGES)
async def test_damaged_execution_is_shown_as_such(first: SqlJobStore, damage: str):
    """A history with a damaged record is shown whole: that one is lost, and its reason says that it is damaged."""
    await add(first)
    damaged, good = await run(first, 1), await run(first, 2)
    await sql(first, f"UPDATE agentool_executions SET {damage} WHERE execution_id = :id", id=damaged.execution_id)
    listed = await first.executions(None, 10)
    assert [one.execution_id for one in listed] == [good.execution_id, damaged.execution_id]
    assert (listed[1].status, "damaged" in listed[1].reason) == (ExecutionStatus.LOST, True)
    assert await first.execution(damaged.execution_id) == listed[1]


@pytest.mark.parametrize("fields", [{"description": "\ud800"}, {"tags": ("\ud800",)}, {"input_data": {"text": "\ud800"}}])
async def test_a_job_that_has_no_form_as_text_is_refused_by_its_id(first: SqlJobStore, fields: dict[str, Any]):
    """Who writes to a store directly is told which job it is, of those that are written together, and the others are there."""
    jobs = [make("good"), make("bad", **fields)]
    good, bad = await asyncio.gather(*(first.add(job, JobState()) for job in jobs), return_exceptions=True)
    assert (good, isinstance(bad, InvalidJob), "Job 'bad' cannot be written" in str(bad)) == (None, True, True)
    assert [stored.job.job_id for stored in await first.jobs()] == ["good"]


@pytest.mark.parametrize("damage", DAMAGES)
async def test_damaged_execution_is_named(first: SqlJobStore, damage: str):
    """What cannot be read is named by its id, for those who look for damage."""
    await add(first)
    damaged = await run(first)
    assert list(await first.damaged(10)) == []
    await sql(first, f"UPDATE agentool_executions SET {damage}")
    (named,) = await first.damaged(10)
    assert damaged.execution_id in named


@pytest.mark.parametrize("damage", ["attempts = '[1]'", "started_at = 9223372036854775807", "status = 'weird'"])
async def test_damaged_unfinished_execution_is_lost_and_frees_its_room(first: SqlJobStore, damage: str):
    """An unfinished execution that cannot be read is written as lost at the next take-over, and its job runs on."""
    await add(first)
    await begin(first, await claim_one(first))
    await sql(first, f"UPDATE agentool_executions SET {damage}")
    (taken,) = await first.take_over(at(2), none_held)
    assert (taken.job, taken.execution.status) == (None, ExecutionStatus.LOST)
    assert [one.status for one in await claim(first, 2)] == [ExecutionStatus.QUEUED]


async def test_damaged_execution_holds_up_nothing_that_is_claimed_with_it(first: SqlJobStore, second: SqlJobStore):
    """Of a portion that a worker is sent, the one that cannot be read is written as lost, and the other is the worker's."""
    await add(first)
    await add(first, "other")
    damaged, good = await claim_one(first), (await claim(first, 1, "other"))[0]
    await sql(first, "UPDATE agentool_executions SET attempts = '[1]' WHERE execution_id = :id", id=damaged.execution_id)
    taken = await second.claim_executions([damaged.execution_id, good.execution_id], at(2))
    assert {claimed.execution.execution_id: claimed.execution.status for claimed in taken} == {
        damaged.execution_id: ExecutionStatus.LOST,
        good.execution_id: ExecutionStatus.QUEUED,
    }
    assert (await first.statuses([damaged.execution_id]))[damaged.execution_id] is ExecutionStatus.LOST


async def test_damaged_message_holds_no_other_up(first: SqlJobStore):
    """A message that cannot be read is passed over and named; the others are delivered."""
    await add(first)
    for minute in (1, 2):
        ended = succeed(await begin(first, await claim_one(first, minute)))
        await finish(first, ended, Message(ended.execution_id, "q", {"minute": minute}))
    await sql(first, "UPDATE agentool_outbox SET payload = '{half' WHERE execution_id LIKE '%00:01:00%'")
    assert [message.payload for message in await first.outbox(1)] == [{"minute": 2}]
    assert [message.payload for message in await first.messages(10)] == [{"minute": 2}]
    assert ["00:01:00" in named for named in await first.damaged(10)] == [True]


OWNER_DAMAGES = ["heartbeat_at = 9223372036854775807", "started_at = 9223372036854775807", "pid = 9223372036854775807"]


@pytest.mark.parametrize("damage", OWNER_DAMAGES)
async def test_damaged_process_ends_nothing(first: SqlJobStore, second: SqlJobStore, damage: str):
    """The row of another process that cannot be read is named, and this one leads, claims, takes over and lists on."""
    await add(first)
    await sql(first, f"UPDATE agentool_owners SET {damage} WHERE owner = :id", id=second.owner)
    assert [second.owner in named for named in await first.damaged(10)] == [True]
    assert await first.lead(at(0))
    assert first.owner in {owner.owner for owner in await first.owners()}
    assert list(await first.take_over(at(0), none_held)) == []
    assert len(await claim(first, 1)) == 1


@pytest.mark.parametrize("column", ["heartbeat_at", "started_at", "pid"])
async def test_damaged_process_of_a_file_ends_nothing(first: SqlJobStore, second: SqlJobStore, database_url: str, column: str):
    """So where a column holds text, as only SQLite lets it."""
    damaged = "'x'" if "://" not in database_url else "-1"
    await sql(first, f"UPDATE agentool_owners SET {column} = {damaged} WHERE owner = :id", id=second.owner)
    assert [second.owner in named for named in await second.damaged(10)] == [True]
    await first.owners()
    assert list(await first.take_over(at(0), none_held)) == []


async def test_damaged_lease_is_taken(first: SqlJobStore, second: SqlJobStore, database_url: str):
    """A lease whose end cannot be read has ended: somebody leads again."""
    damaged = "'x'" if "://" not in database_url else "9223372036854775807"
    await sql(first, f"UPDATE agentool_leases SET expires_at = {damaged}, owner = 'nobody'")
    assert await second.leader() is None
    assert await second.lead(at(0))


# A definition of a newer version, beside a process that cannot read it


_NEWER = "UPDATE agentool_jobs SET definition = :definition, revision = revision + 1000 WHERE job_id = 'job'"


async def written_by_a_newer_version(store: SqlJobStore) -> str:
    """Give the job a field that this version does not know. Return its definition without it."""
    row = await store._database.read(lambda session: session.row("SELECT definition FROM agentool_jobs WHERE job_id = 'job'"))
    assert row is not None
    await sql(store, _NEWER, definition=f'{row[0][:-1]},"invented_later":1}}')
    return row[0]


async def test_a_job_that_an_older_leader_could_not_read_goes_on_with_the_next_one(first: SqlJobStore):
    """It was broken only for who could not read it: it has its runs and its due times, of which the late ones are decided as such."""
    await add(first, max_runs=3, catch_up="all")
    await run(first, 1)
    definition = await written_by_a_newer_version(first)
    assert await claim(first, 2) == []
    (listed,) = await first.jobs()
    assert (listed.state.status, await claim(first, 3)) == (JobStatus.BROKEN, [])
    await sql(first, _NEWER, definition=definition)
    assert [change.job_id for change in await first.upcoming()] == ["job"]
    claimed = await claim(first, 4)
    stored = await first.find("job")
    assert [execution.scheduled_at for execution in claimed] == [at(2), at(3)]
    assert stored is not None
    assert (stored.state.status, stored.state.runs, stored.state.reason) == (JobStatus.DONE, 3, "")


async def test_a_job_whose_times_cannot_be_computed_stays_broken(first: SqlJobStore):
    """It can be read, and was broken for another reason: no leader takes it up by itself."""
    await add(first)
    broken = "UPDATE agentool_jobs SET state = 'broken', reason = 'its due times cannot be computed: no such zone'"
    await sql(first, broken)
    assert await claim(first, 2) == []
    stored = await first.find("job")
    assert stored is not None
    assert stored.state.status is JobStatus.BROKEN
