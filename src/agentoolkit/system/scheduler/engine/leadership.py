"""Leads or stands by, notices changes of other processes, and takes over the executions that they left."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from datetime import datetime

from agentoolkit.failure_log import log_failure
from agentoolkit.portions import in_portions
from agentoolkit.system.scheduler.decisions.downstream import scheduler_start
from agentoolkit.system.scheduler.engine.claiming import Claiming
from agentoolkit.system.scheduler.engine.clock_interface import Alarms
from agentoolkit.system.scheduler.engine.dispatch import Dispatch
from agentoolkit.system.scheduler.engine.outbox import Deliveries
from agentoolkit.system.scheduler.engine.parts import Parts
from agentoolkit.system.scheduler.ports import DamagedJob
from agentoolkit.time_source import Cancellable

logger = logging.getLogger(__name__)

ROUND_SECONDS = 0.5
"""Seconds between two looks for changes of other processes."""
TAKE_OVER_ROUNDS = 10
"""Rounds between two take-overs. Counted in rounds, because the wall clock may be set back."""
TIDY_ROUNDS = 7_200
"""Rounds between two purges: an hour."""
ALARMS_AT_ONCE = 1_000
"""Alarms that are set before other tasks get the event loop: a few milliseconds."""


class Leadership:
    """Does a round at start, and every half second if other processes can use the store."""

    def __init__(self, parts: Parts, clock: Alarms, claiming: Claiming, dispatch: Dispatch, deliveries: Deliveries) -> None:
        self._store = parts.store
        self._time = parts.time
        self._claims = parts.claims
        self._clock = clock
        self._claiming = claiming
        self._dispatch = dispatch
        self._deliveries = deliveries
        self._timer: Cancellable | None = None
        self._round: asyncio.Task[None] | None = None
        self._rounds_to_take_over = 0
        self._rounds_to_tidy = TAKE_OVER_ROUNDS
        self._suspended = False
        self._stands_by = False
        """True if another process led at the last round. A lead after that is a take-over, not a start."""
        self._started_at: datetime | None = None
        """Time of a scheduler start whose downstream jobs are still to be created; None if there is none."""
        self._changed: set[str] = set()
        """Jobs that other processes changed, and whose waiting executions here do not have the new definition yet."""
        self._stopped = False
        self.lost = 0
        """Number of times that this process lost the lead."""

    async def start(self) -> None:
        """Do the first round. Its errors are raised."""
        await self.tick()
        self._wait()

    def check_soon(self) -> None:
        """Take over abandoned executions in the next round: some of our own may be among them."""
        self._dispatch.active.in_doubt = True

    async def stop(self, seconds: float) -> None:
        """Do no further round. Wait for the one under way, at most `seconds`."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
        if self._round is not None:
            await asyncio.wait({self._round}, timeout=seconds)
            self._round.cancel()

    async def tick(self) -> None:
        """Do one round."""
        halted = await self._store.is_stopped()
        leads = self._claims and not halted and await self._store.lead(self._time.now())
        if leads and not self._dispatch.leading:
            await self._take_lead()
        elif not leads and self._dispatch.leading:
            self.lost += 1
            self._dispatch.lead(False)
            self._clock.clear()
        self._stands_by = not leads and not halted
        if halted != self._suspended:
            self._dispatch.suspend(halted)
            if halted:  # waiting executions go to the process that starts first; running ones may end
                await self._store.release_all()
            self._suspended = halted
        await self._take_in_changes()
        await self._cancel_requested()
        await self._claiming.find_unanswered()
        if not halted and (self._claims or self._dispatch.active.in_doubt):
            await self._take_over()
        if leads:
            await self._follow_start()
            self._rounds_to_tidy -= 1
        if leads and self._rounds_to_tidy <= 0:
            await self._store.purge(self._time.now())
            self._rounds_to_tidy = TIDY_ROUNDS

    def _wait(self) -> None:
        if self._store.shared and not self._stopped:
            self._timer = self._time.call_later(ROUND_SECONDS, self._begin)

    def _begin(self) -> None:
        self._round = asyncio.get_running_loop().create_task(self._guarded())

    async def _guarded(self) -> None:
        try:
            await self.tick()
        except Exception:
            log_failure(logger, "The round that leads or stands by failed; trying again in %s s", ROUND_SECONDS)
        self._wait()

    async def _take_lead(self) -> None:
        """Set the alarms of all jobs: from now on this clock rings."""
        upcoming = await self._store.upcoming()
        if not self._stands_by:
            self._started_at = self._started_at or self._time.now()
        self._dispatch.lead(True)
        async for portion in in_portions(upcoming, ALARMS_AT_ONCE):
            for job_id, at in portion:
                if not self._clock.has_alarm(job_id):  # an alarm that was set meanwhile is newer
                    self._claiming.set_alarm(job_id, at)

    async def _follow_start(self) -> None:
        """Start the jobs that run at a start of the scheduler. A repeated call has the same instant, and starts them once."""
        if self._started_at is not None:
            for claimed in await self._store.follow(scheduler_start(self._started_at)):
                self._dispatch.take_over(claimed)
            self._started_at = None

    async def _take_in_changes(self) -> None:
        """Set the alarms of jobs that other processes changed, and apply the new definitions to executions that wait here."""
        async for portion in in_portions(await self._store.changes(), ALARMS_AT_ONCE):
            for job_id, at in portion:  # all alarms before anything that may fail: the store reports a change once
                self._claiming.set_alarm(job_id, at)
                self._changed.add(job_id)
        while self._changed and (waiting := self._changed & self._dispatch.active.waiting_jobs()):
            for job_id in sorted(waiting):
                with suppress(DamagedJob):
                    if (stored := await self._store.find(job_id)) is not None and stored.job.job_id == job_id:
                        self._dispatch.redefine(stored.job)
                self._changed.remove(job_id)  # if reading it failed, the next round tries again
        self._changed.clear()

    async def _cancel_requested(self) -> None:
        """Cancel executions at the request of other processes. A failed request is retried, and does not affect the others."""
        for execution_id, reason in await self._store.cancel_requests():
            try:
                execution = await self._store.execution(execution_id)
                if execution is not None and not execution.finished:
                    await self._dispatch.cancelling.cancel_execution(execution, reason or "cancelled by another process")
                await self._store.acknowledge_cancel(execution_id)
            except Exception:
                log_failure(logger, "Cancelling %s failed; trying again in %s s", execution_id, ROUND_SECONDS)

    async def _take_over(self) -> None:
        self._rounds_to_take_over -= 1
        if self._rounds_to_take_over > 0 and not self._dispatch.active.in_doubt:
            return
        self._dispatch.active.in_doubt = False  # a doubt that arises from here on is for the next round
        try:
            while taken := await self._store.take_over(self._time.now(), self._dispatch.holds):
                for claimed in taken:
                    self._dispatch.take_over(claimed)
                if self._stopped or not any(of.finished or self._dispatch.holds(of.execution_id) for _, of in taken):
                    break  # none of them stayed here, so the next answer would be the same
        except BaseException:
            self._dispatch.active.in_doubt = True
            raise
        self._deliveries.wake()  # visitors, and processes that ended, may have left messages in the outbox
        self._rounds_to_take_over = TAKE_OVER_ROUNDS
