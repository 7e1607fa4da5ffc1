"""The contract of executors: whatever is submitted runs once, in order of urgency, under its limits, and ends when it is told to."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from agentoolkit.entrypoints.cli.apply_tasks import apply_tasks
from agentoolkit.entrypoints.taskfile import load_tasks
from agentoolkit.settings import Settings
from agentoolkit.system.queue.errors import QueueNotFound
from agentoolkit.system.scheduler.decisions.recovery import CUT_SHORT
from agentoolkit.system.scheduler.executors.local import LocalExecutor
from agentoolkit.wiring import Toolkit

from .executor_world import World
from .executors import IDS_IN_A_MESSAGE
from .workers import Worker, celery_worker, rq_worker

WORKERS = ["celery-redis", "celery-classic", "celery-quorum", "rq-ForkingWorker", "rq-InProcessWorker"]


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
    await world.until(lambda rows: bool(world.lines("start")) and [row.status.value for row in rows] == ["running"])
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
    assert (took < 15.0, row is None or row.status.value == "cancelled") == (True, True)


async def test_a_failing_attempt_is_tried_again(world: World):
    """A retry is started by whoever leads, also where its first attempt ran elsewhere."""
    await world.open()
    await world.ask("schedule", job_id="job", schedule="now", max_retries=1, retry_backoff=0.1, agentool_name="work", timeout=0.2,
                    input_data={"operation": "run", "naps": 5.0})  # fmt: skip
    (row,) = await world.all_over(1)
    # A worker that still stops for the test before this one gives back what it is sent: that is no attempt at it.
    given_back = sum(each.error is not None and each.error.type in CUT_SHORT for each in row.attempts)
    assert (row.status.value, row.attempt - given_back, len(world.lines("start"))) == ("failed", 2, 2)


TASKS = """
tasks:
  - {name: extract, schedule: now, agentool_name: work, input_data: {operation: run}, timeout: 29, result_queue: moved-results}
  - {name: load, schedule: after extract, agentool_name: work, input_data: {operation: run}, timeout: 29, result_queue: moved-results}
  - {name: slow, schedule: now, agentool_name: work, input_data: {operation: run, naps: 9}, timeout: 0.2, error_queue: moved-errors}
  - {name: stubborn, schedule: now, agentool_name: work, input_data: {operation: run, naps: 9}, timeout: 0.2, max_retries: 1,
     retry_backoff: 0.1, error_queue: moved-errors}
"""
ENDS = {("extract", "success", 1, "done"), ("load", "success", 1, "done"), ("slow", "failed", 1, None), ("stubborn", "failed", 2, None)}
QUEUES = {"moved-results": [("extract", "done"), ("load", "done")], "moved-errors": [("slow", None), ("stubborn", None)]}


async def _queued(world: World, queue_name: str) -> list[tuple[str, Any]]:
    asked = {"operation": "peek", "queue_name": queue_name, "limit": 100}
    with suppress(QueueNotFound):
        messages = [found["message"] for found in (await world.kit.injector.run("queue", asked)).data["messages"]]
        return sorted((message["job_id"], message.get("result")) for message in messages)
    return []


async def test_a_job_file_means_the_same_everywhere(world: World, tmp_path: Path):
    """One setting moves it: outcomes, attempts, results and queues are the same, whichever executor carries it out."""
    (tmp_path / "tasks.yaml").write_text(TASKS)
    await world.open()
    async with world.kit.scheduler.lifecycle.claims_suspended():
        await apply_tasks(world.kit.injector, load_tasks(tmp_path / "tasks.yaml"))
    rows = await world.all_over(4)
    assert {(row.job_id, row.status.value, row.attempt, row.result) for row in rows} == ENDS
    async with asyncio.timeout(20):
        while {name: await _queued(world, name) for name in QUEUES} != QUEUES:  # noqa: ASYNC110  deliveries tell nothing
            await asyncio.sleep(0.05)


def test_the_local_executor_is_one(tmp_path: Path):
    """The default is the local executor."""
    kit = Toolkit(Settings(database=str(tmp_path / "agentool.db"), timezone="UTC"))
    assert kit.scheduler.parts.executor is LocalExecutor
