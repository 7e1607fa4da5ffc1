"""Which executor carries a job out: what is refused when it is scheduled, what travels together, and who may try for room."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentoolkit.settings import Settings
from agentoolkit.system.scheduler import InvalidJob
from agentoolkit.system.scheduler.executors.limits import Limits
from agentoolkit.system.scheduler.executors.sending_to_workers import (
    IDS_IN_A_MESSAGE,
    LONGEST_LOOK,
    PORTION_SECONDS,
    Sent,
    pause_after,
    portions,
)
from agentoolkit.system.scheduler.ports import Limit, Order, Route
from agentoolkit.testing import toolkit
from agentoolkit.wiring import Toolkit

JOB = {
    "operation": "schedule",
    "job_id": "job",
    "schedule": "every hour",
    "agentool_name": "queue",
    "input_data": {"operation": "list_queues"},
}


@pytest.mark.parametrize(("executor", "variable"), [("celery", "AGENTOOL_CELERY_BROKER"), ("rq", "AGENTOOL_REDIS_URL")])
async def test_an_executor_that_is_not_set_up_is_refused(tmp_path: Path, executor: str, variable: str):
    """Where no broker is set, the refusal names the field, and the variable that is the way out."""
    async with Toolkit(Settings(database=str(tmp_path / "jobs.db"))) as kit:
        with pytest.raises(InvalidJob, match=variable) as refused:
            await kit.injector.run("scheduler", {**JOB, "executor": executor})
    assert (refused.value.field, refused.value.value) == ("executor", executor)


async def test_workers_need_a_database():
    """What lives in memory no worker can claim, whatever broker there is."""
    async with toolkit(settings=Settings(celery_broker="redis://127.0.0.1:1/0")) as kit:
        with pytest.raises(InvalidJob, match="AGENTOOL_DATABASE"):
            await kit.injector.run("scheduler", {**JOB, "executor": "celery"})


async def test_a_queue_needs_workers():
    """A job that runs in the scheduler's process names no queue of workers."""
    async with toolkit() as kit:
        with pytest.raises(InvalidJob, match="without workers") as refused:
            await kit.injector.run("scheduler", {**JOB, "queue": "gpu"})
    assert refused.value.field == "queue"


async def test_a_queue_that_rabbitmq_would_not_make_is_refused(tmp_path: Path):
    """It keeps names that begin with ``amq.`` to itself, and so each of a queue's four would be called."""
    async with Toolkit(Settings(database=str(tmp_path / "jobs.db"), celery_broker="amqp://127.0.0.1:1")) as kit:
        with pytest.raises(InvalidJob, match="RabbitMQ makes no queue") as refused:
            await kit.injector.run("scheduler", {**JOB, "executor": "celery", "queue": "amq"})
    assert refused.value.field == "queue"


async def test_executor_and_queue_are_kept(tmp_path: Path):
    """Where there is a broker, a job keeps its executor and its queue; nothing is connected to until one is due."""
    async with Toolkit(Settings(database=str(tmp_path / "jobs.db"), celery_broker="redis://127.0.0.1:1/0")) as kit:
        await kit.injector.run("scheduler", {**JOB, "executor": "celery", "queue": "gpu"})
        policies = (await kit.scheduler.lookup.job("job")).job.policies
    assert (policies.executor, policies.queue) == ("celery", "gpu")


def test_the_variables_of_others_are_read(monkeypatch: pytest.MonkeyPatch):
    """CELERY_BROKER_URL, CELERY_RESULT_BACKEND and REDIS_URL set what they say, and our own variables count before them."""
    monkeypatch.setenv("CELERY_BROKER_URL", "redis://one:6379/1")
    monkeypatch.setenv("CELERY_RESULT_BACKEND", "redis://two:6379/2")
    monkeypatch.setenv("REDIS_URL", "redis://three:6379/3")
    monkeypatch.setenv("AGENTOOL_CELERY_BROKER", "amqp://four")
    settings = Settings()
    secrets = (settings.celery.broker, settings.celery.result_backend, settings.redis.url)
    assert [secret and secret.get_secret_value() for secret in secrets] == ["amqp://four", "redis://two:6379/2", "redis://three:6379/3"]


def _sent(number: int, **route) -> dict[str, Sent]:
    return {f"{route}@{place}": Sent(Route("celery", label="report", **route)) for place in range(number)}


def test_short_executions_travel_together():
    """A hundred and twenty short ones are three messages, which are called by the job's name and how many more there are."""
    found = list(portions(_sent(120, seconds=PORTION_SECONDS)))
    assert [len(portion.execution_ids) for portion in found] == [IDS_IN_A_MESSAGE, IDS_IN_A_MESSAGE, 20]
    assert [portion.route.label for portion in found] == ["report +49", "report +49", "report +19"]


@pytest.mark.parametrize("seconds", [PORTION_SECONDS + 1, None])
def test_long_executions_travel_alone(seconds: float | None):
    """One that may take long is a message by itself, with the time it may take."""
    found = list(portions(_sent(3, seconds=seconds)))
    assert [(len(portion.execution_ids), portion.route.seconds) for portion in found] == [(1, seconds)] * 3


def test_what_differs_travels_apart():
    """A message holds executions of one queue and one priority, and the longest time that any of them may take."""
    sent = _sent(2, seconds=1) | _sent(2, seconds=2) | _sent(2, seconds=1, queue="gpu") | _sent(2, seconds=1, priority="high")
    found = {(portion.route.queue, portion.route.priority, portion.route.seconds, len(portion.execution_ids)) for portion in portions(sent)}
    assert found == {(None, "medium", 2, 4), ("gpu", "medium", 1, 2), (None, "high", 1, 2)}


def test_many_are_looked_at_less_often():
    """Where few are with the workers, their ends are noticed at once; two thousand cost a look each fifth of a second."""
    assert [pause_after(1) < 0.03, 0.2 < pause_after(2_000) < 0.3, pause_after(1_000_000)] == [True, True, LONGEST_LOOK]


class _Entered(Limits):
    """Notes who is let in."""

    def __init__(self) -> None:
        super().__init__(10)
        self.entered: list[str] = []

    def start(self, execution_ids):
        self.entered += execution_ids


async def _turns(number: int = 5) -> None:
    import asyncio

    for _ in range(number):
        await asyncio.sleep(0)


async def test_room_that_one_leaves_unused_goes_to_the_next():
    """Whoever waits for two limits, and finds no room under the second, keeps nobody from the first."""
    entered = _Entered()
    one, other = Limit("one", 1), Limit("other", 1)
    entered.submit(Order("holds one", limits=[one]))
    entered.submit(Order("holds other", limits=[other]))
    entered.submit(Order("needs both", limits=[one, other]))
    entered.submit(Order("needs one", limits=[one]))
    await _turns()
    entered.leave("holds one")
    await _turns()
    assert entered.entered == ["holds one", "holds other", "needs one"]


async def test_a_withdrawn_order_takes_nobodys_turn():
    """Where the first that waits was withdrawn, the room goes to the second."""
    entered = _Entered()
    limit = Limit("one", 1)
    for name in ("first", "second", "third"):
        entered.submit(Order(name, limits=[limit]))
    await _turns()
    entered.withdraw("second")
    entered.leave("first")
    await _turns()
    assert entered.entered == ["first", "third"]


async def test_reserved_room_is_nobodys_else():
    """What room is reserved for counts, in all and under its limits, until it is given back; the next is let in then."""
    entered = _Entered()
    limit = Limit("one", 1)
    assert entered.reserve(Order("reserved", limits=[limit]))
    entered.submit(Order("next", limits=[limit]))
    await _turns()
    assert entered.entered == []
    entered.unreserve("reserved")
    await _turns()
    assert entered.entered == ["next"]


async def test_what_has_begun_keeps_the_room_reserved_for_it():
    """It takes the place of its reservation, with limits of its own, and leaves as any other."""
    entered = _Entered()
    assert entered.reserve(Order("job@1", limits=[Limit("job:job", 1)]))
    entered.submit(Order("job@2", limits=[Limit("job:job", 2), Limit("key", 1)]))
    entered.admit_begun(Order("job@1", limits=[Limit("job:job", 2), Limit("key", 1)]))
    await _turns()
    assert (entered.running, entered.waiting) == (1, 1)
    entered.leave("job@1")
    await _turns()
    assert (entered.entered, entered.running) == (["job@2"], 1)
    entered.leave("job@2")
    assert entered._rooms == {}


@pytest.mark.parametrize("why", ["full", "limit", "reserved", "waiting", "closed"])
async def test_no_room_is_reserved_where_one_would_wait(why: str):
    """Nor before one that waits already, nor twice for one execution."""
    entered = _Entered()
    limit = Limit("one", 1)
    if why == "full":
        entered._concurrency = 0
    elif why == "closed":
        entered.close()
    elif why == "reserved":
        assert entered.reserve(Order("x"))
    else:
        entered.submit(Order("first", limits=[limit]))
        if why == "limit":
            await _turns()
    assert not entered.reserve(Order("x", limits=[limit]))
