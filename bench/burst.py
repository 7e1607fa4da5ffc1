"""Many jobs due at one instant: ours with validation, history and outcome; raw APScheduler with none of them; DBOS."""

from __future__ import annotations

import asyncio
import gc
import pickle
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from apscheduler.jobstores.base import BaseJobStore
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.triggers.date import DateTrigger

from agentoolkit.settings import Durability
from bench.contestants import TALLY, Tally, add, all_recorded, once, raw_apscheduler, raw_job, toolkit
from bench.harness import Bar, Side, compare

JOBS = 10_000
SQL_JOBS = 2_000
"""On both sides of the durable rows: APScheduler's SQL store would take a minute for ten thousand."""
WORKFLOWS = 500
AT_ONCE = 16
"""Threads that call workflows of DBOS at the same time."""
AS_IT_COMES = ()
SAME = ("journal_mode = WAL", "synchronous = FULL")
LESS = ("journal_mode = WAL", "synchronous = NORMAL")


async def ours(database: str | None = None, jobs: int = JOBS, result_queue: str | None = None, durability: Durability = "full") -> float:
    tally = Tally()
    async with toolkit(tally, database, durability=durability) as kit:
        if result_queue is not None:  # as `schedule` does; `add` goes past it
            await kit.injector.run("queue", {"operation": "create_queue", "queue_name": result_queue})
        due = datetime.now(UTC) + timedelta(seconds=4)
        await add(kit, [(replace(once(number, due), result_queue=result_queue), due) for number in range(jobs)])
        gc.collect()
        assert datetime.now(UTC) < due, "the lead time is too short"
        if database is None:
            return await tally.processor_rate(jobs)
        return jobs / (await all_recorded(kit, tally, jobs, delivered=result_queue is not None) - due.timestamp())


async def ours_durable(result_queue: str | None = None, durability: Durability = "full") -> float:
    with tempfile.TemporaryDirectory() as folder:
        return await ours(f"{folder}/agentool.db", SQL_JOBS, result_queue, durability)


async def raw(store: BaseJobStore | None = None, jobs: int = JOBS) -> float:
    TALLY.late.clear()
    async with raw_apscheduler(store or MemoryJobStore()) as scheduler:
        due = datetime.now(UTC) + timedelta(seconds=4)
        fill(scheduler, [raw_job(scheduler, number, DateTrigger(due), due) for number in range(jobs)])
        gc.collect()
        assert datetime.now(UTC) < due, "the lead time is too short"
        scheduler.resume()
        return await (TALLY.processor_rate(jobs) if store is None else TALLY.rate(jobs, due))


async def raw_sql(pragmas: Sequence[str] = AS_IT_COMES) -> float:
    from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
    from sqlalchemy import event

    with tempfile.TemporaryDirectory() as folder:
        store = SQLAlchemyJobStore(url=f"sqlite:///{folder}/jobs.sqlite")

        @event.listens_for(store.engine, "connect")
        def set_durability(connection: Any, _: object) -> None:
            for pragma in pragmas:
                connection.execute(f"PRAGMA {pragma}")

        return await raw(store, SQL_JOBS)


async def dbos(threads: int = 1) -> float:
    """Workflows a second, called one after the other, as DBOS recommends for what must survive, or by several threads."""
    return await asyncio.to_thread(_dbos, threads)


def _dbos(threads: int) -> float:
    from dbos import DBOS

    with tempfile.TemporaryDirectory() as folder:
        DBOS(config={"name": "bench", "system_database_url": f"sqlite:///{Path(folder) / 'dbos.sqlite'}", "log_level": "ERROR"})

        @DBOS.workflow()
        def noop() -> None: ...

        DBOS.launch()
        try:
            for _ in range(5):
                noop()
            began = time.perf_counter()
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(lambda _: noop(), range(WORKFLOWS)))
            return WORKFLOWS / (time.perf_counter() - began)
        finally:
            DBOS.destroy(destroy_registry=True)


def fill(scheduler: object, jobs: list[object]) -> None:
    """Put jobs straight into an APScheduler store: adding them is not what is measured."""
    store = scheduler._lookup_jobstore("default")  # type: ignore[attr-defined]
    if isinstance(store, MemoryJobStore):
        for job in jobs:
            store.add_job(job)
        return
    rows = [
        {"id": job.id, "next_run_time": job.next_run_time.timestamp(), "job_state": pickle.dumps(job.__getstate__(), 5)}  # type: ignore[attr-defined]
        for job in jobs
    ]
    with store.engine.begin() as connection:
        connection.execute(store.jobs_t.insert(), rows)


async def memory() -> bool:
    return await compare(
        f"{JOBS:,} jobs due at once, in memory",
        "firings a second of the processor",
        Side("agentool: validated, recorded, with history", ours),
        Side("raw APScheduler: called", raw),
        Bar("at least", 0.6),
    )


async def durable() -> bool:
    mine = Side("agentool: claimed, finished, kept; WAL, FULL", ours_durable)
    rows = [
        (mine, Side("APScheduler, SQLAlchemyJobStore; WAL, FULL", partial(raw_sql, SAME)), Bar("at least", 6)),
        (mine, Side("the same as it comes: rollback journal, FULL", raw_sql), Bar("at least", 15)),
        (
            Side("agentool; WAL, NORMAL", partial(ours_durable, durability="normal")),
            Side("SQLAlchemyJobStore; WAL, NORMAL", partial(raw_sql, LESS)),
            Bar("at least", 1),
        ),
        (mine, Side(f"DBOS on SQLite, {WORKFLOWS} workflows, serial", dbos), Bar("at least", 40)),
        (mine, Side(f"DBOS on SQLite, {WORKFLOWS} workflows, {AT_ONCE} threads", partial(dbos, AT_ONCE)), Bar("at least", 10)),
    ]
    title = f"{SQL_JOBS:,} jobs due at once, durable on SQLite"
    return all([await compare(title, "firings/s", one, other, bar, rounds=3) for one, other, bar in rows])


async def queues() -> bool:
    """What a delivery of each result adds: there is no peer that does it."""
    return await compare(
        f"{SQL_JOBS:,} jobs due at once, durable on SQLite, each result delivered to a queue",
        "firings/s",
        Side("with result_queue, until all are delivered", partial(ours_durable, "results")),
        Side("without", ours_durable),
        Bar("at least", 0.4),
        rounds=3,
    )
