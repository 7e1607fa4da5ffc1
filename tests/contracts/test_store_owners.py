"""What a store that several processes share owes them: one leader, and executions that only their owner can change."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from agentoolkit.database import Database
from agentoolkit.dialects import dialect_for
from agentoolkit.system.scheduler.errors import JobExists
from agentoolkit.system.scheduler.jobs import Execution, JobState, Standing, Status
from agentoolkit.system.scheduler.ports import Message
from agentoolkit.system.scheduler.stores.sql import MIGRATIONS, SqlJobStore
from agentoolkit.system.scheduler.stores.sql.store import NotLeading
from agentoolkit.testing import ManualTime

from .job_store_steps import START, add, at, begin, claim, claim_one, make, none_held, succeed


@pytest.fixture
def clock() -> ManualTime:
    return ManualTime(START)


@pytest.fixture
async def first(database_url: str, clock: ManualTime, nothing_left: None) -> AsyncIterator[SqlJobStore]:
    """A store that leads."""
    store = SqlJobStore(Database(dialect_for(database_url, "normal"), MIGRATIONS), clock)
    await store.open()
    assert await store.lead(START)
    yield store
    await store.close()


@pytest.fixture
async def second(first: SqlJobStore, database_url: str, clock: ManualTime) -> AsyncIterator[SqlJobStore]:
    """Another store on the same database: another owner."""
    store = SqlJobStore(Database(dialect_for(database_url, "normal"), MIGRATIONS), clock)
    await store.open()
    yield store
    await store.close()


async def sql(store: SqlJobStore, statement: str, **parameters: object) -> None:
    await store._database.write(lambda session: session.run(statement, parameters))


async def count(store: SqlJobStore, table: str) -> int:
    row = await store._database.read(lambda session: session.row(f"SELECT COUNT(*) FROM {table}"))
    return row[0] if row else 0


async def dies(store: SqlJobStore) -> None:
    """Make a store look like one of a process that was killed."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    store._heartbeat.stop()
    await sql(store, "UPDATE agentool_owners SET pid = :pid WHERE owner = :owner", pid=ended.pid, owner=store.owner)


async def falls_silent(store: SqlJobStore) -> None:
    """Make a store look like one of a process that stopped, or is cut off, longer than its lease."""
    store._heartbeat.stop()
    await sql(store, "UPDATE agentool_owners SET heartbeat_at = 0 WHERE owner = :owner", owner=store.owner)
    await sql(store, "UPDATE agentool_leases SET expires_at = 0 WHERE owner = :owner", owner=store.owner)


def started(execution: Execution) -> Execution:
    return execution._replace(status=Status.RUNNING, started_at=execution.scheduled_at)


def retrying(execution: Execution, minutes: float) -> Execution:
    return execution._replace(status=Status.RETRYING, attempt=execution.attempt + 1, retry_at=at(minutes), started_at=None)


# Leading


async def test_one_leads(first: SqlJobStore, second: SqlJobStore):
    """While one process leads no other does, and each can say which."""
    assert not await second.lead(START)
    leaders = [await first.leader(), await second.leader()]
    assert [(leader.owner, leader.pid) for leader in leaders if leader] == [(first.owner, os.getpid())] * 2


async def test_lead_is_free_after_close(first: SqlJobStore, second: SqlJobStore):
    """Whoever closes gives the lead up at once."""
    await first.close()
    assert await second.lead(START)


@pytest.mark.parametrize("ends", [dies, falls_silent])
async def test_lead_goes_to_another_when_the_leader_ended(first: SqlJobStore, second: SqlJobStore, ends):
    """Of a leader that was killed here, or said nothing longer than its lease, the lead is taken."""
    await ends(first)
    assert await second.lead(START)
    leader = await first.leader()
    assert leader is not None
    assert leader.owner == second.owner


async def test_lead_expires_with_time(sqlite_database, clock: ManualTime):
    """On SQLite a lease ends by the processes' own clock."""
    stores = [SqlJobStore(Database(dialect_for(str(sqlite_database), "normal"), MIGRATIONS), clock) for _ in range(2)]
    for store in stores:
        await store.open()
    leads = [[await store.lead(START) for store in stores]]
    stores[0]._heartbeat.stop()
    for seconds in (11.9, 0.2):
        clock.jump(clock.now() + timedelta(seconds=seconds))
        leads.append([await store.lead(START) for store in reversed(stores)])
    for store in stores:
        await store.close()
    assert leads == [[True, False], [False, True], [True, False]]


async def test_only_the_leader_claims(first: SqlJobStore, second: SqlJobStore):
    """A process that does not lead, also one that did, claims nothing and is told so."""
    await add(first)
    with pytest.raises(NotLeading):
        await claim(second, 1)
    await falls_silent(first)
    assert await second.lead(START)
    with pytest.raises(NotLeading):
        await claim(first, 1)
    assert len(await claim(second, 1)) == 1


async def test_lease_that_nobody_took_is_taken_up_again(first: SqlJobStore, second: SqlJobStore):
    """A leader that slept longer than its lease claims on, if no other leads meanwhile, and is not held to be dead."""
    await add(first)
    await falls_silent(first)
    assert len(await claim(first, 1)) == 1
    assert not await second.lead(START)


async def test_new_leader_goes_on_where_the_old_one_was(first: SqlJobStore, second: SqlJobStore):
    """Due times that were given out are not given out by the next leader."""
    await add(first)
    await claim(first, 1)
    await dies(first)
    assert await second.lead(START)
    assert await claim(second, 1) == []
    assert [execution.scheduled_at for execution in await claim(second, 2)] == [at(2)]


async def test_lead_given_back_is_free(first: SqlJobStore, second: SqlJobStore):
    """Whoever gives back may stay, and another leads at once."""
    await first.give_back()
    assert await second.lead(START)
    assert not await first.lead(START)


async def test_halt_is_seen_by_all(first: SqlJobStore, second: SqlJobStore):
    """A process learns that another halted all of them, and that it let them go on."""
    await second.halt(True)
    assert await first.halted()
    await first.halt(False)
    assert not await second.halted()


# Executions of others


async def test_living_owners_executions_are_left_alone(first: SqlJobStore, second: SqlJobStore):
    """Nobody takes over from a process that lives, whoever leads."""
    await add(first)
    await begin(first, await claim_one(first))
    await first.give_back()
    assert await second.lead(START)
    assert list(await second.take_over(at(2), none_held)) == []


@pytest.mark.parametrize("ends", [dies, falls_silent])
async def test_claimed_execution_of_an_ended_process_is_started_by_another(first: SqlJobStore, second: SqlJobStore, ends):
    """What was claimed and not begun is taken as it is: its first attempt is still to come."""
    await add(first)
    waiting = await claim_one(first)
    await ends(first)
    assert await second.lead(START)
    (taken,) = await second.take_over(at(2), none_held)
    assert taken.execution == waiting._replace(owner=second.owner)
    await begin(second, taken.execution)


async def test_running_execution_of_an_ended_process_is_attempted_again(first: SqlJobStore, second: SqlJobStore):
    """What ran is started again as a further attempt, and the one that was cut short is in its history."""
    await add(first)
    running = await begin(first, await claim_one(first))
    await dies(first)
    assert await second.lead(START)
    (taken,) = await second.take_over(at(2), none_held)
    assert (taken.execution.attempt, taken.execution.status, taken.execution.attempts[0].attempt) == (2, Status.QUEUED, 1)
    assert await second.execution(running.execution_id) == taken.execution


async def test_waiting_retry_of_an_ended_process_keeps_its_time(first: SqlJobStore, second: SqlJobStore):
    """An execution that waits for its next attempt waits on, for the same instant."""
    await add(first, max_retries=2)
    waiting = retrying(await begin(first, await claim_one(first)), 5)
    assert await first.retry(waiting)
    await dies(first)
    assert await second.lead(START)
    (taken,) = await second.take_over(at(2), none_held)
    assert taken.execution == waiting._replace(owner=second.owner)


async def test_run_now_of_an_ended_process_is_lost(first: SqlJobStore, second: SqlJobStore):
    """Nobody waits any more for what was to run at once, begun or not: it is not run by another process."""
    job = await add(first)
    asked = (await claim_one(first))._replace(execution_id="job@now-1", trigger="run_now")
    await first.record([asked])
    await dies(first)
    assert await second.lead(START)
    taken = {claimed.execution.trigger: claimed.execution.status for claimed in await second.take_over(at(2), none_held)}
    assert (job.job_id, taken) == ("job", {"schedule": Status.QUEUED, "run_now": Status.LOST})


async def test_stale_owner_changes_nothing(first: SqlJobStore, second: SqlJobStore):
    """A process that was thought dead and comes back cannot begin, retry, release or finish what was taken from it."""
    await add(first, max_instances=2, misfire_grace_time=None)
    running, waiting = await begin(first, await claim_one(first, 1)), await claim_one(first, 2)
    await falls_silent(first)
    assert await second.lead(START)
    await second.take_over(at(3), none_held)
    stale = [
        await first.begin(started(waiting)),
        await first.retry(retrying(running, 5)),
        await first.release(running),
        await first.finish(succeed(running), Message(running.execution_id, "q", {})),
    ]
    assert (stale, list(await first.outbox(10))) == ([False] * 4, [])
    assert {found.status for found in await second.executions("job", 10)} == {Status.QUEUED}


async def test_own_executions_are_found_again_without_the_lead(first: SqlJobStore, second: SqlJobStore):
    """A process that does not lead takes up what is its own and held by nobody, and nothing of others."""
    await add(first)
    theirs = await claim_one(first)
    mine = theirs._replace(execution_id="job@2029-12-31T00:00:00+00:00", trigger="backfill", owner=second.owner)
    await second.record([mine])
    assert [claimed.execution for claimed in await second.take_over(at(2), none_held)] == [mine]


async def test_waiting_executions_are_given_back(first: SqlJobStore, second: SqlJobStore):
    """After giving back, what waited is started by the next leader though its claimer lives; what runs is not."""
    await add(first, max_instances=2)
    await begin(first, await claim_one(first, 1))
    waiting = await claim_one(first, 2)
    await first.give_back()
    assert await second.lead(START)
    taken = [claimed.execution.execution_id for claimed in await second.take_over(at(3), none_held)]
    assert taken == [waiting.execution_id]


async def test_process_that_ends_three_times_is_held_to_be_killed_by_the_execution(first: SqlJobStore, second: SqlJobStore):
    """The third attempt that its process did not survive is the last; stopping properly does not count."""
    await add(first, error_queue="errors")
    execution, attempts = await begin(first, await claim_one(first)), 1
    for _ in range(3):
        await first.release(execution)
        (taken,) = await first.take_over(at(2), none_held)
        execution, attempts = await begin(first, taken.execution), attempts + 1
    statuses = []
    for _ in range(3):
        (taken,) = await first.take_over(at(2), none_held)
        statuses.append(taken.execution.status)
        if not taken.execution.finished:
            await begin(first, taken.execution)
    assert statuses == [Status.QUEUED, Status.QUEUED, Status.LOST]
    assert [message.queue_name for message in await first.outbox(10)] == ["errors"]


async def test_cancellation_is_asked_of_the_owner_once(first: SqlJobStore, second: SqlJobStore):
    """A request reaches the process that runs the execution, once; of a finished one it says no."""
    await add(first)
    running = await begin(first, await claim_one(first))
    assert await second.request_cancel(running.execution_id)
    asked = [list(await store.cancel_requests()) for store in (second, first, first)]
    await first.finish(succeed(running), None)
    assert asked == [[], [running.execution_id], []]
    assert not await second.request_cancel(running.execution_id)


# Messages of others


async def test_messages_go_out_once(first: SqlJobStore, second: SqlJobStore):
    """Messages of a process that lives are its own to deliver; those of one that ended are the leader's."""
    await add(first)
    ended = succeed(await begin(first, await claim_one(first)))
    await first.finish(ended, Message(ended.execution_id, "q", {}))
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
    await second.replace(job, Standing(JobState.PAUSED, at(1)), 1)
    await second.remove(other.job_id)
    seen += [dict(await first.changes()), dict(await first.changes())]
    assert seen == [{"a": at(1), "b": at(1)}, {"a": None, "b": None}, {}]


async def test_job_made_again_by_another_process_is_run_as_it_is_now(first: SqlJobStore, second: SqlJobStore):
    """A job that was cancelled and scheduled anew under its id elsewhere runs with its new definition."""
    await add(first)
    await claim(first, 1)
    await second.remove("job")
    again = await add(second, input_data={"operation": "run", "number": 2})
    claims = await first.claim(["job"], at(2))
    assert [claimed.job for claimed in claims.records] == [again]


@pytest.mark.parametrize("same", ["job_id", "job_name"])
async def test_job_added_twice_at_once_is_added_once(first: SqlJobStore, second: SqlJobStore, same: str):
    """Of two processes that add the same id, or name, at the same moment one is told JobExists."""
    for number in range(10):
        jobs = [replace(make(f"{number}{who}", job_name=f"n{number}{who}"), **{same: f"same{number}"}) for who in "ab"]
        adding = [store.add(job, Standing()) for store, job in zip((first, second), jobs, strict=True)]
        told = await asyncio.gather(*adding, return_exceptions=True)
        assert sorted(type(answer) for answer in told if answer is not None) == [JobExists]
    assert len(await first.jobs()) == 10


async def test_job_that_fired_meanwhile_is_not_put_back(first: SqlJobStore, second: SqlJobStore):
    """An editor that did not see the job's last run is refused, and what the job has done stays counted."""
    job = await add(second)
    seen = await second.find("job")
    assert seen is not None
    await claim(first, 1)
    assert not await second.replace(job, seen.standing._replace(state=JobState.PAUSED), seen.standing.version)
    stands = await second.find("job")
    assert stands is not None
    assert (stands.standing.runs, stands.standing.next_run_at) == (1, at(2))


async def test_removed_job_does_not_hold_up_others(first: SqlJobStore, second: SqlJobStore):
    """A claim that names a job that another process removed claims the others."""
    await add(first, "a")
    await add(first, "b")
    await second.remove("a")
    claims = await first.claim(["a", "b"], at(1))
    assert [claimed.execution.job_id for claimed in claims.records] == ["b"]
    assert dict(claims.next_times) == {"a": None, "b": at(2)}


@pytest.mark.parametrize(
    "damage", ["definition = 'nonsense'", "definition = '{}'", "state = 'unheard of'", "paused_until = 9223372036854775807"]
)
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
    assert taken == {"a": Status.LOST, "b": Status.QUEUED}


# Forgetting


async def test_tidy_forgets_what_is_over_and_old(first: SqlJobStore):
    """Jobs that are done or removed are forgotten with their history, except the newest, the young and the unfinished."""
    first._kept = 1
    for number, job_id in enumerate(("gone", "busy", "done", "newest", "alive")):
        await add(first, job_id, created_at=at(number), max_runs=1 if job_id == "busy" else None)
    await claim(first, 1, "gone", "busy", "alive")
    await sql(first, "UPDATE agentool_executions SET status = 'success', finished_at = scheduled_at WHERE job_id = 'gone'")
    await first.remove("gone")
    for job_id in ("done", "newest"):
        await sql(first, "UPDATE agentool_jobs SET state = 'done', live = 0 WHERE job_id = :job_id", job_id=job_id)
    await first.tidy(at(5))
    before = await count(first, "agentool_jobs")
    await first.tidy(at(60 * 24 * 31))
    assert (before, {stored.job.job_id for stored in await first.jobs()}) == (5, {"busy", "newest", "alive"})
    assert {found.job_id for found in await first.executions(None, 10)} == {"busy", "alive"}


async def test_tidy_forgets_history_without_a_job(first: SqlJobStore):
    """Of executions that no job asked for the newest stay, and the young."""
    first._kept = 2
    for minute in range(5):
        asked = Execution(f"x{minute}@now", f"x{minute}", "probe", at(minute), trigger="run_now", owner=first.owner)
        await first.record([asked])
        await first.finish(asked._replace(status=Status.SUCCESS, finished_at=at(minute)), None)
    await first.tidy(at(60 * 24 * 30 + 1))
    left = [await count(first, "agentool_executions")]
    await first.tidy(at(60 * 24 * 31))
    left.append(await count(first, "agentool_executions"))
    assert left == [4, 2]


async def test_tidy_strikes_processes_that_ended(first: SqlJobStore, second: SqlJobStore):
    """A process that ended leaves the list; one that lives stays on it."""
    await dies(second)
    await first.tidy(at(1))
    assert await count(first, "agentool_owners") == 1
