"""A day at a hundred firings a second, in moved time on SQLite: what the process and its files occupy, hour by hour.

``python -m bench.day --hours 24`` prints a table. Nothing may grow after the plateau: a job keeps its newest hundred
executions, so the file is full after a thousand seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal, NamedTuple

import psutil

from agentool import BaseOperationInput, RunContext, create_agentool
from agentoolkit.settings import Settings
from agentoolkit.testing import toolkit

START = datetime(2030, 1, 1, tzinfo=UTC)
PERIOD = 10
JOBS = 100 * PERIOD
"""Each fires every ten seconds, a hundred of them in each second."""
MAX_GROWTH = 1.1
"""Of the largest figure of the second half by that of the first."""


class WorkInput(BaseOperationInput):
    operation: Literal["run"]


async def run(ctx: RunContext[None]) -> dict[str, int]:
    return {"rows": 1}


class Size(NamedTuple):
    """What a scheduler occupies, in megabytes."""

    memory: float
    file: float
    log: float
    """SQLite's write-ahead log."""


def measured(database: Path) -> Size:
    gc.collect()
    log = database.with_name(f"{database.name}-wal")
    return Size(*(size / 1e6 for size in (psutil.Process().memory_info().rss, database.stat().st_size, log.stat().st_size)))


async def measure(hours: float, steps: int) -> list[Size]:
    """Let a day go by in so many steps, and return the sizes after each."""
    sizes: list[Size] = []
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "agentool.db"
        async with toolkit(START, Settings(database=str(database), durability="normal", timezone="UTC")) as kit:
            create_agentool("work", WorkInput, {"run": run})
            for number in range(JOBS):
                begin = START + timedelta(seconds=1 + number % PERIOD)
                call = {"schedule": f"{PERIOD} seconds", "start_at": begin.isoformat(), "agentool_name": "work", "job_id": f"job-{number}"}
                await kit.injector.run("scheduler", {"operation": "schedule", **call, "input_data": {"operation": "run"}})
            print("| hours | firings | memory, MB | file, MB | log, MB | CPU, µs a firing |\n|--:|--:|--:|--:|--:|--:|")
            for step in range(1, steps + 1):
                began = time.process_time()
                await kit.advance(hours=hours / steps)
                size, fired = measured(database), JOBS / PERIOD * 3_600 * hours
                cost = (time.process_time() - began) / (fired / steps) * 1e6
                shown = f"{size.memory:,.1f} | {size.file:,.1f} | {size.log:,.1f} | {cost:,.0f}"
                print(f"| {hours * step / steps:.2f} | {fired * step / steps:,.0f} | {shown} |", flush=True)
                sizes.append(size)
    return sizes


def is_flat(sizes: list[Size]) -> bool:
    """Is the largest of each figure in the second half about that of the first?"""
    half = len(sizes) // 2
    return all(max(later) <= max(first) * MAX_GROWTH for first, later in zip(zip(*sizes[:half]), zip(*sizes[half:])))  # noqa: B905


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.day", description=__doc__)
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--steps", type=int, default=24)
    given = parser.parse_args()
    flat = is_flat(asyncio.run(measure(given.hours, given.steps)))
    print(f"flat in its second half: {'met' if flat else 'MISSED'}")
    return 0 if flat else 1


if __name__ == "__main__":
    raise SystemExit(main())
