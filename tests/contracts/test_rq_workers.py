"""Workers of RQ, misled: who can write to their broker runs nothing but executions."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from rq import Callback, Queue
from rq.job import Job

from agentoolkit.system.scheduler.executors.rq import FUNCTION

from .workers import PATIENCE, RQ_COMMAND, environment_of, running

INTRUDER = "open('intruded', 'w').close()\n\n\ndef run(*given, **named): ...\n"
"""Code that leaves a file when it is but imported."""


OURS = ["agentool", "worker", "--rq", "--pool", "solo"]
THEIRS = [*RQ_COMMAND, "-w", "agentoolkit.entrypoints.rq_worker.InProcessWorker"]


@pytest.fixture(params=[OURS, THEIRS], ids=["agentool", "rq"])
def queue(request: pytest.FixtureRequest, redis_url: str, tmp_path: Path) -> Iterator[Queue]:
    """The queue of a worker that could import the intruder's code."""
    (tmp_path / "intruder.py").write_text(INTRUDER)
    environment = environment_of(str(tmp_path / "jobs.db"), tmp_path / "log", REDIS_URL=redis_url)
    environment["PYTHONPATH"] += f":{tmp_path}"
    with redis.Redis.from_url(redis_url) as client, running(request.param, environment, tmp_path / "output", "Listening on"):
        yield Queue("agentool.high", client, serializer="json")


def _ended(queue: Queue, function: str, *given: Any, **more: Any) -> Job:
    job = queue.enqueue_call(function, given, result_ttl=500, **more)
    deadline = time.monotonic() + PATIENCE
    while job.get_status() not in ("finished", "failed"):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return job


def test_a_worker_calls_one_function_only(queue: Queue, tmp_path: Path):
    """A message that names any other fails with a sentence, and what it names is not even imported; nor is what it would call back."""
    job = _ended(queue, "intruder.run", on_failure=Callback("intruder.run"))
    result = job.latest_result()
    assert result is not None
    assert "A worker of this project calls nothing but" in str(result.exc_string)
    assert _ended(queue, FUNCTION, [], on_success=Callback("intruder.run")).is_finished
    assert not (tmp_path / "intruded").exists()
