"""A thousand jobs a second: how late each starts, ours beside raw APScheduler."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from datetime import UTC, datetime, timedelta

from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.triggers.interval import IntervalTrigger

from bench.burst import fill
from bench.contestants import PERIOD, TALLY, Tally, add, count_on_grid, every_period, on_grid, raw_apscheduler, raw_job, toolkit
from bench.harness import Bar, Side, compare

RATE = 1_000
"""Firings a second."""
JOBS = RATE * PERIOD
SECONDS = int(os.environ.get("BENCH_SECONDS", "20"))
LEAD = 30
"""Seconds in which all jobs are added."""
cpu: dict[str, float] = {}
"""Percent of a core, by contestant, in its latest round."""


async def _watched(name: str, start: datetime) -> None:
    """Let it fire, and note what it costs."""
    await asyncio.sleep(start.timestamp() - time.time())
    began = time.process_time()
    await asyncio.sleep(SECONDS)
    cpu[name] = (time.process_time() - began) / SECONDS * 100


def _dues() -> tuple[datetime, list[datetime]]:
    start = datetime.now(UTC) + timedelta(seconds=LEAD)
    return start, [start + timedelta(seconds=number / RATE) for number in range(JOBS)]


async def ours(database: str | None = None) -> float:
    tally = Tally()
    async with toolkit(tally, database, on_grid) as kit:
        start, dues = _dues()
        await add(kit, [(every_period(number, due), due) for number, due in enumerate(dues)])
        assert datetime.now(UTC) < start, "the lead time is too short"
        await _watched("in memory" if database is None else "durable", start)
    return tally.p99_ms()


async def ours_durable() -> float:
    with tempfile.TemporaryDirectory() as folder:
        return await ours(f"{folder}/agentool.db")


async def raw() -> float:
    TALLY.late.clear()
    async with raw_apscheduler(MemoryJobStore()) as scheduler:
        start, dues = _dues()
        jobs = [
            raw_job(scheduler, number, IntervalTrigger(seconds=PERIOD, start_date=due, timezone=UTC), due, count_on_grid)
            for number, due in enumerate(dues)
        ]
        fill(scheduler, jobs)
        scheduler.resume()
        await _watched("raw APScheduler", start)
    return TALLY.p99_ms()


async def run() -> bool:
    title = f"p99 lateness, {JOBS:,} jobs, {RATE:,} firings a second for {SECONDS} s"
    peer = Side("raw APScheduler, in memory", raw)
    met = [
        await compare(title, "ms", Side("agentool, in memory", ours), peer, Bar("at most", 2, above=True), rounds=1),
        await compare(title, "ms", Side("agentool, durable on SQLite", ours_durable), peer, Bar("at most", 10, above=True), rounds=1),
    ]
    print("  CPU: " + ", ".join(f"{name} {percent:.0f} % of a core" for name, percent in cpu.items()))
    return all(met)
