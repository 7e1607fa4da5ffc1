"""What every store of jobs owes: lists in pages, counts, names that are near, and jobs that were cancelled."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agentool.caller import Caller
from agentoolkit.system.scheduler.errors import InvalidSchedule, JobExists
from agentoolkit.system.scheduler.execution_records import ExecutionStatus
from agentoolkit.system.scheduler.jobs import JobState, JobStatus
from agentoolkit.system.scheduler.ports import JobStore, Position, StoredJob
from agentoolkit.system.scheduler.stores.sql import few_jobs, searching

from .job_store_steps import START, add, at, begin, change, claim, claim_one, finish, make, run, succeed


async def five(store: JobStore) -> None:
    """Add five jobs, two of which were created at the same time: an active, a paused, a done, a broken, and a cancelled one."""
    for number, (job_id, status) in enumerate(
        [("e", JobStatus.ACTIVE), ("b", JobStatus.PAUSED), ("c", JobStatus.DONE), ("d", JobStatus.BROKEN), ("a", JobStatus.ACTIVE)]
    ):
        await add(store, job_id, status, created_at=at(min(number, 3)))
    await store.remove("e", at(5), "not needed")


def named(found: list[StoredJob]) -> list[str]:
    return [stored.job.job_id for stored in found]


async def test_jobs_are_listed_by_status(store: JobStore):
    """Without a status a list holds what can fire or be repaired; with one, exactly the jobs that have it; the oldest first."""
    await five(store)
    listed = {status: named(list(await store.list_jobs(status))) for status in (None, *JobStatus)}
    assert listed == {None: ["b", "a", "d"], "active": ["a"], "paused": ["b"], "done": ["c"], "broken": ["d"], "cancelled": ["e"]}


async def test_pages_of_jobs_are_the_whole_list(store: JobStore):
    """Page by page every job comes once, in order, also those created at the same time."""
    for number in range(7):
        await add(store, f"job{number}", created_at=at(number // 3))
    pages, after = [], None
    while page := list(await store.list_jobs(limit=2, after=after)):
        pages.append(named(page))
        after = Position(page[-1].job.created_at, page[-1].job.job_id)
    assert pages == [["job0", "job1"], ["job2", "job3"], ["job4", "job5"], ["job6"]]


async def test_job_that_is_made_anew_is_listed_by_when_that_was(store: JobStore):
    """A job that was replaced by one that was created later comes after those that were created between."""
    old = await add(store, "old", created_at=at(0))
    await add(store, "between", created_at=at(1))
    await change(store, replace(old, created_at=at(2)), JobState(next_run_at=at(9)))
    assert named(list(await store.list_jobs())) == ["between", "old"]
    assert [stored.job.job_id for stored in await store.jobs()] == ["between", "old"]


async def test_jobs_are_counted_by_status(store: JobStore):
    """Each status has its number, and what a job becomes is counted at once."""
    await five(store)
    counts = [dict(await store.count_jobs())]
    await change(store, make("b"), JobState(JobStatus.ACTIVE, at(9)))
    await store.remove("d", at(6))
    await add(store, "once", schedule=at(6).isoformat())
    await claim(store, 6, "once")
    counts.append(dict(await store.count_jobs()))
    assert counts == [
        {"active": 1, "paused": 1, "done": 1, "broken": 1, "cancelled": 1},
        {"active": 2, "done": 2, "cancelled": 2},
    ]


async def test_last_outcomes_are_of_what_finished_last(store: JobStore):
    """Each job that is asked about has the outcome of the execution that finished last, not of one that runs; one without is left out."""
    for job_id in ("a", "b", "c"):
        await add(store, job_id)
    await add(store, "over", JobStatus.DONE)
    for minute in (1, 2):
        (of_a,) = await claim(store, minute, "a")
        await finish(store, succeed(await begin(store, of_a)))
    (first,) = await claim(store, 1, "b")
    await finish(store, succeed(await begin(store, first))._replace(status=ExecutionStatus.FAILED))
    (second,) = await claim(store, 2, "b")
    await begin(store, second)
    assert dict(await store.last_outcomes(["a", "b", "c", "over"])) == {"a": ExecutionStatus.SUCCESS, "b": ExecutionStatus.FAILED}


async def test_near_ids_and_names_are_found(store: JobStore):
    """Beside an unknown name the ids and names next to it in their order are found, of jobs that can fire."""
    for job_id in ("alpha", "backup-db", "backup-web", "zulu"):
        await add(store, job_id, job_name=f"name of {job_id}")
    await add(store, "backup-old", JobStatus.DONE)
    found = await store.find_similar("backup-d", 1)
    assert {"alpha", "backup-db"} <= set(found)
    assert "backup-old" not in await store.find_similar("backup-o", 10)


async def test_cancelled_job_is_remembered(store: JobStore):
    """A cancelled job is found as such by id and by name, with when and why, and its id is free."""
    job = await add(store, job_name="name")
    await store.remove("job", at(7), "by ada")
    found = [await store.find_cancelled(key) for key in ("job", "name")]
    assert found[0] == found[1] is not None
    assert (found[0].job, found[0].state.status, found[0].state.ended_at, found[0].state.reason) == (
        job,
        JobStatus.CANCELLED,
        at(7),
        "by ada",
    )
    await add(store)
    assert await store.find_cancelled("job") is None


async def test_removal_tells_what_it_cancelled(store: JobStore):
    """The answer to a removal names the waiting executions that are cancelled, as they are recorded."""
    await add(store)
    waiting = await claim_one(store)
    removed = await store.remove("job", at(2))
    recorded = await store.execution(waiting.execution_id)
    assert recorded is not None
    assert (bool(removed), list(removed.cancelled)) == (True, [recorded])
    assert (recorded.status, recorded.finished_at) == (ExecutionStatus.CANCELLED, at(2))


# Replacement


async def exchanged(store: JobStore, job_id: str, **fields: object) -> bool:
    old = await store.find("old")
    assert old is not None
    return bool(await store.exchange(old, make(job_id, **fields), JobState(next_run_at=at(9)), at(3)))


@pytest.mark.parametrize("job_id", ["old", "new"])
async def test_exchange_puts_a_job_in_the_place_of_another(store: JobStore, job_id: str):
    """The old job is gone, with what waited of it, and the new one is there, under the same id or another."""
    await add(store, "old")
    (waiting,) = await claim(store, 1, "old")
    assert await exchanged(store, job_id, description="new")
    ended = await store.execution(waiting.execution_id)
    assert ended is not None
    assert ([stored.job.description for stored in await store.jobs()], ended.status) == (["new"], "cancelled")


async def test_exchange_for_a_job_whose_name_is_taken_changes_nothing(store: JobStore):
    """If another job has the new name, JobExists is raised and the old job is as it was."""
    await add(store, "other", job_name="taken")
    await add(store, "old")
    before = await store.find("old")
    with pytest.raises(JobExists):
        await exchanged(store, "old", job_name="taken")
    assert await store.find("old") == before


async def test_exchange_that_makes_a_circle_changes_nothing(store: JobStore):
    """If the new job would come after itself, InvalidSchedule is raised and the old job is as it was."""
    await add(store, "old")
    await add(store, "load", schedule="after old")
    before = await store.find("old")
    with pytest.raises(InvalidSchedule):
        await exchanged(store, "old", schedule="after load")
    assert await store.find("old") == before


async def test_exchange_of_a_job_that_fired_meanwhile_changes_nothing(store: JobStore):
    """Somebody who has not seen the job's latest run exchanges nothing."""
    await add(store, "old")
    old = await store.find("old")
    await claim(store, 1, "old")
    after = await store.find("old")
    assert old is not None
    assert not await store.exchange(old, replace(old.job, description="new"), JobState(), at(3))
    assert await store.find("old") == after


# Executions in pages


@pytest.mark.parametrize("job_id", [None, "job"])
@pytest.mark.parametrize("status", [None, ExecutionStatus.SUCCESS, ExecutionStatus.FAILED, ExecutionStatus.QUEUED])
async def test_pages_of_executions_are_the_whole_list(store: JobStore, job_id: str | None, status: ExecutionStatus | None):
    """With any filters, page by page every execution comes once, the newest first."""
    await add(store, max_instances=9)
    for minute in range(1, 10):
        execution = await claim_one(store, minute)
        if minute % 3:
            await finish(store, succeed(execution)._replace(status=ExecutionStatus.SUCCESS if minute % 3 == 1 else ExecutionStatus.FAILED))
    whole = list(await store.executions(job_id, 100, status))
    paged, before = [], None
    while page := list(await store.executions(job_id, 2, status, before)):
        paged += page
        before = Position(page[-1].scheduled_at, page[-1].execution_id)
    assert paged == whole
    assert len(whole) == (9 if status is None else 3)


async def test_results_are_left_out_where_nobody_asks(store: JobStore):
    """A list without results has everything else."""
    await add(store)
    ended = await run(store)
    await finish(store, succeed(await claim_one(store, 2), result={"rows": 1}))
    listed = await store.executions("job", 10, with_results=False)
    assert [found.result for found in listed] == [None, None]
    assert listed[1] == ended._replace(result=None)


async def test_tied_due_times_are_listed_in_pages(store: JobStore):
    """Executions that are due at the same time come once each, page by page."""
    for number in range(5):
        await add(store, f"job{number}")
    await claim(store, 1, *(f"job{number}" for number in range(5)))
    first = list(await store.executions(None, 3))
    second = list(await store.executions(None, 3, before=Position(first[-1].scheduled_at, first[-1].execution_id)))
    assert [found.job_id for found in (*first, *second)] == [f"job{number}" for number in (4, 3, 2, 1, 0)]
    assert first[0].scheduled_at > START


@pytest.mark.parametrize(("few", "soon"), [(1_000, 1_000), (0, 1_000), (0, 2)])
async def test_what_is_due_next_is_in_the_order_of_due_times(store: JobStore, monkeypatch: pytest.MonkeyPatch, few: int, soon: int):
    """Of active jobs alone, of all owners or of one, however many it has; a due time that was advanced counts, and of equal ones the id."""
    monkeypatch.setattr(few_jobs, "FEW_JOBS", {"jobs": few, "executions": few})
    monkeypatch.setattr(searching, "SOON", soon)
    for job_id, minutes, owner in (("late", 9, "maria"), ("b", 3, "paul"), ("a", 3, "maria"), ("soon", 1, "paul")):
        await store.add(make(job_id, created_by=Caller(owner)), JobState(next_run_at=at(minutes)))
    await store.add(make("never"), JobState())
    await store.add(make("paused"), JobState(JobStatus.PAUSED, at(1), paused_until=at(2)))
    assert named(list(await store.due_next(3))) == ["soon", "a", "b"]
    assert named(list(await store.due_next(9, "maria"))) == ["a", "late"]
    assert named(list(await store.due_next(1, "maria"))) == ["a"]
    await change(store, make("soon", created_by=Caller("paul")), JobState(next_run_at=at(10)))
    assert named(list(await store.due_next(9))) == ["a", "b", "late", "soon"]
