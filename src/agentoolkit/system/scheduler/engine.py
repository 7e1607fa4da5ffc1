"""The moving parts on one event loop: clock → claiming → executor → running → forwarding."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from agentool.core.injector import Injector
from agentoolkit.system.scheduler.claiming import Claiming
from agentoolkit.system.scheduler.clock import Clock
from agentoolkit.system.scheduler.events import Announcer
from agentoolkit.system.scheduler.executors.local import CONCURRENCY, LocalExecutor
from agentoolkit.system.scheduler.forwarding import Forwarding
from agentoolkit.system.scheduler.jobs import Execution, JobState, Status, Work
from agentoolkit.system.scheduler.ports import Claimed, JobStore
from agentoolkit.system.scheduler.running import Running
from agentoolkit.time_source import TimeSource

STOP_SECONDS = 10.0
"""Longest time that stopping takes, whatever the handlers do."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What an engine is put together from, and what outlives it."""

    store: JobStore
    injector: Injector
    time: TimeSource
    announcer: Announcer
    concurrency: int = CONCURRENCY


class Engine:
    """Runs what is due, on the event loop it was started in. Stopped once, it is not started again: make another."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.loop = asyncio.get_running_loop()
        self.forwarding = Forwarding(parts.store, parts.injector, parts.time)
        self.running = Running(parts.store, parts.injector, parts.time, parts.announcer, self.forwarding.nudge)
        self.executor = LocalExecutor(parts.concurrency)
        self.claiming = Claiming(
            parts.store, parts.time, set_alarm=self.set_alarm, start=self._start, passed_over=self._passed_over
        )
        self.clock = Clock(parts.time, self.claiming.ring)
        self._stopping = False

    async def start(self) -> None:
        """Settle what an earlier engine left, then set every job's alarm."""
        await self._parts.store.open()
        await self._settle_left_behind("the event loop it was running in ended before its outcome was known", Status.LOST)
        self.clock.start()
        for job, standing in await self._parts.store.jobs():
            if standing.state is JobState.ACTIVE:
                self.set_alarm(job.job_id, standing.next_run_at)
        self.forwarding.nudge()

    async def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Claim nothing more, let handlers end, cancel those that do not, deliver what can be delivered."""
        self._stopping = True
        self.clock.shutdown(wait=False)
        await self.claiming.settled()
        await self.executor.drain(seconds * 0.4)
        await self._settle_left_behind("the scheduler stopped before it started", Status.CANCELLED)
        await self.forwarding.settled()
        self.forwarding.forget()
        await asyncio.sleep(0)  # APScheduler ends in a callback of its own

    async def settled(self) -> None:
        """Wait for claims and deliveries under way, not for handlers."""
        await self.claiming.settled()
        await self.forwarding.settled()

    def set_alarm(self, job_id: str, at: datetime | None) -> None:
        """Tell the clock when a job is due next; None: never."""
        if not self._stopping:
            self.clock.set_alarm(job_id, at)

    async def run_now(self, work: Work, execution: Execution) -> tuple[Execution, BaseException | None]:
        """Run an execution that no schedule asked for, at once, in the caller's task."""
        await self._parts.store.record(execution)
        outcome = await self.running.run(work, execution)
        await self.forwarding.settled()
        return outcome

    def _start(self, claimed: Claimed) -> None:
        self.executor.submit(partial(self.running.run, claimed.job.work, claimed.execution))

    def _passed_over(self, claimed: Claimed) -> None:
        self._parts.announcer.became(claimed.execution)

    async def _settle_left_behind(self, reason: str, status: Status) -> None:
        now = self._parts.time.now()
        for execution in await self._parts.store.unfinished():
            settled = execution._replace(status=status, reason=reason, finished_at=now)
            if await self._parts.store.finish(settled, None):
                self._parts.announcer.became(settled)
