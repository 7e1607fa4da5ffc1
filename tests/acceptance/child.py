"""A process that schedules and runs jobs, and can be told to die at a named point. Started by the tests, as a script.

It is told what to do by one JSON argument (see `Orders`), and leaves three traces for an oracle that does not trust the
scheduler: a line in a file for every start of the handler, a row in a database of its own for every message that
reached the queue, and what it prints.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from agentool import BaseOperationInput, RunContext, create_agentool
from agentool.agentool import AgenTool
from agentool.handlers import read_operations
from agentoolkit.database.worker import DatabaseThread
from agentoolkit.settings import Settings
from agentoolkit.system.scheduler import current_execution
from agentoolkit.system.scheduler.engine import attempts
from agentoolkit.system.scheduler.executors.local import LocalExecutor
from agentoolkit.system.scheduler.stores.sql import execution_changes, single_statements
from agentoolkit.system.scheduler.stores.sql import leader_lease_and_owners as lead
from agentoolkit.system.scheduler.stores.sql import store as store_module
from agentoolkit.system.scheduler.stores.sql.transactions import writes
from agentoolkit.wiring import Toolkit


@dataclass
class Orders:
    """What to do."""

    folder: str
    database: str
    crash: str = ""
    at: int = 1
    """At which passing of the crash point."""
    naps: float = 0.0
    """Seconds that the handler takes."""
    poison: str = ""
    """The job whose handler kills its process."""
    lease: float = 0.0
    """Seconds, where the leader's lease and heartbeat are to be short."""
    until_done: float = 0.0
    """Seconds to wait, at most, until every job is over and every message delivered; 0: until a signal."""
    concurrency: int = 100
    stubborn: bool = False
    """Does the handler swallow its cancellation for two seconds?"""
    restless: float = 0.0
    """Seeds when its scheduler restarts; 0: never."""


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Traces:
    """What this process did, where the test finds it."""

    def __init__(self, folder: Path) -> None:
        self._starts = os.open(folder / "starts", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self._queue = sqlite3.connect(folder / "queue.db", timeout=20, isolation_level=None)
        self._queue.execute("PRAGMA journal_mode = WAL")
        self._queue.execute("PRAGMA synchronous = OFF")
        self._queue.execute("CREATE TABLE IF NOT EXISTS messages (id TEXT PRIMARY KEY, payload TEXT, times INTEGER)")

    def started(self, *facts: object) -> None:
        os.write(self._starts, (" ".join(map(str, facts)) + "\n").encode())

    def delivered(self, message_id: str, payload: str) -> None:
        sql = "INSERT INTO messages VALUES (?, ?, 1) ON CONFLICT (id) DO UPDATE SET times = times + 1"
        self._queue.execute(sql, (message_id, payload))


class WorkInput(BaseOperationInput):
    operation: Literal["run"]


class QueueInput(BaseOperationInput):
    operation: Literal["enqueue"]
    queue_name: str
    message: dict[str, Any]
    message_id: str = ""


@dataclass
class World:
    orders: Orders
    traces: Traces
    crash: Callable[[str], None]


async def work_run(ctx: RunContext[World]) -> str:
    execution, world = current_execution(), ctx.deps
    assert execution is not None
    world.traces.started(execution.execution_id, execution.attempt, os.getpid())
    if execution.job_id == world.orders.poison:
        die()
    world.crash("handler")
    if world.orders.stubborn:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        await asyncio.sleep(2)
    elif world.orders.naps:
        await asyncio.sleep(world.orders.naps)
    return "done"


async def queue_enqueue(ctx: RunContext[World], queue_name: str, message: dict[str, Any], message_id: str = "") -> str:
    ctx.deps.traces.delivered(message_id, json.dumps(message))
    ctx.deps.crash("enqueued")
    return "kept"


class CrashPoints:
    """Dies at one point, at its n-th passing. Every point is put in from outside: the product knows nothing of it."""

    def __init__(self, wanted: str, at: int) -> None:
        self._wanted, self._left = wanted, at
        self._written: set[str] = set()

    def passed(self, point: str) -> None:
        if point and point == self._wanted:
            self._left -= 1
            if self._left <= 0:
                die()

    def install(self) -> None:
        self._in_transaction(store_module.SqlJobStore, "claim", "in_claim", "claimed")
        for of, prefix in ((execution_changes, ""), (single_statements, "_")):
            self._in_transaction(of, f"{prefix}begin", "in_begin", "begun")
            self._in_transaction(of, f"{prefix}finish", "in_finish", "finished")
        self._around_method(store_module.SqlJobStore, "claim", before="before_claim")
        self._around_method(attempts, "run_attempt", after="handled")
        self._around_method(store_module.SqlJobStore, "delivered", after="delivered")
        self._after_commit()
        submit = LocalExecutor.submit

        def submitted(*given: Any, **more: Any) -> None:
            submit(*given, **more)
            self.passed("submitted")

        LocalExecutor.submit = submitted  # type: ignore[method-assign]

    def _around_method(self, of: Any, name: str, before: str = "", after: str = "") -> None:
        original = getattr(of, name)

        async def wrapped(*given: Any, **more: Any) -> Any:
            self.passed(before)
            result = await original(*given, **more)
            self.passed(after)
            return result

        setattr(of, name, wrapped)

    def _in_transaction(self, of: Any, name: str, inside: str, afterwards: str) -> None:
        method = getattr(of, name)
        statement = getattr(method, "__wrapped__", method)

        def wrapped(*given: Any, **more: Any) -> Any:
            result = statement(*given, **more)
            self.passed(inside)
            self._written.add(afterwards)
            return result

        setattr(of, name, wrapped if statement is method else writes(wrapped))

    def _after_commit(self) -> None:
        transaction = DatabaseThread._transaction

        def wrapped(worker: Any, batch: Any) -> Any:
            result = transaction(worker, batch)
            if worker._writes:
                written, self._written = self._written, set()
                for point in written:
                    self.passed(point)
            return result

        DatabaseThread._transaction = wrapped  # type: ignore[method-assign]


POINTS = (
    "before_claim",
    "in_claim",
    "claimed",
    "submitted",
    "in_begin",
    "begun",
    "handler",
    "handled",
    "in_finish",
    "finished",
    "enqueued",
    "delivered",
)


async def serve(orders: Orders) -> None:
    points = CrashPoints(orders.crash, orders.at)
    points.install()
    world = World(orders, Traces(Path(orders.folder)), points.passed)
    settings = Settings(database=orders.database, durability="normal", timezone="UTC", concurrency=orders.concurrency)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, tell_what_is_awaited)
    async with opened(Toolkit(settings), world) as kit:
        print("ready", flush=True)
        if orders.restless:
            restarting = asyncio.create_task(restart_again_and_again(kit, random.Random(orders.restless)))
            await ended.wait()
            restarting.cancel()
        elif orders.until_done:
            await until_done(kit, orders.until_done)
        else:
            await ended.wait()
    print("closed", flush=True)


def tell_what_is_awaited() -> None:
    """Print where every task waits, for a test whose process does not end."""
    for task in asyncio.all_tasks():
        task.print_stack(file=sys.stderr)


async def restart_again_and_again(kit: Toolkit, chance: random.Random) -> None:
    while True:
        await asyncio.sleep(chance.uniform(0.3, 2.0))
        await kit.injector.run("scheduler", {"operation": "restart"})


@asynccontextmanager
async def opened(kit: Toolkit, world: World | None) -> AsyncIterator[Toolkit]:
    """Open a toolkit with the AgenTools of these tests."""
    create_agentool("work", WorkInput, {"run": work_run}, deps=world, injector=kit.injector)
    queue = AgenTool("queue", QueueInput, read_operations(QueueInput, {"enqueue": queue_enqueue}), world)
    with kit.injector.override("queue", queue):
        async with kit:
            yield kit


async def ask(database: str, requests: Sequence[dict[str, Any]]) -> list[Any]:
    """Ask the scheduler on a database, as a visitor that starts nothing itself, and return the answers' data."""
    kit = Toolkit(Settings(database=database, durability="normal", timezone="UTC"), runs_jobs=False)
    async with opened(kit, None):
        return [(await kit.injector.run("scheduler", request)).data for request in requests]


async def until_done(kit: Toolkit, seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while True:
            jobs = await kit.scheduler.lookup.jobs()
            left = await kit.database.read(_left)
            if left == 0 and not any(stored.state.due_at for stored in jobs):
                return
            await asyncio.sleep(0.1)


def _left(session: Any) -> int:
    unfinished = session.row("SELECT COUNT(*) FROM agentool_executions WHERE finished_at IS NULL")[0]
    return unfinished + session.row("SELECT COUNT(*) FROM agentool_outbox")[0]


def main() -> None:
    orders = Orders(**json.loads(sys.argv[1]))
    logging.disable(logging.CRITICAL)
    if orders.lease:
        lead.LEASE_SECONDS = orders.lease
        lead.OWNER_SECONDS = orders.lease
        lead.HEARTBEAT_SECONDS = orders.lease / 5
    asyncio.run(serve(orders))


if __name__ == "__main__":
    main()
