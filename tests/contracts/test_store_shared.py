"""What processes that share a store see of each other's jobs and messages, and what it forgets."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from agentoolkit.system.scheduler.errors import JobExists
from agentoolkit.system.scheduler.execution_records import Execution, ExecutionStatus
from agentoolkit.system.scheduler.jobs import JobState, JobStatus
from agentoolkit.system.scheduler.ports import DamagedJob, Message
from agentoolkit.system.scheduler.stores.sql import SqlJobStore, purging

from .job_store_steps import START, add, at, begin, change, claim, claim_one, finish, make, none_held, succeed
from .owners import count, dies, sql

MONTHS_LATER = at(60 * 24 * 90)


async def revision(store: SqlJobStore) -> int:
    """Return how often jobs were written."""
    row = await store._database.read(lambda session: session.row("SELECT value FROM agentool_counters WHERE name = 'revision'"))
    assert row is not None
    return row[0]


# Messages of others


async def test_messages_go_out_once(first: SqlJobStore, second: SqlJobStore):
    """Messages of a process that lives are its own to deliver; those of one that ended are the leader's."""
    await add(first)
    ended = succeed(await begin(first, await claim_one(first)))
    await finish(first, ended, Message(ended.execution_id, "q", {}))
    seen = [len(await store.outbox(10)) for store in (first, second)]
    await dies(first)
    seen.append(len(await second.outbox(10)))
    assert await second.lead(START)
    seen.append(len(await second.outbox(10)))
    assert seen == [1, 0, 0, 1]


# Jobs of others


async def test_changes_of_others_are_seen_once(first: SqlJobStore, second: SqlJobStore):
    """What another process added, changed or removed is told once, with when it is due now."""
    job, other = await add(second, "a"), await add(second, "b")
    seen = [dict(await first.changes())]
    await change(second, job, JobState(JobStatus.PAUSED, at(1)))
    await second.remove(other.job_id, at(5))
    seen += [dict(await first.changes()), dict(await first.changes())]
    assert seen == [{"a": at(1), "b": at(1)}, {"a": None, "b": None}, {}]


async def test_job_made_again_by_another_process_is_run_as_it_is_now(first: SqlJobStore, second: SqlJobStore):
    """A job that was cancelled and scheduled anew under its id elsewhere runs with its new definition."""
    await add(first)
    await claim(first, 1)
    await second.remove("job", at(5))
    again = await add(second, input_data={"operation": "run", "number": 2})
    claims = await first.claim(["job"], at(2))
    assert [claimed.job for claimed in claims.records] == [again]


async def test_job_that_is_there_already_is_refused_without_a_write(first: SqlJobStore, second: SqlJobStore):
    """To refuse a job whose id is taken, nothing is written, so nobody waits for a commit."""
    await add(first)
    before = await revision(first)
    with pytest.raises(JobExists):
        await second.add(make("job"), JobState())
    assert await revision(first) == before


@pytest.mark.parametrize("same", ["job_id", "job_name"])
async def test_job_added_twice_at_once_is_added_once(first: SqlJobStore, second: SqlJobStore, same: str):
    """Of two processes that add the same id, or name, at the same moment one is told JobExists."""
    for number in range(10):
        jobs = [replace(make(f"{number}{who}", job_name=f"n{number}{who}"), **{same: f"same{number}"}) for who in "ab"]
        adding = [store.add(job, JobState()) for store, job in zip((first, second), jobs, strict=True)]
        told = await asyncio.gather(*adding, return_exceptions=True)
        assert sorted(type(answer) for answer in told if answer is not None) == [JobExists]
    assert len(await first.jobs()) == 10


async def test_job_that_fired_meanwhile_is_not_put_back(first: SqlJobStore, second: SqlJobStore):
    """An editor that did not see the job's last run is refused, and what the job has done stays counted."""
    job = await add(second)
    seen = await second.find("job")
    assert seen is not None
    await claim(first, 1)
    assert not await second.replace(job, seen.state._replace(status=JobStatus.PAUSED), seen.state)
    stands = await second.find("job")
    assert stands is not None
    assert (stands.state.runs, stands.state.next_run_at) == (1, at(2))


async def test_removed_job_does_not_hold_up_others(first: SqlJobStore, second: SqlJobStore):
    """A claim that names a job that another process removed claims the others."""
    await add(first, "a")
    await add(first, "b")
    await second.remove("a", at(5))
    claims = await first.claim(["a", "b"], at(1))
    assert [claimed.execution.job_id for claimed in claims.records] == ["b"]
    assert dict(claims.next_times) == {"b": at(2)}


DAMAGES = ["definition = 'nonsense'", "definition = '{}'", "state = 'unheard of'", "paused_until = 9223372036854775807"]


@pytest.mark.parametrize("damage", DAMAGES)
async def test_damaged_job_does_not_hold_up_others(first: SqlJobStore, second: SqlJobStore, damage: str):
    """A row that cannot be read stops its own job, which says so and is kept; the others go on."""
    await add(second, "a")  # not by the first, which would go on with the definition that it has read
    await add(second, "b")
    await sql(first, f"UPDATE agentool_jobs SET {damage} WHERE job_id = 'a'")
    assert [execution.job_id for execution in await claim(first, 1, "a", "b")] == ["b"]
    assert [execution.job_id for execution in await claim(first, 2, "a", "b")] == ["b"]
    assert "b" in [stored.job.job_id for stored in await first.jobs()]
    row = await first._database.read(lambda session: session.row("SELECT state, reason FROM agentool_jobs WHERE job_id = 'a'"))
    assert (row[0], "cannot be read" in row[1]) == ("broken", True)


@pytest.mark.parametrize("damage", [*DAMAGES, "definition = '', created_at = 9223372036854775807"])
async def test_damaged_job_is_listed_as_broken(first: SqlJobStore, second: SqlJobStore, damage: str):
    """A row that cannot be read is among the jobs, by its id and name, and says what is wrong with it."""
    await add(second, "a", job_name="name")
    await add(second, "b")
    await sql(first, f"UPDATE agentool_jobs SET {damage} WHERE job_id = 'a'")
    listed = {stored.job.job_id: stored for stored in await first.jobs()}
    assert (listed["a"].job.job_name, listed["a"].state.status, listed["b"].state.status) == ("name", "broken", "active")
    assert "it cannot be read: " in listed["a"].state.reason


@pytest.mark.parametrize("damage", DAMAGES)
async def test_damaged_job_is_found_as_such_and_can_be_removed(first: SqlJobStore, second: SqlJobStore, damage: str):
    """Who looks for it is told which job is damaged and the way out, and after that way there is room for a new one."""
    await add(second, "a", job_name="name")
    await sql(first, f"UPDATE agentool_jobs SET {damage} WHERE job_id = 'a'")
    with pytest.raises(DamagedJob, match=r"Job 'a' cannot be read: .*cancel") as told:
        await first.find("name")
    assert (told.value.job.job_id, bool(await first.remove("a", at(5))), await first.find("a")) == ("a", True, None)
    await add(first, "a", job_name="name")


@pytest.mark.parametrize("damage", ["definition = 'nonsense'", "definition = '{}'"])
async def test_unfinished_execution_of_a_damaged_job_is_lost(first: SqlJobStore, second: SqlJobStore, damage: str):
    """What a process left behind of a job that cannot be read is lost and says why; the others are taken up."""
    await add(first, "a")
    await add(first, "b")
    await claim(first, 1, "a", "b")
    await sql(first, f"UPDATE agentool_jobs SET {damage} WHERE job_id = 'a'")
    await dies(first)
    assert await second.lead(START)
    taken = {claimed.execution.job_id: claimed.execution.status for claimed in await second.take_over(at(2), none_held)}
    assert taken == {"a": ExecutionStatus.LOST, "b": ExecutionStatus.QUEUED}


# Forgetting


async def test_tidy_forgets_what_is_over_and_old(first: SqlJobStore):
    """Jobs that are done or removed are forgotten with their history, except the newest, the young and the unfinished."""
    first._kept = 1
    for number, job_id in enumerate(("gone", "busy", "done", "newest", "alive")):
        await add(first, job_id, created_at=at(number), max_runs=1 if job_id == "busy" else None)
    await claim(first, 1, "gone", "busy", "alive")
    await sql(first, "UPDATE agentool_executions SET status = 'success', finished_at = scheduled_at WHERE job_id = 'gone'")
    await first.remove("gone", at(2.5))
    for job_id in ("done", "newest"):
        await sql(first, "UPDATE agentool_jobs SET state = 'done', live = 0 WHERE job_id = :job_id", job_id=job_id)
    await first.purge(at(5))
    before = await count(first, "agentool_jobs")
    await first.purge(at(60 * 24 * 31))
    assert (before, {stored.job.job_id for stored in await first.jobs()}) == (5, {"busy", "newest", "alive"})
    assert {found.job_id for found in await first.executions(None, 10)} == {"busy", "alive"}


@pytest.mark.parametrize("ran", [False, True])
async def test_tidy_keeps_a_job_that_was_cancelled_lately(first: SqlJobStore, ran: bool):
    """However old it is, and whether it ran long ago or never: who cancelled it, and why, can be looked up for thirty days."""
    first._kept = 0
    await add(first)
    if ran:
        await finish(first, succeed(await begin(first, await claim_one(first))))
    await first.remove("job", MONTHS_LATER, "no more")
    await first.purge(MONTHS_LATER)
    lately = await first.find_cancelled("job")
    await first.purge(MONTHS_LATER + timedelta(days=31))
    assert (lately and lately.state.reason, await first.find_cancelled("job")) == ("no more", None)


async def test_tidy_forgets_history_without_a_job(first: SqlJobStore):
    """Of executions that no job asked for the newest stay, and the young."""
    first._kept = 2
    for minute in range(5):
        asked = Execution(f"x{minute}@now", f"x{minute}", "probe", at(minute), trigger="run_now", owner=first.owner)
        await first.insert([asked])
        await finish(first, asked._replace(status=ExecutionStatus.SUCCESS, finished_at=at(minute)))
    await first.purge(at(60 * 24 * 30 + 1))
    left = [await count(first, "agentool_executions")]
    await first.purge(at(60 * 24 * 31))
    left.append(await count(first, "agentool_executions"))
    assert left == [4, 2]


async def recorded(store: SqlJobStore, job_id: str, ended: datetime) -> None:
    """Write down something that was run by hand and ended then."""
    asked = Execution(f"{job_id}@now", job_id, "probe", ended, trigger="run_now", status=ExecutionStatus.SUCCESS, finished_at=ended)
    await store.insert([asked])


async def test_tidy_forgets_old_history_however_much_of_it_is_young(first: SqlJobStore, monkeypatch):
    """More young records than are looked at in one transaction do not hide the old ones, of which none is among the newest then."""
    monkeypatch.setattr(purging, "MAX_AT_ONCE", 3)
    first._kept = 2
    for number in range(8):
        await recorded(first, f"old{number}", at(number))
        await recorded(first, f"young{number}", MONTHS_LATER)
    await first.purge(MONTHS_LATER)
    assert {found.job_id for found in await first.executions(None, 100)} == {f"young{number}" for number in range(8)}


async def test_tidy_forgets_old_jobs_however_many_are_young(first: SqlJobStore, monkeypatch):
    """More jobs that were over lately than are looked at in one transaction do not hide those that were over long ago."""
    monkeypatch.setattr(purging, "MAX_AT_ONCE", 3)
    first._kept = 2
    for number in range(8):
        await add(first, f"old{number}", JobStatus.DONE)
        await add(first, f"young{number}", JobStatus.DONE, created_at=MONTHS_LATER)
    await add(first, "ran lately", JobStatus.DONE)
    await recorded(first, "ran lately", MONTHS_LATER)
    await first.purge(MONTHS_LATER)
    assert {stored.job.job_id for stored in await first.jobs()} == {"ran lately", *(f"young{number}" for number in range(8))}


async def test_tidy_keeps_the_newest_where_few_are_young(first: SqlJobStore):
    """What is young counts among the newest that are kept; old ones have the places that are left."""
    first._kept = 3
    for number in range(4):
        await recorded(first, f"old{number}", at(number))
    await recorded(first, "young", MONTHS_LATER)
    await first.purge(MONTHS_LATER)
    assert {found.job_id for found in await first.executions(None, 100)} == {"young", "old3", "old2"}


async def test_tidy_strikes_processes_that_ended(first: SqlJobStore, second: SqlJobStore):
    """A process that ended leaves the list; one that lives stays on it."""
    await dies(second)
    await first.purge(at(1))
    assert await count(first, "agentool_owners") == 1
