"""A hundred thousand durable jobs: scheduling them, and starting again with them."""

from __future__ import annotations

import tempfile
import time
from datetime import UTC, datetime, timedelta

from apscheduler.triggers.date import DateTrigger

from bench.contestants import Tally, add, once, raw_apscheduler, raw_job, toolkit
from bench.harness import Bar, Side, compare

JOBS = 100_000
RAW_JOBS = 1_000
FAR = datetime(2100, 1, 1, tzinfo=UTC)
restarts: list[float] = []


async def ours() -> float:
    with tempfile.TemporaryDirectory() as folder:
        database = f"{folder}/agentool.db"
        async with toolkit(Tally(), database) as kit:
            jobs = [(once(number, FAR + timedelta(seconds=number)), FAR) for number in range(JOBS)]
            began = time.perf_counter()
            for start in range(0, JOBS, 10_000):
                await add(kit, jobs[start : start + 10_000])
            rate = JOBS / (time.perf_counter() - began)
        tally = Tally()
        began = time.perf_counter()
        async with toolkit(tally, database) as kit:
            due = datetime.now(UTC)
            await add(kit, [(once(JOBS + 1, due), due)])
            await tally.rate(1, due - timedelta(seconds=1))
            restarts.append(time.perf_counter() - began)
    return rate


async def raw() -> float:
    from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore

    with tempfile.TemporaryDirectory() as folder:
        store = SQLAlchemyJobStore(url=f"sqlite:///{folder}/jobs.sqlite")
        async with raw_apscheduler(store) as scheduler:
            jobs = [raw_job(scheduler, number, DateTrigger(FAR), FAR) for number in range(RAW_JOBS)]
            began = time.perf_counter()
            for job in jobs:
                store.add_job(job)
            return RAW_JOBS / (time.perf_counter() - began)


async def run() -> bool:
    met = await compare(
        f"{JOBS:,} durable jobs scheduled",
        "jobs/s",
        Side("agentool on SQLite", ours),
        Side(f"APScheduler, SQLAlchemyJobStore ({RAW_JOBS:,} jobs)", raw),
        Bar("at least", 10),
        rounds=2,
    )
    print(f"  a new start with them until the first firing: {max(restarts):.2f} s, wanted at most 5")
    return met and max(restarts) <= 5
