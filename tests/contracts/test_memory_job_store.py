"""What the store in memory owes besides: it does not grow for ever."""

from __future__ import annotations

import random
import weakref
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentool.caller import Caller
from agentoolkit.system.scheduler.execution_ids import execution_id
from agentoolkit.system.scheduler.execution_records import Execution, ExecutionStatus, queued_execution
from agentoolkit.system.scheduler.jobs import JobState, JobStatus
from agentoolkit.system.scheduler.ports import JobStore
from agentoolkit.system.scheduler.search import Search
from agentoolkit.system.scheduler.stores import memory_queries, ordered
from agentoolkit.system.scheduler.stores.memory import RETIRED_JOBS, MemoryJobStore

from .job_store_steps import START, add, at, change, claim_one, finish, make, run, succeed


async def run_apart(store: JobStore, name: str) -> None:
    """Let something run once that belongs to no job."""
    asked = Execution(f"{name}@now-1", name, "probe", START)
    await store.insert([asked])
    await finish(store, succeed(asked))


async def histories(store: JobStore, *job_ids: str) -> list[int]:
    return [len(await store.executions(job_id, 10)) for job_id in job_ids]


async def test_only_the_latest_retired_histories_are_kept():
    """Of jobs that were removed the histories of the latest are kept, as many as the limit."""
    store = MemoryJobStore(retired_jobs=2)
    for job_id in ("a", "b", "c"):
        await add(store, job_id)
        await run_job(store, job_id)
        await store.remove(job_id, at(5))
    assert await histories(store, "a", "b", "c") == [0, 1, 1]


async def test_a_result_that_is_no_whole_text_is_kept():
    """A lone surrogate in a result, which no UTF-8 has, stays in the history."""
    store = MemoryJobStore()
    asked = Execution("apart@now-1", "apart", "probe", START)
    await store.insert([asked])
    assert (await finish(store, succeed(asked, "half \ud800"))).written
    assert [one.result for one in await store.executions("apart", 10)] == ["half \ud800"]


async def run_job(store: JobStore, job_id: str) -> None:
    for claimed in (await store.claim([job_id], at(1))).records:
        await finish(store, succeed(claimed.execution))


async def test_finished_jobs_are_forgotten_like_removed_ones():
    """Of jobs that are done the latest are kept, with their names; the others are forgotten."""
    store = MemoryJobStore(retired_jobs=1)
    for job_id in ("a", "b"):
        await add(store, job_id, max_runs=1)
        await run_job(store, job_id)
    assert [stored.job.job_id for stored in await store.jobs()] == ["b"]
    assert (await store.find("a"), await histories(store, "a", "b")) == (None, [0, 1])


async def test_runs_without_a_job_are_forgotten_too():
    """What was run by hand, each time under an id of its own, does not pile up."""
    store = MemoryJobStore(retired_jobs=2)
    for name in ("r1", "r2", "r3"):
        await run_apart(store, name)
    assert await histories(store, "r1", "r2", "r3") == [0, 1, 1]


async def test_revived_job_is_not_forgotten():
    """A job that was done and is active again is kept, however many retire after it."""
    store = MemoryJobStore(retired_jobs=1)
    job = await add(store, "revived", JobStatus.DONE)
    await change(store, job, JobState(next_run_at=at(1)))
    for name in ("r1", "r2", "r3"):
        await run_apart(store, name)
    assert await store.find("revived") is not None


async def test_job_that_is_made_done_is_forgotten_in_its_turn():
    """A job that an editor made done retires like any other."""
    store = MemoryJobStore(retired_jobs=1)
    job = await add(store, "over")
    await change(store, job, JobState(JobStatus.DONE))
    await run_apart(store, "r1")
    assert await store.find("over") is None


async def test_name_of_a_forgotten_job_stays_with_its_new_owner():
    """Forgetting a finished job does not take its name from the job that has it now."""
    store = MemoryJobStore(retired_jobs=1)
    await store.add(make("old", job_name="name"), JobState(JobStatus.DONE))
    await store.add(make("new", job_name="name"), JobState(next_run_at=at(1)))
    await run_apart(store, "r1")
    found = await store.find("name")
    assert found is not None
    assert found.job.job_id == "new"


async def test_limit_is_a_thousand_by_default():
    """A thousand retired jobs are kept unless told otherwise."""
    store = MemoryJobStore()
    await add(store)
    await run(store)
    await store.remove("job", at(5))
    for number in range(RETIRED_JOBS):
        assert await histories(store, "job") == [1]
        await run_apart(store, f"r{number}")
    assert await histories(store, "job") == [0]


async def test_forgotten_job_comes_after_nothing():
    """A job that is done and forgotten no longer counts among those that come after another one."""
    store = MemoryJobStore(retired_jobs=1)
    await add(store, "first", max_instances=9)
    for job_id in ("a", "b"):
        await add(store, job_id, schedule="after first", max_runs=1)
    for minute in (1, 2):
        for claimed in (await store.claim(["first"], at(minute))).records:
            for after in (await finish(store, succeed(claimed.execution))).downstream:
                await finish(store, succeed(after.execution))
    assert sorted(stored.job.job_id for stored in await store.jobs()) == ["b", "first"]
    assert list(await store.downstream("first")) == []


async def test_history_of_what_runs_is_not_forgotten():
    """What was run before and runs again is not forgotten until it has ended, however much retires meanwhile."""
    store = MemoryJobStore(retired_jobs=1)
    await run_apart(store, "again")
    second = Execution("again@now-2", "again", "probe", START)
    await store.insert([second])
    await run_apart(store, "other")
    await finish(store, succeed(second))
    assert await histories(store, "other", "again") == [0, 2]


async def test_forgetting_does_not_lose_count_of_what_runs():
    """A job made under the id of what was run by hand counts what runs of it, and no more."""
    store = MemoryJobStore(retired_jobs=1)
    await run_apart(store, "job")
    second = Execution("job@now-2", "job", "probe", START)
    await store.insert([second])
    await run_apart(store, "other")
    await finish(store, succeed(second))
    await add(store)
    statuses = [(await claim_one(store, minute)).status for minute in (1, 2)]
    assert statuses == [ExecutionStatus.QUEUED, ExecutionStatus.SKIPPED]


@given(st.lists(st.tuples(st.sampled_from(["add", "discard", "read"]), st.integers(0, 12)), max_size=60), st.integers(1, 4))
def test_keys_are_in_order_whatever_came_and_went(steps: list[tuple[str, int]], changed: int):
    """Keys that are put in order and taken out late, or never because they were gone before, read and count as a sorted set does."""
    there: set[str] = set()
    keys: ordered.OrderedKeys[str] = ordered.OrderedKeys()
    with patch.object(ordered, "MAX_CHANGED", changed), patch.object(ordered, "MAX_BLOCK", 3):
        for step, number in steps:
            key = f"{number:02}"
            if step == "add" and key not in there:
                there.add(key)
                keys.add(key)
            elif step == "discard" and key in there:
                there.discard(key)
                keys.remove(key)
            elif step == "read":
                assert list(keys.from_(key)) == sorted(other for other in there if other > key)
                assert list(keys.before(key)) == sorted((other for other in there if other < key), reverse=True)
        assert list(keys.from_(None)) == sorted(there)
        assert len(keys) == len(there)


class Counted(str):
    """A key of which one can tell whether anybody holds it."""


@pytest.mark.parametrize("there_at_once", [10, 3_000])
@pytest.mark.parametrize("leaving", ["first come", "last come", "by chance"])
def test_keys_that_are_gone_are_not_held(leaving: str, there_at_once: int):
    """Besides what is there only the keys that changed last are held, in whatever order they go, though nobody reads."""
    chance, there, most = random.Random(1), list[Counted](), 0
    keys: ordered.OrderedKeys[str] = ordered.OrderedKeys()
    alive: weakref.WeakSet[Counted] = weakref.WeakSet()
    for number in range(5 * there_at_once + 10_000):
        there.append(key := Counted(f"{number:06}"))
        alive.add(key)
        keys.add(key)
        if len(there) > there_at_once:
            place = {"first come": 0, "last come": -1, "by chance": chance.randrange(len(there))}[leaving]
            keys.remove(there.pop(place))
        if number % 500 == 0:
            del key
            most = max(most, len(alive) - len(there))
    assert most <= ordered.MAX_CHANGED


@given(st.integers(1, 3), st.text(max_size=3), st.sampled_from(["schedule", "backfill"]))
def test_copies_of_executions_differ_in_what_was_to_change_alone(attempt: int, owner: str, trigger: str):
    """What a start and a success change is what a copy by names changes."""
    execution = Execution("job@x", "job", "probe", START, trigger, attempt=attempt, owner=owner, retry_at=START)
    begun = execution.begun(START)
    assert begun == execution._replace(status=ExecutionStatus.RUNNING, started_at=START, retry_at=None)
    changes = {"status": ExecutionStatus.SUCCESS, "reason": "why", "result": [1], "finished_at": START, "duration": 0.5}
    assert begun.succeeded(START, 0.5, [1], "why") == begun._replace(**changes)


def test_a_queued_execution_has_all_defaults():
    """What a claim writes down is an execution of which nothing is known yet but whose it is."""
    job = make()
    assert queued_execution(job, START, "me") == Execution(execution_id("job", START), "job", job.agentool_name, START, owner="me")


@pytest.mark.parametrize(("owner", "jobs"), [("maria", 1), ("crowd", 150), ("nobody", 0)])
async def test_jobs_of_an_owner_are_found_without_a_look_at_others(monkeypatch: pytest.MonkeyPatch, owner: str, jobs: int):
    """What an owner's list costs does not depend on how many jobs others have."""
    store, seen = MemoryJobStore(), list[str]()
    await add(store, "report", created_by=Caller("maria"))
    for number in range(150):
        await add(store, f"job-{number}", created_by=Caller("crowd"))
    fits = memory_queries.job_fits
    monkeypatch.setattr(memory_queries, "job_fits", lambda search, job, *rest: seen.append(job.job_id) or fits(search, job, *rest))
    found = (await store.search_jobs(Search("jobs", owner=owner), 1_000)).jobs
    assert (len(seen), len(found)) == (jobs, jobs)


async def test_history_of_an_owner_with_few_jobs_goes_on_when_they_are_cancelled():
    """What an owner's jobs ran is found by its name, the newest first, also of a job that was cancelled."""
    store = MemoryJobStore()
    for job_id, owner in (("a", "maria"), ("b", "maria"), ("other", "ben")):
        await add(store, job_id, created_by=Caller(owner))
        await run_job(store, job_id)
    await store.remove("a", at(5))
    found = (await store.search_executions(Search("executions", owner="maria"), 10)).executions
    assert [one.job_id for one in found] == ["b", "a"]


async def test_what_is_due_next_is_gone_through_once(monkeypatch: pytest.MonkeyPatch):
    """From the second question on no job is looked at that is not told, whatever was added, fired and removed meanwhile."""
    store = MemoryJobStore()
    for job_id in ("a", "b", "c"):
        await add(store, job_id)
    before = [stored.job.job_id for stored in await store.due_next(9)]
    monkeypatch.setattr(memory_queries, "in_portions", None)
    await add(store, "new")
    await run_job(store, "a")
    await store.remove("b", at(5))
    after = [(stored.job.job_id, stored.state.next_run_at) for stored in await store.due_next(9)]
    assert (before, after) == (["a", "b", "c"], [("c", at(1)), ("new", at(1)), ("a", at(2))])


async def test_what_is_due_next_is_told_though_it_was_asked_before_there_was_a_job():
    """An empty store that was asked what is due next tells of the job that comes after that."""
    store = MemoryJobStore()
    assert list(await store.due_next(9)) == []
    await add(store, "first")
    assert [stored.job.job_id for stored in await store.due_next(9)] == ["first"]


async def test_nothing_is_kept_of_owners_whose_jobs_are_forgotten():
    """Of many owners, each with a job that was removed, only those are kept whose jobs are remembered as cancelled."""
    store = MemoryJobStore(retired_jobs=2)
    for number in range(9):
        await add(store, f"job{number}", created_by=Caller(f"owner{number}"))
        await store.remove(f"job{number}", at(1))
    assert sorted(store._jobs._owned) == ["owner7", "owner8"]
