"""What bare engines run beside us: nothing, counted in Redis; or nothing, with one row of history committed on PostgreSQL.

Named as settings of a worker of RQ (``-c``), it is imported before the worker forks. Else RQ would import it in each fork.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import psycopg
import redis

DONE = "bench:done"


@cache
def _counter(pid: int) -> Any:
    return redis.Redis.from_url(os.environ["BENCH_REDIS"])


@cache
def _history(pid: int) -> Any:
    return psycopg.connect(os.environ["BENCH_DATABASE"], autocommit=True)


def counted(number: int) -> None:
    """Do nothing, and count it."""
    _counter(os.getpid()).incr(DONE)


def noted(number: int) -> None:
    """Do nothing, and commit a row that says so."""
    _history(os.getpid()).execute("INSERT INTO bare_history (number, started_at, finished_at) VALUES (%s, now(), now())", (number,))
