"""What a store that several processes share owes them: one leader, and executions that only their owner can change."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from agentoolkit.database.database import Database, Session
from agentoolkit.database.dialects import dialect_for
from agentoolkit.database.migrations import MIGRATIONS
from agentoolkit.database.order import LockOrder
from agentoolkit.system.scheduler.execution_records import ExecutionStatus
from agentoolkit.system.scheduler.ports import Message, PendingCancel
from agentoolkit.system.scheduler.stores.sql import SqlJobStore
from agentoolkit.system.scheduler.stores.sql.store import NotLeading
from agentoolkit.testing import ManualTime

from .job_store_steps import START, add, at, begin, claim, claim_one, finish, none_held, start, succeed
from .owners import dies, falls_silent, retrying, sql, started

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
    await first.release_all()
    assert await second.lead(START)
    assert not await first.lead(START)


async def test_halt_is_seen_by_all(first: SqlJobStore, second: SqlJobStore):
    """A process learns that another halted all of them, and that it let them go on."""
    await second.set_stopped(True)
    assert await first.is_stopped()
    await first.set_stopped(False)
    assert not await second.is_stopped()


async def test_a_halt_for_a_time_ends_by_itself(first: SqlJobStore, second: SqlJobStore):
    """A halt for an hour holds for everybody, and one for no time at all is over: nobody has to end it."""
    await first.set_stopped(True, 3_600)
    held = await second.is_stopped()
    await first.set_stopped(True, 0)
    assert (held, await second.is_stopped()) == (True, False)


# Executions of others


async def test_living_owners_executions_are_left_alone(first: SqlJobStore, second: SqlJobStore):
    """Nobody takes over from a process that lives, whoever leads."""
    await add(first)
    await begin(first, await claim_one(first))
    await first.release_all()
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
    assert (taken.execution.attempt, taken.execution.status, taken.execution.attempts[0].attempt) == (2, ExecutionStatus.QUEUED, 1)
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
    await first.insert([asked])
    await dies(first)
    assert await second.lead(START)
    taken = {claimed.execution.trigger: claimed.execution.status for claimed in await second.take_over(at(2), none_held)}
    assert (job.job_id, taken) == ("job", {"schedule": ExecutionStatus.QUEUED, "run_now": ExecutionStatus.LOST})


async def test_stale_owner_changes_nothing(first: SqlJobStore, second: SqlJobStore):
    """A process that was thought dead and comes back cannot begin, retry, release or finish what was taken from it."""
    await add(first, max_instances=2, misfire_grace_time=None)
    running, waiting = await begin(first, await claim_one(first, 1)), await claim_one(first, 2)
    await falls_silent(first)
    assert await second.lead(START)
    await second.take_over(at(3), none_held)
    stale = [
        await start(first, started(waiting)),
        await first.retry(retrying(running, 5)),
        await first.release(running),
        await finish(first, succeed(running), Message(running.execution_id, "q", {})),
    ]
    assert (list(map(bool, stale)), list(await first.outbox(10))) == ([False] * 4, [])
    assert {found.status for found in await second.executions("job", 10)} == {ExecutionStatus.QUEUED}


async def test_own_executions_are_found_again_without_the_lead(first: SqlJobStore, second: SqlJobStore):
    """A process that does not lead takes up what is its own and held by nobody, and nothing of others."""
    await add(first)
    theirs = await claim_one(first)
    mine = theirs._replace(execution_id="job@2029-12-31T00:00:00+00:00", trigger="backfill", owner=second.owner)
    await second.insert([mine])
    assert [claimed.execution for claimed in await second.take_over(at(2), none_held)] == [mine]


async def test_waiting_executions_are_given_back(first: SqlJobStore, second: SqlJobStore):
    """After giving back, what waited is started by the next leader though its claimer lives; what runs is not."""
    await add(first, max_instances=2)
    await begin(first, await claim_one(first, 1))
    waiting = await claim_one(first, 2)
    await first.release_all()
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
    assert statuses == [ExecutionStatus.QUEUED, ExecutionStatus.QUEUED, ExecutionStatus.LOST]
    assert [message.queue_name for message in await first.outbox(10)] == ["errors"]


async def test_cancellation_is_asked_of_the_owner_until_it_acted(first: SqlJobStore, second: SqlJobStore):
    """A request with its reason reaches the process that runs the execution, until it is acknowledged; of a finished one it says no."""
    await add(first)
    running = await begin(first, await claim_one(first))
    assert await second.request_cancel(running.execution_id, "too slow")
    asked = [list(await store.cancel_requests()) for store in (second, first, first)]
    await first.acknowledge_cancel(running.execution_id)
    asked.append(list(await first.cancel_requests()))
    await finish(first, succeed(running))
    request = PendingCancel(running.execution_id, "too slow")
    assert asked == [[], [request], [request], []]
    assert not await second.request_cancel(running.execution_id)


async def test_a_cancellation_by_the_owner_is_not_asked_of_it_again(first: SqlJobStore, second: SqlJobStore):
    """It is kept for who takes the execution over if the owner ends before its handler does."""
    await add(first)
    running = await begin(first, await claim_one(first))
    assert await first.request_cancel(running.execution_id, "too slow", is_carried_out=True)
    asked = list(await first.cancel_requests())
    await dies(first)
    assert await second.lead(START)
    (taken,) = await second.take_over(at(2), none_held)
    assert (asked, taken.execution.status, taken.execution.reason) == ([], ExecutionStatus.CANCELLED, "too slow")


# Processes that come while a leader looks who is alive: on SQLite one transaction sees one moment


Between = Callable[[Callable[[], Awaitable[object]]], None]


@pytest.fixture
async def between(postgres_url: str, first: SqlJobStore, second: SqlJobStore, monkeypatch: pytest.MonkeyPatch) -> Between:
    """Let the second process come, and do something, right after the leader has looked for the first time."""
    look, loop = first._ownership.alive, asyncio.get_running_loop()

    def set_work(work: Callable[[], Awaitable[object]]) -> None:
        async def there() -> None:
            await work()

        def alive(session: Session) -> set[str]:
            monkeypatch.setattr(first._ownership, "alive", look)
            found = look(session) - {second.owner}
            asyncio.run_coroutine_threadsafe(there(), loop).result(10)
            return found

        monkeypatch.setattr(first._ownership, "alive", alive)

    return set_work


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_messages_of_a_process_that_has_just_come_are_its_own(first: SqlJobStore, second: SqlJobStore, between: Between):
    """What it has ended after the leader's look is delivered by it alone."""
    await add(first)
    (claimed,) = await second.claim_executions([(await claim_one(first)).execution_id], START)
    running = await begin(second, claimed.execution)
    await sql(first, "INSERT INTO agentool_outbox VALUES ('mine', 'q', '{}', 0, 0, :owner)", owner=first.owner)
    between(lambda: finish(second, succeed(running), Message(running.execution_id, "q", {})))
    assert [message.execution_id for message in await first.outbox(10)] == ["mine"]


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_what_a_process_that_has_just_come_claims_stays_its_own(first: SqlJobStore, second: SqlJobStore, between: Between):
    """A leader takes over nothing of what it has claimed after the leader's look."""
    await add(first)
    execution_id = (await claim_one(first)).execution_id
    between(lambda: second.claim_executions([execution_id], START))
    assert await first.take_over(at(2), lambda _: False) == []


# Claiming by ids, as workers do


async def test_waiting_executions_are_claimed_by_their_ids_once(first: SqlJobStore, second: SqlJobStore):
    """A worker that was sent an id makes the execution its own; sent it again, it gets nothing."""
    await add(first)
    execution = await claim_one(first)
    (claimed,) = await second.claim_executions([execution.execution_id], START)
    assert (claimed.execution.owner, claimed.job and claimed.job.job_id) == (second.owner, "job")
    assert await second.claim_executions([execution.execution_id], START) == []


async def test_what_a_living_process_runs_is_not_claimed(first: SqlJobStore, second: SqlJobStore):
    """A message that comes again while its worker is at work starts nothing."""
    await add(first)
    running = await begin(first, await claim_one(first))
    assert await second.claim_executions([running.execution_id], START) == []


async def test_what_an_ended_process_ran_is_claimed_for_another_attempt(first: SqlJobStore, second: SqlJobStore):
    """A message that comes back because its worker was killed goes on with what that left behind."""
    await add(first)
    running = await begin(first, await claim_one(first))
    await dies(first)
    (claimed,) = await second.claim_executions([running.execution_id], at(2))
    assert (claimed.execution.status, claimed.execution.attempt, claimed.execution.owner) == (ExecutionStatus.QUEUED, 2, second.owner)


async def test_a_later_retry_of_an_ended_process_is_not_claimed_by_its_id(first: SqlJobStore, second: SqlJobStore):
    """Whoever leads lets it wait until its time; a worker that is sent it again does not start it."""
    await add(first)
    waiting = retrying(await begin(first, await claim_one(first)), 5)
    assert await first.retry(waiting)
    await dies(first)
    assert await second.claim_executions([waiting.execution_id], at(4.9)) == []
    assert len(await second.claim_executions([waiting.execution_id], at(5))) == 1


@pytest.mark.parametrize("acknowledged", [False, True])
async def test_cancelled_execution_of_a_killed_process_is_not_started_again(first: SqlJobStore, second: SqlJobStore, acknowledged: bool):
    """Its handler would not end, and its process is gone: it is cancelled for the reason that was given, whoever had heard of it."""
    await add(first)
    execution = await begin(first, await claim_one(first))
    assert await second.request_cancel(execution.execution_id, "too slow")
    if acknowledged:
        await first.acknowledge_cancel(execution.execution_id)
    await dies(first)
    assert await second.lead(START)
    (taken,) = await second.take_over(at(2), none_held)
    found = await second.execution(execution.execution_id)
    assert (taken.execution.status, taken.execution.reason) == (ExecutionStatus.CANCELLED, "too slow")
    assert found == taken.execution


async def test_a_server_that_was_away_ends_nobody(postgres_url: str):
    """All were silent then: who judges counts their silence from when the server answered again, and takes nothing from them."""
    runs, judges = (SqlJobStore(Database(dialect_for(postgres_url), MIGRATIONS), ManualTime(START)) for _ in range(2))
    for store in (judges, runs):
        await store.open()
    assert await judges.lead(START)
    await add(judges)
    ours = started(await claim_one(judges))
    assert (await runs.claim_executions([ours.execution_id], START))[0].execution.owner == runs.owner
    for store in (judges, runs):
        store._heartbeat.stop()
    await sql(judges, "UPDATE agentool_owners SET heartbeat_at = heartbeat_at - 60000000, host = 'elsewhere'")
    judges._ownership._beaten_at -= 60_000_000
    await sql(judges, "UPDATE agentool_leases SET expires_at = expires_at - 60000000")
    assert await judges.lead(START)
    assert await judges.take_over(START, none_held) == []
    judges._ownership._heard_since -= 60_000_000
    assert [taken.execution.owner for taken in await judges.take_over(START, none_held)] == [judges.owner]
    for store in (judges, runs):
        await store.close()


async def test_a_machine_that_slept_ends_nobody(sqlite_database, clock: ManualTime):
    """Who wakes up first takes nothing from a process whose heartbeat slept too, until that stays silent."""
    runs, judges = (SqlJobStore(Database(dialect_for(str(sqlite_database), "normal"), MIGRATIONS), clock) for _ in range(2))
    for store in (runs, judges):
        await store.open()
        store._heartbeat.stop()
    assert await runs.lead(clock.now())
    await add(runs)
    assert await begin(runs, await claim_one(runs))
    clock.jump(clock.now() + timedelta(hours=1))
    assert await judges.lead(clock.now())
    assert await judges.take_over(clock.now(), none_held) == []
    for _ in range(8):
        clock.jump(clock.now() + timedelta(seconds=3))
        await judges._database.write(judges._ownership.beat)
    assert [taken.execution.owner for taken in await judges.take_over(clock.now(), none_held)] == [judges.owner]
    for store in (runs, judges):
        await store.close()


async def test_a_machine_that_slept_forgets_no_process(sqlite_database, clock: ManualTime):
    """Tidying up right after the sleep leaves all processes listed: who is not listed counts as ended."""
    first, second = (SqlJobStore(Database(dialect_for(str(sqlite_database), "normal"), MIGRATIONS), clock) for _ in range(2))
    for store in (first, second):
        await store.open()
        store._heartbeat.stop()
    clock.jump(clock.now() + timedelta(hours=1))
    await first.purge(clock.now())
    assert len(await second.owners()) == 2
    for store in (first, second):
        await store.close()


async def test_who_reads_and_does_not_beat_notices_a_silence_once(postgres_url: str):
    """Where its own heartbeat rests, each look at the others is no new contact: who ended elsewhere still counts as ended in time."""
    ended, judges = (SqlJobStore(Database(dialect_for(postgres_url), MIGRATIONS), ManualTime(START)) for _ in range(2))
    for store in (judges, ended):
        await store.open()
        store._heartbeat.stop()
    await sql(judges, "UPDATE agentool_owners SET heartbeat_at = heartbeat_at - 60000000, host = 'elsewhere'")
    judges._ownership._beaten_at -= 60_000_000
    seen: list[int] = []
    for _ in range(3):
        seen.append(len(await judges.owners()))
        judges._ownership._beaten_at -= 12_000_000  # twelve seconds pass
        judges._ownership._heard_since -= 12_000_000
    assert seen == [2, 2, 1]
    for store in (judges, ended):
        await store.close()


async def test_a_lease_that_runs_out_while_its_row_is_locked_has_run_out(postgres_url: str):
    """A leader that waits for the row asks for the time when it has it: it writes nothing after its lease."""
    first, second = (SqlJobStore(Database(dialect_for(postgres_url), MIGRATIONS), ManualTime(START)) for _ in range(2))
    for store in (first, second):
        await store.open()
        store._heartbeat.stop()
    assert await first.lead(START)
    await sql(second, "UPDATE agentool_leases SET expires_at = CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT) + 200000")
    is_locked = threading.Event()

    def lock(session: Session) -> None:
        session.row("SELECT 1 FROM agentool_leases FOR UPDATE")
        is_locked.set()
        session.row("SELECT pg_sleep(0.4)")

    def look(session: Session) -> bool:
        return is_locked.wait(10) and first._ownership._holds_lease(session, " FOR SHARE")

    work = (second._database.write(lock, order=LockOrder.QUEUES), first._database.write(look, order=LockOrder.QUEUES))
    assert await asyncio.gather(*work) == [None, False]
    for store in (first, second):
        await store.close()
