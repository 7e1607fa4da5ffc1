"""What an engine does besides firing: lead or stand by, notice what other processes changed, take over what they left."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from agentoolkit.system.scheduler.ports import CancelRequest, Change, Claimed, JobStore
from agentoolkit.time_source import Cancellable, TimeSource

logger = logging.getLogger(__name__)

ROUND_SECONDS = 0.5
"""How often changes of other processes are looked for."""
TAKE_OVER_ROUNDS = 10
"""Rounds between two looks for executions left behind. Counted, because the wall clock may be set back."""
TIDY_ROUNDS = 7_200
"""Rounds between two tidyings: an hour."""


class Kept(Protocol):
    """The engine, as upkeep sees it."""

    leading: bool

    def lead(self, upcoming: Sequence[Change]) -> None: ...
    def step_down(self) -> None: ...
    def set_alarm(self, job_id: str, at: datetime | None) -> None: ...
    def holds(self, execution_id: str) -> bool: ...
    def take_over(self, claimed: Claimed) -> None: ...
    async def cancel_requested(self, asked: CancelRequest) -> None: ...
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
        self._rounds_to_take_over = 0
        self._rounds_to_tidy = TAKE_OVER_ROUNDS
        self._stopped = False

    async def start(self) -> None:
        """Do a first round; what goes wrong in it is raised."""
        await self.look_after()
        self._wait()

    def hurry(self) -> None:
        """Look in the next round for executions that nobody works on: there may be some of our own."""
        self._rounds_to_take_over = 0

    async def stop(self, seconds: float) -> None:
        """Do no further round, and wait for the one under way, for so long at most."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
        if self._round is not None:
            await asyncio.wait({self._round}, timeout=seconds)
            self._round.cancel()

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
        halted = await self._store.is_stopped()
        leads = self._claims and not halted and await self._store.lead(self._time.now())
        if leads and not self._engine.leading:
            self._engine.lead(await self._store.upcoming())
            self.hurry()  # whoever led before may have left something
        elif not leads and self._engine.leading:
            self._engine.step_down()
            self.hurry()  # what of our own waits for a retry has lost its alarm
        for job_id, at in await self._store.changes():
            self._engine.set_alarm(job_id, at)
        for asked in await self._store.cancel_requests():
            await self._engine.cancel_requested(asked)
            await self._store.acknowledge_cancel(asked.execution_id)
        if self._claims and not halted:
            await self._take_over()
        if leads:
            await self._tidy()

    async def _take_over(self) -> None:
        self._rounds_to_take_over -= 1
        if self._rounds_to_take_over > 0:
            return
        for claimed in await self._store.take_over(self._time.now(), self._engine.holds):
            self._engine.take_over(claimed)
        self._engine.forward()  # what visitors, and processes that ended, left in the outbox
        self._rounds_to_take_over = TAKE_OVER_ROUNDS

    async def _tidy(self) -> None:
        self._rounds_to_tidy -= 1
        if self._rounds_to_tidy <= 0:
            await self._store.purge(self._time.now())
            self._rounds_to_tidy = TIDY_ROUNDS
