"""Queues that workers of Celery take from: those of jobs, and no other application's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from celery import Celery
from tests.servers import RabbitMq, redis_running

from agentoolkit.entrypoints import celery_app
from agentoolkit.settings import Settings
from agentoolkit.system.scheduler.executors.celery import create_app

from .workers import environment_of, running, until

CELERY = ["celery", "-A", "agentoolkit.entrypoints.celery_app", "worker", "--pool", "threads", "-l", "INFO"]
LEVELS = ("0-critical", "1-high", "2-medium", "3-low")
COMMON = {f"agentool.{level}" for level in LEVELS}
TASKS = 'from agentoolkit.entrypoints.celery_app import app\n\n\n@app.task(name="greet")\ndef greet(name): ...\n'


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[str]:
    """A Redis server of this test alone, because names of queues are shared by all on one."""
    with redis_running(tmp_path) as url:
        yield url


def taken(asked: str | None, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Return the names of the queues that a worker takes from, started with this option ``-Q``."""
    app = create_app(Settings(celery_broker="redis://127.0.0.1:1/0").celery, ("agentool",))
    monkeypatch.setattr(celery_app, "app", app)
    app.amqp.queues.select(asked.split(",") if asked else [])
    celery_app.choose_queues(app.amqp.queues)
    return set(app.amqp.queues.consume_from)


def test_what_other_applications_send_is_left_to_their_workers(broker: str, tmp_path: Path):
    """Their default queue is Celery's own. A worker that took from it would throw away each message, whose task it does not know."""
    environment, output = environment_of(str(tmp_path / "jobs.db"), tmp_path / "log", CELERY_BROKER_URL=broker), tmp_path / "output"
    with (
        running(CELERY, environment, output, " ready.") as process,
        Celery("other", broker=broker) as other,
        redis.Redis.from_url(broker) as client,
    ):
        for number in range(3):
            other.send_task("other.add", (number, 1), ignore_result=True)
        other.send_task("agentool.hello", ("you",), queue="agentool.hello", ignore_result=True)
        until(lambda: "hello you" in output.read_text(), process, output)
        assert (client.llen("celery"), "unregistered" in output.read_text()) == (3, False)


def test_a_worker_starts_beside_another_application_on_rabbitmq(rabbitmq_server: RabbitMq, tmp_path: Path):
    """Whose default queue is of the classic kind: a queue that is there cannot be declared as one of another kind."""
    with rabbitmq_server.virtual_host() as broker, Celery("other", broker=broker) as other:
        other.send_task("other.add", (1, 1), ignore_result=True)
        environment = environment_of(str(tmp_path / "jobs.db"), tmp_path / "log", CELERY_BROKER_URL=broker)
        with running(CELERY, environment, tmp_path / "output", " ready."):
            pass


def test_a_worker_with_tasks_of_the_user_takes_them(broker: str, tmp_path: Path):
    """They are sent to Celery's default queue, unless they say another one."""
    (tmp_path / "tasks.py").write_text(TASKS)
    environment, output = environment_of(str(tmp_path / "jobs.db"), tmp_path / "log", CELERY_BROKER_URL=broker), tmp_path / "output"
    environment["PYTHONPATH"] += f":{tmp_path}"
    with running([*CELERY, "-I", "tasks"], environment, output, " ready.") as process, Celery("other", broker=broker) as other:
        other.send_task("greet", ("you",), ignore_result=True)
        until(lambda: "Task greet[" in output.read_text(), process, output)


@pytest.mark.parametrize(
    ("asked", "queues"),
    [
        (None, COMMON | {"agentool.hello"}),
        ("gpu", {"gpu", *(f"gpu.{level}" for level in LEVELS)}),
        ("gpu.1-high", {"gpu.1-high"}),
        ("agentool,celery", COMMON | {"agentool", "celery"}),
    ],
)
def test_queues_are_chosen_by_celery_s_own_option_too(monkeypatch: pytest.MonkeyPatch, asked: str | None, queues: set[str]):
    """A name is that of a job's queue, which has one for each priority, as well as that of a queue of the user's own tasks."""
    assert taken(asked, monkeypatch) == queues


def test_a_queue_that_is_named_in_full_is_declared_as_the_scheduler_does(monkeypatch: pytest.MonkeyPatch):
    """RabbitMQ refuses to declare one queue in two ways."""
    settings = Settings(celery_broker="amqp://127.0.0.1:1//").celery
    app = create_app(settings, ())
    monkeypatch.setattr(celery_app, "app", app)
    monkeypatch.setattr(celery_app, "settings", Settings(celery_broker="amqp://127.0.0.1:1//"))
    app.amqp.queues.select(["gpu.1-high"])
    celery_app.choose_queues(app.amqp.queues)
    assert app.amqp.queues["gpu.1-high"].queue_arguments == {"x-queue-type": "quorum", "x-delivery-limit": 20}


@pytest.mark.parametrize("asked", ["gpu", "gpu.1-high"])
def test_without_a_broker_a_queue_is_declared_as_one_of_redis(monkeypatch: pytest.MonkeyPatch, asked: str):
    """A worker then looks for the Redis of this machine, which knows no kinds of queues."""
    settings = Settings.from_values({}).or_local_redis()
    app = create_app(settings.celery, ())
    monkeypatch.setattr(celery_app, "app", app)
    monkeypatch.setattr(celery_app, "settings", settings)
    app.amqp.queues.select([asked])
    celery_app.choose_queues(app.amqp.queues)
    assert not app.amqp.queues["gpu.1-high"].queue_arguments
