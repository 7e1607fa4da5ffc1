"""A toolkit on a real database by a moved clock, as short as a test can say it."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Literal

from agentool import BaseOperationInput, Injector, RunContext, create_agentool
from agentoolkit.settings import Settings
from agentoolkit.system.scheduler.engine.active_executions import Phase
from agentoolkit.testing import ManualTime, TestToolkit

from .scenario import START

PATIENCE = 15.0
RUN = {"agentool_name": "work", "input_data": {"operation": "run"}}


class WorkInput(BaseOperationInput):
    operation: Literal["run"]


async def work_run(ctx: RunContext[Life]) -> str:
    life = ctx.deps
    life.starts += 1
    if life.starts <= life.raises:
        raise OSError("not yet")
    if life.naps:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if not life.stays:
                raise
            await life.may_end.wait()
    return "done"


class Life:
    """One process's worth of a scheduler."""

    def __init__(self, database: str, clock: ManualTime | None = None) -> None:
        self.database = database
        self.clock = clock or ManualTime(START)
        self.starts = self.raises = 0
        self.naps = self.stays = False
        """Does a handler wait, and does it then stay until `may_end` though it is cancelled?"""
        self.may_end = asyncio.Event()

    @property
    def now(self):
        return self.clock.now()

    async def open(self) -> None:
        settings = Settings(database=self.database, durability="normal", timezone="UTC")
        self.kit = TestToolkit(settings, self.clock, Injector())
        create_agentool("work", WorkInput, {"run": work_run}, deps=self, injector=self.kit.injector)
        await self.kit.scheduler.lifecycle.open()
        await self.quiet()

    async def close(self) -> None:
        await self.kit.scheduler.lifecycle.close()

    async def restart(self) -> None:
        await self.close()
        await self.open()

    async def ask(self, operation: str, **fields: Any) -> Any:
        answer = await self.kit.injector.run("scheduler", {"operation": operation, **fields})
        await self.quiet()
        return answer.data

    async def advance(self, *, seconds: float = 0, minutes: float = 0, step: float = 0.5) -> None:
        left = seconds + minutes * 60
        step = max(step, left / 40)
        while left > 0:
            await self.clock.advance(seconds=min(step, left))
            await self.quiet()
            left -= step

    async def quiet(self) -> None:
        """Wait, in real time, until nothing is under way."""
        deadline, quiet = time.monotonic() + PATIENCE, 0
        while quiet < 3:
            assert time.monotonic() < deadline, "the scheduler stalled"
            await self.clock.let_run()
            quiet = 0 if self._busy() else quiet + 1
            await asyncio.sleep(0.001)

    def _busy(self) -> bool:
        engine, database = self.kit.scheduler.lifecycle.engine, self.kit.database
        writes = database.is_open and not (database._writer._waiting.empty() and database._reader._waiting.empty())
        if engine is None:
            return writes
        round_ = engine.leadership._round
        here = sum(active.phase is not Phase.WAITING for active in engine.dispatch.active.all())
        return bool(writes or here or engine.dispatch.tasks or engine.claiming._rounds or (round_ and not round_.done()))
