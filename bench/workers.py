"""Executions a second that processes write down on one PostgreSQL database: one process, then several at once.

Each begins and finishes executions of its own, as a worker does, with so many under way at a time. All of them write jobs'
records in one exclusive room (see `agentoolkit.database.order`); this shows what that costs. ``python -m bench.workers``
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from datetime import UTC, datetime, timedelta

from agentoolkit.database.database import Database
from agentoolkit.database.dialects import dialect_for
from agentoolkit.database.migrations import MIGRATIONS
from agentoolkit.system.scheduler.execution_records import Execution
from agentoolkit.system.scheduler.ports import Ending
from agentoolkit.system.scheduler.stores.sql import SqlJobStore
from agentoolkit.time_source import SystemTime
from bench.growth import POSTGRES, empty, job

SECONDS = 6.0
MIN_RATIO = 0.8
"""Of several processes' rate together by that of one."""


async def work(url: str, number: int, at_once: int) -> int:
    """Begin and finish executions for some seconds, and return how many."""
    store = SqlJobStore(Database(dialect_for(url), MIGRATIONS), SystemTime())
    await store.open()
    done, end = 0, time.monotonic() + SECONDS

    async def one_after_another(slot: int) -> None:
        nonlocal done
        place = 0
        while time.monotonic() < end:
            name, due = job(number * 1_000 + slot).job_id, datetime.now(UTC) + timedelta(microseconds=place)
            execution = Execution(f"{name}@{number}-{place}", name, "work", due, trigger="requested", owner=store.owner)
            await store.insert([execution])
            (begun,) = await store.begin([execution.begun(due)])
            (finished,) = await store.finish([Ending(execution.begun(due).succeeded(due, 0.0, {"rows": 1}, ""))])
            assert begun
            assert finished.written
            place += 1
            done += 1

    await asyncio.gather(*(one_after_another(slot) for slot in range(at_once)))
    await store.close()
    return done


async def rate(url: str, processes: int, at_once: int) -> float:
    """Return how many executions a second so many processes write together."""
    empty(url)
    store = SqlJobStore(Database(dialect_for(url), MIGRATIONS), SystemTime())
    await store.open()
    await store.close()
    asked = [sys.executable, "-m", "bench.workers", "--postgres", url, "--at-once", str(at_once), "--number"]
    made = [await asyncio.create_subprocess_exec(*asked, str(number), stdout=asyncio.subprocess.PIPE) for number in range(processes)]
    answers = [await process.communicate() for process in made]
    return sum(json.loads(output) for output, _ in answers) / SECONDS


async def run(url: str) -> bool:
    """Print a table, and return whether several processes are about as quick as one."""
    print("| under way in each | one process | two | four | four by one |\n|--:|--:|--:|--:|--:|")
    ratios: list[float] = []
    for at_once in (1, 10, 50):
        one, two, four = [await rate(url, processes, at_once) for processes in (1, 2, 4)]
        ratios.append(four / one)
        print(f"| {at_once} | {one:,.0f}/s | {two:,.0f}/s | {four:,.0f}/s | {four / one:.2f} |", flush=True)
    return min(ratios) >= MIN_RATIO


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.workers", description=__doc__)
    parser.add_argument("--postgres", default=POSTGRES, help="a database that is emptied")
    parser.add_argument("--number", type=int, help="be a worker: its number")
    parser.add_argument("--at-once", type=int, default=10)
    given = parser.parse_args()
    if given.number is not None:
        print(json.dumps(asyncio.run(work(given.postgres, given.number, given.at_once))))
        return 0
    return 0 if asyncio.run(run(given.postgres)) else 1


if __name__ == "__main__":
    raise SystemExit(main())
