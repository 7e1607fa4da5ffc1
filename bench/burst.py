"""Many jobs due at one instant: ours with validation, history and outcome; raw APScheduler with none of them; DBOS."""

from __future__ import annotations

import gc
import pickle
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from apscheduler.jobstores.base import BaseJobStore
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.triggers.date import DateTrigger

from bench.contestants import TALLY, Tally, add, once, raw_apscheduler, raw_job, toolkit
from bench.harness import Bar, Side, compare

JOBS = 10_000
SQL_JOBS = 2_000
"""For APScheduler's SQL store and DBOS, which would take a minute for ten thousand."""
WORKFLOWS = 500


async def ours(database: str | None = None) -> float:
    tally = Tally()
    async with toolkit(tally, database) as kit:
        due = datetime.now(UTC) + timedelta(seconds=4)
        await add(kit, [(once(number, due), due) for number in range(JOBS)])
        gc.collect()
        assert datetime.now(UTC) < due, "the lead time is too short"
        rate = await tally.rate(JOBS, due)
        if database is not None:
            rate = JOBS / (await _all_recorded(kit, JOBS) - due.timestamp())
    return rate


async def ours_durable() -> float:
    with tempfile.TemporaryDirectory() as folder:
        return await ours(f"{folder}/agentool.db")


async def raw(store: BaseJobStore | None = None, jobs: int = JOBS) -> float:
    TALLY.late.clear()
    async with raw_apscheduler(store or MemoryJobStore()) as scheduler:
        due = datetime.now(UTC) + timedelta(seconds=4)
        fill(scheduler, [raw_job(scheduler, number, DateTrigger(due), due) for number in range(jobs)])
        gc.collect()
        assert datetime.now(UTC) < due, "the lead time is too short"
        scheduler.resume()
        return await TALLY.rate(jobs, due)


async def raw_sql() -> float:
    from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore

    with tempfile.TemporaryDirectory() as folder:
        return await raw(SQLAlchemyJobStore(url=f"sqlite:///{folder}/jobs.sqlite"), SQL_JOBS)


async def dbos() -> float:
    """Workflows a second, called one after the other, as DBOS recommends for what must survive."""
    import asyncio

    return await asyncio.to_thread(_dbos)


def _dbos() -> float:
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
            for _ in range(WORKFLOWS):
                noop()
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


async def _all_recorded(kit: object, number: int) -> float:
    import asyncio

    sql = "SELECT COUNT(*) FROM agentool_executions WHERE status = 'success'"
    while True:
        (done,) = await kit.database.read(lambda session: session.row(sql))  # type: ignore[attr-defined]
        if done == number:
            return time.time()
        await asyncio.sleep(0.005)


async def memory() -> bool:
    return await compare(
        f"{JOBS:,} jobs due at once, in memory",
        "firings/s",
        Side("agentool: validated, recorded, with history", ours),
        Side("raw APScheduler: called", raw),
        Bar("at least", 0.5),
    )


async def durable() -> bool:
    mine = Side("agentool: claimed, finished and kept, synchronous=FULL", ours_durable)
    return all(
        [
            await compare(
                f"{JOBS:,} jobs due at once, durable on SQLite",
                "firings/s",
                mine,
                Side(f"APScheduler, SQLAlchemyJobStore ({SQL_JOBS:,} jobs)", raw_sql),
                Bar("at least", 15),
                rounds=3,
            ),
            await compare(
                "The same", "firings/s", mine, Side(f"DBOS on SQLite ({WORKFLOWS} workflows)", dbos), Bar("at least", 40), rounds=3
            ),
        ]
    )
