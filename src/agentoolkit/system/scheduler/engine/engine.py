"""The moving parts on one event loop: clock → claiming → dispatch → executor → attempts → recording → delivery."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack
from datetime import datetime

from agentoolkit.failure_log import log_failure
from agentoolkit.system.scheduler.engine.claiming import Claiming
from agentoolkit.system.scheduler.engine.clock_interface import alarms_of
from agentoolkit.system.scheduler.engine.dispatch import Dispatch
from agentoolkit.system.scheduler.engine.leadership import Leadership
from agentoolkit.system.scheduler.engine.outbox import Deliveries
from agentoolkit.system.scheduler.engine.parts import Parts
from agentoolkit.system.scheduler.engine.stuck_handlers import leave_handlers_behind

logger = logging.getLogger(__name__)

STOP_SECONDS = 10.0
"""Longest time that stopping takes, whatever the handlers do."""
FIRST_TURNS = 8
"""Turns of the event loop between a start and the first claim: some are needed to come back to whoever asked for the start."""


class Engine:
    """Runs what is due, on the event loop it was started in. Stopped once, it is not started again: make another.

    Of the processes that share a store one leads: only its clock rings. The others stand by, and run what they are
    asked to run at once.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.loop = asyncio.get_running_loop()
        self.deliveries = Deliveries(parts.store, parts.injector, parts.time, delivers=parts.claims)
        self.clock = alarms_of(parts.time, may_lead=parts.claims)
        self.dispatch = Dispatch(parts, self.clock, self.deliveries)
        self.claiming = Claiming(parts.store, parts.time, self.clock, self.dispatch)
        self.clock.on_due = self.claiming.ring
        self.leadership = Leadership(parts, self.clock, self.claiming, self.dispatch, self.deliveries)
        self._opened = False

    @property
    def leading(self) -> bool:
        """Does this process lead: does its clock ring?"""
        return self.dispatch.leading

    async def start(self) -> None:
        """Open the store, and lead if no other process does."""
        await self._parts.store.open()
        self._opened = True
        self.clock.start()
        await self.leadership.start()
        self.deliveries.wake()
        self._open_after(FIRST_TURNS)

    async def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Claim nothing more, let handlers end, cancel those that do not, deliver what can be delivered, give up the lead."""
        async with AsyncExitStack() as then:  # what fails to end keeps neither messages nor the lead
            then.push_async_callback(self._release_all, seconds * 0.05)
            then.push_async_callback(self.deliveries.stop, seconds * 0.1)
            await self.leadership.stop(seconds * 0.05)
            self.claiming.stop()
            if self.clock.running:
                self.clock.shutdown(wait=False)
            await self.claiming.wait_idle(seconds * 0.05)
            await self.dispatch.stop(seconds * 0.5, seconds * 0.15)
            try:
                await leave_handlers_behind(self.dispatch.executor.started)
            except Exception:
                log_failure(logger, "A handler that ignores its cancellation may keep this program from ending")
        await asyncio.sleep(0)  # APScheduler ends in a callback of its own

    async def wait_idle(self) -> None:
        """Wait for claims and deliveries under way, not for handlers."""
        await self.claiming.wait_idle()
        await self.deliveries.wait_idle(posted=True)

    def set_alarm(self, job_id: str, at: datetime | None) -> None:
        """Tell the clock when a job is due next; None: never."""
        self.claiming.set_alarm(job_id, at)

    async def _release_all(self, seconds: float) -> None:
        """Let other processes lead and start what waits, also if this one goes on. Who is not told notices in time."""
        if self._opened:
            try:
                await asyncio.wait_for(self._parts.store.release_all(), seconds)
            except Exception:
                log_failure(logger, "The store was not told that this process stops")

    def _open_after(self, turns: int) -> None:
        """Let work begin after some turns of the event loop: whoever opened the scheduler registers AgenTools in the first one."""
        if turns > 0:
            self.loop.call_soon(self._open_after, turns - 1)
        else:
            self.claiming.open()
            self.dispatch.open()
