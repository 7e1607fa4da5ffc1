"""Workers of RQ, misled: who can write to their broker runs nothing but executions."""

from __future__ import annotations

import socket
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import redis
from rq import Callback, Queue
from rq.job import Job
from rq.webhook import Webhook

from agentoolkit.entrypoints.background import BackgroundToolkit
from agentoolkit.settings import Settings
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


def test_a_message_leaves_nothing_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """RQ's own worker, too, calls what a message names in a fork that ends without a word: its process would stay in the list of them."""
    monkeypatch.setenv("AGENTOOL_DATABASE", str(tmp_path / "jobs.db"))
    from agentoolkit.entrypoints import rq_worker

    toolkit = BackgroundToolkit(Settings(), runs_jobs=False)
    monkeypatch.setattr(rq_worker, "forked_toolkit", toolkit)
    rq_worker.run_executions([])
    with closing(sqlite3.connect(tmp_path / "jobs.db")) as database:
        left = database.execute("SELECT owner FROM agentool_owners").fetchall()
    assert (toolkit.is_alive, left) == (False, [])


def _ended(queue: Queue, function: str, *given: Any, **more: Any) -> Job:
    job = queue.enqueue_call(function, given, result_ttl=500, **more)
    deadline = time.monotonic() + PATIENCE
    while job.get_status() not in ("finished", "failed"):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return job


def test_a_worker_calls_one_function_only(queue: Queue, tmp_path: Path):
    """A message that names any other fails with a sentence. What it names, or would call back, is not imported, and nothing is posted."""
    with socket.create_server(("127.0.0.1", 0)) as inner:
        posts = [Webhook(f"http://127.0.0.1:{inner.getsockname()[1]}", status) for status in ("finished", "failed")]
        _calls_nothing_else(queue, posts)
        inner.setblocking(False)
        with pytest.raises(BlockingIOError):
            inner.accept()
    assert not (tmp_path / "intruded").exists()


def _calls_nothing_else(queue: Queue, posts: Sequence[Webhook]) -> None:
    job = _ended(queue, "intruder.run", on_failure=Callback("intruder.run"), webhooks=posts)
    result = job.latest_result()
    assert result is not None
    assert "A worker of this project calls only" in str(result.exc_string)
    assert _ended(queue, FUNCTION, [], on_success=Callback("intruder.run"), webhooks=posts).is_finished
