"""The command lines about workers of *Scheduler Service* and *Agent Scheduler & Background Task Queue*, their modules' names adapted."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.contracts.workers import running
from tests.entrypoints.terminal import typed

from agentoolkit.entrypoints import send_hello_task
from agentoolkit.entrypoints.task_scheduler import TaskQueue
from agentoolkit.settings import Settings
from agentoolkit.system.scheduler import ExecutionFailed
from agentoolkit.wiring import Toolkit

from .conftest import Redis

TASKS = """
from agentoolkit.entrypoints.celery_app import app


@app.task(name="greet")
def greet(name):
    if not name:
        raise ValueError("nobody to greet")
    return f"hello {name}"
"""
SERVICES = """
import os


def my_function(*args, **kwargs):
    return {"args": args, "kwargs": kwargs, "pid": os.getpid()}
"""


@pytest.fixture(scope="module")
def folder(redis: Redis, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An application's folder: its tasks, its functions, and a `.env` file that says where everything is."""
    folder = tmp_path_factory.mktemp("application")
    (folder / "tasks.py").write_text(TASKS)
    (folder / "app").mkdir()
    (folder / "app" / "services.py").write_text(SERVICES)
    settings = {"CELERY_BROKER_URL": redis.url, "CELERY_RESULT_BACKEND": redis.url, "REDIS_URL": redis.url, "AGENTOOL_FUNCTIONS": "app"}
    (folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in settings.items()) + "AGENTOOL_DATABASE=jobs.db\n")
    return folder


def environment(**variables: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AGENTOOL_", "CELERY_", "REDIS_"))}
    return {**kept, "PYTHONPATH": ".", "COLUMNS": "200", **variables}


@pytest.fixture(scope="module")
def celery(folder: Path) -> Iterator[None]:
    """`agentool worker --app tasks`, a module that has tasks of Celery and registers nothing."""
    asked = ["agentool", "worker", "--app", "tasks", "--pool", "solo"]
    with running(asked, environment(), folder / "celery", " ready."):
        yield


def run(folder: Path, *asked: str) -> str:
    done = subprocess.run([sys.executable, "-m", *asked], env=environment(), cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_send_a_hello_world_task(folder: Path, celery: None):
    """*Send a hello world task*: a worker answers it by name."""
    assert (
        run(folder, "agentoolkit.entrypoints.send_hello_task", "--name", "Your Name").strip()
        == "Task agentool.hello answered: hello Your Name"
    )


def test_send_a_hello_world_task_without_a_variable(
    redis: Redis, celery: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """As in a second terminal, where nothing says which broker there is: the one of this machine is asked."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("agentoolkit.setting_groups.LOCAL_REDIS", redis.url)
    assert send_hello_task.main(["--name", "Your Name"]) == 0
    assert capsys.readouterr().out.strip() == "Task agentool.hello answered: hello Your Name"


def test_a_hello_that_nobody_answers_names_the_broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """It may be that one that is away; its password is not shown."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("agentoolkit.setting_groups.LOCAL_REDIS", "redis://:hush@127.0.0.1:1/0")
    monkeypatch.setattr(send_hello_task, "PATIENCE", 0.5)
    assert send_hello_task.main([]) == 1
    said = capsys.readouterr().err
    assert ("127.0.0.1:1/0" in said, "hush" in said, "agentool worker" in said) == (True, False, True)


def test_check_celery_worker_status(folder: Path, celery: None):
    """*Check Celery worker status*: the worker answers."""
    shown = run(folder, "celery", "-A", "agentoolkit.entrypoints.celery_app", "status")
    assert ("OK" in shown, "1 node online" in shown) == (True, True)


def test_start_a_celery_worker(folder: Path):
    """*Start Celery worker*, as *Nagatha Assistant Task Scheduler* writes it, in its usual pool: it takes what is sent."""
    asked = ["celery", "-A", "agentoolkit.entrypoints.celery_app", "worker", "--loglevel=info"]
    with running(asked, environment(), folder / "plain", " ready."):
        assert "hello there" in run(folder, "agentoolkit.entrypoints.send_hello_task", "--name", "there")


def test_start_celery_s_beat(folder: Path):
    """*Start Celery beat*: it starts, and says what takes its place."""
    asked = ["celery", "-A", "agentoolkit.entrypoints.celery_app", "beat", "--loglevel=info"]
    with running(asked, environment(), folder / "beat", "run `agentool serve` instead, which starts the due jobs") as process:
        assert process.poll() is None


def test_check_if_redis_is_running(redis: Redis):
    """*Check if Redis is running*."""
    assert typed(f"redis-cli -u {redis.url} ping").text.strip() == "PONG"


async def test_a_task_of_ones_own_is_scheduled_by_its_name(redis: Redis, folder: Path, celery: None):
    """*Adding New Tasks*: what `@app.task` named is a job; its result, or its failure, is that of the execution."""
    celery_settings = {"celery_broker": redis.url, "celery_result_backend": redis.url, "celery_tasks": ("greet",)}
    settings = Settings.from_values({"timezone": "UTC", **celery_settings})
    async with Toolkit(settings) as kit:
        for name, whom in (("fine", "World"), ("wrong", "")):
            work = {"agentool_name": "celery_task", "input_data": {"operation": "send", "task": "greet", "kwargs": {"name": whom}}}
            await kit.injector.run("scheduler", {"operation": "schedule", "job_id": name, "schedule": "in 1 hour", **work})
        done = (await kit.injector.run("scheduler", {"operation": "run_now", "job_id": "fine"})).data
        assert done["result"]["result"] == "hello World"
        with pytest.raises(ExecutionFailed, match="nobody to greet"):
            await kit.injector.run("scheduler", {"operation": "run_now", "job_id": "wrong"})


async def test_run_rq_worker_with_a_specific_queue(redis: Redis, folder: Path):
    """*Run RQ Worker*, "with a specific queue": it takes what is sent there, and leaves the common queue alone."""
    settings = {"timezone": "UTC", "database": str(folder / "jobs.db"), "executor": "rq", "redis_url": redis.url, "functions": ("app",)}
    asked = ["agentool", "worker", "--rq", "my_queue", "--pool", "solo"]
    with running(asked, environment(), folder / "named", "Listening on") as process:
        sys.path.append(str(folder))
        async with Toolkit(Settings.from_values(settings)) as kit:
            work = {"agentool_name": "function", "input_data": {"operation": "call", "function": "app.services:my_function"}}
            for name, queue in (("common", None), ("named", "my_queue")):
                await kit.injector.run("scheduler", {"operation": "schedule", "job_id": name, "schedule": "now", "queue": queue, **work})
            async with asyncio.timeout(60):
                while not (rows := await kit.scheduler.store.executions("named", 1)) or not rows[0].finished:  # noqa: ASYNC110  another process tells nothing
                    await asyncio.sleep(0.05)
            (left,) = await kit.scheduler.store.executions("common", 1)
            assert (rows[0].result["result"]["pid"], left.status.value) == (process.pid, "queued")
        sys.path.remove(str(folder))


@pytest.mark.parametrize("queue", [None, "my_queue"])
async def test_the_document_s_own_worker(redis: Redis, folder: Path, queue: str | None):
    """*Run RQ Worker*: `python -m core.worker my_queue`, the module's name adapted, takes from that queue."""
    asked = ["agentoolkit.entrypoints.rq_worker", *([queue] if queue else [])]
    database = str(folder / "jobs.db")
    settings = Settings.from_values(
        {"timezone": "UTC", "database": database, "executor": "rq", "redis_url": redis.url, "functions": ("app",)}
    )
    with running(asked, environment(), folder / f"core-{queue}", "Listening on"):
        sys.path.append(str(folder))
        async with Toolkit(settings) as kit:
            call = {"operation": "call", "function": "app.services:my_function"}
            work = {"agentool_name": "function", "input_data": call, "queue": queue}
            job_id = f"core-{queue}"
            await kit.injector.run("scheduler", {"operation": "schedule", "job_id": job_id, "schedule": "now", **work})
            async with asyncio.timeout(60):
                while await TaskQueue(kit.injector).get_status(job_id) != "success":  # noqa: ASYNC110  another process tells nothing
                    await asyncio.sleep(0.05)
            assert (await TaskQueue(kit.injector).get_result(job_id))["pid"] != os.getpid()
        sys.path.remove(str(folder))


@pytest.mark.parametrize("words", [[], ["--url", "REDIS"]], ids=["plain", "url"])
async def test_rq_worker_and_enqueue(redis: Redis, folder: Path, words: list[str]):
    """*Run RQ Worker*, *Enqueue Tasks Programmatically*: plain `rq worker` runs what `TaskQueue` was given, and says how it went."""
    worker = "agentoolkit.entrypoints.rq_worker"
    chosen = environment(RQ_CONFIG=worker, RQ_WORKER_CLASS=f"{worker}.InProcessWorker")
    asked = ["rq.cli", "worker", *(word.replace("REDIS", redis.url) for word in words)]
    database = str(folder / "jobs.db")
    settings = Settings.from_values(
        {"timezone": "UTC", "database": database, "executor": "rq", "redis_url": redis.url, "functions": ("app",)}
    )
    with running(asked, chosen, folder / f"rq{len(words)}", "Listening on") as process:
        sys.path.append(str(folder))
        async with Toolkit(settings) as kit:
            queue = TaskQueue(kit.injector)
            job_id = queue.enqueue(
                agent_name="my-agent", task_name="my-task", function_path="app.services:my_function", args=(1, 2), kwargs={"key": "value"}
            )
            async with asyncio.timeout(60):
                while await queue.get_status(job_id) != "success":  # noqa: ASYNC110  another process tells nothing
                    await asyncio.sleep(0.05)
            assert await queue.get_result(job_id) == {"args": [1, 2], "kwargs": {"key": "value"}, "pid": process.pid}
        sys.path.remove(str(folder))
