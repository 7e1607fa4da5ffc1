"""A process that shares a PostgreSQL database with others like it for some seconds. Started by the tests, as a script.

Arguments: the database, a name of its own, the seconds, what it works on (``queue``, ``values``, ``jobs``, ``executions``, with
commas between), and the row in which it counts messages (-1: one of its own). It prints as JSON how often it did what it does,
the executions that it claimed, and the deadlocks that it met, with the statement that was given up.
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
from agentoolkit.database.dialects import dialect_for
from agentoolkit.database.migrations import MIGRATIONS
from agentoolkit.database.postgres_dialect import Postgres
from agentoolkit.database.session import Session
from agentoolkit.settings import Settings
from agentoolkit.storage.kv.ports import StoredValue
from agentoolkit.storage.kv.sql import SqlKeyValueStore
from agentoolkit.system.queue.backends.sql import SqlQueueBackend, queues
from agentoolkit.system.queue.messages import QueueMessage
from agentoolkit.system.queue.ports import Lease
from agentoolkit.system.scheduler.errors import SchedulerError
from agentoolkit.system.scheduler.execution_records import Execution, ExecutionStatus
from agentoolkit.system.scheduler.ports import Ending
from agentoolkit.system.scheduler.stores.sql import SqlJobStore
from agentoolkit.time_source import SystemTime
from agentoolkit.wiring import Toolkit

NOW = datetime(2030, 1, 1, tzinfo=UTC)
AT_ONCE = {"queue": 20, "values": 5, "jobs": 8, "executions": 6}
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
        self.claimed: list[str] = []

    async def work(self, kinds: list[str], seconds: float) -> int:
        database = Database(dialect_for(self.url), MIGRATIONS)
        await database.open()
        self.queue, self.values = SqlQueueBackend(database), SqlKeyValueStore(database)
        self.store = SqlJobStore(Database(dialect_for(self.url), MIGRATIONS), SystemTime())
        await self.store.open()
        async with Toolkit(Settings(database=self.url, timezone="UTC", log_level="CRITICAL")) as self.kit:
            end = asyncio.get_running_loop().time() + seconds
            workers = [self._repeat(kind, number, end) for kind in kinds for number in range(AT_ONCE[kind])]
            done = sum(await asyncio.gather(*workers))
        await self.store.close()
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

    async def do_executions(self, number: int, done: int) -> None:
        """Claim and finish, or cancel, executions that every process names, and each in another order."""
        jobs = [f"x{place}" for place in range(6)]
        if done == 0:
            for job_id in jobs:
                with suppress(SchedulerError):
                    await self.kit.injector.run("scheduler", {"operation": "schedule", "schedule": "1 day", "job_id": job_id, **JOB})
        asked = [Execution(f"{job_id}@{done // 2}", job_id, "storage_kv", NOW, trigger="requested") for job_id in jobs]
        await self.store.insert(asked)
        self.chance.shuffle(asked)
        if number % 3 == 0:
            cancelled = [each._replace(status=ExecutionStatus.CANCELLED, finished_at=NOW) for each in asked[:2]]
            await self.store.finish([Ending(each, None, ExecutionStatus.QUEUED) for each in cancelled])
        claimed = await self.store.claim_executions([each.execution_id for each in asked], NOW, begins=lambda execution_id, job: True)
        self.claimed += [each.execution.execution_id for each in claimed]
        ended = [each.execution.succeeded(NOW, 0.0, None, "") for each in claimed]
        self.chance.shuffle(ended)
        written = await self.store.finish([Ending(each) for each in ended])
        assert all(each.written for each in written)


async def main(url: str, name: str, seconds: str, kinds: str, slot: str) -> None:
    deadlocks = Deadlocks()
    if int(slot) >= 0:
        queues._own_slot = lambda session: int(slot)
    share = Share(url, name)
    done = await share.work(kinds.split(","), float(seconds))
    print(json.dumps({"done": done, "claimed": share.claimed, "deadlocks": deadlocks.met}))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
