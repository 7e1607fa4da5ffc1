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
ONE_BY_ONE = 1_000
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


async def ours_one_by_one() -> float:
    """Each job by the operation that everybody calls, after the one before: checked, and committed by itself."""
    with tempfile.TemporaryDirectory() as folder:
        async with toolkit(Tally(), f"{folder}/agentool.db") as kit:
            began = time.perf_counter()
            for number in range(ONE_BY_ONE):
                job = {"job_id": f"job{number}", "schedule": FAR.isoformat(), "agentool_name": "tick"}
                await kit.injector.run("scheduler", {"operation": "schedule", **job, "input_data": {"operation": "tick", "due": 0.0}})
            return ONE_BY_ONE / (time.perf_counter() - began)


async def run() -> bool:
    each = await compare(
        f"{ONE_BY_ONE:,} durable jobs scheduled, one after the other",
        "jobs/s",
        Side("agentool: checked, WAL, FULL", ours_one_by_one),
        Side("SQLAlchemyJobStore.add_job, as it comes", raw),
        Bar("at least", 1),
        rounds=3,
    )
    met = await compare(
        f"{JOBS:,} durable jobs scheduled",
        "jobs/s",
        Side("agentool on SQLite", ours),
        Side(f"APScheduler, SQLAlchemyJobStore ({RAW_JOBS:,} jobs)", raw),
        Bar("at least", 10),
        rounds=2,
    )
    print(f"  a new start with them until the first firing: {max(restarts):.2f} s, wanted at most 5")
    return each and met and max(restarts) <= 5
