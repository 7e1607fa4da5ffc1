"""From due time to claimed execution."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from agentoolkit.system.scheduler.event_loops import all_done
from agentoolkit.system.scheduler.jobs import ExecutionStatus
from agentoolkit.system.scheduler.ports import Change, Claimed, Claims, JobStore
from agentoolkit.time_source import TimeSource

logger = logging.getLogger(__name__)

MAX_AT_ONCE = 500
"""Jobs claimed in one transaction."""
RETRY_SECONDS = 1.0
"""How long a claim that the store refused waits for its next try."""


class Claiming:
    """Claims what is due in one transaction a round, or one for every five hundred jobs, starts what runs, and sets the next alarms.

    Args:
        store: The truth about what is due.
        time: Where the time comes from.
        set_alarm: How the clock is told when a job is due next.
        start: Called with every execution that is to run.
        passed_over: Called with every record of a due time that does not run.
        in_doubt: Called when a claim failed and may yet be written down: then nobody starts what it claimed.
    """

    def __init__(
        self,
        store: JobStore,
        time: TimeSource,
        *,
        set_alarm: Callable[[str, datetime | None], None],
        start: Callable[[Claimed], None],
        passed_over: Callable[[Claimed], None],
        in_doubt: Callable[[], None],
    ) -> None:
        self._store = store
        self._time = time
        self._set_alarm = set_alarm
        self._start = start
        self._passed_over = passed_over
        self._in_doubt = in_doubt
        self._rounds: set[asyncio.Task[None]] = set()
        self.failing = False
        """Did the latest claim fail?"""

    def ring(self, job_ids: list[str]) -> None:
        """Claim these jobs' due times. Returns at once; `settled` waits."""
        claim = asyncio.get_running_loop().create_task(self._claim_all(job_ids))
        self._rounds.add(claim)
        claim.add_done_callback(self._rounds.discard)

    async def settled(self, seconds: float | None = None) -> None:
        """Wait until every claim under way has ended, or for so long."""
        await all_done(lambda: self._rounds, seconds)

    async def _claim_all(self, job_ids: list[str]) -> None:
        # In portions, so that the first executions run while the next are claimed.
        for start in range(0, len(job_ids), MAX_AT_ONCE):
            await self._claim(job_ids[start : start + MAX_AT_ONCE])

    async def _claim(self, job_ids: list[str]) -> None:
        try:
            claims = await self._store.claim(job_ids, self._time.now())
            self.failing = False
        except Exception:
            self.failing = True
            # What was not written is still due, so the alarm must ring again; what was is found by the store's owner.
            logger.exception("Claiming %d due jobs failed; trying again in %s s", len(job_ids), RETRY_SECONDS)
            again = self._time.now() + timedelta(seconds=RETRY_SECONDS)
            claims = Claims((), [Change(job_id, again) for job_id in job_ids])
            self._in_doubt()
        for job_id, at in claims.next_times:
            if at is not None:  # its alarm has rung, so there is none to remove
                self._set_alarm(job_id, at)
        for claimed in claims.records:
            act = self._start if claimed.execution.status is ExecutionStatus.QUEUED else self._passed_over
            act(claimed)
