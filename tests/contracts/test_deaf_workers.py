"""A worker of Celery that takes nothing though messages wait for it: it ends, and `agentool worker` begins anew."""

from __future__ import annotations

import time
from collections import deque
from pathlib import Path

import pytest
import redis
from celery import Celery

from agentoolkit.entrypoints.deaf_workers import LOOKS, Look, is_deaf

from .workers import PATIENCE, environment_of, running

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
        sender.send_task("agentool.hello", ("you",), queue="celery", ignore_result=True)
        deadline = time.monotonic() + PATIENCE
        while "hello you" not in output.read_text():
            assert process.poll() is None and time.monotonic() < deadline, output.read_text()
            time.sleep(0.05)
        said = output.read_text()
        assert mark.exists()
        assert "Messages wait (1), and this worker has taken none" in said
        assert "The worker has failed, and begins anew" in said
        assert client.llen("celery") == 0
