"""Executions that are claimed, begun and finished on PostgreSQL without the room of jobs: races with what happens in it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import psycopg
import pytest

from agentoolkit.database.session import Session
from agentoolkit.system.scheduler.execution_records import Execution, ExecutionStatus
from agentoolkit.system.scheduler.jobs import JobState
from agentoolkit.system.scheduler.ports import Ending, JobStore
from agentoolkit.system.scheduler.stores.sql import SqlJobStore

from .job_store_steps import START, add, at, begin, change, claim, claim_one, make, none_held, succeed
from .owners import dies, sql

pytestmark = pytest.mark.parametrize("database_url", ["postgres"], indirect=True)

IN_THE_ROOM = "SELECT pg_advisory_xact_lock(4923, 1)"
"""What whoever writes jobs holds."""


@pytest.fixture
async def other(database_url: str) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    """A transaction of somebody else, which lasts until the test ends it."""
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        yield connection


async def test_nobody_waits_for_the_room_of_jobs(first: SqlJobStore, second: SqlJobStore, other: psycopg.AsyncConnection[Any]):
    """While another process writes jobs, executions are claimed, begun and finished."""
    await add(first)
    execution = await claim_one(first)
    await other.execute(IN_THE_ROOM)
    (claimed,) = await second.claim_executions([execution.execution_id], START)
    ended = succeed(await begin(second, claimed.execution))
    assert await second.finish([Ending(ended)])
    assert await second.execution(ended.execution_id) == ended


@pytest.mark.parametrize("step", ["claim", "begin", "finish"])
async def test_what_another_locks_is_done_after_it(first: SqlJobStore, second: SqlJobStore, other: psycopg.AsyncConnection[Any], step: str):
    """Of two executions the one that is locked waits for its lock in the room of jobs, and is then done as if nobody had been there."""
    await add(first, "a")
    await add(first, "b")
    locked, free = await claim(first, 1, "a", "b")
    done: dict[str, Callable[[], Awaitable[Any]]] = {
        "claim": lambda: second.claim_executions([locked.execution_id, free.execution_id], at(1)),
        "begin": lambda: first.begin([each.begun(at(1)) for each in (locked, free)]),
        "finish": lambda: first.finish([Ending(succeed(each)) for each in (locked, free)]),
    }
    await other.execute("SELECT 1 FROM agentool_executions WHERE execution_id = %s FOR UPDATE", (locked.execution_id,))
    asked = asyncio.ensure_future(done[step]())
    while await first.execution(free.execution_id) == free:  # noqa: ASYNC110  another process tells nothing
        await asyncio.sleep(0.01)
    assert await first.execution(locked.execution_id) == locked
    await other.rollback()
    assert [bool(answer) for answer in await asked] == [True, True]


async def between(store: SqlJobStore, monkeypatch: pytest.MonkeyPatch, happens: Callable[[], Awaitable[Any]]) -> None:
    """Let something happen between what the next claim reads and what it writes."""
    loop, write = asyncio.get_running_loop(), Session.write_rows

    def delayed(session: Session, *given: Any) -> Any:
        monkeypatch.setattr(Session, "write_rows", write)
        asyncio.run_coroutine_threadsafe(_whole(happens), loop).result(10)
        return write(session, *given)

    monkeypatch.setattr(Session, "write_rows", delayed)


async def _whole(happens: Callable[[], Awaitable[Any]]) -> None:
    await happens()


async def test_a_job_that_changes_meanwhile_runs_as_it_is_now(first: SqlJobStore, second: SqlJobStore, monkeypatch: pytest.MonkeyPatch):
    """A claim that has read a job's definition before it changed writes nothing by it, and reads it again."""
    await add(first)
    execution = await claim_one(first)
    changed = make(description="new")
    await between(second, monkeypatch, lambda: change(first, changed, JobState(next_run_at=at(2))))
    (claimed,) = await second.claim_executions([execution.execution_id], at(1))
    assert claimed.job == changed


@pytest.mark.parametrize("event", ["removed", "cancelled", "claimed", "finished", "retried"])
async def test_what_happens_to_an_execution_meanwhile_holds(
    first: SqlJobStore, second: SqlJobStore, monkeypatch: pytest.MonkeyPatch, event: str
):
    """A claim that has read an execution before somebody cancelled, began or finished it gets nothing, and changes nothing."""
    await add(first)
    execution = await claim_one(first)
    ended = execution._replace(status=ExecutionStatus.CANCELLED, finished_at=at(1))
    again = execution._replace(status=ExecutionStatus.RETRYING, attempt=2, retry_at=at(9))

    async def retried() -> None:
        await first.retry(again._replace(started_at=None)) if await begin(first, execution) else None

    happens: dict[str, Callable[[], Awaitable[Any]]] = {
        "removed": lambda: first.remove("job", at(1)),
        "cancelled": lambda: first.finish([Ending(ended, None, ExecutionStatus.QUEUED)]),
        "claimed": lambda: begin(first, execution),
        "finished": lambda: first.finish([Ending(succeed(execution))]),
        "retried": retried,
    }
    stands: list[Execution | None] = []

    async def noted() -> None:
        await happens[event]()
        stands.append(await first.execution(execution.execution_id))

    await between(second, monkeypatch, noted)
    assert await second.claim_executions([execution.execution_id], at(1), begins=lambda execution_id, job: True) == []
    assert stands == [await first.execution(execution.execution_id)]
    assert stands != [execution]


async def test_an_end_that_others_come_after_starts_them(first: SqlJobStore):
    """What comes after an execution is written with its end, in the room of jobs, also if the end was asked for with others."""
    await add(first, "a")
    await add(first, "b")
    await add(first, "next", schedule="after a")
    a, b = await claim(first, 1, "a", "b")
    answers = await first.finish([Ending(succeed(await begin(first, each))) for each in (a, b)])
    assert [[claimed.execution.job_id for claimed in answer.downstream] for answer in answers] == [["next"], []]


async def test_two_ends_of_one_execution_are_one(first: SqlJobStore):
    """Of the same outcome twice in one call the first is written."""
    await add(first)
    ended = Ending(succeed(await begin(first, await claim_one(first))))
    assert [bool(answer) for answer in await first.finish([ended, ended])] == [True, False]


async def test_an_ended_process_is_seen_by_a_claim(first: SqlJobStore, second: SqlJobStore):
    """One message with an execution that waits and one that its process left behind: both are claimed, in the message's order."""
    await add(first, "a")
    await add(first, "b")
    running, waiting = await claim(first, 1, "a", "b")
    await begin(first, running)
    await dies(first)
    ids = [running.execution_id, waiting.execution_id]
    assert [each.execution.execution_id for each in await second.claim_executions(ids, at(2))] == ids


async def test_many_that_claim_the_same_get_each_once(first: SqlJobStore, second: SqlJobStore):
    """Two processes that are sent the same ids in other orders, while the leader takes over what it can: each is given out once."""
    names = [f"job{number}" for number in range(40)]
    for name in names:
        await add(first, name)
    waiting = [each.execution_id for each in await claim(first, 1, *names)]
    await sql(first, "UPDATE agentool_executions SET owner = 'gone'")

    async def get(store: JobStore, ids: list[str]) -> list[str]:
        claimed = [await store.claim_executions(ids[place : place + 4], at(2)) for place in range(0, len(ids), 4)]
        return [each.execution.execution_id for portion in claimed for each in portion]

    got = await asyncio.gather(get(second, waiting), get(second, waiting[::-1]), first.take_over(at(2), none_held))
    assert sorted(got[0] + got[1]) == sorted(waiting)
