"""A toolkit on a real database whose clock is moved by hand, and which can be dropped as if its process had been killed."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Literal

from agentool import BaseOperationInput, Injector, RunContext, create_agentool
from agentoolkit.settings import Settings
from agentoolkit.system.scheduler import current_execution
from agentoolkit.system.scheduler.engine.active_executions import Phase
from agentoolkit.testing import ManualTime, TestToolkit

START = datetime(2030, 1, 1, tzinfo=UTC)
PATIENCE = 10.0
RUN = {"agentool_name": "work", "input_data": {"operation": "run"}}


class WorkInput(BaseOperationInput):
    operation: Literal["run"]


class World:
    """Everything that outlives a crash: the database, the time, and what handlers did."""

    def __init__(self, database: Path | None) -> None:
        self.database = database
        self.now = START
        self.starts: Counter[str] = Counter()
        self.running = self.most_running = 0
        self.naps = 0.0
        """Seconds, of the moved clock, that a handler takes; below zero: for ever."""
        self.kit: TestToolkit | None = None

    async def open(self) -> None:
        clock = ManualTime(self.now)
        database = None if self.database is None else str(self.database)
        settings = Settings(database=database, durability="normal", timezone="UTC", concurrency=1_000)
        kit = TestToolkit(settings, clock, Injector())
        create_agentool("work", WorkInput, {"run": _run}, deps=self, injector=kit.injector)
        await kit.__aenter__()
        self.kit = kit
        await self.quiet()

    async def close(self) -> None:
        await self.kit.__aexit__(None, None, None)
        self.kit = None

    async def crash(self) -> None:
        """Drop everything, as kill -9 does: nothing is released, resigned or written."""
        kit, self.kit = self.kit, None
        store = kit.scheduler.store
        store._heartbeat.stop()
        if (engine := kit.scheduler.lifecycle.engine) is not None:
            engine.dispatch.active.stopping = True  # what cancels the handlers here is none of their own doing
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        ended = {"pid": _dead(), "owner": store.owner}
        sql = "UPDATE agentool_owners SET pid = :pid WHERE owner = :owner"
        await kit.database.write(lambda session: session.run(sql, ended))
        await kit.database.close()

    async def ask(self, operation: str, **fields: Any) -> Any:
        answer = await self.kit.injector.run("scheduler", {"operation": operation, **fields})
        await self.quiet()
        return answer.data

    async def advance(self, seconds: float, step: float = 0.5) -> None:
        end = self.kit.clock.now() + timedelta(seconds=seconds)
        while self.kit.clock.now() < end:
            await self.kit.clock.advance(seconds=min(step, (end - self.kit.clock.now()).total_seconds()))
            await self.quiet()
        self.now = self.kit.clock.now()

    async def jump(self, seconds: float) -> None:
        """Set the wall clock, and let the scheduler's next look at it come."""
        self.kit.clock.jump(self.kit.clock.now() + timedelta(seconds=seconds))
        self.kit.scheduler.lifecycle.engine.clock.wakeup()  # what `longest_sleep` does each second on a real clock
        await self.quiet()
        self.now = self.kit.clock.now()

    async def quiet(self) -> None:
        """Wait, in real time, until nothing but handlers that nap is under way."""
        deadline, quiet = time.monotonic() + PATIENCE, 0
        while quiet < 3:
            assert time.monotonic() < deadline, "the scheduler stalled"
            await self.kit.clock.let_run()
            engine = self.kit.scheduler.lifecycle.engine
            here = sum(active.phase is not Phase.WAITING for active in engine.dispatch.active.all()) - self.running
            busy = here or engine.dispatch.tasks or engine.claiming._rounds or self._writes()
            quiet = 0 if busy else quiet + 1
            if busy or self.database is not None:
                await asyncio.sleep(0.001)

    def _writes(self) -> bool:
        return self.kit.database is not None and self.kit.database.is_busy

    async def rows(self) -> list[Any]:
        return list(await self.kit.scheduler.store.executions(None, 100_000))


async def _run(ctx: RunContext[World]) -> str:
    world, execution = ctx.deps, current_execution()
    world.starts[execution.execution_id] += 1
    if world.naps:
        world.running += 1
        world.most_running = max(world.most_running, world.running)
        try:
            await _nap(world)
        finally:
            world.running -= 1
    return "done"


async def _nap(world: World) -> None:
    over = asyncio.Event()
    if world.naps > 0:
        world.kit.clock.call_later(world.naps, over.set)
    await over.wait()


@cache
def _dead() -> int:
    """Return the id of a process that has ended."""
    ended = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.DEVNULL)
    ended.wait()
    assert ended.pid != os.getpid()
    return ended.pid
