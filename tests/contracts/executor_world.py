"""A scheduler on a database, with an executor under test, and what its handlers wrote down."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agentoolkit.settings import Settings
from agentoolkit.system.scheduler.ports import HERE, Order, Route
from agentoolkit.wiring import Toolkit

from .executor_work import work_tool
from .executors import ProcessExecutor
from .workers import Worker

PATIENCE = 60.0
"""Seconds of real time after which a test gives up waiting."""


class World:
    """A scheduler on a database, with the executor under test; where workers of an engine have it too, that worker."""

    def __init__(self, kind: str, folder: Path, worker: Worker | None = None) -> None:
        self.kind = kind
        self.worker = worker
        self.database = str(folder / "agentool.db") if worker is None else worker.database
        self.log = folder / "log" if worker is None else worker.log
        self.log.write_text("")
        self.since = datetime.now(UTC)
        self.kit: Any = None

    async def open(self, concurrency: int = 100) -> None:
        settings = {} if self.worker is None else {**self.worker.settings, "sent_at_once": concurrency}
        self.kit = Toolkit(Settings(database=self.database, timezone="UTC", concurrency=concurrency, **settings))
        work_tool(self.kit.injector, self.log)
        if self.kind == "process":
            self.kit.scheduler.lifecycle._parts = replace(self.kit.scheduler.parts, executor=self._process_executor)
        await self.kit.__aenter__()

    async def close(self) -> None:
        if self.kit is not None and self.worker is not None:
            store = self.kit.scheduler.store
            for row in await self.rows():
                await store.request_cancel(row.execution_id)  # the worker is the next test's too
            for stored in await store.list_jobs():
                await store.remove(stored.job.job_id, datetime.now(UTC))
            await store.set_stopped(False)
            await self.until(lambda rows: all(row.finished or row.status.value != "running" for row in rows))
        if self.kit is not None:
            await self.kit.__aexit__(None, None, None)
            self.kit = None

    def order(self, execution_id: str) -> Order:
        return Order(execution_id, route=HERE if self.worker is None else Route(self.kit.settings.executor))

    def _process_executor(self, attempts: Any, concurrency: int) -> ProcessExecutor:
        return ProcessExecutor(attempts, concurrency, self.database, self.log)

    @property
    def executor(self) -> Any:
        return self.kit.scheduler.lifecycle.engine.dispatch.executor

    async def ask(self, operation: str, **fields: Any) -> Any:
        return (await self.kit.injector.run("scheduler", {"operation": operation, **fields})).data

    async def add(self, job_id: str, naps: float = 0.0, **fields: Any) -> None:
        work = {"agentool_name": "work", "input_data": {"operation": "run", "naps": naps}}
        short = {"timeout": 29, "misfire_grace_time": None}  # so that ids travel together
        await self.ask("schedule", job_id=job_id, schedule="now", **{**short, **work, **fields})

    async def rows(self) -> list[Any]:
        rows = await self.kit.scheduler.store.executions(None, 1_000)
        return [row for row in rows if row.scheduled_at >= self.since]  # else it is of a test before this one

    async def until(self, holds: Callable[[list[Any]], bool]) -> list[Any]:
        async with asyncio.timeout(PATIENCE):
            while not holds(rows := await self.rows()):  # noqa: ASYNC110  another process tells nothing
                await asyncio.sleep(0.02)
        return rows

    async def all_over(self, number: int) -> list[Any]:
        return await self.until(lambda rows: len(rows) == number and all(row.finished for row in rows))

    def lines(self, event: str) -> list[tuple[str, int, float, float]]:
        """Return what the handlers wrote: the job, the process, when it began, when it ended."""
        split = [line.split() for line in self.log.read_text().splitlines()]
        return [(id_.partition("@")[0], int(pid), float(began), float(ended)) for said, id_, pid, began, ended in split if said == event]
