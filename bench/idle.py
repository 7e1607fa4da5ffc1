"""What a scheduler costs that has nothing to do: 100,000 jobs, none of them due. ``python -m bench idle``."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psutil

from bench.contestants import Tally, add, once, toolkit

JOBS = 100_000
SECONDS = 15
FAR = datetime(2100, 1, 1, tzinfo=UTC)
MAX_CPU = 1.0
"""Percent of a core."""
MAX_WAKE_UPS = 15
"""Of the event loop, a second."""
MAX_BYTES = 1_000
"""Of memory, a job."""


class WakeUps:
    """Counts how often an event loop wakes up from its wait."""

    def __init__(self, loop: Any) -> None:
        self.number = 0
        self._select: Callable[[float | None], Any] = loop._selector.select
        loop._selector.select = self._counted

    def _counted(self, timeout: float | None = None) -> Any:
        events = self._select(timeout)
        if timeout is None or timeout > 0:
            self.number += 1
        return events


async def fill(database: str) -> None:
    async with toolkit(Tally(), database) as kit:
        for start in range(0, JOBS, 10_000):
            await add(kit, [(once(number, FAR + timedelta(seconds=number)), FAR) for number in range(start, start + 10_000)])


async def measure(folder: str) -> tuple[float, float, float]:
    """Return percent of a core, wake-ups a second, and bytes of memory a job: of a process that has done nothing else."""
    process, wake_ups = psutil.Process(), WakeUps(asyncio.get_running_loop())
    async with toolkit(Tally(), f"{folder}/empty.db"):
        await asyncio.sleep(2)
        before = process.memory_info().rss
    async with toolkit(Tally(), f"{folder}/agentool.db"):
        await asyncio.sleep(3)
        size = process.memory_info().rss - before
        cpu, counted = time.process_time(), wake_ups.number
        await asyncio.sleep(SECONDS)
        cpu, counted = time.process_time() - cpu, wake_ups.number - counted
    return cpu / SECONDS * 100, counted / SECONDS, size / JOBS


async def run() -> bool:
    with tempfile.TemporaryDirectory() as folder:
        await fill(f"{folder}/agentool.db")
        child = await asyncio.create_subprocess_exec(sys.executable, "-m", "bench.idle", folder, stdout=asyncio.subprocess.PIPE)
        output, _ = await child.communicate()
    cpu, wake_ups, size = json.loads(output)
    print(f"\n{JOBS:,} jobs on SQLite, none due, for {SECONDS} s")
    rows = ((cpu, MAX_CPU, "% of a core"), (wake_ups, MAX_WAKE_UPS, "wake-ups a second"), (size, MAX_BYTES, "bytes of memory a job"))
    for figure, bar, unit in rows:
        print(f"  {figure:>10,.2f} {unit}, wanted at most {bar:g}: {'met' if figure <= bar else 'MISSED'}")
    return all(figure <= bar for figure, bar, _ in rows)


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure(sys.argv[1]))))
