"""What every store of jobs owes: jobs and claims. A new store adds itself to `conftest.STORES`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from agentoolkit.system.scheduler.errors import JobExists
from agentoolkit.system.scheduler.execution_records import Execution, ExecutionStatus
from agentoolkit.system.scheduler.jobs import JobState, JobStatus
from agentoolkit.system.scheduler.ports import JobStore

from .job_store_steps import add, at, begin, change, claim, claim_one, finish, make, run, start, succeed

EVERY_POLICY: dict[str, Any] = {
    "max_instances": 3,
    "misfire_grace_time": None,
    "coalesce": False,
    "max_runs": 7,
    "timeout": 1.5,
    "max_retries": 2,
    "retry_backoff": 0.5,
    "retry_on": ("OSError",),
    "overlap": "queue_one",
    "catch_up": "all",
    "catch_up_window": 60,
    "on_interrupt": "fail",
    "concurrency_key": "k",
    "priority": "high",
}


# Jobs


async def test_job_comes_back_as_it_was_added(store: JobStore):
    """A job with every field set is found as it was added, by its id and by its name."""
    job = make(
        "job",
        "0 9 * * 1-5",
        job_name="Jöb 'one'",
        input_data={"operation": "run", "data": {"a": [1, 2.5, None, True, "ü"]}},
        result_queue="results",
        error_queue="errors",
        description="what it is for",
        tags=("a", "b"),
        created_at=at(0.5),
        **EVERY_POLICY,
    )
    state = JobState(JobStatus.PAUSED, at(540), 4, 1, "why", at(600))
    await store.add(job, state)
    assert await store.find("job") == (job, state)
    assert await store.find("Jöb 'one'") == (job, state)


@pytest.mark.parametrize("kind", ["0 9 * * *", "90 minutes", "2030-06-01T12:00:00+00:00"])
async def test_every_kind_of_schedule_is_kept(store: JobStore, kind: str):
    """Cron, interval and once come back with anchor, zone and bounds."""
    job = make(schedule=kind)
    job = replace(job, schedule=replace(job.schedule, end_at=at(10**6), jitter=2.0, jitter_key="job", exclude=("2030-01-05",)))
    await store.add(job, JobState())
    found = await store.find("job")
    assert found is not None
    assert found.job == job


async def test_find_tells_when_there_is_none(store: JobStore):
    """What nobody added is not found."""
    assert await store.find("nobody") is None


async def test_id_goes_before_name(store: JobStore):
    """Of a job with this id and one that is done with this name, the one with the id is found."""
    await add(store, "b", JobStatus.DONE, job_name="a")
    await add(store, "a", job_name="c")
    found = await store.find("a")
    assert found is not None
    assert found.job.job_id == "a"


async def test_jobs_are_listed_oldest_first(store: JobStore):
    """All jobs are listed in the order they were made."""
    for minute, job_id in enumerate(("c", "a", "b")):
        await add(store, job_id, created_at=at(minute))
    assert [stored.job.job_id for stored in await store.jobs()] == ["c", "a", "b"]


async def test_a_name_leads_to_the_newest_of_those_that_are_over(store: JobStore):
    """Of finished jobs of one name the newest is found by it, also when one that could fire had the name meanwhile."""
    await add(store, "old", JobStatus.DONE, job_name="name")
    await add(store, "older", JobStatus.DONE, job_name="name", created_at=at(-5))
    await add(store, "live", job_name="name", created_at=at(5))
    found = [await store.find("name")]
    for job_id in ("live", "old"):
        await store.remove(job_id, at(6))
        found.append(await store.find("name"))
    assert [stored.job.job_id for stored in found if stored] == ["live", "old", "older"]


async def test_a_name_leads_past_a_job_that_is_over_to_a_newer_one(store: JobStore):
    """Also where the older one was given that name afterwards, and ended then."""
    await add(store, "newer", JobStatus.DONE, job_name="name", created_at=at(5))
    older = await add(store, "older", job_name="other")
    await change(store, renamed := replace(older, job_name="name"), JobState(next_run_at=at(1)))
    found = [await store.find("name")]
    await change(store, renamed, JobState(JobStatus.DONE))
    assert [stored.job.job_id for stored in (*found, await store.find("name")) if stored] == ["older", "newer"]


@pytest.mark.parametrize(("job_id", "job_name"), [("job", "other"), ("other", "name"), ("name", "other"), ("other", "job")])
async def test_taken_id_or_name_is_refused(store: JobStore, job_id: str, job_name: str):
    """A second job with the id or name of one that can fire, crosswise too, raises JobExists, and the first stays."""
    first = await add(store, job_name="name")
    with pytest.raises(JobExists):
        await add(store, job_id, job_name=job_name)
    assert [stored.job for stored in await store.jobs()] == [first]


async def test_finished_job_gives_up_its_id(store: JobStore):
    """A new job takes the place of one with its id that is done."""
    await add(store, status=JobStatus.DONE)
    second = await add(store, description="second")
    assert [stored.job for stored in await store.jobs()] == [second]


async def test_finished_job_gives_up_its_name(store: JobStore):
    """A new job may have the name of another that is done, and is found by it."""
    await add(store, "old", JobStatus.DONE, job_name="name")
    second = await add(store, "new", job_name="name")
    found = await store.find("name")
    assert found is not None
    assert found.job == second


async def test_name_that_is_also_the_id_of_a_finished_job_is_still_taken(store: JobStore):
    """A name belongs to the job that can fire with it, also if another that is done has it as its id."""
    await add(store, "x", JobStatus.DONE)
    await add(store, "b", job_name="x")
    with pytest.raises(JobExists):
        await add(store, "c", job_name="x")


@pytest.mark.parametrize("name", ["taken", "other"])
async def test_job_is_not_renamed_to_what_another_is_called(store: JobStore, name: str):
    """replace with the id or name of another job that can fire raises JobExists, and changes nothing."""
    await add(store, "other", job_name="taken")
    job = await add(store, "job")
    before = await store.find("job")
    with pytest.raises(JobExists):
        await change(store, replace(job, job_name=name), JobState(next_run_at=at(1)))
    assert await store.find("job") == before


async def test_finished_job_is_changed_beside_the_one_that_has_its_name(store: JobStore):
    """A job that is done may keep a name that is another's by now, and does not take it back."""
    old = await add(store, "old", JobStatus.DONE, job_name="name")
    await add(store, "new", job_name="name")
    assert await change(store, replace(old, description="x"), JobState(JobStatus.DONE))
    found = await store.find("name")
    assert found is not None
    assert found.job.job_id == "new"


async def test_finished_job_is_not_revived_under_the_name_of_another(store: JobStore):
    """A job that is done cannot fire again while another has its name."""
    old = await add(store, "old", JobStatus.DONE, job_name="name")
    await add(store, "new", job_name="name")
    with pytest.raises(JobExists):
        await change(store, old, JobState(next_run_at=at(1)))


async def test_replace_changes_and_counts_the_version(store: JobStore):
    """replace with the current version changes the job and makes its version one higher."""
    job = await add(store)
    changed = replace(job, description="new", job_name="renamed")
    assert await change(store, changed, JobState(JobStatus.PAUSED, at(5)))
    assert await store.find("renamed") == (changed, JobState(JobStatus.PAUSED, at(5), version=2))
    assert await store.find("job") == (changed, JobState(JobStatus.PAUSED, at(5), version=2))


async def test_replace_with_an_old_version_changes_nothing(store: JobStore):
    """replace by somebody who has read another version than the current one, or a job that is gone, is refused."""
    job = await add(store)
    before = await store.find("job")
    assert before is not None
    assert not await store.replace(replace(job, description="new"), JobState(), before.state._replace(version=2))
    assert not await store.replace(replace(job, job_id="nobody"), JobState(), before.state)
    assert await store.find("job") == before


async def test_renamed_job_gives_up_its_old_name(store: JobStore):
    """After a new name the old one finds nothing and may be another's."""
    job = await add(store, "a", job_name="old")
    await change(store, replace(job, job_name="new"), JobState())
    assert await store.find("old") is None
    await add(store, "b", job_name="old")


async def test_remove_forgets_the_job_and_keeps_its_history(store: JobStore):
    """A removed job is not found, its name is free, and its executions stay."""
    await add(store)
    ended = await run(store)
    assert await store.remove("job", at(5))
    assert not await store.remove("job", at(5))
    assert (await store.find("job"), list(await store.jobs())) == (None, [])
    assert [found.execution_id for found in await store.executions("job", 10)] == [ended.execution_id]


async def test_remove_cancels_what_waits(store: JobStore):
    """Executions of a removed job that were not begun are cancelled, and one that runs may end."""
    await add(store, max_instances=2)
    running = await begin(store, await claim_one(store, 1))
    waiting = await claim_one(store, 2)
    await store.remove("job", at(5))
    assert not await start(store, waiting._replace(status=ExecutionStatus.RUNNING))
    assert await finish(store, succeed(running))
    assert {found.status for found in await store.executions("job", 10)} == {ExecutionStatus.CANCELLED, ExecutionStatus.SUCCESS}


# Claims


async def test_claim_gives_a_due_time_out_and_moves_on(store: JobStore):
    """A claim returns an execution of the due time, owned by this store, and when the job is due next."""
    job = await add(store)
    claims = await store.claim(["job"], at(1))
    assert [(claimed.job, claimed.execution.scheduled_at) for claimed in claims.records] == [(job, at(1))]
    assert (claims.records[0].execution.status, claims.records[0].execution.owner) == (ExecutionStatus.QUEUED, store.owner)
    assert list(claims.next_times) == [("job", at(2))]


async def test_second_claim_gives_nothing(store: JobStore):
    """A due time that was given out is not given out again, and the answer says when the job is due next."""
    await add(store)
    await claim(store, 1)
    again = await store.claim(["job"], at(1))
    assert (list(again.records), list(again.next_times)) == ([], [("job", at(2))])


async def test_due_time_put_back_is_not_given_out_again(store: JobStore):
    """A due time that has its execution is passed over, also if an editor put the job's state back meanwhile."""
    job = await add(store)
    ended = await run(store)
    assert await change(store, job, JobState(next_run_at=at(1), runs=1))
    claims = await store.claim(["job"], at(1))
    assert (list(claims.records), list(claims.next_times)) == ([], [("job", at(2))])
    assert await store.execution(ended.execution_id) == ended


async def test_claim_of_many_jobs_answers_for_each(store: JobStore):
    """One claim deals with due, paused, finished and unknown jobs alike."""
    await add(store, "due")
    await add(store, "later", schedule="1 hour")
    await add(store, "paused", JobStatus.PAUSED)
    await add(store, "done", JobStatus.DONE)
    claims = await store.claim(["due", "later", "paused", "done", "unknown"], at(1))
    assert [claimed.execution.job_id for claimed in claims.records] == ["due"]
    assert dict(claims.next_times) == {"due": at(2), "later": at(60)}


async def test_claim_keeps_the_order_it_was_asked_in(store: JobStore):
    """What came due first is asked for first, and so it is given out and starts first."""
    for name in ("a", "b", "c"):
        await add(store, name)
    assert [execution.job_id for execution in await claim(store, 1, "c", "a", "b")] == ["c", "a", "b"]


async def test_claim_writes_down_what_it_passes_over(store: JobStore):
    """Missed and skipped due times are in the history, finished, as soon as they are claimed."""
    await add(store, misfire_grace_time=60)
    under_way = await claim_one(store, 1)
    records = await claim(store, 10)
    assert [record.status for record in records] == [ExecutionStatus.MISSED, ExecutionStatus.MISSED, ExecutionStatus.SKIPPED]
    kept = {found.execution_id for found in await store.executions("job", 10)}
    assert kept == {record.execution_id for record in [under_way, *records]}


async def test_claim_without_coalescing_gives_all_due_times_out(store: JobStore):
    """Due times noticed together all wait for their turn without coalescing: none is skipped because another one runs."""
    await add(store, misfire_grace_time=120, coalesce=False)
    records = await claim(store, 10)
    assert [record.status for record in records] == [ExecutionStatus.MISSED, *[ExecutionStatus.QUEUED] * 3]
    assert [record.scheduled_at for record in records[1:]] == [at(8), at(9), at(10)]


async def test_claim_counts_unfinished_executions(store: JobStore):
    """A due time is skipped as long as max_instances executions are unfinished, and no longer."""
    await add(store)
    first = await claim_one(store, 1)
    assert (await claim_one(store, 2)).status is ExecutionStatus.SKIPPED
    await finish(store, succeed(await begin(store, first)))
    assert (await claim_one(store, 3)).status is ExecutionStatus.QUEUED


async def test_claim_keeps_where_the_job_stands(store: JobStore):
    """After its last run a job is done, and its state says how often it ran."""
    await add(store, max_runs=1)
    await claim(store, 1)
    found = await store.find("job")
    assert found is not None
    assert (found.state.status, found.state.runs, found.state.next_run_at) == (JobStatus.DONE, 1, None)


async def test_claim_does_not_count_as_a_change(store: JobStore):
    """Firing leaves a job's version as it is: who edits it since need not read the definition again."""
    job = await add(store)
    await claim(store, 1)
    found = await store.find("job")
    assert found is not None
    assert found.state.version == 1
    assert await store.replace(job, found.state, found.state)


async def test_change_that_a_firing_came_between_is_refused(store: JobStore):
    """A state from before the latest run is not written over the one after it."""
    job = await add(store)
    before = await store.find("job")
    await claim(store, 1)
    assert before is not None
    assert not await store.replace(job, before.state, before.state)
    after = await store.find("job")
    assert after is not None
    assert (after.state.runs, after.state.next_run_at) == (1, at(2))


async def test_change_that_a_skipped_due_time_came_between_is_refused(store: JobStore):
    """A state from before the latest decision is not written over the one after it, also if nothing ran: no due time comes back."""
    job = await add(store, max_runs=2)
    await claim(store, 1)
    before = await store.find("job")
    assert (await claim_one(store, 2)).status is ExecutionStatus.SKIPPED
    assert before is not None
    assert not await store.replace(replace(job, description="new"), before.state, before.state)
    after = await store.find("job")
    assert after is not None
    assert (after.state.runs, after.state.next_run_at) == (1, at(3))


async def test_due_time_on_record_is_not_counted_as_a_run(store: JobStore):
    """A due time that was backfilled before it was claimed takes none of the runs that a job may have, and the next one runs."""
    job = await add(store, max_runs=1)
    await store.insert([succeed(Execution("job@2030-01-01T00:01:00+00:00", "job", "probe", at(1), trigger="backfill"))])
    claims = await store.claim(["job"], at(1))
    assert (list(claims.records), list(claims.next_times)) == ([], [("job", at(2))])
    assert await store.find("job") == (job, JobState(JobStatus.ACTIVE, at(2), runs=0))
    assert (await claim_one(store, 2)).scheduled_at == at(2)


async def test_last_due_time_on_record_ends_its_job(store: JobStore):
    """A job whose last due time was backfilled before it was claimed is done."""
    job = await add(store, schedule="2030-01-01T00:01:00+00:00")
    await store.insert([succeed(Execution("job@2030-01-01T00:01:00+00:00", "job", "probe", at(1), trigger="backfill"))])
    assert await claim(store, 1) == []
    assert await store.find("job") == (job, JobState(JobStatus.DONE))


async def test_due_times_on_record_push_nothing_out_of_the_history(store: JobStore):
    """Of many late due times that were backfilled meanwhile none is new: their records stay, and count the others."""
    await add(store, catch_up="all", misfire_grace_time=None)
    late = [succeed(Execution(f"job@{at(n).isoformat()}", "job", "probe", at(n), trigger="backfill")) for n in range(151, 200)]
    await store.insert(late)
    claims = await store.claim(["job"], at(200))
    assert len(claims.records) == 51
    for claimed in claims.records:
        await finish(store, succeed(claimed.execution))
    kept = await store.executions("job", 1_000)
    assert {execution.execution_id for execution in late} < {execution.execution_id for execution in kept}
    assert (len(kept), max(execution.due_count for execution in kept)) == (100, 101)


async def test_upcoming_names_what_is_due_some_time(store: JobStore):
    """upcoming has every active job and when it is due, and none that is done."""
    await add(store, "active")
    await add(store, "done", JobStatus.DONE)
    due = {job_id: when for job_id, when in await store.upcoming() if when is not None}
    assert due == {"active": at(1)}
