"""How long a page of each list takes in a large store: ``python -m bench.searches`` prints the table.

``python -m bench.searches --jobs 10000 --executions 1000000 --database big.sqlite`` keeps the store for the next time.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from agentool.caller import Caller, acting_as
from agentoolkit.database.database import Database
from agentoolkit.settings import Settings
from agentoolkit.system.scheduler.execution_records import ErrorRecord, Execution, ExecutionStatus
from agentoolkit.system.scheduler.jobs import Job, JobState, JobStatus
from agentoolkit.system.scheduler.ports import JobStore
from agentoolkit.system.scheduler.schedules import read_schedule
from agentoolkit.system.scheduler.search.matching import cost_of
from agentoolkit.system.scheduler.stores.sql.records import EXECUTION
from agentoolkit.wiring import Toolkit

NOW = datetime(2030, 1, 1, tzinfo=UTC)
AT_ONCE = 2_000
ROUNDS = 5
BAR = 0.3
"""Seconds that a page may take at the server."""

_EVERY = ("tag:tag-7", "tag:half", "owner:team-3", "owner:me", "tool:agent", "job:job-000123", "job:job-0001*", "-tag:half", "job-00012")
JOBS = (
    *_EVERY,
    *(f"status:{status}" for status in ("scheduled", "paused", "failed", "lost", "cancelled")),
    "error:pressed",
    "since:2031-01-01",
)
EXECUTIONS = (
    *_EVERY,
    *(f"status:{status}" for status in ("failed", "success", "running", "lost,missed")),
    *("took:>5m", "took:>1s", "took:<1s", "cost:>0.10", "cost:>100", "trigger:requested", "error:timeout", "error:nothing-like-it"),
    *("since:2029-12-31T23:00", "until:2029-12-20", "tag:tag-7 status:failed", "-status:success took:>2s owner:team-3", "zebra"),
)
"""Every term: what few have, what many have, what none has."""


def job(number: int) -> Job:
    """Make a job: one of a hundred owners, and of a hundred tags; every second has the tag ``half``."""
    return Job(
        job_id=f"job-{number:06}",
        job_name=f"name-{number:06}",
        agentool_name="agent" if number % 50 == 0 else "work",
        input_data={"operation": "run"},
        schedule=read_schedule("1 day", now=NOW, timezone="UTC").schedule,
        tags=(f"tag-{number % 100}", *(("half",) if number % 2 else ())),
        created_at=NOW + timedelta(seconds=number),
        created_by=Caller(f"team-{number % 100}", "rest"),
    )


def execution(number: int, jobs: int) -> Execution:
    """Make an execution that has ended: one of fifty failed, one of three hundred took minutes."""
    of, due = f"job-{number % jobs:06}", NOW - timedelta(seconds=number)
    tool = "agent" if (number % jobs) % 50 == 0 else "work"
    failed = number % 50 == 7
    return Execution(
        f"{of}@{number}",
        of,
        tool,
        due,
        "requested" if number % 400 == 3 else "schedule",
        ExecutionStatus.FAILED if failed else ExecutionStatus.SUCCESS,
        started_at=due,
        finished_at=due,
        duration=400.0 if number % 300 == 0 else 2.5 if number % 20 == 0 else 0.2,
        result={"cost": str(number % 40 / 100), "rows": number} if tool == "agent" else {"rows": number},
        error=ErrorRecord("TimeoutError" if number % 100 == 7 else "ValueError", "it was wrong", "Traceback " * 40) if failed else None,
    )


async def fill(store: JobStore, database: Database, jobs: int, executions: int) -> None:
    """Add jobs, and the rows that their executions leave."""
    for start in range(0, jobs, AT_ONCE):
        paused = [JobStatus.PAUSED if number % 10 == 0 else JobStatus.ACTIVE for number in range(start, start + AT_ONCE)]
        states = [JobState(status, NOW + timedelta(days=1)) for status in paused]
        await asyncio.gather(*(store.add(job(start + n), state) for n, state in enumerate(states)))
    values = ", ".join(map(EXECUTION.value, EXECUTION.names))
    columns = {**EXECUTION.types, "sequence": "BIGINT", "cost": "DOUBLE PRECISION"}
    sql = f"INSERT INTO agentool_executions ({', '.join(columns)}) SELECT {values}, r.sequence, NULLIF(r.cost, -1.0) FROM r"
    for start in range(0, executions, AT_ONCE):
        ended = [execution(number, jobs) for number in range(start, min(start + AT_ONCE, executions))]
        costs = [cost_of(one) for one in ended]
        rows = [(*EXECUTION.row(one), start // jobs + 1, -1.0 if cost is None else cost) for one, cost in zip(ended, costs, strict=True)]
        await database.write(lambda session, rows=rows: session.from_rows(sql, columns, rows))
    await database.write(lambda session: session.run("ANALYZE"))


async def measure(kit: Toolkit, operation: str, query: str) -> tuple[float, float, int, bool]:
    """Return the seconds that a page takes, those of the processor, how many it has, and whether there may be more."""
    asked: dict[str, Any] = {"operation": operation, "query": query, "limit": 100}
    took: list[float] = []
    worked: list[float] = []
    data: dict[str, Any] = {}
    with acting_as(Caller("team-3", "rest")):
        for _ in range(ROUNDS):
            began, idle = time.perf_counter(), time.process_time()
            data = (await kit.injector.run("scheduler", asked)).data
            took.append(time.perf_counter() - began)
            worked.append(time.process_time() - idle)
    return median(took), median(worked), data["count"], data["cursor"] is not None


async def main(arguments: list[str]) -> int:
    """Fill the store, unless it is full, and print how long each search takes."""
    parser = argparse.ArgumentParser(prog="python -m bench.searches", description=__doc__)
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--executions", type=int, default=1_000_000)
    parser.add_argument("--database", default="", help="a file or a PostgreSQL address; a new file by default")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        database = given.database or str(Path(folder) / "big.sqlite")
        async with Toolkit(Settings.from_values({"database": database, "durability": "normal", "timezone": "UTC"}), runs_jobs=False) as kit:
            if not await kit.scheduler.store.list_jobs(limit=1):
                assert kit.database is not None
                await fill(kit.scheduler.store, kit.database, given.jobs, given.executions)
            slow = 0
            for operation, queries in (("list", ("", *JOBS)), ("list_executions", ("", *EXECUTIONS))):
                for query in queries:
                    seconds, cpu, found, more = await measure(kit, operation, query)
                    slow += seconds > BAR
                    told = f"{seconds * 1_000:8.1f} ms {cpu * 1_000:8.1f} ms of the processor {found:>4}{' …' if more else ''}"
                    print(f"{operation:<16} {query or '(all)':<42} {told}", flush=True)
    print(f"{slow} of {len(JOBS) + len(EXECUTIONS) + 2} took more than {BAR * 1_000:g} ms")
    return int(slow > 0)


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
