"""Every store pauses a job that failed too often in a row, in the transaction that writes the failure."""

from __future__ import annotations

import pytest
from tests.contracts.job_store_steps import add, at, begin, change, claim, claim_one, finish

from agentoolkit.system.scheduler.execution_records import Execution, ExecutionStatus
from agentoolkit.system.scheduler.jobs import JobState, JobStatus
from agentoolkit.system.scheduler.ports import JobStore

FAILED, SUCCESS, LOST = ExecutionStatus.FAILED, ExecutionStatus.SUCCESS, ExecutionStatus.LOST


async def end(store: JobStore, minutes: float, status: ExecutionStatus) -> Execution:
    """Let the job's next execution end so."""
    ended = (await begin(store, await claim_one(store, minutes)))._replace(status=status, finished_at=at(minutes))
    assert await finish(store, ended)
    return ended


async def stands(store: JobStore) -> JobState:
    stored = await store.find("job")
    assert stored is not None
    return stored.state


@pytest.mark.parametrize("last", [FAILED, LOST])
async def test_job_is_paused_after_failures_in_a_row(store: JobStore, last: ExecutionStatus):
    """The failure that fills the row pauses the job, with the reason, and nothing of it is due any more."""
    await add(store, pause_after_failures=3)
    for minutes in (1, 2):
        await end(store, minutes, FAILED)
    assert (await stands(store)).status is JobStatus.ACTIVE
    await end(store, 3, last)
    state = await stands(store)
    assert (state.status, state.reason) == (JobStatus.PAUSED, "paused after 3 failures in a row (pause_after_failures)")
    assert (await claim(store, 4), dict(await store.count_jobs())) == ([], {JobStatus.PAUSED: 1})


async def test_success_ends_the_row(store: JobStore):
    """Failures before a success do not count."""
    await add(store, pause_after_failures=2)
    for minutes, status in enumerate((FAILED, SUCCESS, FAILED), 1):
        await end(store, minutes, status)
    assert (await stands(store)).status is JobStatus.ACTIVE


async def test_what_did_not_run_neither_counts_nor_ends_the_row(store: JobStore):
    """A due time that is missed between two failures leaves them in a row."""
    await add(store, pause_after_failures=2, misfire_grace_time=1)
    await end(store, 1, FAILED)
    ((missed, _),) = [await claim(store, 3)]
    assert missed.status is ExecutionStatus.MISSED
    (waiting,) = [each for each in await store.executions("job", 10) if not each.finished]
    await finish(store, (await begin(store, waiting))._replace(status=FAILED, finished_at=at(3)))
    assert (await stands(store)).status is JobStatus.PAUSED


async def test_resumed_job_begins_a_new_row(store: JobStore):
    """Failures before it was resumed do not count: one more does not pause it again."""
    job = await add(store, pause_after_failures=2)
    for minutes in (1, 2):
        await end(store, minutes, FAILED)
    resumed = (await stands(store)).resumed()._replace(next_run_at=at(3), failures_from=at(2.5))
    assert await change(store, job, resumed)
    await end(store, 3, FAILED)
    assert (await stands(store)).status is JobStatus.ACTIVE
    await end(store, 4, FAILED)
    assert (await stands(store)).status is JobStatus.PAUSED


async def test_failures_of_an_earlier_job_with_the_id_do_not_count(store: JobStore):
    """A job that is made anew is paused by its own failures only."""
    await add(store, pause_after_failures=2)
    await end(store, 1, FAILED)
    await store.remove("job", at(1.2))
    await add(store, pause_after_failures=2, created_at=at(1.5))
    await end(store, 2, FAILED)
    assert (await stands(store)).status is JobStatus.ACTIVE
    await end(store, 3, FAILED)
    assert (await stands(store)).status is JobStatus.PAUSED


async def test_job_without_the_policy_goes_on(store: JobStore):
    """By default no number of failures pauses a job."""
    await add(store)
    for minutes in range(1, 6):
        await end(store, minutes, FAILED)
    assert (await stands(store)).status is JobStatus.ACTIVE
