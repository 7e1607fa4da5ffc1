"""A process that shares a PostgreSQL database with others like it for some seconds. Started by the tests, as a script.

Arguments: the database, a name of its own, the seconds, what it works on (``queue``, ``values``, ``jobs``, with commas
between), and the row in which it counts messages (-1: one of its own). It prints as JSON how often it did what it does, and
the deadlocks that it met, with the statement that was given up.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from contextlib import suppress
from datetime import UTC, datetime
from itertools import count
from typing import Any

from agentoolkit.database.database import Database
from agentoolkit.database.dialects import Postgres, dialect_for
from agentoolkit.database.migrations import MIGRATIONS
from agentoolkit.database.session import Session
from agentoolkit.settings import Settings
from agentoolkit.storage.kv.ports import StoredValue
from agentoolkit.storage.kv.sql import SqlKeyValueStore
from agentoolkit.system.queue.backends.sql import SqlQueueBackend, queues
from agentoolkit.system.queue.messages import QueueMessage
from agentoolkit.system.queue.ports import Lease
from agentoolkit.system.scheduler.errors import SchedulerError
from agentoolkit.wiring import Toolkit

NOW = datetime(2030, 1, 1, tzinfo=UTC)
AT_ONCE = {"queue": 20, "values": 5, "jobs": 8}
"""How many do each kind of work in one process."""
JOB = {"agentool_name": "storage_kv", "input_data": {"operation": "increment", "key": "runs"}}


class Deadlocks:
    """The deadlocks that were met, each with its detail and the statement that was given up."""

    def __init__(self) -> None:
        self.met: list[str] = []
        self._statement = ""
        run, may_pass = Session._sql, Postgres.may_pass

        def noted(session: Session, sql: str) -> str:
            self._statement = sql
            return run(session, sql)

        def watched(dialect: Postgres, error: Any) -> bool:
            if getattr(error, "sqlstate", None) == "40P01":
                self.met.append(f"{error.diag.message_detail}; {error.diag.context}; {' '.join(self._statement.split())}")
            return may_pass(dialect, error)

        Session._sql, Postgres.may_pass = noted, watched


class Share:
    """What one process does until its time is over."""

    def __init__(self, url: str, name: str) -> None:
        self.url, self.name = url, name
        self.chance = random.Random(name)

    async def work(self, kinds: list[str], seconds: float) -> int:
        database = Database(dialect_for(self.url), MIGRATIONS)
        await database.open()
        self.queue, self.values = SqlQueueBackend(database), SqlKeyValueStore(database)
        async with Toolkit(Settings(database=self.url, timezone="UTC", log_level="CRITICAL")) as self.kit:
            end = asyncio.get_running_loop().time() + seconds
            workers = [self._repeat(kind, number, end) for kind in kinds for number in range(AT_ONCE[kind])]
            done = sum(await asyncio.gather(*workers))
        await database.close()
        return done

    async def _repeat(self, kind: str, number: int, end: float) -> int:
        for done in count():
            if asyncio.get_running_loop().time() >= end:
                return done
            await getattr(self, f"do_{kind}")(number, done)
        raise AssertionError

    async def do_queue(self, number: int, done: int) -> None:
        token = f"{self.name}-{number}-{done}"
        await self.queue.add(QueueMessage(token, "q", "1", NOW, NOW), None)
        for found in (await self.queue.take("q", Lease(token, 2, 10), NOW)).messages:
            await self.queue.remove("q", found.receipt, NOW)

    async def do_values(self, number: int, done: int) -> None:
        value = StoredValue(str(done), NOW if done % 3 else None)
        for key in range(5):
            await self.values.change("n", f"k{(key * 7 + number + done) % 13}", lambda before: value, NOW)

    async def do_jobs(self, number: int, done: int) -> None:
        job_id = f"j{self.chance.randrange(6)}"
        change: dict[str, Any] = self.chance.choice(
            [
                {"operation": "schedule", "schedule": self.chance.choice(("1 second", "2 seconds", "after j0")), "replace": True, **JOB},
                {"operation": "pause"},
                {"operation": "resume"},
                {"operation": "update", "description": str(done)},
                {"operation": "run_now"},
                {"operation": "cancel"},
            ]
        )
        with suppress(SchedulerError):
            await self.kit.injector.run("scheduler", {**change, "job_id": job_id})


async def main(url: str, name: str, seconds: str, kinds: str, slot: str) -> None:
    deadlocks = Deadlocks()
    if int(slot) >= 0:
        queues._own_slot = lambda session: int(slot)
    done = await Share(url, name).work(kinds.split(","), float(seconds))
    print(json.dumps({"done": done, "deadlocks": deadlocks.met}))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
