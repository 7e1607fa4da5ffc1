"""Workers that their engine does not bring back after Redis was away: `agentool worker` begins them anew."""

from __future__ import annotations

import signal
from collections import deque
from pathlib import Path

import pytest
import redis
from celery import Celery
from rq import Queue
from tests.servers import free_port, redis_running

from agentoolkit.entrypoints import rq_worker
from agentoolkit.entrypoints.deaf_workers import LOOKS, Look, is_deaf
from agentoolkit.system.scheduler.executors.rq import FUNCTION

from .workers import environment_of, running, until

IDLE = Look(waiting=1, in_hand=False, taken=7)


def deaf(*looks: Look) -> bool:
    return is_deaf(deque(looks, LOOKS))


def test_a_worker_is_deaf_if_messages_wait_and_it_takes_none():
    """At every look some waited, it had none, and none was begun in between."""
    assert deaf(*[IDLE] * LOOKS)
    assert not deaf(*[IDLE] * (LOOKS - 1))


@pytest.mark.parametrize("place", range(LOOKS))
@pytest.mark.parametrize("other", [IDLE._replace(waiting=0), IDLE._replace(in_hand=True)], ids=["nothing waits", "it works"])
def test_one_look_that_explains_it_is_enough(place: int, other: Look):
    """Where nothing waited once, or it worked on something, nothing is wrong."""
    looks = [IDLE] * LOOKS
    looks[place] = other
    assert not deaf(*looks)


def test_a_worker_that_has_taken_one_is_not_deaf():
    """Even if it was done before anybody looked."""
    assert not deaf(*[IDLE] * (LOOKS - 1), IDLE._replace(taken=8))


def test_a_deaf_worker_begins_anew(redis_url: str, tmp_path: Path):
    """What waits is taken by the same command, under the same pid; its output says why."""
    mark, output = tmp_path / "mark", tmp_path / "output"
    environment = environment_of(str(tmp_path / "jobs.db"), tmp_path / "log", CELERY_BROKER_URL=redis_url, DEAF_MARK=str(mark))
    client = redis.Redis.from_url(redis_url)
    client.flushdb()
    asked = ["agentool", "worker", "--app", "deaf_app", "--pool", "threads"]
    with running(asked, environment, output, " ready.") as process, Celery("sender", broker=redis_url) as sender:
        sender.send_task("agentool.hello", ("you",), queue="agentool.hello", ignore_result=True)
        until(lambda: "hello you" in output.read_text(), process, output)
        said = output.read_text()
        assert mark.exists()
        assert "Messages wait (1), and this worker has taken none" in said
        assert "The worker has failed and is restarted" in said
        assert client.llen("agentool.hello") == 0


@pytest.mark.parametrize("error", [None, redis.ConnectionError("away"), redis.TimeoutError("silent")])
@pytest.mark.parametrize("stopped", [True, False])
def test_a_worker_of_rq_is_at_its_end_once_it_was_stopped(error: Exception | None, stopped: bool):
    """By itself it ends at any error, with the same answer as after a stop. Whoever handles signals does so again."""

    class Ending:
        is_stopping = stopped

        def __init__(self, *given: object, **more: object) -> None: ...

        def work(self, **told: object) -> bool:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            if error is not None:
                raise error
            return True

    before = signal.getsignal(signal.SIGTERM)
    assert rq_worker._runs_until_stopped(Ending, redis.Redis()) is stopped  # type: ignore[arg-type]
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("pool", ["prefork", "solo"])
def test_a_worker_of_rq_waits_for_redis(tmp_path: Path, pool: str):
    """Started where no server is, it takes what is sent to the one that comes: RQ's own worker would end."""
    port, output = free_port(), tmp_path / "output"
    url = f"redis://127.0.0.1:{port}/0"
    environment = environment_of(str(tmp_path / "jobs.db"), tmp_path / "log", REDIS_URL=url)
    with (
        running(["agentool", "worker", "--rq", "--pool", pool], environment, output, "Redis is away") as process,
        redis_running(tmp_path, port),
        redis.Redis.from_url(url) as client,
    ):
        Queue("agentool.medium", client, serializer="json").enqueue_call(FUNCTION, (["unknown"],), result_ttl=0)
        until(lambda: client.llen("rq:queue:agentool.medium") == 0, process, output)
