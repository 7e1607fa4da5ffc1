"""Claiming by ids and beginning in one write: what a worker does with a message that it has room for."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

import pytest

from agentool import BaseOperationInput, Injector, RunContext, create_agentool
from agentoolkit.database.worker import DatabaseThread
from agentoolkit.settings import Settings
from agentoolkit.system.scheduler.events import Event
from agentoolkit.system.scheduler.execution_records import Execution, ExecutionStatus
from agentoolkit.system.scheduler.jobs import Job, JobState
from agentoolkit.system.scheduler.ports import JobStore
from agentoolkit.system.scheduler.stores.sql import SqlJobStore
from agentoolkit.testing import ManualTime, toolkit
from agentoolkit.wiring import Toolkit

from .job_store_steps import START, add, at, begin, claim, claim_one, finish, make, none_held, start, succeed
from .owners import dies, retrying

RUNNING, QUEUED = ExecutionStatus.RUNNING, ExecutionStatus.QUEUED


def all_begin(execution_id: str, job: Job) -> bool:
    return True


async def claimed(store: JobStore, *executions: Execution, minutes: float = 2, begins: Any = all_begin) -> list[Execution]:
    ids = [execution.execution_id for execution in executions]
    return [each.execution for each in await store.claim_executions(ids, at(minutes), begins=begins)]


async def test_it_runs_since_its_claim(store: JobStore):
    """Its record says so as the answer does: running, since when, whose, at its first attempt. It ends as any other."""
    await add(store)
    waiting = await claim_one(store)
    await store.release_all()
    (begun,) = await claimed(store, waiting)
    assert begun == waiting._replace(status=RUNNING, started_at=at(2), owner=store.owner)
    assert await store.execution(begun.execution_id) == begun
    assert (await finish(store, succeed(begun))).written


async def test_only_those_begin_that_have_room(store: JobStore):
    """It is asked for each by its id and its job; the others wait, and are begun later, each once."""
    for name in ("a", "b"):
        await add(store, name)
    first, second = await claim(store, 1, "a", "b")
    await store.release_all()
    asked: list[tuple[str, str]] = []

    def b_begins(execution_id: str, job: Job) -> bool:
        asked.append((execution_id, job.job_id))
        return job.job_id == "b"

    waits, runs = await claimed(store, first, second, begins=b_begins)
    assert sorted(asked) == [(first.execution_id, "a"), (second.execution_id, "b")]
    assert [(each.status, each.started_at) for each in (waits, runs)] == [(QUEUED, None), (RUNNING, at(2))]
    assert [await start(store, each.begun(at(3))) for each in (waits, runs)] == [True, False]


async def test_a_due_retry_begins(store: JobStore):
    """Its number stays, and its time is over; one that is not due does not begin."""
    await add(store)
    waiting = retrying(await begin(store, await claim_one(store)), 5)
    assert await store.retry(waiting)
    await store.release_all()
    assert await claimed(store, waiting, minutes=4.9) == []
    (begun,) = await claimed(store, waiting, minutes=5)
    assert (begun.status, begun.attempt, begun.retry_at, begun.started_at) == (RUNNING, 2, None, at(5))


async def test_what_runs_does_not_begin_again(store: JobStore):
    """A message that comes again claims nothing, and changes nothing."""
    await add(store)
    running = await begin(store, await claim_one(store))
    assert await claimed(store, running) == []
    assert await store.execution(running.execution_id) == running


async def test_what_an_ended_process_ran_waits_for_room(first: SqlJobStore, second: SqlJobStore):
    """Its next attempt is begun like any other, not by the claim: of it more is to be decided."""
    await add(first)
    running = await begin(first, await claim_one(first))
    await dies(first)
    (taken,) = await claimed(second, running)
    assert (taken.status, taken.attempt, taken.owner) == (QUEUED, 2, second.owner)


@pytest.mark.parametrize(("policy", "status", "attempt"), [("retry", QUEUED, 2), ("fail", ExecutionStatus.LOST, 1)])
async def test_a_worker_that_ends_leaves_it_running(first: SqlJobStore, second: SqlJobStore, policy: Any, status: Any, attempt: int):
    """What becomes of it says its `on_interrupt`, as of all that runs; so one that may not be repeated is not to begin so."""
    await add(first, on_interrupt=policy)
    await claimed(second, await claim_one(first))
    await dies(second)
    (taken,) = await first.take_over(at(3), none_held)
    assert (taken.execution.status, taken.execution.attempt) == (status, attempt)


async def test_its_worker_hears_that_it_is_to_end(first: SqlJobStore, second: SqlJobStore):
    """A request to cancel it is one of an execution that runs: the worker is asked."""
    await add(first)
    (begun,) = await claimed(second, await claim_one(first))
    assert await first.request_cancel(begun.execution_id, "no more")
    assert [request.execution_id for request in await second.cancel_requests()] == [begun.execution_id]


class NoopInput(BaseOperationInput):
    operation: Literal["run"]


async def noop_run(ctx: RunContext[None]) -> None:
    """Do nothing, so that all of a portion ends in one turn of the event loop."""


class Commits:
    """How often threads that write have committed, of one database."""

    def __init__(self, kit: Toolkit, monkeypatch: pytest.MonkeyPatch) -> None:
        self.number = 0
        mine = kit.database._writer

        def count(name: str) -> None:
            original = getattr(DatabaseThread, name)

            def counted(thread: DatabaseThread, *given: Any) -> Any:
                self.number += thread is mine
                return original(thread, *given)

            monkeypatch.setattr(DatabaseThread, name, counted)

        count("_commit")
        count("_without_transaction")


@pytest.mark.parametrize(
    ("policies", "commits"), [({}, 2), ({"overlap": "allow"}, 2), ({"on_interrupt": "fail"}, 3)], ids=["retry", "allow", "fail"]
)
@pytest.mark.parametrize("number", [1, 50])
async def test_a_portion_costs_two_commits(
    database_url: str, nothing_left: None, number: int, policies: Any, commits: int, monkeypatch: pytest.MonkeyPatch
):
    """However many executions a message holds: one claims and begins them, one writes their outcomes."""
    injector = Injector()
    create_agentool("noop", NoopInput, {"run": noop_run}, injector=injector)
    async with Toolkit(Settings(database=database_url, timezone="UTC"), injector=injector, runs_jobs=False) as worker:
        store = worker.scheduler.store
        jobs = [make(f"job{place}", agentool_name="noop", **policies) for place in range(number)]
        await asyncio.gather(*(store.add(job, JobState(next_run_at=at(1))) for job in jobs))
        waiting = [Execution(f"{job.job_id}@1", job.job_id, "noop", START) for job in jobs]
        await store.insert(waiting)
        counted = Commits(worker, monkeypatch)
        await worker.scheduler.executions.run_claimed([execution.execution_id for execution in waiting])
        made = counted.number
        rows = await store.executions_by_id([execution.execution_id for execution in waiting])
    assert ({(row.status.value, row.attempt) for row in rows}, len(rows)) == ({("success", 1)}, number)
    assert made == commits


async def test_a_portion_is_run_in_memory():
    """Claimed by their ids in the process whose they are, executions run once, as with a database."""
    async with toolkit() as kit:
        store = kit.scheduler.store
        await store.add(make(agentool_name="queue", input_data={"operation": "list_queues"}), JobState(next_run_at=at(1)))
        await store.insert([Execution("job@1", "job", "queue", START)])
        await kit.scheduler.executions.run_claimed(["job@1"])
        row = await store.execution("job@1")
    assert row is not None
    assert (row.status.value, row.attempt) == ("success", 1)


async def test_a_due_time_runs_since_its_claim(store: JobStore):
    """A job's claim can begin what it starts: its record says so as the answer does, it is not begun again, and ends as any other."""
    await add(store)
    (begun,) = [each.execution for each in (await store.claim(["job"], at(1), all_begin)).records]
    assert (begun.status, begun.started_at, begun.attempt, begun.owner) == (RUNNING, at(1), 1, store.owner)
    assert await store.execution(begun.execution_id) == begun
    assert not await start(store, begun.begun(at(2)))
    assert (await finish(store, succeed(begun))).written


async def test_only_those_due_times_begin_that_have_room(store: JobStore):
    """Of several late due times of a job, and of several jobs, those wait that it is not said of; what is passed over ends."""
    await add(store, "a", catch_up="all", misfire_grace_time=None)
    await add(store, "b", misfire_grace_time=10)
    first = f"a@{at(1).isoformat()}"
    claims = await store.claim(["a", "b"], at(3), lambda execution_id, job: execution_id == first or job.job_id == "b")
    stands = {each.execution.execution_id: (each.execution.status.value, each.execution.started_at) for each in claims.records}
    assert stands[first] == ("running", at(3))
    waits = {id_: stand for id_, stand in stands.items() if id_.startswith("a@") and id_ != first}
    assert (set(waits.values()), len(waits)) == ({("queued", None)}, 2)
    assert ("missed", None) in stands.values()
    kept = {row.execution_id: (row.status.value, row.started_at) for row in await store.executions(None, 100)}
    assert kept == stands


async def test_a_due_time_that_has_a_record_does_not_begin(store: JobStore):
    """One that was added for it before, as by a backfill, waits on, and is nobody else's."""
    await add(store)
    there = Execution(f"job@{at(1).isoformat()}", "job", "probe", at(1), trigger="backfill", owner=store.owner)
    await store.insert([there])
    assert (await store.claim(["job"], at(1), all_begin)).records == []
    assert await store.execution(there.execution_id) == there


@pytest.mark.parametrize(
    ("policies", "commits"), [({}, 2), ({"overlap": "allow"}, 2), ({"on_interrupt": "fail"}, 3)], ids=["retry", "allow", "fail"]
)
@pytest.mark.parametrize("number", [1, 50])
async def test_a_firing_costs_two_commits(
    database_url: str, nothing_left: None, number: int, policies: Any, commits: int, monkeypatch: pytest.MonkeyPatch
):
    """However many jobs are due together and have room: one claims and begins them, one writes their outcomes."""
    injector, time = Injector(), ManualTime(START)
    create_agentool("noop", NoopInput, {"run": noop_run}, injector=injector)
    async with Toolkit(Settings(database=database_url, timezone="UTC"), injector=injector, time=time) as kit:
        store, engine = kit.scheduler.store, kit.scheduler.lifecycle.running_engine()
        jobs = [make(f"job{place}", agentool_name="noop", **policies) for place in range(number)]
        await asyncio.gather(*(store.add(job, JobState(next_run_at=at(1))) for job in jobs))
        await asyncio.gather(engine.wait_idle(), kit.events.wait_idle())
        counted, ended, all_ended = Commits(kit, monkeypatch), set[str](), asyncio.Event()

        def hear(event: Event) -> None:
            if event.type == "scheduler.task.success":
                ended.add(event.job_id)
                if len(ended) == number:
                    all_ended.set()

        kit.scheduler.subscribe(hear)
        time.jump(at(1))
        engine.claiming.ring({job.job_id: at(1) for job in jobs})
        await asyncio.wait_for(all_ended.wait(), 60)
        made, rows = counted.number, await store.executions(None, 100)
    assert ({(row.status.value, row.attempt) for row in rows}, len(rows)) == ({("success", 1)}, number)
    assert made == commits
