"""Workers of Celery, killed and misled: nothing is lost, and nothing finishes twice."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psutil
import pytest
import redis

from agentoolkit.settings import Settings
from agentoolkit.system.scheduler.executors import sending_to_workers
from agentoolkit.system.scheduler.executors.celery import CeleryCourier
from agentoolkit.system.scheduler.ports import Portion, Route

from .executor_world import World
from .workers import RQ_COMMAND, Worker, celery_worker, environment_of


@pytest.fixture
def worker(redis_url: str, tmp_path: Path) -> Iterator[Worker]:
    with celery_worker(tmp_path, redis_url, "prefork") as worker:
        yield worker


@pytest.fixture
async def world(worker: Worker, tmp_path: Path) -> AsyncIterator[World]:
    world = World("celery-redis", tmp_path, worker)
    await world.open()
    yield world
    await world.kit.__aexit__(None, None, None)


async def _at_work(world: World, number: int) -> None:
    await world.until(lambda _: len(world.lines("start")) >= number)


async def test_a_killed_child_leaves_nothing_undone(world: World, figure):
    """Where the process that runs fifty executions is killed, each of them is run again, and ends once."""
    async with world.kit.scheduler.lifecycle.claims_suspended():
        for number in range(50):
            await world.add(f"job{number}", naps=2.0)
    await _at_work(world, 50)
    (pid,) = {pid for _, pid, *_ in world.lines("start")}
    os.kill(pid, signal.SIGKILL)
    killed = time.time()
    await _at_work(world, 100)
    again = max(began for _, _, began, _ in world.lines("start")) - killed
    rows = await world.all_over(50)
    figure(10, f"a killed child's 50 executions were running again after {again:.2f} s, each ended once")
    assert {(row.status.value, row.attempt) for row in rows} == {("success", 2)}
    assert Counter(name for name, *_ in world.lines("end")) == Counter({f"job{number}": 1 for number in range(50)})


async def test_a_process_is_ready_before_its_first_message(world: World):
    """Each process that a worker forks opens the store at once: a message whose process was killed may wait for it."""
    store = world.kit.scheduler.store
    async with asyncio.timeout(60):
        while len(await store.owners()) < 3:  # noqa: ASYNC110  another process tells nothing
            await asyncio.sleep(0.05)


async def test_a_killed_worker_leaves_nothing_undone(world: World, worker: Worker, redis_url: str, tmp_path: Path):
    """Where a worker is killed with all its children, the scheduler sends what they ran to another one."""
    await world.add("job", naps=0.5)
    await _at_work(world, 1)
    for pid in worker.pids():
        os.kill(pid, signal.SIGKILL)
    worker.process.wait()
    with celery_worker(tmp_path, redis_url, "threads"):
        (row,) = await world.all_over(1)
    assert (row.status.value, row.attempt, len(world.lines("end"))) == ("success", 2, 1)


async def test_redis_may_lose_everything(worker: Worker, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Executions whose messages Redis forgot are sent again, and each ends once."""
    monkeypatch.setattr(sending_to_workers, "SEND_AGAIN_SECONDS", 1.0)
    for pid in worker.pids() - {worker.process.pid}:
        psutil.Process(pid).suspend()
    worker.process.send_signal(signal.SIGSTOP)
    world = World("celery-redis", tmp_path, worker)
    await world.open()
    try:
        async with world.kit.scheduler.lifecycle.claims_suspended():
            for number in range(20):
                await world.add(f"job{number}")
        client = redis.Redis.from_url(redis_url)
        await world.until(lambda _: client.llen("agentool.2-medium") + client.hlen("unacked") > 0)
        client.flushall()
        client.close()
        for pid in worker.pids():
            psutil.Process(pid).resume()
        rows = await world.all_over(20)
    finally:
        await world.kit.__aexit__(None, None, None)
    assert {row.status.value for row in rows} == {"success"}
    assert set(Counter(name for name, *_ in world.lines("start")).values()) == {1}


async def test_a_message_that_comes_five_times_runs_once(world: World, worker: Worker, redis_url: str, figure):
    """The claim in the store is the guard: of five deliveries one runs."""
    await world.add("job", naps=1.0)
    await _at_work(world, 1)
    (row,) = await world.rows()
    courier = CeleryCourier(Settings(celery_broker=redis_url).celery)
    for _ in range(4):
        await courier.send([Portion([row.execution_id], Route("celery", label="job"))])
    (row,) = await world.all_over(1)
    await world.until(lambda _: worker.output.read_text().count("succeeded in") >= 5)
    courier.close()
    figure(11, "the same message delivered 5 times: 1 run, 4 refused")
    assert (row.status.value, row.attempt, len(world.lines("start"))) == ("success", 1, 1)


async def test_a_cancelled_message_is_never_claimed(world: World, worker: Worker):
    """An execution that is cancelled while its message waits is not started when the message arrives."""
    children = worker.pids() - {worker.process.pid}
    worker.process.send_signal(signal.SIGSTOP)
    await world.add("job")
    (row,) = await world.until(lambda rows: len(rows) == 1)
    await world.ask("cancel_execution", execution_id=row.execution_id)
    worker.process.send_signal(signal.SIGCONT)
    (row,) = await world.all_over(1)
    await world.add("next")
    await world.all_over(2)
    assert children
    assert (row.status.value, [name for name, *_ in world.lines("start")]) == ("cancelled", ["next"])


def _refused(folder: Path, asked: list[str], **variables: str) -> str:
    """Start a worker that ends by itself, and return what it said last."""
    (folder / "later.py").write_text(
        "from agentoolkit.entrypoints.celery_app import app\n\n\n@app.task(name='later')\nasync def later():\n    return 1\n"
    )
    (folder / "broken.py").write_text("def register(:\n")
    environment = environment_of(str(folder / "jobs.db"), folder / "log", CELERY_BROKER_URL="redis://127.0.0.1:1/0") | variables
    environment["PYTHONPATH"] += f":{folder}"
    ran = subprocess.run([sys.executable, "-m", *asked], env=environment, cwd=folder, capture_output=True, text=True, timeout=180)
    assert ran.returncode != 0
    return (ran.stdout + ran.stderr).strip().splitlines()[-1]


_FORKING, _IN_PROCESS = (["-w", f"agentoolkit.entrypoints.rq_worker.{name}"] for name in ("ForkingWorker", "InProcessWorker"))
_CELERY = ["celery", "-A", "agentoolkit.entrypoints.celery_app", "worker"]


@pytest.mark.parametrize(
    ("asked", "variables", "said"),
    [
        ([*_CELERY, "-I", "later"], {}, "agentool: Task 'later' is `async def`, which Celery never awaits"),
        (_CELERY, {"AGENTOOL_DATABASE": ""}, "A worker needs the store in which its executions are."),
        (_CELERY, {"AGENTOOL_PLUGINS": "none:such"}, "Plugin 'none:such'"),
        ([*RQ_COMMAND, *_FORKING], {"AGENTOOL_DATABASE": ""}, "agentool: database: A worker needs the store in which its executions are."),
        (
            [*RQ_COMMAND, *_IN_PROCESS],
            {"AGENTOOL_DATABASE": ""},
            "agentool: database: A worker needs the store in which its executions are.",
        ),
        ([*RQ_COMMAND, *_FORKING], {"AGENTOOL_PLUGINS": "none:such"}, "Plugin 'none:such'"),
        ([*RQ_COMMAND, *_IN_PROCESS], {"AGENTOOL_PLUGINS": "later:nothing"}, "Plugin 'later:nothing'"),
        (
            ["agentool", "worker", "--rq", "--concurrency", "4"],
            {},
            "--concurrency, --name and --task-events are options of Celery's workers.",
        ),
        (["agentool", "worker", "--app", "none.such"], {}, "There is no module 'none.such'."),
        (["agentool", "worker", "--app", ""], {}, "There is no module ''."),
        (["agentool", "worker", "--app", "sys"], {}, "There is no module 'sys'."),
        (["agentool", "worker", "--app", "broken"], {}, "Module 'broken' cannot be read"),
    ],
)
def test_a_worker_that_cannot_work_does_not_start(redis_url: str, tmp_path: Path, asked: list[str], variables: dict[str, str], said: str):
    """It ends at once, with one sentence that says why."""
    assert said in _refused(tmp_path, asked, **{"REDIS_URL": redis_url, **variables})


def test_a_pool_without_threads_is_refused(tmp_path: Path):
    """Green threads leave none to the event loop."""
    asked = ["agentool", "worker", "--pool", "gevent"]
    assert "leaves no thread to an event loop" in _refused(tmp_path, asked)
