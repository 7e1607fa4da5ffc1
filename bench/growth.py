"""What each operation of the scheduler costs as the store grows: ``python -m bench.growth`` prints the table.

Of memory and SQLite the time of the processor is measured, so that it hardly matters what else the machine does; of PostgreSQL,
which works elsewhere, the time on the clock. Sizes and stores can be named:
``python -m bench.growth --jobs 100 10000 --executions 0 100000 --stores memory sqlite``.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import NamedTuple

from agentool.caller import CODE, Caller
from agentoolkit.database.database import Database
from agentoolkit.database.dialects import dialect_for
from agentoolkit.database.migrations import MIGRATIONS
from agentoolkit.system.scheduler.execution_records import Execution, ExecutionStatus
from agentoolkit.system.scheduler.jobs import Job, JobState, JobStatus
from agentoolkit.system.scheduler.ports import Ending, JobStore
from agentoolkit.system.scheduler.schedules import read_schedule
from agentoolkit.system.scheduler.search import Search
from agentoolkit.system.scheduler.stores.memory import MemoryJobStore
from agentoolkit.system.scheduler.stores.sql import SqlJobStore
from agentoolkit.testing import ManualTime

START = datetime(2030, 1, 1, tzinfo=UTC)
ROUNDS = 15
POSTGRES = "postgresql://postgres@127.0.0.1:5432/agentool_growth"
AT_ONCE = 500
OTHERS, GONE, CANCELLED = 2_000_000, 3_000_000, 20
"""From which number on other owners' jobs and cancelled ones are, and how many of these."""
OWNERS = {"one of few": 10, "one of many": 300}
"""Owners beside the one of all other jobs, and how many jobs they have at every size: due after all others, the worst case."""


def job(number: int, owner: str | None = None) -> Job:
    schedule = read_schedule("1 day", now=START, timezone="UTC").schedule
    work = {"agentool_name": "work", "input_data": {"operation": "run"}}
    caller = CODE if owner is None else Caller(name=owner)
    return Job(job_id=f"job-{number:06}", job_name=f"name-{number:06}", schedule=schedule, created_at=START, created_by=caller, **work)


def execution(number: int, jobs: int) -> Execution:
    of, due = f"job-{number % jobs:06}", START - timedelta(seconds=number)
    status = ExecutionStatus.FAILED if number % 1_000 == 0 else ExecutionStatus.SUCCESS
    return Execution(f"{of}@{number}", of, "work", due, status=status, finished_at=due, result={"rows": number})


async def fill(store: JobStore, jobs: int, executions: int) -> None:
    """Add jobs and executions; no job gets more of these than its history keeps."""
    for start in range(0, jobs, AT_ONCE):
        await asyncio.gather(*(store.add(job(n), JobState(next_run_at=START)) for n in range(start, min(start + AT_ONCE, jobs))))
    for place, (owner, number) in enumerate(OWNERS.items()):
        theirs = (job(OTHERS + place * 1_000 + n, owner) for n in range(number))
        await asyncio.gather(*(store.add(each, JobState(next_run_at=START + timedelta(hours=1))) for each in theirs))
    for n in range(CANCELLED):
        await store.add(job(GONE + n), JobState(next_run_at=START))
        await store.remove(f"job-{GONE + n}", START)
    executions = min(executions, jobs * 100)
    for start in range(0, executions, AT_ONCE * 4):
        await store.insert([execution(n, jobs) for n in range(start, min(start + AT_ONCE * 4, executions))])


Operation = Callable[[JobStore, int, int], Awaitable[object]]
"""Called with the store, the number of the round and the number of jobs."""


async def _change(store: JobStore, status: JobStatus, number: int, jobs: int) -> None:
    stored = await store.find(f"job-{(number * 7) % jobs:06}")
    assert stored is not None
    await store.replace(stored.job, stored.state._replace(status=status), stored.state)


async def _fire(store: JobStore, number: int, jobs: int) -> None:
    claims = await store.claim([f"job-{(number * 7 + 1) % jobs:06}"], START + timedelta(seconds=number))
    started = [c.execution._replace(status=ExecutionStatus.RUNNING, started_at=START) for c in claims.records if not c.execution.finished]
    await store.begin(started)
    await store.finish([Ending(one._replace(status=ExecutionStatus.SUCCESS, finished_at=START)) for one in started])


OPERATIONS: dict[str, Operation] = {
    "find by id": lambda store, n, jobs: store.find(f"job-{n % jobs:06}"),
    "find by name": lambda store, n, jobs: store.find(f"name-{n % jobs:06}"),
    "find what is not there": lambda store, n, jobs: store.find_similar(f"job-{n % jobs:06}x", 10),
    "schedule": lambda store, n, jobs: store.add(job(1_000_000 + n), JobState(next_run_at=START + timedelta(days=1))),
    "pause": lambda store, n, jobs: _change(store, JobStatus.PAUSED, n, jobs),
    "resume": lambda store, n, jobs: _change(store, JobStatus.ACTIVE, n, jobs),
    "claim, begin, finish": _fire,
    "cancel": lambda store, n, jobs: store.remove(f"job-{1_000_000 + n}", START),
    "list, 100 jobs": lambda store, n, jobs: store.list_jobs(None, 100),
    "list, paused": lambda store, n, jobs: store.list_jobs(JobStatus.PAUSED, 100),
    "count by status": lambda store, n, jobs: store.count_jobs(),
    "history of a job": lambda store, n, jobs: store.executions(f"job-{n % jobs:06}", 100),
    "executions, newest 100": lambda store, n, jobs: store.executions(None, 100),
    "executions, failed": lambda store, n, jobs: store.executions(None, 100, ExecutionStatus.FAILED),
    "executions, lost": lambda store, n, jobs: store.executions(None, 100, ExecutionStatus.LOST),
    "executions, running": lambda store, n, jobs: store.executions(None, 100, ExecutionStatus.RUNNING),
    "due next, 12 jobs": lambda store, n, jobs: store.due_next(12),
    **{
        f"{what}, {owner}": ask
        for owner in OWNERS
        for what, ask in {
            "due next": lambda store, n, jobs, owner=owner: store.due_next(12, owner),
            "list": lambda store, n, jobs, owner=owner: store.search_jobs(Search("jobs", owner=owner), 100),
            "executions": lambda store, n, jobs, owner=owner: store.search_executions(Search("executions", owner=owner), 100),
            "audit": lambda store, n, jobs, owner=owner: store.entries(None, owner, 100),
        }.items()
    },
    "list, a word that none has": lambda store, n, jobs: store.search_jobs(Search("jobs").with_term("", f"absent{n}"), 100),
    "executions, a word that none has": lambda store, n, jobs: store.search_executions(Search("executions").with_term("", f"no{n}"), 100),
    "find what was cancelled": lambda store, n, jobs: store.find_cancelled(f"name-{GONE + n % CANCELLED}"),
    "downstream": lambda store, n, jobs: store.downstream(f"job-{n % jobs:06}"),
    "last outcomes of 100": lambda store, n, jobs: store.last_outcomes([f"job-{each % jobs:06}" for each in range(n, n + 100)]),
    "one execution": lambda store, n, jobs: store.execution(f"job-{n % jobs:06}@{n % jobs}"),
    "changes of others": lambda store, n, jobs: store.changes(),
    "requests to cancel": lambda store, n, jobs: store.cancel_requests(),
    "outbox": lambda store, n, jobs: store.outbox(100),
}


def clock_of(database: str | None) -> Callable[[], float]:
    """Return the clock by which operations on a database are measured; None: in memory."""
    return time.perf_counter if database is not None and database.startswith("postgres") else time.process_time


class Measured(NamedTuple):
    """What an operation costs with a store of one size."""

    ms: float
    """The median."""
    entries: int
    """How many the last answer had; 0 where it is no list."""


async def measure(store: JobStore, jobs: int, clock: Callable[[], float]) -> dict[str, Measured]:
    """Measure each operation."""
    measured: dict[str, Measured] = {}
    for name, operation in OPERATIONS.items():
        took: list[float] = []
        answer: object = None
        for number in range(ROUNDS):
            began = clock()
            answer = await operation(store, number, jobs)
            took.append((clock() - began) * 1_000)
        measured[name] = Measured(median(took), entries_of(answer))
    return measured


def entries_of(answer: object) -> int:
    """Count the entries of a page; of what is no list there are none."""
    page = getattr(answer, "items", answer)
    return len(page) if isinstance(page, list) else 0


def growth_of(sizes: Sequence[Measured]) -> float:
    """Compare the last with the first that answers as much: an empty page says nothing of what a full one costs."""
    first = next(each for each in sizes if each.entries >= sizes[-1].entries)
    return sizes[-1].ms / first.ms if first.ms else 1.0


async def run(name: str, database: str | None, jobs: int, executions: int) -> dict[str, Measured]:
    """Fill a store and measure it."""
    time_source = ManualTime(START)
    store: JobStore = MemoryJobStore()
    if database is not None:
        store = SqlJobStore(Database(dialect_for(database), MIGRATIONS), time_source)
    await store.open()
    await store.lead(START)
    try:
        await fill(store, jobs, executions)
        return await measure(store, jobs, clock_of(database))
    finally:
        await store.close()


async def main(arguments: list[str]) -> None:
    """Measure the stores and sizes that are named, and print a table for each store."""
    parser = argparse.ArgumentParser(prog="python -m bench.growth", description=__doc__)
    parser.add_argument("--stores", nargs="+", default=["memory", "sqlite", "postgres"])
    parser.add_argument("--jobs", nargs="+", type=int, default=[100, 1_000, 10_000, 100_000])
    parser.add_argument("--executions", nargs="+", type=int, default=[0, 100_000, 1_000_000])
    parser.add_argument("--postgres", default=POSTGRES, help="a database that is emptied")
    given = parser.parse_args(arguments)
    await _measure_all(given.stores, given.jobs, given.executions, given.postgres)


async def _measure_all(stores: list[str], jobs: list[int], executions: list[int], postgres: str) -> None:
    sizes = [(j, e) for j in jobs for e in executions if e <= j * 100]
    for name in stores:
        columns: list[dict[str, Measured]] = []
        for number_of_jobs, number_of_executions in sizes:
            with tempfile.TemporaryDirectory() as folder:
                database = {"memory": None, "sqlite": str(Path(folder) / "growth.db"), "postgres": postgres}[name]
                if name == "postgres":
                    empty(postgres)
                columns.append(await run(name, database, number_of_jobs, number_of_executions))
        _print(name, sizes, columns)


def empty(url: str) -> None:
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")


def _print(name: str, sizes: list[tuple[int, int]], columns: list[dict[str, Measured]]) -> None:
    heads = [f"{jobs:,} / {executions:,}" for jobs, executions in sizes]
    print(f"\n{name}: milliseconds, medians of {ROUNDS}, by jobs / executions\n")
    print("| operation | " + " | ".join(heads) + " | growth |")
    print("|---|" + "--:|" * (len(heads) + 1))
    for operation in OPERATIONS:
        figures = [column[operation] for column in columns]
        print(f"| {operation} | " + " | ".join(f"{figure.ms:.3f}" for figure in figures) + f" | {growth_of(figures):.1f} × |")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
