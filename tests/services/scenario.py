"""A day in a scheduler's life in a few steps of a moved clock, on a database that fails when it is told to."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from agentool import BaseOperationInput, Injector, RunContext, create_agentool
from agentoolkit.database.session import CommitUnknown, DatabaseError
from agentoolkit.database.worker import DatabaseThread
from agentoolkit.settings import Settings
from agentoolkit.system.scheduler import current_execution
from agentoolkit.system.scheduler.errors import JobNotFound
from agentoolkit.system.scheduler.execution_records import Execution
from agentoolkit.testing import ManualTime, TestToolkit

START = datetime(2030, 1, 1, tzinfo=UTC)
PATIENCE = 10.0
RUN = {"agentool_name": "work", "input_data": {"operation": "run"}}
ALWAYS = {"misfire_grace_time": None, "coalesce": False, "max_instances": 100, "end_at": "2030-01-01T00:00:07.500000+00:00"}


class Faults:
    """Counts the transactions of a database and lets the N-th fail: ``refused`` undone, or ``unknown`` done, without an answer."""

    def __init__(self, number: int, kind: str) -> None:
        self.number, self.kind = number, kind
        self.calls = 0
        self.failed = ""
        self.outstanding = 0

    def install(self, monkeypatch: Any) -> None:
        transaction, do = DatabaseThread._transaction, DatabaseThread.do
        faults = self

        def failing(worker: Any, batch: Any) -> Any:
            faults.calls += 1
            if faults.calls != faults.number:
                return transaction(worker, batch)
            faults.failed = f"{'write' if worker._writes else 'read'} of {len(batch)}"
            if faults.kind == "unknown" and worker._writes:
                transaction(worker, batch)
                raise CommitUnknown("nobody knows")
            raise DatabaseError("refused for once")

        def counting(worker: Any, *given: Any, **more: Any) -> Any:
            faults.outstanding += 1
            future = do(worker, *given, **more)
            future.add_done_callback(lambda _: setattr(faults, "outstanding", faults.outstanding - 1))
            return future

        monkeypatch.setattr(DatabaseThread, "_transaction", failing)
        monkeypatch.setattr(DatabaseThread, "do", counting)


class WorkInput(BaseOperationInput):
    operation: Literal["run"]
    fails_first: bool = False


class Handler:
    """Notes every start; at the first attempt it raises if it is told to."""

    def __init__(self) -> None:
        self.starts: Counter[tuple[str, int]] = Counter()


async def work_run(ctx: RunContext[Handler], fails_first: bool = False) -> str:
    execution = current_execution()
    assert execution is not None
    ctx.deps.starts[execution.execution_id, execution.attempt] += 1
    if fails_first and execution.attempt == 1:
        raise OSError("not yet")
    return "done"


class Scenario:
    """Three jobs and one that comes after another, ten seconds, a pause, a cancellation, and a result queue."""

    def __init__(self, database: str, faults: Faults) -> None:
        self.faults = faults
        self.handler = Handler()
        self.clock = ManualTime(START)
        self.injector = Injector()
        create_agentool("work", WorkInput, {"run": work_run}, deps=self.handler, injector=self.injector)
        self.kit = TestToolkit(Settings(database=database, durability="normal", timezone="UTC"), self.clock, self.injector)
        self.rows: list[Execution] = []
        self.messages: list[Any] = []
        self.refusals: list[str] = []

    async def run(self) -> None:
        await self._surely(self.kit.__aenter__)
        try:
            await self._life()
            self.faults.number = 0  # what follows is the test's own
            self.rows = [row for job in "abcd" for row in await self._surely(lambda job=job: self.kit.scheduler.store.executions(job, 100))]
            taken = {"operation": "dequeue", "queue_name": "results", "count": 100, "auto_ack": True}
            self.messages = [message["message"] for message in (await self.injector.run("queue", taken)).data["messages"]]
        finally:
            await self.kit.__aexit__(None, None, None)

    async def _life(self) -> None:
        retried = {**RUN, "input_data": {"operation": "run", "fails_first": True}, "max_retries": 1, "retry_backoff": 0.5}
        await self._ask("schedule", job_id="a", schedule="1 second", **RUN, **ALWAYS)
        await self._ask("schedule", job_id="b", schedule="1 second", **retried, **ALWAYS)
        await self._ask("schedule", job_id="c", schedule="1 second", result_queue="results", **RUN, **ALWAYS)
        await self._ask("schedule", job_id="d", schedule="after b", max_instances=100, **RUN)
        await self._until(2.25)
        await self._ask("pause", job_id="a")
        await self._until(3.25)
        await self._ask("resume", job_id="a")
        await self._until(4.25)
        await self._ask("cancel", job_id="c")
        await self._until(9.5)  # two seconds after the last due time

    async def _ask(self, operation: str, **fields: Any) -> Any:
        return await self._surely(lambda: self.injector.run("scheduler", {"operation": operation, **fields}))

    async def _surely(self, ask: Callable[[], Awaitable[Any]]) -> Any:
        """Ask, as a patient user does: once more if it was refused."""
        try:
            return await ask()
        except DatabaseError as error:
            self.refusals.append(str(error))
            try:
                return await ask()
            except JobNotFound:  # it was cancelled, and the answer was lost
                return None

    async def _until(self, seconds: float) -> None:
        end = START + timedelta(seconds=seconds)
        while self.clock.now() < end:
            await self.clock.advance(seconds=0.25)
            await self._quiet()

    async def _quiet(self) -> None:
        """Wait, in real time, until nothing is under way."""
        deadline = time.monotonic() + PATIENCE
        quiet = 0
        while quiet < 2:
            assert time.monotonic() < deadline, "the scheduler stalled"
            await self.clock.let_run()
            engine = self.kit.scheduler.lifecycle.engine
            quiet = 0 if self.faults.outstanding or engine is None or _busy(engine) else quiet + 1
            if not quiet:
                await asyncio.sleep(0.0005)


def _busy(engine: Any) -> bool:
    return bool(engine.dispatch.executor.waiting or len(engine.dispatch.active) or engine.dispatch.tasks or engine.claiming._rounds)
