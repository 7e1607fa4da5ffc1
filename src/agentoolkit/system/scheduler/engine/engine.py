"""Connects the parts of one event loop: clock → claiming → dispatch → executor → attempts → recording → delivery."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack
from datetime import datetime

from agentoolkit.failure_log import log_lost
from agentoolkit.system.scheduler.engine.claiming import Claiming
from agentoolkit.system.scheduler.engine.clock_interface import alarms_of
from agentoolkit.system.scheduler.engine.dispatch import Dispatch
from agentoolkit.system.scheduler.engine.leadership import Leadership
from agentoolkit.system.scheduler.engine.outbox import Deliveries
from agentoolkit.system.scheduler.engine.parts import Parts
from agentoolkit.system.scheduler.engine.stuck_handlers import leave_handlers_behind

logger = logging.getLogger(__name__)

STOP_SECONDS = 10.0
"""Seconds after which a stop ends at the latest, even if handlers ignore their cancellation."""
FIRST_TURNS = 8
"""Turns of the event loop between a start and the first claim, so that the caller of the start runs before it."""


class Engine:
    """Runs due jobs on the event loop it was started in. A stopped engine cannot be started again: create a new one.

    One of the processes that share a store leads, and only the leader's clock rings. The others stand by, and run
    only what they are asked to run at once.
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
        """True if this process leads: its clock rings."""
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
        """Stop claiming, wait for handlers, cancel the rest, deliver the outbox, and release the lead."""
        async with AsyncExitStack() as then:  # a step that fails keeps neither messages undelivered nor the lead
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
                log_lost(logger, "A handler that ignores its cancellation may keep this program from ending")
        await asyncio.sleep(0)  # APScheduler ends in a callback of its own

    async def wait_idle(self) -> None:
        """Wait for claims and deliveries under way. Handlers are not waited for."""
        await self.claiming.wait_idle()
        await self.deliveries.wait_idle(posted=True)

    def set_alarm(self, job_id: str, at: datetime | None) -> None:
        """Set a job's next due time on the clock; None removes it."""
        self.claiming.set_alarm(job_id, at)

    async def _release_all(self, seconds: float) -> None:
        """Release the lead and the waiting executions to other processes. If this fails, they notice when the lease ends."""
        if self._opened:
            try:
                await asyncio.wait_for(self._parts.store.release_all(), seconds)
            except Exception:
                log_lost(logger, "Releasing the lead and the waiting executions failed")

    def _open_after(self, turns: int) -> None:
        """Begin to claim after `turns` turns of the event loop: the caller registers AgenTools in the first one."""
        if turns > 0:
            self.loop.call_soon(self._open_after, turns - 1)
        else:
            self.claiming.open()
            self.dispatch.waiting.open()
