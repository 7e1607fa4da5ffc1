"""Many at once on a database: a portion is one transaction and few statements, and what is refused of it is refused alone."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from agentoolkit.database.session import Session
from agentoolkit.database.worker import DatabaseThread
from agentoolkit.portions import IN_A_TURN
from agentoolkit.settings import Settings
from agentoolkit.system.scheduler.execution_records import Execution, ExecutionStatus
from agentoolkit.system.scheduler.service import SchedulerService
from agentoolkit.testing import TestToolkit, toolkit

from .conftest import LIST, Api

PORTION = 64
MANY = 2 * PORTION
MAX_STATEMENTS = 60
"""For two portions."""


class Counted:
    """What a database is asked for."""

    def __init__(self) -> None:
        self.statements = 0
        self.commits = 0
        self.seen: list[int] = []
        """Rows that another process would see after each commit."""


@pytest.fixture
async def kit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[TestToolkit]:
    for module in ("bulk", "batches"):
        monkeypatch.setattr(f"agentoolkit.entrypoints.rest.{module}.IN_A_TURN", PORTION)
    settings = Settings.from_values({"timezone": "UTC", "database": f"sqlite:///{tmp_path / 'jobs.db'}"})
    async with toolkit(settings=settings) as opened:
        yield opened


@pytest.fixture
def counted(kit: TestToolkit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Counted:
    """Count statements and commits, and look from outside what each commit has left."""
    counted = Counted()
    for name in ("rows", "row", "run"):
        _count(monkeypatch, counted, name)
    from_rows = Session.from_rows

    def many(session: Session, sql: str, columns: Any, rows: Any) -> list[Any]:
        counted.statements += sum(1 for _ in session._dialect.with_rows(columns, rows))
        return from_rows(session, sql, columns, rows)

    transaction = DatabaseThread._transaction

    def committed(thread: DatabaseThread, batch: Any) -> list[Any]:
        results = transaction(thread, batch)
        if thread._writes:
            counted.commits += 1
            with sqlite3.connect(tmp_path / "jobs.db") as outside:
                counted.seen.append(outside.execute("SELECT COUNT(*) FROM agentool_jobs").fetchone()[0])
            outside.close()
        return results

    monkeypatch.setattr(Session, "from_rows", many)
    monkeypatch.setattr(DatabaseThread, "_transaction", committed)
    return counted


def _count(monkeypatch: pytest.MonkeyPatch, counted: Counted, name: str) -> None:
    original = getattr(Session, name)

    def once(*given: Any) -> Any:
        counted.statements += 1
        return original(*given)

    monkeypatch.setattr(Session, name, once)


def tasks(number: int) -> list[dict[str, Any]]:
    return [{"name": f"task {place}", "schedule": "0 9 * * *", **LIST} for place in range(number)]


async def bulk(api: Api, **asked: Any) -> dict[str, Any]:
    action = await api("POST", "/bulk", status=202, json=asked)
    while action["status"] == "running":
        await asyncio.sleep(0.005)
        action = await api("GET", f"/bulk/{action['bulk_id']}")
    return action


async def test_tasks_are_created_in_portions(api: Api, counted: Counted) -> None:
    """A portion is one commit: a process that is killed leaves whole portions behind, and nothing else."""
    await api("GET", "/tasks")
    counted.statements = 0
    made = await api("POST", "/batch/tasks", json={"tasks": tasks(MANY)})
    assert (made["created"], made["failed"]) == (MANY, 0)
    assert counted.statements < MAX_STATEMENTS
    assert set(counted.seen) <= {0, PORTION, MANY}


async def test_a_portion_is_short_where_others_share_the_event_loop(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is sent many jobs begins with no more of them in one turn than take some milliseconds."""
    monkeypatch.undo()
    begun: list[int] = []
    add = SchedulerService.add

    async def counting(*given: Any, **named: Any) -> Any:
        begun[-1] += 1
        return await add(*given, **named)

    async def turns() -> None:
        while True:
            begun.append(0)
            await asyncio.sleep(0)

    monkeypatch.setattr(SchedulerService, "add", counting)
    turning = asyncio.create_task(turns())
    await api("POST", "/batch/tasks", json={"tasks": tasks(3 * IN_A_TURN)})
    turning.cancel()
    assert (max(begun), sum(begun)) == (IN_A_TURN, 3 * IN_A_TURN)


async def test_what_is_refused_of_a_portion_is_refused_alone(api: Api, counted: Counted) -> None:
    """Two of one portion with the same name: one is there, the other is told so, and the commits stay few."""
    wanted = tasks(20)
    wanted[7]["name"], wanted[7]["schedule"] = wanted[3]["name"], "0 10 * * *"
    made = await api("POST", "/batch/tasks", json={"tasks": wanted})
    assert (made["created"], made["failed"], made["failures"][0]["id"]) == (19, 1, "task 3")
    assert counted.commits < 10


@pytest.mark.parametrize("action", ["pause", "resume", "delete"])
async def test_jobs_are_changed_in_portions(api: Api, counted: Counted, action: str) -> None:
    """Each of the changes that a request makes to many."""
    await api("POST", "/batch/tasks", json={"tasks": tasks(MANY)})
    if action == "resume":
        await bulk(api, action="pause", query="tool:queue")
    counted.statements = counted.commits = 0
    done = await bulk(api, action=action, query="tool:queue")
    assert (done["done"], done["failed"]) == (MANY, 0)
    assert (counted.statements < MAX_STATEMENTS, counted.commits < 10) == (True, True), (counted.statements, counted.commits)


async def test_executions_are_retried_in_portions(api: Api, kit: TestToolkit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each portion is written at once; one whose job is gone is named."""
    at = kit.clock.now()
    ids = (await api("POST", "/batch/tasks", json={"tasks": tasks(MANY)}))["task_ids"]
    failed = ExecutionStatus.FAILED
    ended = [Execution(f"{id_}@x", id_, "queue", at, status=failed, started_at=at, finished_at=at) for id_ in [*ids, "gone"]]
    await kit.scheduler.store.insert(ended)
    portions: list[int] = []
    from_rows = Session.from_rows

    def many(session: Session, sql: str, columns: Any, rows: Any) -> list[Any]:
        if "INSERT INTO agentool_executions" in sql and rows:
            portions.append(len(rows))
        return from_rows(session, sql, columns, rows)

    monkeypatch.setattr(Session, "from_rows", many)
    done = await bulk(api, action="retry", query="status:failed")
    assert (done["done"], done["failed"], [each["id"] for each in done["failures"]]) == (MANY, 1, ["gone@x"])
    assert (sum(portions), len(portions) <= 4) == (MANY, True)
