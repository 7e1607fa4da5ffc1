"""What every store of jobs owes: outcomes that come late, twice, or of a job that is gone."""

from __future__ import annotations

from typing import Any

import pytest

from agentoolkit.system.scheduler.decisions.outcomes import outcome_message, record_failure
from agentoolkit.system.scheduler.decisions.retry import plan_retry
from agentoolkit.system.scheduler.execution_records import Execution, ExecutionStatus
from agentoolkit.system.scheduler.ports import Ending, JobStore, PendingCancel

from .job_store_steps import add, at, begin, claim, claim_one, finish, make, run, start, succeed


async def fails(store: JobStore, **fields: Any) -> tuple[Execution, Ending]:
    """Let the job's next execution fail. Return it as it would wait for its retry, and its ending otherwise."""
    job = await add(store, max_retries=3, error_queue="errors", **fields)
    began = (await begin(store, await claim_one(store)))._replace(started_at=at(1))
    error = OSError("no")
    ended = record_failure(began, error, at(2), 1.0)
    again = plan_retry(ended, error, job.policies, at(2))
    assert again is not None
    return again, Ending(ended, outcome_message(job.work, ended))


async def test_retry_of_a_job_that_is_there_waits(store: JobStore):
    """An execution whose job is there waits for its next attempt, and nothing of its ending is written."""
    again, ending = await fails(store)
    answer = await store.retry(again, ending)
    assert (answer.waits, answer.finished.written, list(await store.outbox(10))) == (True, False, [])
    assert await store.execution(again.execution_id) == again


async def test_retry_of_a_job_that_is_gone_is_its_failure(store: JobStore):
    """An execution whose job was cancelled meanwhile has failed at once, and its message is sent."""
    again, ending = await fails(store)
    await store.remove("job", at(2))
    answer = await store.retry(again, ending)
    recorded = await store.execution(again.execution_id)
    assert recorded is not None
    assert (answer.waits, answer.finished.written, recorded.status) == (False, True, ExecutionStatus.FAILED)
    assert [message.queue_name for message in await store.outbox(10)] == ["errors"]


async def test_retry_of_a_job_that_is_gone_starts_what_comes_after_it(store: JobStore):
    """What comes after the failed executions of a job runs also if that job is gone."""
    again, ending = await fails(store)
    await add(store, "alarm", schedule="after job failed")
    await store.remove("job", at(2))
    answer = await store.retry(again, ending)
    assert [claimed.execution.job_id for claimed in answer.finished.downstream] == ["alarm"]


async def test_retry_does_not_run_a_job_made_anew(store: JobStore):
    """A job that was made under the id after the attempt began is another: the attempt was the last of the old one."""
    again, ending = await fails(store)
    await store.remove("job", at(2))
    await add(store, description="new", created_at=at(1.5))
    assert not (await store.retry(again, ending, at(0))).waits
    assert not [found for found in await store.executions("job", 10) if not found.finished]


async def test_retry_of_a_job_made_by_a_clock_that_was_ahead_waits(store: JobStore):
    """A job that counts as created after its attempt began, as the clock was set back in between, is the same job."""
    again, ending = await fails(store, created_at=at(60))
    assert (await store.retry(again, ending, at(60))).waits


async def test_retry_does_not_run_a_job_made_anew_by_a_clock_that_is_behind(store: JobStore):
    """Another job under the id is another one, also if it counts as created before the attempt began."""
    again, ending = await fails(store)
    await store.remove("job", at(2))
    await add(store, description="new", created_at=at(-60))
    assert not (await store.retry(again, ending, at(0))).waits


async def test_outcome_of_what_began_meanwhile_is_refused(store: JobStore):
    """An outcome for an execution that was seen waiting is not written over one that runs by now."""
    await add(store)
    waiting = await claim_one(store)
    running = await begin(store, waiting)
    ended = waiting._replace(status=ExecutionStatus.CANCELLED, finished_at=at(2))
    (answer,) = await store.finish([Ending(ended, seen=ExecutionStatus.QUEUED)])
    assert (answer.written, await store.execution(waiting.execution_id)) == (False, running)


async def test_start_of_what_was_cancelled_meanwhile_is_refused(store: JobStore):
    """Whoever begins what was recorded as cancelled in the meantime is told that it may not."""
    await add(store)
    waiting = await claim_one(store)
    ended = waiting._replace(status=ExecutionStatus.CANCELLED, finished_at=at(2))
    await store.finish([Ending(ended, seen=ExecutionStatus.QUEUED)])
    assert not await start(store, waiting._replace(status=ExecutionStatus.RUNNING, started_at=at(2)))
    assert await store.execution(waiting.execution_id) == ended


async def test_outcome_of_what_is_tried_again_meanwhile_is_refused(store: JobStore):
    """A cancellation of the attempt that was seen to run is not written over the one that waits by now."""
    again, ending = await fails(store)
    await store.retry(again, ending)
    seen = ending.execution._replace(status=ExecutionStatus.CANCELLED)
    (answer,) = await store.finish([Ending(seen, seen=ExecutionStatus.RUNNING)])
    assert (answer.written, await store.execution(again.execution_id)) == (False, again)


async def test_outcome_of_what_still_waits_is_written(store: JobStore):
    """An outcome for an execution that is as it was seen is written."""
    await add(store)
    waiting = await claim_one(store)
    ended = waiting._replace(status=ExecutionStatus.CANCELLED, finished_at=at(2))
    (answer,) = await store.finish([Ending(ended, seen=ExecutionStatus.QUEUED)])
    assert (answer.written, await store.execution(waiting.execution_id)) == (True, ended)


# Histories


async def test_outcome_that_took_long_is_not_pruned_as_it_is_written(store: JobStore):
    """An execution that ends after a hundred later due times were skipped is in the history, as the newest outcome."""
    await add(store)
    running = await begin(store, await claim_one(store, 1))
    for minute in range(2, 203):
        await claim(store, minute)
    await finish(store, succeed(running)._replace(finished_at=at(202.5)))
    found = await store.execution(running.execution_id)
    history = [one for one in await store.executions("job", 1_000) if one.finished]
    assert (found is not None and found.status, len(history)) == ("success", 100)


@pytest.mark.parametrize(("status", "followed"), [(ExecutionStatus.FAILED, 1), (ExecutionStatus.CANCELLED, 0)])
async def test_whatever_a_late_outcome_is_it_is_not_pruned_as_it_is_written(store: JobStore, status: ExecutionStatus, followed: int):
    """A failure or a cancellation that comes after a hundred later due times is in the history, and a failure is followed."""
    await add(store)
    await add(store, "next", schedule="after job failed")
    running = await begin(store, await claim_one(store, 1))
    for minute in range(2, 203):
        await claim(store, minute)
    answer = await finish(store, succeed(running)._replace(status=status, finished_at=at(202.5)))
    found = await store.execution(running.execution_id)
    assert (found is not None and found.status, len(answer.downstream)) == (status, followed)


async def test_a_retry_that_was_due_long_ago_is_not_pruned_as_it_ends(store: JobStore):
    """The outcome of a second attempt at a due time before a hundred later ones is in the history."""
    again, ending = await fails(store)
    await store.retry(again, ending)
    for minute in range(2, 203):
        await claim(store, minute)
    ((_, queued),) = await store.queue_retries([again.execution_id])
    second = queued._replace(status=ExecutionStatus.RUNNING, started_at=at(202))
    assert await start(store, second)
    assert await finish(store, second._replace(status=ExecutionStatus.SUCCESS, finished_at=at(202.5)))
    found = await store.execution(again.execution_id)
    assert (found is not None and found.status, found is not None and found.attempt) == ("success", 2)


async def test_history_is_kept_by_when_executions_finished(store: JobStore):
    """What finished last stays longest, also if it was due long before the others."""
    await add(store, max_instances=2)
    slow = await begin(store, await claim_one(store, 1))
    for minute in range(2, 60):
        await finish(store, succeed(await claim_one(store, minute)))
    await finish(store, succeed(slow)._replace(finished_at=at(59.5)))
    for minute in range(60, 150):
        await finish(store, succeed(await claim_one(store, minute)))
    kept = await store.executions("job", 1_000)
    assert (len(kept), slow.execution_id in {one.execution_id for one in kept}) == (100, True)
    assert at(50) not in {one.scheduled_at for one in kept}


async def test_history_of_what_is_no_job_holds_the_newest_hundred(store: JobStore):
    """Of 130 runs under a label that is no job a hundred are kept."""
    for number in range(130):
        asked = Execution(f"label@now-{number}", "label", "probe", at(number), trigger="run_now", owner=store.owner)
        await store.insert([asked])
        await finish(store, succeed(asked))
    kept = await store.executions("label", 1_000)
    assert [one.scheduled_at for one in kept] == [at(number) for number in range(129, 29, -1)]


async def test_label_that_becomes_a_job_keeps_its_history(store: JobStore):
    """A job made under the id of earlier runs counts on from them, and prunes to a hundred."""
    for number in range(60):
        asked = Execution(f"job@now-{number}", "job", "probe", at(number / 100), trigger="run_now", owner=store.owner)
        await store.insert([asked])
        await finish(store, succeed(asked))
    await add(store)
    for minute in range(1, 61):
        await run(store, minute)
    assert len(await store.executions("job", 1_000)) == 100


@pytest.mark.parametrize("status", [ExecutionStatus.QUEUED, ExecutionStatus.RUNNING])
async def test_removed_and_running_execution_may_end(store: JobStore, status: ExecutionStatus):
    """What runs of a removed job may end; what waits of it is cancelled."""
    await add(store)
    execution = await claim_one(store)
    if status is ExecutionStatus.RUNNING:
        execution = await begin(store, execution)
    await store.remove("job", at(2))
    assert bool(await finish(store, succeed(execution))) is (status is ExecutionStatus.RUNNING)
    assert not await start(store, execution)
    assert make().job_id == "job"


async def test_a_request_to_cancel_is_pending_until_its_execution_ended(store: JobStore):
    """It is told with its reason while the execution runs, and of an ended one there is none."""
    await add(store)
    running = await begin(store, await claim_one(store))
    assert await store.request_cancel(running.execution_id, "too slow", is_carried_out=True)
    pending = list(await store.pending_cancels())
    await finish(store, succeed(running))
    assert (pending, list(await store.pending_cancels())) == ([PendingCancel(running.execution_id, "too slow")], [])
    assert not await store.request_cancel(running.execution_id, "too late")


async def test_a_request_to_cancel_what_waits_ends_with_its_job(store: JobStore):
    """What is cancelled with its job is not to be cancelled any more."""
    await add(store)
    waiting = await claim_one(store)
    assert await store.request_cancel(waiting.execution_id, "no")
    await store.remove("job", at(2))
    assert list(await store.pending_cancels()) == []
