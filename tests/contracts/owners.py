"""Steps of tests with several owners of one database."""

from __future__ import annotations

import asyncio
import sys

from agentoolkit.system.scheduler.execution_records import Execution, ExecutionStatus
from agentoolkit.system.scheduler.stores.sql import SqlJobStore

from .job_store_steps import at


async def sql(store: SqlJobStore, statement: str, **parameters: object) -> None:
    await store._database.write(lambda session: session.run(statement, parameters))


async def count(store: SqlJobStore, table: str) -> int:
    row = await store._database.read(lambda session: session.row(f"SELECT COUNT(*) FROM {table}"))
    return row[0] if row else 0


async def dies(store: SqlJobStore) -> None:
    """Make a store look like one of a process that was killed."""
    ended = await asyncio.create_subprocess_exec(sys.executable, "-c", "")
    await ended.wait()
    store._heartbeat.stop()
    await sql(store, "UPDATE agentool_owners SET pid = :pid WHERE owner = :owner", pid=ended.pid, owner=store.owner)


async def falls_silent(store: SqlJobStore) -> None:
    """Make a store look like one of a process that stopped, or is cut off, longer than its lease."""
    store._heartbeat.stop()
    await sql(store, "UPDATE agentool_owners SET heartbeat_at = 0 WHERE owner = :owner", owner=store.owner)
    await sql(store, "UPDATE agentool_leases SET expires_at = 0 WHERE owner = :owner", owner=store.owner)


def started(execution: Execution) -> Execution:
    return execution._replace(status=ExecutionStatus.RUNNING, started_at=execution.scheduled_at)


def retrying(execution: Execution, minutes: float) -> Execution:
    return execution._replace(status=ExecutionStatus.RETRYING, attempt=execution.attempt + 1, retry_at=at(minutes), started_at=None)
