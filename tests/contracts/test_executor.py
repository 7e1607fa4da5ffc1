"""The contract of executors: whatever is submitted runs once, in order of urgency, under its limits, and ends when it is told to."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from agentoolkit.settings import Settings
from agentoolkit.system.scheduler.executors.local import LocalExecutor
from agentoolkit.system.scheduler.ports import HERE, Order, Route
from agentoolkit.wiring import Toolkit

from .executor_work import work_tool
from .executors import IDS_IN_A_MESSAGE, ProcessExecutor
from .workers import Worker, celery_worker, rq_worker

PATIENCE = 30.0
"""Seconds of real time after which a test gives up waiting."""


class World:
    """A scheduler on a database, with the executor under test; where workers of an engine have it too, that worker."""

    def __init__(self, kind: str, folder: Path, worker: Worker | None = None) -> None:
        self.kind = kind
        self.worker = worker
        self.database = str(folder / "agentool.db") if worker is None else worker.database
        self.log = folder / "log" if worker is None else worker.log
        self.log.write_text("")
        self.since = datetime.now(UTC)
        self.kit: Any = None

    async def open(self, concurrency: int = 100) -> None:
        settings = {} if self.worker is None else {**self.worker.settings, "sent_at_once": concurrency}
        self.kit = Toolkit(Settings(database=self.database, timezone="UTC", concurrency=concurrency, **settings))
        work_tool(self.kit.injector, self.log)
        if self.kind == "process":
            self.kit.scheduler.lifecycle._parts = replace(self.kit.scheduler.parts, executor=self._process_executor)
        await self.kit.__aenter__()

    async def close(self) -> None:
        if self.kit is not None and self.worker is not None:
            store = self.kit.scheduler.store
            for row in await self.rows():
                await store.request_cancel(row.execution_id)  # the worker is the next test's too
            for stored in await store.list_jobs():
                await store.remove(stored.job.job_id, datetime.now(UTC))
            await store.set_stopped(False)
            await self.until(lambda rows: all(row.finished or row.status.value != "running" for row in rows))
        if self.kit is not None:
            await self.kit.__aexit__(None, None, None)
            self.kit = None

    def order(self, execution_id: str) -> Order:
        return Order(execution_id, route=HERE if self.worker is None else Route(self.kit.settings.executor))

    def _process_executor(self, attempts: Any, concurrency: int) -> ProcessExecutor:
        return ProcessExecutor(attempts, concurrency, self.database, self.log)

    @property
    def executor(self) -> Any:
        return self.kit.scheduler.lifecycle.engine.dispatch.executor

    async def ask(self, operation: str, **fields: Any) -> Any:
        return (await self.kit.injector.run("scheduler", {"operation": operation, **fields})).data

    async def add(self, job_id: str, naps: float = 0.0, **fields: Any) -> None:
        work = {"agentool_name": "work", "input_data": {"operation": "run", "naps": naps}}
        short = {"timeout": 29, "misfire_grace_time": None}  # so that ids travel together
        await self.ask("schedule", job_id=job_id, schedule="now", **{**short, **work, **fields})

    async def rows(self) -> list[Any]:
        rows = await self.kit.scheduler.store.executions(None, 1_000)
        return [row for row in rows if row.scheduled_at >= self.since]  # else it is of a test before this one

    async def until(self, holds: Callable[[list[Any]], bool]) -> list[Any]:
        async with asyncio.timeout(PATIENCE):
            while not holds(rows := await self.rows()):  # noqa: ASYNC110  another process tells nothing
                await asyncio.sleep(0.02)
        return rows

    async def all_over(self, number: int) -> list[Any]:
        return await self.until(lambda rows: len(rows) == number and all(row.finished for row in rows))

    def lines(self, event: str) -> list[tuple[str, int, float, float]]:
        """Return what the handlers wrote: the job, the process, when it began, when it ended."""
        split = [line.split() for line in self.log.read_text().splitlines()]
        return [(id_.partition("@")[0], int(pid), float(began), float(ended)) for said, id_, pid, began, ended in split if said == event]


WORKERS = ["celery-redis", "celery-classic", "celery-quorum", "rq-Worker", "rq-SimpleWorker"]


@pytest.fixture(scope="module", params=["local", "process", *WORKERS])
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def worker(kind: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker | None]:
    """A worker that all tests of one kind share: its start takes longer than they do."""
    if kind not in WORKERS:
        yield None
        return
    engine, _, how = kind.partition("-")
    folder = tmp_path_factory.mktemp(kind)
    with ExitStack() as stack:
        if engine == "rq":
            yield stack.enter_context(rq_worker(folder, request.getfixturevalue("redis_server"), how))
        elif how == "redis":
            yield stack.enter_context(celery_worker(folder, request.getfixturevalue("redis_server"), "prefork"))
        else:
            broker = stack.enter_context(request.getfixturevalue("rabbitmq_server").virtual_host())
            yield stack.enter_context(celery_worker(folder, broker, "threads" if how == "classic" else "prefork", how))


@pytest.fixture
async def world(kind: str, worker: Worker | None, tmp_path: Path) -> AsyncIterator[World]:
    world = World(kind, tmp_path, worker)
    yield world
    await world.close()


async def test_each_execution_runs_once(world: World):
    """Of a hundred and twenty executions each is started once, and its outcome is in the store."""
    await world.open()
    async with world.kit.scheduler.lifecycle.claims_suspended():
        await asyncio.gather(*(world.add(f"job{number}") for number in range(120)))
    rows = await world.all_over(120)
    starts = Counter(job_id for job_id, *_ in world.lines("start"))
    assert ({row.status.value for row in rows}, set(starts.values()), len(starts)) == ({"success"}, {1}, 120)


async def test_where_it_runs(world: World):
    """Handlers run in the process that the executor says: this one, or the worker's, to which ids are sent in portions."""
    await world.open()
    async with world.kit.scheduler.lifecycle.claims_suspended():
        await asyncio.gather(*(world.add(f"job{number}") for number in range(60)))
    await world.all_over(60)
    pids = {pid for _, pid, *_ in world.lines("start")}
    if world.kind == "local":
        assert pids == {os.getpid()}
    elif world.worker is not None:
        assert os.getpid() not in pids
    else:
        assert pids == {world.executor.process.pid}
        assert max(map(len, world.executor.messages)) <= IDS_IN_A_MESSAGE


async def test_the_more_urgent_goes_first(world: World):
    """Where one has room, of those that wait the critical one is started first, and the low one last."""
    await world.open(concurrency=1)
    await world.add("first", naps=1.0)
    await world.until(lambda _: bool(world.lines("start")))
    async with world.kit.scheduler.lifecycle.claims_suspended():
        for priority in ("low", "medium", "critical", "high"):
            await world.add(priority, priority=priority)
    await world.all_over(5)
    assert [job_id for job_id, *_ in world.lines("start")] == ["first", "critical", "high", "medium", "low"]


async def test_a_limit_is_kept(world: World):
    """Executions that share a concurrency key are at work one after another, though there is room for all."""
    await world.open()
    async with world.kit.scheduler.lifecycle.claims_suspended():
        for number in range(4):
            await world.add(f"job{number}", naps=0.05, concurrency_key="one")
    await world.all_over(4)
    spans = sorted((began, ended) for _, _, began, ended in world.lines("end"))
    assert all(ended <= began for (_, ended), (began, _) in pairwise(spans))


async def test_what_waits_can_be_taken_out(world: World):
    """An execution that is cancelled while it waits for room is never started."""
    await world.open(concurrency=1)
    await world.add("first", naps=0.5)
    await world.until(lambda _: bool(world.lines("start")))
    await world.add("second")
    (second,) = [row for row in await world.until(lambda rows: len(rows) == 2) if row.job_id == "second"]
    await world.ask("cancel_execution", execution_id=second.execution_id)
    rows = await world.all_over(2)
    assert {row.job_id: row.status.value for row in rows} == {"first": "success", "second": "cancelled"}
    assert [job_id for job_id, *_ in world.lines("start")] == ["first"]


async def test_what_runs_can_be_cancelled(world: World):
    """An execution that is cancelled while its handler is at work is ended, wherever it runs."""
    await world.open()
    await world.add("job", naps=25.0)
    await world.until(lambda rows: bool(world.lines("start")) and rows[0].status.value == "running")
    (row,) = await world.rows()
    await world.ask("cancel_execution", execution_id=row.execution_id, reason="no more")
    (row,) = await world.all_over(1)
    assert (row.status.value, len(world.lines("end"))) == ("cancelled", 1)


async def test_a_second_order_for_one_execution_starts_nothing(world: World):
    """What is ordered twice, as by a message that comes again, is carried out once."""
    await world.open()
    await world.add("job", naps=0.3)
    await world.until(lambda _: bool(world.lines("start")))
    (row,) = await world.rows()
    world.executor.submit(world.order(row.execution_id))
    await world.all_over(1)
    await asyncio.sleep(0.2)
    assert len(world.lines("start")) == 1


async def test_a_stop_is_bounded(world: World):
    """With a handler at work that does not end, the scheduler stops within its time, and no row says that it runs."""
    await world.open()
    await world.add("job", naps=60.0, on_interrupt="fail")
    await world.until(lambda _: bool(world.lines("start")))
    began = time.monotonic()
    await world.kit.scheduler.lifecycle.stop(2.0)
    took = time.monotonic() - began
    row = (await world.rows())[0] if world.kind == "local" else None
    assert (took < 5.0, row is None or row.status.value == "cancelled") == (True, True)


async def test_a_failing_attempt_is_tried_again(world: World):
    """A retry is started by whoever leads, also where its first attempt ran elsewhere."""
    await world.open()
    await world.ask("schedule", job_id="job", schedule="now", max_retries=1, retry_backoff=0.1, agentool_name="work", timeout=0.2,
                    input_data={"operation": "run", "naps": 5.0})  # fmt: skip
    (row,) = await world.all_over(1)
    assert (row.status.value, row.attempt, len(world.lines("start"))) == ("failed", 2, 2)


def test_the_local_executor_is_one(tmp_path: Path):
    """The default is the local executor."""
    kit = Toolkit(Settings(database=str(tmp_path / "agentool.db"), timezone="UTC"))
    assert kit.scheduler.parts.executor is LocalExecutor
