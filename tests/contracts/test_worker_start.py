"""What a worker says at its start: which extra is absent, and which jobs it could not carry out."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
import redis
from celery import Celery

from agentool import AgenToolError
from agentoolkit.entrypoints import celery_app, rq_worker
from agentoolkit.entrypoints.worker_checks import unable_jobs
from agentoolkit.settings import Settings
from agentoolkit.wiring import Toolkit

from .workers import environment_of, running, until

ABSENT = "import os, sys\n\nsys.modules.update(dict.fromkeys(os.environ['ABSENT'].split(), None))\n"
"""A module that is None cannot be imported, and is not found, as one that was never installed."""
BROKER = {"CELERY_BROKER_URL": "redis://127.0.0.1:1/0", "REDIS_URL": "redis://127.0.0.1:1/0"}


def without(folder: Path, absent: str, **variables: str) -> dict[str, str]:
    """Return the variables of a worker for which packages are absent."""
    (folder / "sitecustomize.py").write_text(ABSENT)
    environment = environment_of(str(folder / "jobs.db"), folder / "log", **{**BROKER, **variables}, ABSENT=absent)
    environment["PYTHONPATH"] += f":{folder}"
    return environment


def start(folder: Path, asked: list[str], absent: str, **variables: str) -> list[str]:
    """Start a worker where packages are absent, which ends by itself; return its lines."""
    environment = without(folder, absent, **variables)
    ran = subprocess.run([sys.executable, "-m", *asked], env=environment, cwd=folder, capture_output=True, text=True, timeout=180)
    assert ran.returncode != 0
    return (ran.stdout + ran.stderr).strip().splitlines()


@pytest.mark.parametrize(
    ("asked", "absent", "variables", "said"),
    [
        (["agentool", "worker"], "celery", {}, "A worker of Celery needs the extra 'celery'. Install 'agentool[celery]'."),
        (["agentool", "worker"], "redis", {}, "A broker of Redis needs the package redis. Install 'agentool[celery]'."),
        (["agentool", "worker", "--rq"], "rq", {}, "A worker of RQ needs the extra 'rq'. Install 'agentool[rq]'."),
        (["agentool", "worker", "--rq"], "redis", {}, "A worker of RQ needs the extra 'rq'. Install 'agentool[rq]'."),
        (["agentool", "worker"], "psycopg", {"AGENTOOL_DATABASE": "postgresql://127.0.0.1:1/jobs"}, "pip install 'agentool[postgres]'"),
    ],
)
def test_an_absent_extra_ends_a_worker(tmp_path: Path, asked: list[str], absent: str, variables: dict[str, str], said: str):
    """It says in one sentence which extra it needs, without a traceback."""
    lines = start(tmp_path, asked, absent, **variables)
    assert said in lines[-1]
    assert not [line for line in lines if line.startswith("Traceback")]


def test_celery_s_own_command_says_so_too(tmp_path: Path):
    """Where Celery is there without the client of its broker, its worker ends with the same sentence."""
    lines = start(tmp_path, ["celery", "-A", "agentoolkit.entrypoints.celery_app", "worker"], "redis")
    assert "A broker of Redis needs the package redis." in lines[-1]


JOBS = [
    {"job_id": "calls", "agentool_name": "mcp", "input_data": {"operation": "list_tools", "server_name": "files"}},
    {"job_id": "asks", "agentool_name": "celery_task", "input_data": {"operation": "send", "task": "greet"}},
    {"job_id": "here", "agentool_name": "queue", "input_data": {"operation": "list_queues"}},
]

SERVERS = {"files": {"command": sys.executable}}


async def scheduled(database: str, *jobs: dict[str, object]) -> Settings:
    """Schedule jobs for workers in a database, and return what a worker of theirs is set to."""
    shared = {"database": database, "timezone": "UTC", "executor": "celery", "celery_broker": "redis://127.0.0.1:1/0"}
    allowed = {"celery_tasks": ("greet",), "mcp_servers": SERVERS}
    async with Toolkit(Settings.from_values({**shared, **allowed}), runs_jobs=False) as kit:
        for job in jobs:
            await kit.injector.run("scheduler", {"operation": "schedule", "schedule": "every hour", **job})
    return Settings.from_values({**shared, **allowed})


async def test_a_worker_names_jobs_whose_extra_is_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Each by its job, with what to install; a job that needs none is not named."""
    settings = await scheduled(str(tmp_path / "jobs.db"), *JOBS)
    assert await unable_jobs(settings) == []
    for package in ("mcp", "celery"):
        for name in [name for name in sys.modules if name.partition(".")[0] == package]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, package, None)
    said = await unable_jobs(settings)
    assert [line.partition(" cannot run here: ")[0] for line in said] == ["Job 'calls'", "Job 'asks'"]
    assert ["mcp" in said[0], "Install 'agentool[celery]'" in said[1]] == [True, True]


async def test_a_worker_names_jobs_that_its_own_tools_would_refuse(tmp_path: Path):
    """As one of an older version does, or one that allows less; and a job that it cannot read."""
    settings = await scheduled(str(tmp_path / "jobs.db"), *JOBS)
    less = Settings.from_values({"database": settings.database, "executor": "celery", "mcp_servers": SERVERS})
    async with Toolkit(less, runs_jobs=False) as kit:
        sql = "UPDATE agentool_jobs SET definition = REPLACE(definition, 'input_data', 'input_of_tomorrow') WHERE job_id = 'here'"
        await kit.scheduler.store.write(lambda tx: tx.session.run(sql))
    asks, unreadable = await unable_jobs(less)
    assert asks.startswith("Job 'asks' cannot run here: ")
    assert unreadable == "Job 'here' cannot run here: it cannot be read. A newer version may have written it."


def test_what_is_missing_is_in_a_worker_s_log(tmp_path: Path):
    """It is said as the worker starts, before its first execution, and keeps it from none."""
    asyncio.run(scheduled(str(tmp_path / "jobs.db"), JOBS[0]))
    environment, output = without(tmp_path, "mcp", AGENTOOL_EXECUTOR="rq"), tmp_path / "output"
    with running(["agentool", "worker", "--rq", "--pool", "solo"], environment, output, "Redis is away"):
        assert "Job 'calls' cannot run here" in output.read_text()


LOCAL = "redis://localhost:6379/0"
"""*Environment Variables* of *Nagatha Assistant Task Scheduler*: the default of both addresses."""
BOTH = "from agentoolkit.entrypoints.celery_app import app; print(app.conf.broker_url, app.conf.result_backend)"


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({}, f"{LOCAL} {LOCAL}"),
        ({"CELERY_RESULT_BACKEND": "redis://127.0.0.1:1/2"}, f"{LOCAL} redis://127.0.0.1:1/2"),
        ({"CELERY_BROKER_URL": "redis://127.0.0.1:1/0"}, "redis://127.0.0.1:1/0 None"),
        ({"AGENTOOL_CELERY_BROKER": "amqp://127.0.0.1:1"}, "amqp://127.0.0.1:1 None"),
    ],
)
def test_celery_s_commands_look_for_the_redis_of_this_machine(tmp_path: Path, variables: dict[str, str], said: str):
    """Without a broker, as the document has it; beside a broker that is set nothing is guessed."""
    environment = environment_of(str(tmp_path / "jobs.db"), tmp_path / "log", **variables)
    ran = subprocess.run([sys.executable, "-c", BOTH], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert ran.stdout.strip() == said, ran.stderr


async def test_a_scheduler_guesses_no_broker(tmp_path: Path):
    """A job for workers is refused where nobody has said where they are, and so is a task of one's own."""
    async with Toolkit(Settings.from_values({"database": str(tmp_path / "jobs.db")}), runs_jobs=False) as kit:
        asked = {"operation": "schedule", "schedule": "every hour"}
        with pytest.raises(AgenToolError, match="CELERY_BROKER_URL"):
            await kit.injector.run("scheduler", {**asked, **JOBS[2], "executor": "celery"})
        with pytest.raises(AgenToolError, match="CELERY_BROKER_URL"):
            await kit.injector.run("scheduler", {**asked, **JOBS[1], "input_data": {"operation": "send", "task": "agentool.hello"}})


def test_the_store_is_looked_at_once(monkeypatch: pytest.MonkeyPatch):
    """`agentool worker` asks before Celery does, and each job is named once; tasks are asked of again, for more are there by then."""
    looked: list[Settings] = []
    monkeypatch.setattr(celery_app, "settings", Settings(celery_broker="redis://127.0.0.1:1/0"))
    monkeypatch.setattr(celery_app, "check_worker", looked.append)
    celery_app._unable_to_share.cache_clear()
    assert [celery_app.unable("prefork"), celery_app.unable("prefork"), len(looked)] == [None, None, 1]
    celery_app._unable_to_share.cache_clear()


@pytest.mark.parametrize("variable", ["AGENTOOL_LOG_LEVEL", "LOG_LEVEL"])
def test_a_worker_of_celery_logs_from_the_level_that_is_set(redis_url: str, tmp_path: Path, variable: str):
    """It took `INFO` whatever was set, which is two lines for each message."""
    environment = environment_of(str(tmp_path / "jobs.db"), tmp_path / "log", CELERY_BROKER_URL=redis_url, **{variable: "WARNING"})
    output, asked = tmp_path / "output", ["agentool", "worker", "--pool", "threads"]
    with running(asked, environment, output, "[queues]") as process, Celery("sender", broker=redis_url) as sender:
        sender.send_task("agentool.hello", ("you",), queue="agentool.hello", ignore_result=True)
        client = redis.Redis.from_url(redis_url)
        until(lambda: client.llen("agentool.hello") + client.hlen("unacked") == 0, process, output)
        client.close()
    assert "INFO" not in output.read_text()


def test_a_worker_of_rq_logs_from_the_level_that_is_set(monkeypatch: pytest.MonkeyPatch):
    """RQ has loggers of its own, whose level it sets when a worker starts."""
    told: list[object] = []

    class Ending:
        is_stopping = True

        def __init__(self, *given: object, **more: object) -> None: ...

        def work(self, logging_level: str) -> bool:
            told.append(logging_level)
            return True

    monkeypatch.setattr(rq_worker, "settings", Settings(log_level="ERROR"))
    assert rq_worker._runs_until_stopped(Ending, redis.Redis())  # type: ignore[arg-type]
    assert told == ["ERROR"]
