"""Queues that workers take from: those of jobs, and no other application's; and the modules that they are given."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from celery import Celery
from rq import Queue
from tests.servers import RabbitMq, redis_running

from agentoolkit.entrypoints import celery_app
from agentoolkit.settings import Settings
from agentoolkit.system.scheduler.executors.celery import create_app
from agentoolkit.system.scheduler.executors.rq import FUNCTION, RqCourier, taken_queues
from agentoolkit.system.scheduler.ports import Portion, Route

from .workers import RQ_COMMAND, environment_of, running, until

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
    for name in [name for name in app.tasks if not name.startswith("celery.")]:  # Celery shares those of other tests with each application
        app.tasks.unregister(name)
    monkeypatch.setattr(celery_app, "app", app)
    app.amqp.queues.select(asked.split(",") if asked else [])
    celery_app.choose_queues(app.amqp.queues, are_named=asked is not None)
    return set(app.amqp.queues.consume_from)


@pytest.mark.parametrize("options", [[], ["-X", "agentool.3-low"]], ids=["usual", "without one"])
def test_what_other_applications_send_is_left_to_their_workers(broker: str, tmp_path: Path, options: list[str]):
    """Their default queue is Celery's own. A worker that took from it would throw away each message, whose task it does not know."""
    environment, output = environment_of(str(tmp_path / "jobs.db"), tmp_path / "log", CELERY_BROKER_URL=broker), tmp_path / "output"
    with (
        running([*CELERY, *options], environment, output, " ready.") as process,
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
    celery_app.choose_queues(app.amqp.queues, are_named=True)
    assert app.amqp.queues["gpu.1-high"].queue_arguments == {"x-queue-type": "quorum", "x-delivery-limit": 20}


@pytest.mark.parametrize("asked", ["gpu", "gpu.1-high"])
def test_without_a_broker_a_queue_is_declared_as_one_of_redis(monkeypatch: pytest.MonkeyPatch, asked: str):
    """A worker then looks for the Redis of this machine, which knows no kinds of queues."""
    settings = Settings.from_values({}).or_local_redis()
    app = create_app(settings.celery, ())
    monkeypatch.setattr(celery_app, "app", app)
    monkeypatch.setattr(celery_app, "settings", settings)
    app.amqp.queues.select([asked])
    celery_app.choose_queues(app.amqp.queues, are_named=True)
    assert not app.amqp.queues["gpu.1-high"].queue_arguments


@pytest.mark.parametrize(
    ("given", "queues"),
    [
        (["agentool.critical", "agentool.high"], ["agentool.critical", "agentool.high"]),
        (["gpu"], ["gpu.critical", "gpu.high", "gpu.medium", "gpu.low"]),
        (["gpu.high"], ["gpu.high"]),
        (["a.low", "b", "c"], ["a.low", "b.critical", "c.critical", "b.high", "c.high", "b.medium", "c.medium", "b.low", "c.low"]),
    ],
)
def test_queues_are_given_to_rq_s_own_command_by_their_names(given: list[str], queues: list[str]):
    """A name is that of a job's queue: nothing is ever sent to a queue of RQ's that has no priority in its name."""
    assert taken_queues(given, ["agentool.critical", "agentool.high"]) == queues


def test_a_worker_of_rq_takes_what_its_own_command_names(broker: str, tmp_path: Path):
    """As `agentool worker --rq gpu` does."""
    environment, output = environment_of(str(tmp_path / "jobs.db"), tmp_path / "log", REDIS_URL=broker), tmp_path / "output"
    asked = [*RQ_COMMAND, "-w", "agentoolkit.entrypoints.rq_worker.InProcessWorker", "gpu"]
    with running(asked, environment, output, "Listening on") as process, redis.Redis.from_url(broker) as client:
        queue = Queue("gpu.medium", client, serializer="json")
        job = queue.enqueue_call(FUNCTION, (["unknown"],), result_ttl=500)
        until(lambda: job.get_status() == "finished", process, output)


def test_a_message_that_has_failed_is_kept_for_a_week(broker: str, tmp_path: Path):
    """RQ keeps it for a year, and each of a database that is away for an hour would stay in the server's memory as long."""
    courier = RqCourier(Settings(redis_url=broker).redis)
    courier.bring([Portion(["one"], Route("rq", label="job"))])
    courier.close()
    with redis.Redis.from_url(broker) as client:
        (job,) = Queue("agentool.medium", client, serializer="json").jobs
        assert job.failure_ttl == 7 * 24 * 3600


REGISTER = "import pathlib\n\n\ndef register(injector):\n    pathlib.Path('registered').touch()\n"


@pytest.mark.parametrize("text", [REGISTER, "from made import register\n", "import made\n\nregister = made.register\n"])
def test_a_module_registers_its_tools_however_it_has_its_function(broker: str, tmp_path: Path, text: str):
    """A package's own module often imports it. A worker without the tools started all the same."""
    (tmp_path / "made.py").write_text(REGISTER)
    (tmp_path / "tools.py").write_text(text)
    environment = environment_of(str(tmp_path / "jobs.db"), tmp_path / "log", CELERY_BROKER_URL=broker, AGENTOOL_PLUGINS="")
    with running(["agentool", "worker", "--app", "tools", "--pool", "solo"], environment, tmp_path / "output", " ready."):
        assert (tmp_path / "registered").exists()


def test_a_module_in_a_package_of_tasks_changes_no_option(broker: str, tmp_path: Path):
    """The package imports its tasks, which import the worker's application: looking for the module made that read its settings first."""
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "__init__.py").write_text("from tasks import greeting\n")
    (tmp_path / "tasks" / "greeting.py").write_text(TASKS)
    environment = environment_of("", tmp_path / "log", CELERY_BROKER_URL=broker, AGENTOOL_HOME=str(tmp_path))
    output = tmp_path / "output"
    with running(["agentool", "worker", "gpu", "--app", "tasks.greeting", "--pool", "solo"], environment, output, " ready."):
        said = output.read_text()
        assert ("gpu.0-critical" in said, "agentool.0-critical" in said, ". greet" in said) == (True, False, True)


def test_two_workers_on_one_machine_are_shown_as_two(broker: str, tmp_path: Path):
    """Celery's commands and Flower know a worker by its name, which is the machine's unless it is given one."""
    environment = environment_of(str(tmp_path / "jobs.db"), tmp_path / "log", CELERY_BROKER_URL=broker)
    asked = ["agentool", "worker", "--pool", "threads"]
    with (
        running(asked, environment, tmp_path / "first", " ready."),
        running([*asked, "gpu", "--name", "gpu"], environment, tmp_path / "second", " ready."),
        Celery("asks", broker=broker) as app,
    ):
        answers = app.control.ping(timeout=5)
    assert sorted(name.partition("@")[0] for answer in answers for name in answer) == ["celery", "gpu"]
