"""How many pages of 8 KB each operation reads on PostgreSQL as the store grows: ``python -m bench.growth_pages`` prints the table.

Unlike time, pages do not depend on what else the machine does. The server counts them, by its module ``auto_explain``, for every statement
as it is really run: with the plan that was prepared for it, and with what triggers do. ``--sizes 100/0 20000/200000`` names the jobs and
executions; statistics are those that autovacuum would have made, or with ``--stale`` none.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Iterator
from statistics import median
from typing import Any

import psycopg

from agentoolkit.database.database import Database
from agentoolkit.database.migrations import MIGRATIONS
from agentoolkit.database.postgres_dialect import Postgres
from agentoolkit.system.scheduler.stores.sql import SqlJobStore
from agentoolkit.testing import ManualTime
from bench.growth import OPERATIONS, POSTGRES, ROUNDS, START, empty, fill

_EXPLAIN = {
    "log_min_duration": "0",
    "log_analyze": "on",
    "log_buffers": "on",
    "log_timing": "off",
    "log_format": "json",
    "log_level": "notice",
    "log_nested_statements": "on",
}


class Counting(Postgres):
    """A PostgreSQL whose connections count the pages that their statements read."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.pages = 0

    def connect(self, *, writes: bool) -> Any:
        connection = super().connect(writes=writes)
        connection.execute("LOAD 'auto_explain'")
        for name, value in _EXPLAIN.items():
            connection.execute(f"SET auto_explain.{name} = '{value}'")
        connection.add_notice_handler(lambda notice: self._count(str(notice.message_primary)))
        return connection

    def _count(self, notice: str) -> None:
        if "plan:" in notice:
            explained = json.loads(notice[notice.index("{") :])
            if not any(table in explained["Query Text"] for table in ("agentool_owners", "agentool_leases")):  # heartbeats
                self.pages += explained["Plan"].get("Shared Hit Blocks", 0) + explained["Plan"].get("Shared Read Blocks", 0)


async def measure(url: str, jobs: int, executions: int, *, stale: bool) -> dict[str, int]:
    """Fill a store, and return the median of the pages that each operation reads."""
    empty(url)
    time = ManualTime(START)
    filling = SqlJobStore(Database(Postgres(url), MIGRATIONS), time)
    await filling.open()
    await fill(filling, jobs, executions)
    await filling.close()
    if not stale:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
    counting = Counting(url)
    store = SqlJobStore(Database(counting, MIGRATIONS), time)
    await store.open()
    await store.lead(START)
    pages: dict[str, int] = {}
    for name, operation in OPERATIONS.items():
        counted: list[int] = []
        for number in range(ROUNDS):
            counting.pages = 0
            await operation(store, number, jobs)
            counted.append(counting.pages)
        pages[name] = round(median(counted))
    await store.close()
    return pages


async def main(arguments: list[str]) -> None:
    """Measure the sizes that are named, and print one table."""
    parser = argparse.ArgumentParser(prog="python -m bench.growth_pages", description=__doc__)
    parser.add_argument("--sizes", nargs="+", default=["100/0", "10000/100000", "100000/1000000"], help="jobs/executions")
    parser.add_argument("--stale", action="store_true", help="without statistics, as right after an import")
    parser.add_argument("--postgres", default=POSTGRES, help="a database that is emptied")
    given = parser.parse_args(arguments)
    columns = [await measure(given.postgres, *_size(size), stale=given.stale) for size in given.sizes]
    print(f"\npages of 8 KB, medians of {ROUNDS}, by jobs / executions{', without statistics' if given.stale else ''}\n")
    print("| operation | " + " | ".join(given.sizes) + " |\n|---|" + "--:|" * len(columns))
    for operation in OPERATIONS:
        print(f"| {operation} | " + " | ".join(f"{column[operation]:,}" for column in columns) + " |")


def _size(text: str) -> Iterator[int]:
    return map(int, text.split("/"))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
