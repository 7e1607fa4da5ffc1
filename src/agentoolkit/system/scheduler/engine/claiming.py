"""From due time to claimed execution."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from agentoolkit.system.scheduler.engine.alarms import RETRY_SECONDS, Alarms
from agentoolkit.system.scheduler.engine.dispatch import Dispatch
from agentoolkit.system.scheduler.engine.failures import log_failure
from agentoolkit.system.scheduler.event_loops import OwnedTasks, all_done
from agentoolkit.system.scheduler.ports import Change, Claims, JobStore
from agentoolkit.time_source import TimeSource

logger = logging.getLogger(__name__)

MAX_AT_ONCE = 500
"""Jobs claimed in one transaction."""


class Claiming:
    """Claims what is due in one transaction a round, or one for every five hundred jobs, starts what runs, and sets the next alarms.

    Args:
        store: The truth about what is due.
        time: Where the time comes from.
        clock: Told when a job is due next.
        dispatch: Given every execution that is to run, and every record of a due time that does not.
    """

    def __init__(self, store: JobStore, time: TimeSource, clock: Alarms, dispatch: Dispatch) -> None:
        self._store = store
        self._time = time
        self._clock = clock
        self._dispatch = dispatch
        self._rounds = OwnedTasks()
        self._early: list[str] | None = []
        """What was due before `open`."""
        self._stopped = False
        self.failing = False
        """Did the latest claim fail?"""

    def ring(self, ids: Sequence[str]) -> None:
        """Wake the executions whose retry is due, then claim the jobs that are. Returns at once; `wait_idle` waits."""
        woken = None
        if retries := [id_ for id_ in ids if "@" in id_]:  # the ids of executions; no job's id has an @
            woken = self._dispatch.wake(retries)
            ids = [id_ for id_ in ids if "@" not in id_]
        if self._early is not None:
            self._early += ids
        elif ids:
            self.claim(ids, woken)

    def open(self) -> None:
        """Let begin the claims."""
        early, self._early = self._early, None
        if early:
            self.claim(early)

    def claim(self, job_ids: Sequence[str], after: asyncio.Task[None] | None = None) -> asyncio.Task[None]:
        """Claim these jobs' due times, after what is older than they are. The task ends when they are with the executor."""
        return self._rounds.start(self._claim(job_ids, after))

    def set_alarm(self, job_id: str, at: datetime | None) -> None:
        """Tell the clock when a job is due next; None: never. Only a leader's clock is told."""
        if self._dispatch.leading and not self._stopped:
            self._clock.set_alarm(job_id, at)

    def stop(self) -> None:
        """Set no alarm more."""
        self._stopped = True

    async def wait_idle(self, seconds: float | None = None) -> None:
        """Wait until every claim under way has ended, or for so long."""
        await all_done(lambda: self._rounds, seconds)

    async def _claim(self, job_ids: Sequence[str], after: asyncio.Task[None] | None) -> None:
        if after is not None:
            await asyncio.wait([after])
        # In portions, so that the first executions run while the next are claimed.
        for start in range(0, len(job_ids), MAX_AT_ONCE):
            portion = job_ids[start : start + MAX_AT_ONCE]
            try:
                claims = await self._store.claim(portion, self._time.now())
                self.failing = False
            except Exception:
                claims = self._put_off(portion)
            if self._dispatch.leading and not self._stopped:
                for job_id, at in claims.next_times:
                    if at is not None:  # its alarm has rung, so there is none to remove
                        self._clock.set_alarm(job_id, at)
            for claimed in claims.records:
                self._dispatch.start(claimed)

    def _put_off(self, job_ids: Sequence[str]) -> Claims:
        """Let ring again what the store refused to claim. What was written all the same is found by the store's owner."""
        self.failing = self._dispatch.in_doubt = True
        if self._stopped:  # as when the lead is given up meanwhile: the next process finds what is due
            logger.debug("Claiming %d due jobs failed as the scheduler ended", len(job_ids), exc_info=True)
        else:
            log_failure(logger, "Claiming %d due jobs failed; trying again in %s s", len(job_ids), RETRY_SECONDS)
        again = self._time.now() + timedelta(seconds=RETRY_SECONDS)
        return Claims((), [Change(job_id, again) for job_id in job_ids])
