"""Durable on PostgreSQL, beside procrastinate: on one server, in one run, each commit waited for, finished jobs kept.

Measured from the due instant with all jobs stored before, and from the first call that asks for a job, until the last is written down.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import procrastinate
import psycopg
from tests.servers import postgres_running

from bench.burst import SQL_JOBS, ours
from bench.contestants import Tally, all_recorded, toolkit
from bench.harness import Bar, Side, compare

AT_ONCE = 16
"""How many ask for a job at the same time."""
CONCURRENCY = 50
"""Jobs of procrastinate's worker at once."""
PATIENCE = 120.0

Call = Callable[[int], Awaitable[object]]


@asynccontextmanager
async def database(server: str) -> AsyncIterator[str]:
    """Make a database, and delete it afterwards."""
    name = f"bench_{uuid4().hex[:12]}"
    async with await psycopg.AsyncConnection.connect(server, autocommit=True) as connection:
        await connection.execute(f"CREATE DATABASE {name}".encode())
        try:
            yield urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
        finally:
            await connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


async def ask(call: Call) -> None:
    """Ask for so many jobs, some at the same time."""

    async def some(numbers: Sequence[int]) -> None:
        for number in numbers:
            await call(number)

    await asyncio.gather(*(some(range(first, SQL_JOBS, AT_ONCE)) for first in range(AT_ONCE)))


async def ours_stored(server: str) -> float:
    async with database(server) as url:
        return await ours(url, SQL_JOBS)


async def ours_asked(server: str) -> float:
    tally = Tally()
    async with database(server) as url, toolkit(tally, url) as kit:
        work = {"operation": "schedule", "schedule": "now", "agentool_name": "tick", "input_data": {"operation": "tick", "due": 0.0}}
        began = time.time()
        await ask(lambda number: kit.injector.run("scheduler", {**work, "job_id": f"job{number:06d}"}))
        return SQL_JOBS / (await all_recorded(kit, tally, SQL_JOBS) - began)


async def theirs(server: str, *, stored: bool) -> float:
    async with database(server) as url:
        app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=url))

        @app.task(name="tick")
        async def tick(due: float) -> None: ...

        async with app.open_async():
            await app.schema_manager.apply_schema_async()
            if stored:
                await tick.batch_defer_async(*[{"due": 0.0}] * SQL_JOBS)
            began = time.time()
            worker = asyncio.create_task(app.run_worker_async(concurrency=CONCURRENCY, install_signal_handlers=False))
            if not stored:
                await ask(lambda _: tick.defer_async(due=0.0))
            ended = await _all_succeeded(url)
            worker.cancel()
            await asyncio.gather(worker, return_exceptions=True)
            return SQL_JOBS / (ended - began)


async def _all_succeeded(url: str) -> float:
    sql = "SELECT count(*) FROM procrastinate_jobs WHERE status = 'succeeded'"
    async with asyncio.timeout(PATIENCE), await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        while True:
            found: Any = await (await connection.execute(sql)).fetchone()
            if found[0] == SQL_JOBS:
                return time.time()
            await asyncio.sleep(0.005)


async def run() -> bool:
    """Compare both ways; each bar is DESIGN 10's."""
    met: list[bool] = []
    with postgres_running() as server:
        for title, mine, stored in (
            ("due at once, stored before", ours_stored, True),
            (f"asked for by {AT_ONCE} at a time, one call each", ours_asked, False),
        ):
            us = Side("agentool: claimed, finished, kept", partial(mine, server.url))
            peer = Side(f"procrastinate, {CONCURRENCY} jobs at once", partial(theirs, server.url, stored=stored))
            met.append(await compare(f"{SQL_JOBS:,} jobs on PostgreSQL, {title}", "executions/s", us, peer, Bar("at least", 4), rounds=3))
    return all(met)
