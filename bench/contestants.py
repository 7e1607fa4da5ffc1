"""What is measured more than once: our toolkit with jobs in it, raw APScheduler with the same."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, Literal

from apscheduler.job import Job as RawJob
from apscheduler.jobstores.base import BaseJobStore
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger

from agentool import BaseOperationInput, Injector, RunContext, create_agentool
from agentoolkit.settings import Durability, Settings
from agentoolkit.system.scheduler import create_scheduler_agent
from agentoolkit.system.scheduler.jobs import Job, JobState
from agentoolkit.system.scheduler.schedules import Schedule
from agentoolkit.wiring import Toolkit

OPTIONS: dict[str, Any] = {
    "args": (),
    "kwargs": {},
    "executor": "default",
    "misfire_grace_time": None,
    "coalesce": True,
    "max_instances": 3,
}


PERIOD = 10
"""Seconds between two firings of a job that fires again. A firing later than that would count as early."""


class Tally:
    """Counts firings, and remembers how late each was and when the last one came."""

    def __init__(self) -> None:
        self.late: list[float] = []
        self.last = 0.0
        self._awaited = 0
        self._reached = asyncio.Event()

    def count(self, due: float) -> None:
        self.last = time.time()
        self.late.append(self.last - due)
        if len(self.late) == self._awaited:
            self._reached.set()

    async def rate(self, number: int, due: datetime) -> float:
        """Wait until so many have fired, and return how many a second that is since they were due."""
        await self.all(number)
        return number / (self.last - due.timestamp())

    async def processor_rate(self, number: int) -> float:
        """Wait until so many have fired, and return how many a second that is of this process's time: it hardly matters what else runs."""
        before = time.process_time()
        await self.all(number)
        return number / (time.process_time() - before)

    async def all(self, number: int) -> None:
        """Wait until so many have fired."""
        self._awaited, self._reached = number, asyncio.Event()
        if len(self.late) < number:
            try:
                await asyncio.wait_for(self._reached.wait(), 120)
            except TimeoutError:
                raise RuntimeError(f"{len(self.late)} of {number} fired") from None

    def p99_ms(self) -> float:
        return sorted(self.late)[int(len(self.late) * 0.99)] * 1e3


class TickInput(BaseOperationInput):
    operation: Literal["tick"]
    due: float


async def tick(ctx: RunContext[Tally], due: float) -> None:
    ctx.deps.count(due)


async def on_grid(ctx: RunContext[Tally], due: float) -> None:
    ctx.deps.count(time.time() - (time.time() - due) % PERIOD)


@asynccontextmanager
async def toolkit(tally: Tally, database: str | None, handler: Any = tick, durability: Durability = "full") -> AsyncIterator[Any]:
    """Open the scheduler as a program gets it: in memory by `create_scheduler_agent`, with a database by `Toolkit`."""
    injector = Injector()
    create_agentool("tick", TickInput, {"tick": handler}, deps=tally, injector=injector)
    if database is None:
        scheduler = create_scheduler_agent(injector=injector).deps
        await scheduler.lifecycle.open()
        yield SimpleNamespace(scheduler=scheduler)
        await scheduler.lifecycle.close()
    else:
        async with Toolkit(Settings(timezone="UTC", database=database, durability=durability), injector=injector) as kit:
            yield kit


def once(number: int, due: datetime) -> Job:
    return _job(number, Schedule(kind="once", text=due.isoformat(), timezone="UTC"), due)


def every_period(number: int, due: datetime) -> Job:
    anchor = due - timedelta(seconds=PERIOD)
    return _job(number, Schedule(kind="interval", text=f"{PERIOD} seconds", timezone="UTC", anchor=anchor), due)


def _job(number: int, schedule: Schedule, due: datetime) -> Job:
    name = f"job{number:06d}"
    data = {"operation": "tick", "due": due.timestamp()}
    return Job(job_id=name, job_name=name, agentool_name="tick", input_data=data, schedule=schedule, created_at=datetime.now(UTC))


async def add(kit: Any, jobs: Sequence[tuple[Job, datetime]]) -> None:
    """Put jobs into the store, all at once, and set their alarms."""
    await asyncio.gather(*(kit.scheduler.store.add(job, JobState(next_run_at=due)) for job, due in jobs))
    engine = kit.scheduler.lifecycle.engine
    assert engine is not None
    for job, due in jobs:
        engine.set_alarm(job.job_id, due)


async def all_recorded(kit: Any, tally: Tally, number: int, *, delivered: bool = False) -> float:
    """Wait until so many have fired and are written down as successes, and return when.

    Before all have fired, and while something is still to be delivered, nothing is counted: that took a sixth of the
    processor's time.
    """
    await tally.all(number)
    counted = "SELECT COUNT(*) FROM agentool_executions WHERE status = 'success'" + (" AND delivery = 'delivered'" if delivered else "")
    sql = f"SELECT CASE WHEN EXISTS (SELECT 1 FROM agentool_outbox) THEN 0 ELSE ({counted}) END"
    while True:
        (done,) = await kit.database.read(lambda session: session.row(sql))
        if done == number:
            return time.time()
        await asyncio.sleep(0.002)


TALLY = Tally()
"""For APScheduler's SQL job store, which can only call what can be imported."""


async def count(due: float) -> None:
    TALLY.count(due)


async def count_on_grid(due: float) -> None:
    TALLY.count(time.time() - (time.time() - due) % PERIOD)


@asynccontextmanager
async def raw_apscheduler(store: BaseJobStore) -> AsyncIterator[AsyncIOScheduler]:
    scheduler = AsyncIOScheduler(jobstores={"default": store}, timezone=UTC)
    scheduler.start(paused=True)
    try:
        yield scheduler
    finally:
        scheduler.shutdown(wait=False)
        await asyncio.sleep(0.01)


def raw_job(scheduler: AsyncIOScheduler, number: int, trigger: BaseTrigger, due: datetime, func: Any = count) -> RawJob:
    options = {**OPTIONS, "args": (due.timestamp(),)}
    return RawJob(scheduler, id=f"job{number:06d}", name="job", func=func, trigger=trigger, next_run_time=due, **options)
