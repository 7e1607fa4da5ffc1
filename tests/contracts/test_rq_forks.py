"""Forks of a worker of RQ and the process that keeps the store for them, killed: nothing is lost, and nothing finishes twice."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psutil
import pytest

from .executor_world import World
from .workers import Worker, rq_worker


@pytest.fixture
def worker(redis_url: str, tmp_path: Path) -> Iterator[Worker]:
    with rq_worker(tmp_path, redis_url, "ForkingWorker") as worker:
        yield worker


@pytest.fixture
async def world(worker: Worker, tmp_path: Path) -> AsyncIterator[World]:
    world = World("rq-ForkingWorker", tmp_path, worker)
    await world.open()
    yield world
    await world.kit.__aexit__(None, None, None)


async def _forks(world: World, number: int) -> list[int]:
    """Wait until so many handlers have begun, and return where, the earliest first."""
    await world.until(lambda _: len(world.lines("start")) >= number)
    return [pid for _, pid, *_ in world.lines("start")]


async def test_a_killed_fork_leaves_nothing_undone(world: World, figure):
    """Where a fork is killed with all that it runs, its message comes again at once, and each execution ends once."""
    async with world.kit.scheduler.lifecycle.claims_suspended():
        for number in range(20):
            await world.add(f"job{number}", naps=1.0)
    (pid, *_) = await _forks(world, 20)
    os.kill(pid, signal.SIGKILL)
    killed = time.time()
    await _forks(world, 40)
    again = max(began for _, _, began, _ in world.lines("start")) - killed
    rows = await world.all_over(20)
    figure(10, f"a killed fork's 20 executions were running again after {again:.2f} s, each ended once")
    assert {(row.status.value, row.attempt, row.attempts[0].error.type) for row in rows} == {("success", 2, "ProcessEnded")}
    assert set(Counter(name for name, *_ in world.lines("end")).values()) == {1}


async def test_a_job_that_may_not_be_run_twice_is_lost_at_once(world: World):
    """With `on_interrupt: fail` a killed fork's execution is lost, and its handler is not called again."""
    await world.add("job", naps=25.0, on_interrupt="fail")
    (pid,) = await _forks(world, 1)
    os.kill(pid, signal.SIGKILL)
    (row,) = await world.all_over(1)
    assert (row.status.value, len(world.lines("start"))) == ("lost", 1)


async def test_a_job_that_kills_its_process_is_lost(world: World):
    """After three forks that ended with it an execution is held to be what ends them."""
    await world.add("job", naps=25.0)
    for number in range(1, 4):
        os.kill((await _forks(world, number))[-1], signal.SIGKILL)
    (row,) = await world.all_over(1)
    assert (row.status.value, row.attempt, len(world.lines("start"))) == ("lost", 3, 3)


async def test_a_killed_keeper_leaves_nothing_undone(world: World, worker: Worker):
    """Its fork ends with it, the message comes again, and another keeper goes on with what the first one had."""
    await world.add("job", naps=1.0)
    (fork,) = await _forks(world, 1)
    (keeper,) = worker.pids() - {worker.process.pid, fork}
    os.kill(keeper, signal.SIGKILL)
    (row,) = await world.all_over(1)
    slept = [ended - began >= 1.0 for _, _, began, ended in world.lines("end")]
    assert (row.status.value, row.attempt, slept) == ("success", 2, [False, True])


async def test_a_fork_opens_no_store(world: World):
    """While a handler runs in a fork, the scheduler and the keeper are the only ones who have the store open."""
    await world.add("job", naps=1.0)
    (fork,) = await _forks(world, 1)
    owners = await world.kit.scheduler.store.owners()
    (row,) = await world.all_over(1)
    assert (len(owners), fork in {owner.pid for owner in owners}, row.owner in {owner.owner for owner in owners}) == (2, False, True)


async def test_a_worker_takes_its_keeper_along(world: World, worker: Worker):
    """A worker that is stopped while a handler runs ends after it, and leaves no process and no owner behind."""
    await world.add("job", naps=0.5)
    await _forks(world, 1)
    processes = [psutil.Process(pid) for pid in worker.pids()]
    worker.process.terminate()
    worker.process.wait(20)
    (row,) = await world.all_over(1)
    owners = await world.kit.scheduler.store.owners()
    assert (row.status.value, len(owners), [each for each in processes if each.is_running()]) == ("success", 1, [])


async def test_a_killed_worker_leaves_no_keeper(world: World, worker: Worker):
    """Where the worker alone is killed, its fork ends its work, what came of that is written, and then the keeper ends too."""
    await world.add("job", naps=0.5)
    await _forks(world, 1)
    processes = [psutil.Process(pid) for pid in worker.pids()]
    os.kill(worker.process.pid, signal.SIGKILL)
    worker.process.wait(20)
    (row,) = await world.all_over(1)
    _, alive = psutil.wait_procs(processes, 20)
    assert (row.status.value, row.attempt, alive) == ("success", 1, [])
