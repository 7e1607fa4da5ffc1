"""10,000 jobs due at one instant, in memory: ours with validation, history and outcome, raw APScheduler with none of them."""

from __future__ import annotations

import asyncio
import gc
import time
from datetime import UTC, datetime, timedelta
from typing import Literal

from apscheduler.job import Job as RawJob
from apscheduler.jobstores.memory import MemoryJobStore as RawStore
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.date import DateTrigger
from pydantic import BaseModel

from agentool import BaseOperationInput, Injector, RunContext, create_agentool
from agentoolkit.settings import Settings
from agentoolkit.system.scheduler.jobs import Job, Standing
from agentoolkit.system.scheduler.schedules import Schedule
from agentoolkit.wiring import Toolkit
from bench.harness import Bar, Side, compare

JOBS = 10_000
LEAD = timedelta(seconds=2.5)


class Tally:
    """Counts firings and remembers when the last one was."""

    def __init__(self) -> None:
        self.fired = 0
        self.last = 0.0

    def count(self) -> None:
        self.fired += 1
        self.last = time.time()

    async def rate(self, due: datetime) -> float:
        deadline = time.time() + 120
        while self.fired < JOBS and time.time() < deadline:
            await asyncio.sleep(0.01)
        if self.fired != JOBS:
            raise RuntimeError(f"{self.fired} of {JOBS} fired")
        return self.fired / (self.last - due.timestamp())


class TickInput(BaseOperationInput):
    operation: Literal["tick"]


class TickOutput(BaseModel):
    fired: int


async def tick(ctx: RunContext[Tally]) -> TickOutput:
    ctx.deps.count()
    return TickOutput(fired=ctx.deps.fired)


async def ours() -> float:
    tally, injector = Tally(), Injector()
    create_agentool("tick", TickInput, {"tick": tick}, deps=tally, injector=injector)
    due = datetime.now(UTC) + LEAD
    async with Toolkit(Settings(timezone="UTC"), injector=injector) as kit:
        for number in range(JOBS):
            schedule = Schedule(kind="once", text=due.isoformat(), timezone="UTC")
            job_id = f"job{number:06d}"
            job = Job(
                job_id=job_id,
                job_name=job_id,
                agentool_name="tick",
                input_data={"operation": "tick"},
                schedule=schedule,
                created_at=due - LEAD,
            )
            await kit.scheduler.store.add(job, Standing(next_run_at=due))
            kit.scheduler.engine.set_alarm(job_id, due)  # type: ignore[union-attr]
        gc.collect()
        assert datetime.now(UTC) < due, "the lead time is too short"
        rate = await tally.rate(due)
        await kit.scheduler.settled()
        await asyncio.sleep(0.05)
        recorded = await kit.scheduler.store.executions(None, JOBS)
        assert len(recorded) >= 1_000
        assert all(execution.finished for execution in recorded)
    return rate


async def raw_apscheduler() -> float:
    tally, store = Tally(), RawStore()

    async def count() -> None:
        tally.count()

    scheduler = AsyncIOScheduler(jobstores={"default": store}, timezone=UTC)
    scheduler.start(paused=True)
    due = datetime.now(UTC) + LEAD
    for number in range(JOBS):
        trigger = DateTrigger(due)
        options = {"func": count, "args": (), "kwargs": {}, "trigger": trigger, "executor": "default", "misfire_grace_time": None}
        name = f"job{number:06d}"
        store.add_job(RawJob(scheduler, id=name, name=name, next_run_time=due, coalesce=True, max_instances=3, **options))
    gc.collect()
    assert datetime.now(UTC) < due, "the lead time is too short"
    scheduler.resume()
    rate = await tally.rate(due)
    scheduler.shutdown(wait=False)
    await asyncio.sleep(0)
    return rate


async def run() -> bool:
    return await compare(
        f"{JOBS:,} jobs due at once, in memory",
        "firings/s",
        Side("agentool: validated, recorded, with history", ours),
        Side("raw APScheduler: called", raw_apscheduler),
        Bar("at least", 0.5),
        rounds=3,
    )
