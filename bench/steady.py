"""A thousand jobs a second: how late each starts, ours beside raw APScheduler."""

from __future__ import annotations

import asyncio
import tempfile
import time
from datetime import UTC, datetime, timedelta

from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.triggers.interval import IntervalTrigger

from bench.burst import fill
from bench.contestants import TALLY, Tally, add, count_on_grid, every_second, on_grid, raw_apscheduler, raw_job, toolkit
from bench.harness import Bar, Side, compare

JOBS = 1_000
SECONDS = 6


async def ours(database: str | None = None) -> float:
    tally = Tally()
    async with toolkit(tally, database, on_grid) as kit:
        start = datetime.now(UTC) + timedelta(seconds=3)
        dues = [start + timedelta(seconds=number / JOBS) for number in range(JOBS)]
        await add(kit, [(every_second(number, due), due) for number, due in enumerate(dues)])
        await asyncio.sleep(start.timestamp() - time.time() + SECONDS)
    return tally.p99_ms()


async def ours_durable() -> float:
    with tempfile.TemporaryDirectory() as folder:
        return await ours(f"{folder}/agentool.db")


async def raw() -> float:
    TALLY.late.clear()
    async with raw_apscheduler(MemoryJobStore()) as scheduler:
        start = datetime.now(UTC) + timedelta(seconds=3)
        dues = [start + timedelta(seconds=number / JOBS) for number in range(JOBS)]
        jobs = [
            raw_job(scheduler, number, IntervalTrigger(seconds=1, start_date=due, timezone=UTC), due, count_on_grid)
            for number, due in enumerate(dues)
        ]
        fill(scheduler, jobs)
        scheduler.resume()
        await asyncio.sleep(start.timestamp() - time.time() + SECONDS)
    return TALLY.p99_ms()


async def run() -> bool:
    title = f"p99 lateness at {JOBS:,} jobs a second"
    peer = Side("raw APScheduler, in memory", raw)
    return all(
        [
            await compare(title, "ms", Side("agentool, in memory", ours), peer, Bar("at most", 5, above=True), rounds=3),
            await compare(title, "ms", Side("agentool, durable on SQLite", ours_durable), peer, Bar("at most", 25, above=True), rounds=3),
        ]
    )
