"""What every store of jobs owes: executions, the outbox, and who leads. A new store adds itself to `conftest.STORES`."""

from __future__ import annotations

from datetime import timedelta

import pytest

from agentoolkit.system.scheduler.execution_records import ErrorRecord, Execution, ExecutionStatus
from agentoolkit.system.scheduler.ports import Claimed, Ending, JobStore, Message

from .job_store_steps import START, add, at, begin, claim, claim_one, finish, none_held, run, start, succeed


async def test_those_that_are_written_down_together_are_answered_one_by_one(store: JobStore):
    """Of executions that begin, or end, at once each is told whether it could; who could not keeps nobody else from it."""
    for name in ("a", "b"):
        await add(store, name)
    first, second = [execution._replace(status=ExecutionStatus.RUNNING, started_at=at(1)) for execution in await claim(store, 1, "a", "b")]
    ghost = second._replace(execution_id="b@never")
    assert list(await store.begin([first, ghost, second])) == [True, False, True]
    endings = [Ending(succeed(each), Message(each.execution_id, "q", {})) for each in (first, ghost, second)]
    assert [bool(finished) for finished in await store.finish(endings)] == [True, False, True]
    assert [message.execution_id for message in await store.outbox(10)] == [first.execution_id, second.execution_id]


async def test_execution_comes_back_as_it_was_finished(store: JobStore):
    """Every field of an outcome is kept, times to the microsecond."""
    await add(store)
    started = await begin(store, await claim_one(store))
    error = ErrorRecord("ValueError", "no 'such' thing", "Traceback …")
    ended = started._replace(
        status=ExecutionStatus.FAILED,
        reason="raised ValueError",
        error=error,
        finished_at=at(2) + timedelta(microseconds=7),
        duration=0.25,
        result={"partial": [1, None, "ü"]},
    )
    assert await finish(store, ended)
    assert await store.execution(ended.execution_id) == ended


async def test_execution_is_begun_once(store: JobStore):
    """begin tells whether the execution was still waiting: the first time only."""
    await add(store)
    started = await begin(store, await claim_one(store))
    assert not await start(store, started)


async def test_begun_execution_is_seen_running(store: JobStore):
    """Between begin and finish the execution is in the history as running."""
    await add(store)
    started = await begin(store, await claim_one(store))
    assert await store.execution(started.execution_id) == started
    assert list(await store.executions("job", 10)) == [started]


async def test_execution_is_finished_once(store: JobStore):
    """A second outcome changes nothing, sends nothing, and finish says so."""
    await add(store)
    ended = await run(store)
    other = ended._replace(status=ExecutionStatus.FAILED)
    assert not await finish(store, other, Message(other.execution_id, "q", {}))
    assert await store.execution(ended.execution_id) == ended
    assert list(await store.outbox(10)) == []


async def test_finished_execution_is_not_begun(store: JobStore):
    """An execution that was cancelled before it began cannot be begun."""
    await add(store)
    waiting = await claim_one(store)
    await finish(store, waiting._replace(status=ExecutionStatus.CANCELLED))
    assert not await start(store, waiting._replace(status=ExecutionStatus.RUNNING))


async def test_unknown_execution_is_neither_begun_nor_finished(store: JobStore):
    """begin and finish of an execution nobody claimed say no and write nothing."""
    ghost = Execution("ghost@now", "ghost", "probe", START, owner=store.owner)
    assert not await start(store, ghost._replace(status=ExecutionStatus.RUNNING))
    assert not await finish(store, succeed(ghost))
    assert await store.execution("ghost@now") is None


async def test_records_that_are_there_already_push_nothing_out_of_the_history(store: JobStore):
    """What is recorded once more, however often, is neither new nor counted: none of the newest hundred is forgotten for it."""
    await add(store)
    asked = [Execution(f"job@then-{n}", "job", "probe", at(-n), trigger="backfill", owner=store.owner) for n in range(60)]
    new = [len(await store.insert(asked))]
    for execution in asked:
        await finish(store, succeed(execution))
    new += [len(await store.insert(asked)) for _ in range(3)]
    assert (new, len(await store.executions("job", 1_000))) == ([60, 0, 0, 0], 60)


async def test_record_keeps_the_newest_hundred(store: JobStore):
    """What is recorded as finished pushes the oldest out of the history."""
    await add(store)
    asked = [succeed(Execution(f"job@then-{n}", "job", "probe", at(n))) for n in range(101)]
    await store.insert(asked)
    kept = {found.execution_id for found in await store.executions("job", 1_000)}
    assert kept == {execution.execution_id for execution in asked[1:]}


async def test_record_writes_down_once(store: JobStore):
    """record returns the ids that were new, and an id that is there stays as it is."""
    asked = Execution("job@now-1", "job", "probe", START, trigger="run_now", owner=store.owner)
    assert list(await store.insert([asked])) == ["job@now-1"]
    assert list(await store.insert([asked._replace(reason="other"), asked._replace(execution_id="job@now-2")])) == ["job@now-2"]
    assert await store.execution("job@now-1") == asked


async def test_history_holds_the_newest_hundred(store: JobStore):
    """Of 103 outcomes of a job the newest hundred are kept, and another job's stay."""
    await add(store, "other")
    await finish(store, succeed(await begin(store, (await claim(store, 1, "other"))[0])))
    await add(store)
    for minute in range(1, 104):
        await run(store, minute)
    history = await store.executions("job", 1000)
    assert (len(history), history[0].scheduled_at, history[-1].scheduled_at) == (100, at(103), at(4))
    assert len(await store.executions("other", 10)) == 1


async def test_history_of_passed_over_times_is_pruned_too(store: JobStore):
    """Skipped due times are pruned like outcomes, and the execution that still runs is not."""
    await add(store)
    running = await begin(store, await claim_one(store, 1))
    for minute in range(2, 110):
        await claim(store, minute)
    history = await store.executions("job", 1000)
    assert len([found for found in history if found.finished]) == 100
    assert running in history


async def test_record_of_what_is_too_late_survives_the_catch_up(store: JobStore):
    """Of 600 due times at once 99 run and one record counts the other 501; when all have ended each of these is in the history."""
    await add(store, catch_up="all")
    for execution in await claim(store, 600):
        if not execution.finished:
            await finish(store, succeed(await begin(store, execution)))
    history = await store.executions("job", 1000)
    assert sorted((found.status.value, found.due_count) for found in history) == [("missed", 501), *[("success", 1)] * 99]


async def test_executions_are_limited_newest_first(store: JobStore):
    """A limit gives the newest, of one job or of all."""
    await add(store, "a")
    await add(store, "b", schedule="90 seconds")
    await claim(store, 1, "a")
    await claim(store, 1.5, "b")
    assert [found.job_id for found in await store.executions(None, 10)] == ["b", "a"]
    assert [found.job_id for found in await store.executions(None, 1)] == ["b"]


async def test_executions_are_listed_by_status(store: JobStore):
    """With a status only the executions that stand so are listed, the limit counting those."""
    await add(store, max_instances=2)
    done = await run(store, 1)
    waiting, running = await claim_one(store, 2), await begin(store, await claim_one(store, 3))
    for status, expected in [(ExecutionStatus.SUCCESS, done), (ExecutionStatus.QUEUED, waiting), (ExecutionStatus.RUNNING, running)]:
        assert list(await store.executions("job", 1, status)) == [expected]
    assert list(await store.executions(None, 10, ExecutionStatus.LOST)) == []


async def test_released_execution_is_there_for_the_next_owner(store: JobStore):
    """An interrupted execution that was given back is started again by whoever takes over, as its next attempt."""
    await add(store)
    started = await begin(store, await claim_one(store))
    assert await store.release(started)
    (taken,) = await store.take_over(at(2), none_held)
    assert (taken.execution.execution_id, taken.execution.status, taken.execution.attempt) == (
        started.execution_id,
        ExecutionStatus.QUEUED,
        2,
    )
    assert await start(store, taken.execution._replace(status=ExecutionStatus.RUNNING))


async def test_retry_waits_and_can_be_begun_again(store: JobStore):
    """An execution that waits for its next attempt is unfinished, and is begun like a new one."""
    await add(store)
    started = await begin(store, await claim_one(store))
    waiting = started._replace(status=ExecutionStatus.RETRYING, attempt=2, retry_at=at(3), started_at=None)
    assert await store.retry(waiting)
    assert await store.execution(started.execution_id) == waiting
    assert await start(store, waiting._replace(status=ExecutionStatus.RUNNING, started_at=at(3)))


async def test_finished_execution_is_not_retried(store: JobStore):
    """An outcome is final."""
    await add(store)
    ended = await run(store)
    assert not await store.retry(ended._replace(status=ExecutionStatus.RETRYING, retry_at=at(3)))
    assert await store.execution(ended.execution_id) == ended


async def test_take_over_leaves_what_is_held(store: JobStore):
    """Executions that this process works on are left alone."""
    await add(store)
    await begin(store, await claim_one(store))
    assert list(await store.take_over(at(2), lambda _: True)) == []


async def test_take_over_starts_waiting_executions(store: JobStore):
    """An execution that was claimed, not begun, and is held by nobody is given out to be started."""
    job = await add(store)
    waiting = await claim_one(store)
    (taken,) = await store.take_over(at(2), none_held)
    assert taken == Claimed(job, waiting)
    assert await start(store, waiting._replace(status=ExecutionStatus.RUNNING))


async def test_take_over_gives_the_oldest_first(store: JobStore):
    """What was due first, and waits longest, is the first to be started again."""
    for name in ("c", "a", "b"):
        await add(store, name)
    for minutes, name in ((1, "c"), (2, "a"), (3, "b")):
        await claim(store, minutes, name)
    assert [taken.execution.job_id for taken in await store.take_over(at(4), none_held)] == ["c", "a", "b"]


@pytest.mark.parametrize(("on_interrupt", "status"), [("retry", ExecutionStatus.QUEUED), ("fail", ExecutionStatus.LOST)])
async def test_take_over_settles_running_executions(store: JobStore, on_interrupt: str, status: ExecutionStatus):
    """An execution whose process ended is to be started again, or is lost and says why, as its job chose."""
    await add(store, on_interrupt=on_interrupt, error_queue="errors")
    started = await begin(store, await claim_one(store))
    (taken,) = await store.take_over(at(2), none_held)
    found = await store.execution(started.execution_id)
    assert found is not None
    assert (taken.execution.status, found.status, bool(found.reason)) == (status, status, True)
    assert [message.queue_name for message in await store.outbox(10)] == (["errors"] if status is ExecutionStatus.LOST else [])


# Outbox


async def test_outcome_and_message_are_written_together(store: JobStore):
    """A finished execution with a message is pending delivery, and its message is in the outbox."""
    await add(store)
    ended = await run(store, queue_name="results")
    found = await store.execution(ended.execution_id)
    assert found is not None
    assert found.delivery == "pending"
    assert list(await store.outbox(10)) == [Message(ended.execution_id, "results", {"result": None})]


async def test_outbox_is_in_order_and_limited(store: JobStore):
    """The oldest messages come first, at most so many."""
    await add(store)
    ended = [await run(store, minute, "results") for minute in (1, 2, 3)]
    assert [message.execution_id for message in await store.outbox(2)] == [execution.execution_id for execution in ended[:2]]


async def test_delivered_message_leaves_the_outbox(store: JobStore):
    """A delivered message is gone, and the history says delivered; a second time changes nothing."""
    await add(store)
    ended = await run(store, queue_name="results")
    for _ in range(2):
        await store.delivered([ended.execution_id])
        found = await store.execution(ended.execution_id)
        assert found is not None
        assert (list(await store.outbox(10)), found.delivery) == ([], "delivered")


async def test_undelivered_message_stays_and_counts(store: JobStore):
    """After a failed attempt the message stays, keeps its place, and knows how many there were."""
    await add(store)
    first, second = [await run(store, minute, "results") for minute in (1, 2)]
    await store.undelivered((await store.outbox(1))[0], give_up=False)
    found = [(message.execution_id, message.attempts) for message in await store.outbox(10)]
    assert found == [(first.execution_id, 1), (second.execution_id, 0)]


async def test_message_given_up_leaves_the_outbox(store: JobStore):
    """A message that was given up is gone, and the history says so."""
    await add(store)
    ended = await run(store, queue_name="results")
    await store.undelivered((await store.outbox(1))[0], give_up=True)
    found = await store.execution(ended.execution_id)
    assert found is not None
    assert (list(await store.outbox(10)), found.delivery) == ([], "failed")


# Lifetime and leadership


async def test_open_and_close_twice(store: JobStore):
    """open and close do no harm the second time."""
    await store.open()
    await store.close()
    await store.close()


async def test_halted_until_told_otherwise(store: JobStore):
    """halt is remembered."""
    assert not await store.is_stopped()
    await store.set_stopped(True)
    assert await store.is_stopped()
    await store.set_stopped(False)
    assert not await store.is_stopped()


async def test_leadership_is_kept(store: JobStore):
    """Who leads goes on leading."""
    assert await store.lead(at(1))


async def test_statuses_are_told_of_many_at_once(store: JobStore):
    """Of each execution that is kept it is told how it stands; one that is not there is missing from the answer."""
    for name in ("a", "b"):
        await add(store, name)
    first, second = await claim(store, 1, "a", "b")
    await begin(store, first)
    asked = [first.execution_id, second.execution_id, "a@never"]
    assert await store.statuses(asked) == {first.execution_id: ExecutionStatus.RUNNING, second.execution_id: ExecutionStatus.QUEUED}


@pytest.mark.parametrize(("minutes", "is_claimed"), [(4.9, False), (5, True)])
async def test_a_retry_is_claimed_by_its_id_when_it_is_due(store: JobStore, minutes: float, is_claimed: bool):
    """A message that comes too early, as one that comes again, does not start a retry before its time."""
    await add(store)
    execution = await begin(store, await claim_one(store))
    assert await store.retry(execution._replace(status=ExecutionStatus.RETRYING, attempt=2, retry_at=at(5), started_at=None))
    await store.release_all()
    assert bool(await store.claim_executions([execution.execution_id], at(minutes))) is is_claimed


async def test_what_cannot_be_run_is_left_to_others(store: JobStore):
    """Of a portion, what this process has no AgenTool for stays as it was, and another process can claim it by its id."""
    for name in ("a", "b"):
        await add(store, name)
    first, second = await claim(store, 1, "a", "b")
    await store.release_all()
    ids = [first.execution_id, second.execution_id]
    (claimed,) = await store.claim_executions(ids, at(1), lambda job: job.job_id == "b")
    left = await store.execution(first.execution_id)
    assert (claimed.execution.execution_id, left and left.status) == (second.execution_id, ExecutionStatus.QUEUED)
    assert [each.execution.execution_id for each in await store.claim_executions([first.execution_id], at(1))] == [first.execution_id]


async def test_what_is_claimed_by_ids_keeps_their_order(store: JobStore):
    """A worker starts a portion in the order in which it was sent."""
    for name in ("a", "b", "c"):
        await add(store, name)
    ids = [execution.execution_id for execution in await claim(store, 1, "c", "a", "b")]
    await store.release_all()
    assert [each.execution.execution_id for each in await store.claim_executions(ids, at(1))] == ids


async def _waits_for_its_retry(store: JobStore, name: str = "job") -> Execution:
    await add(store, name)
    begun = await begin(store, (await claim(store, 1, name))[0])
    waiting = begun._replace(status=ExecutionStatus.RETRYING, attempt=2, retry_at=at(5), started_at=None)
    assert await store.retry(waiting)
    return waiting


async def test_a_due_retry_is_queued(store: JobStore):
    """Its retry time is gone then, it can be begun, and queued again it still says that it waits."""
    waiting = await _waits_for_its_retry(store)
    id_ = waiting.execution_id
    ((job, given),) = await store.queue_retries([id_])
    queued = await store.execution(id_)
    assert queued == given == waiting._replace(status=ExecutionStatus.QUEUED, retry_at=None)
    assert job is not None
    assert job.job_id == waiting.job_id
    assert [of.execution for of in await store.queue_retries([id_])] == [queued]
    assert await start(store, queued._replace(status=ExecutionStatus.RUNNING, started_at=at(5)))


async def test_many_due_retries_are_queued_in_the_order_asked_for(store: JobStore):
    """All in one call, as their alarms ring together; those that it cannot queue are left out."""
    waiting = [await _waits_for_its_retry(store, name) for name in ("b", "c", "a")]
    await begin(store, waiting[1])
    asked = [execution.execution_id for execution in waiting]
    queued = await store.queue_retries(["b@never", *asked])
    assert [of.execution.execution_id for of in queued] == [asked[0], asked[2]]
    assert await store.queue_retries([]) == []


async def test_what_has_begun_is_not_queued_again(store: JobStore):
    """Nor is what has ended, or whose job is gone."""
    waiting = await _waits_for_its_retry(store)
    await begin(store, waiting)
    assert await store.queue_retries([waiting.execution_id]) == []
    other = await _waits_for_its_retry(store, "other")
    await store.remove("other", at(4))
    assert await store.queue_retries([other.execution_id]) == []


async def test_executions_are_read_by_their_ids(store: JobStore):
    """Without their results; one that is not there is missing."""
    await add(store)
    ended = await run(store)
    assert list(await store.executions_by_id([ended.execution_id, "job@never"])) == [ended._replace(result=None)]
