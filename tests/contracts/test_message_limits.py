"""Time limits of messages: a worker that runs few executions at once lets the others of a message wait for their turn."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path

import pytest

from agentoolkit.system.scheduler.executors.couriers import turns

from .executor_world import World
from .workers import Worker, celery_worker, rq_worker

NAPS, TIMEOUT, AT_ONCE, JOBS = 5.3, 6, 2, 12
"""The last two begin within a second before the limit of their message, 27 seconds: a worker that stops gives them three more."""
WORKERS: dict[str, Callable[[Path, str], AbstractContextManager[Worker]]] = {
    "celery-prefork": lambda folder, server: celery_worker(folder, server, "prefork", AGENTOOL_CONCURRENCY=str(AT_ONCE)),
    "rq-ForkingWorker": lambda folder, server: rq_worker(folder, server, "ForkingWorker", AGENTOOL_CONCURRENCY=str(AT_ONCE)),
}


@pytest.fixture(params=WORKERS)
def worker(request: pytest.FixtureRequest, redis_url: str, tmp_path: Path) -> Iterator[Worker]:
    with WORKERS[request.param](tmp_path, redis_url) as worker:
        yield worker


@pytest.fixture
async def world(worker: Worker, tmp_path: Path) -> AsyncIterator[World]:
    world = World("worker", tmp_path, worker)
    await world.open()
    yield world
    await world.close()


async def test_an_execution_that_waited_for_its_turn_is_not_cut_short(world: World):
    """Each runs once. The limit of their message counted from its arrival, and ended whatever ran then, to be done again."""
    async with world.kit.scheduler.lifecycle.claims_suspended():
        for number in range(JOBS):
            await world.add(f"job{number}", naps=NAPS, timeout=TIMEOUT)
    rows = await world.all_over(JOBS)
    assert {(row.status.value, row.attempt) for row in rows} == {("success", 1)}
    assert max(row.finished_at for row in rows) - min(row.started_at for row in rows) > timedelta(seconds=27)
    assert set(Counter(name for name, *_ in world.lines("start")).values()) == {1}


@pytest.mark.parametrize(
    ("args", "concurrency", "expected"),
    [([["a"] * 50], 100, 1), ([["a"] * 50], 50, 1), ([["a"] * 50], 49, 2), ([["a"] * 3], 1, 3), ([[]], 1, 1), ([], 1, 1), ([7], 1, 1)],
)
def test_turns_are_counted(args: Sequence[object], concurrency: int, expected: int):
    """The last ones are of messages that nobody of ours has sent."""
    assert turns(args, concurrency) == expected
