"""What the bare engines run beside us: nothing, counted in Redis; or nothing, with one row of history committed on PostgreSQL."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import psycopg
import redis
from celery import Celery

DONE = "bench:done"
app = Celery("bare", broker=os.environ.get("BENCH_BROKER"))
app.conf.update(
    task_default_queue="bare",
    task_serializer="json",
    accept_content=["json"],
    task_acks_late=True,
    worker_prefetch_multiplier=50,
    task_ignore_result=True,
)
if os.environ.get("BENCH_QUEUE_TYPE") == "quorum":
    app.conf.update(task_default_queue_type="quorum", worker_detect_quorum_queues=True)


@cache
def _counter(pid: int) -> Any:
    return redis.Redis.from_url(os.environ["BENCH_REDIS"])


@cache
def _history(pid: int) -> Any:
    return psycopg.connect(os.environ["BENCH_DATABASE"], autocommit=True)


@app.task(name="bare.counted")
def counted(number: int) -> None:
    """Do nothing, and count it."""
    _counter(os.getpid()).incr(DONE)


@app.task(name="bare.noted")
def noted(number: int) -> None:
    """Do nothing, and commit a row that says so."""
    _history(os.getpid()).execute("INSERT INTO bare_history (number, started_at, finished_at) VALUES (%s, now(), now())", (number,))


def counted_by_rq(number: int) -> None:
    """Do the same in RQ."""
    _counter(os.getpid()).incr(DONE)


def noted_by_rq(number: int) -> None:
    """Do the same in RQ."""
    noted.run(number)
