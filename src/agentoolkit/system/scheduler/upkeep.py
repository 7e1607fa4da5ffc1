"""What an engine does besides firing: lead or stand by, notice what other processes changed, take over what they left."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from agentoolkit.system.scheduler.ports import Change, Claimed, JobStore
from agentoolkit.time_source import Cancellable, TimeSource

logger = logging.getLogger(__name__)

ROUND_SECONDS = 0.5
"""How often changes of other processes are looked for."""
TAKE_OVER_SECONDS = 5.0
"""How often executions left behind are looked for."""


class Kept(Protocol):
    """The engine, as upkeep sees it."""

    leading: bool

    def lead(self, upcoming: Sequence[Change]) -> None: ...
    def step_down(self) -> None: ...
    def set_alarm(self, job_id: str, at: datetime | None) -> None: ...
    def holds(self, execution_id: str) -> bool: ...
    def take_over(self, claimed: Claimed) -> None: ...
    def cancel_requested(self, execution_id: str) -> None: ...
    def forward(self) -> None: ...


class Upkeep:
    """A round at start, and one every half second where other processes can use the store too."""

    def __init__(self, store: JobStore, time: TimeSource, engine: Kept, *, claims: bool = True) -> None:
        self._store = store
        self._time = time
        self._engine = engine
        self._claims = claims
        self._timer: Cancellable | None = None
        self._round: asyncio.Task[None] | None = None
        self._next_take_over: datetime | None = None
        self._stopped = False

    async def start(self) -> None:
        """Do a first round; what goes wrong in it is raised."""
        await self.look_after()
        self._wait()

    async def stop(self) -> None:
        """Do no further round, and wait for the one under way."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
        if self._round is not None:
            await asyncio.wait({self._round})

    def _wait(self) -> None:
        if self._store.shared and not self._stopped:
            self._timer = self._time.call_later(ROUND_SECONDS, self._begin)

    def _begin(self) -> None:
        self._round = asyncio.get_running_loop().create_task(self._guarded())

    async def _guarded(self) -> None:
        try:
            await self.look_after()
        except Exception:
            logger.exception("Looking after the store failed; trying again in %s s", ROUND_SECONDS)
        self._wait()

    async def look_after(self) -> None:
        """Do one round."""
        leads = self._claims and not await self._store.halted() and await self._store.lead(self._time.now())
        if leads and not self._engine.leading:
            self._engine.lead(await self._store.upcoming())
        elif not leads and self._engine.leading:
            self._engine.step_down()
        for job_id, at in await self._store.changes():
            self._engine.set_alarm(job_id, at)
        for execution_id in await self._store.cancel_requests():
            self._engine.cancel_requested(execution_id)
        if leads:
            await self._take_over()

    async def _take_over(self) -> None:
        now = self._time.now()
        if self._next_take_over is not None and now < self._next_take_over:
            return
        self._next_take_over = now + timedelta(seconds=TAKE_OVER_SECONDS)
        for claimed in await self._store.take_over(now, self._engine.holds):
            self._engine.take_over(claimed)
        self._engine.forward()  # what visitors left in the outbox
