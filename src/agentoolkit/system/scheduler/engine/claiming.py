"""From due time to claimed execution."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from agentoolkit.failure_log import log_failure
from agentoolkit.portions import in_portions
from agentoolkit.system.scheduler.engine.clock_interface import RETRY_SECONDS, Alarms
from agentoolkit.system.scheduler.engine.dispatch import Dispatch
from agentoolkit.system.scheduler.event_loops import OwnedTasks, all_done
from agentoolkit.system.scheduler.execution_ids import execution_id
from agentoolkit.system.scheduler.ports import Change, Claimed, Claims, JobStore
from agentoolkit.time_source import TimeSource

logger = logging.getLogger(__name__)

Due = tuple[str, datetime | None]
"""A job, and the instant at which it is due if that is known before it is read."""

NOTHING = frozenset[str]()

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
        self._reserved = dispatch.reserved
        self._rounds = OwnedTasks()
        self._early: dict[str, datetime] | None = {}
        """What was due before `open`."""
        self._unheard: list[tuple[frozenset[str], datetime]] = []
        """Executions that a claim at an instant may have begun, though no answer came. Room is held for them until it is known."""
        self._suspensions = 0
        self._put_by: list[Due] = []
        """What has rung, and is claimed when nobody suspends claims any more."""
        self._stopped = False
        self.failing = False
        """Did the latest claim fail?"""

    def ring(self, due: Mapping[str, datetime]) -> None:
        """Wake the executions whose retry is due, then claim the jobs that are. Returns at once; `wait_idle` waits."""
        woken = None
        if retries := [id_ for id_ in due if "@" in id_]:  # the ids of executions; no job's id has an @
            woken = self._dispatch.wake(retries)
            due = {id_: at for id_, at in due.items() if "@" not in id_}
        if self._early is not None:
            self._early.update(due)
        elif due:
            self._rounds.start(self._claim(list(due.items()), woken))

    def open(self) -> None:
        """Let begin the claims."""
        early, self._early = self._early, None
        if early:
            self.ring(early)

    def claim(self, job_ids: Iterable[str]) -> asyncio.Task[None]:
        """Claim these jobs' due times, also while claims are suspended: what changes a job counts on it.

        The task ends when they are with the executor.
        """
        return self._rounds.start(self._claim_together([(job_id, None) for job_id in job_ids]))

    def set_alarm(self, job_id: str, at: datetime | None) -> None:
        """Tell the clock when a job is due next; None: never. Only a leader's clock is told."""
        if self._dispatch.leading and not self._stopped:
            self._clock.set_alarm(job_id, at)

    def suspend(self) -> None:
        """Claim nothing that rings until `resume` was called as often."""
        self._suspensions += 1
        self._clock.pause()

    def resume(self) -> None:
        """End one suspension. After the last one, claim what has rung meanwhile; who leads anew reads what is due."""
        self._suspensions -= 1
        if self._suspensions:
            return
        put_by, self._put_by = self._put_by, []
        if self._clock.running:
            self._clock.resume()
        if put_by and self._dispatch.leading:
            self._rounds.start(self._claim(put_by))

    def stop(self) -> None:
        """Claim no further portion, and set no alarm more."""
        self._stopped = True

    async def wait_idle(self, seconds: float | None = None) -> None:
        """Wait until every claim under way has ended, or for so long."""
        await all_done(lambda: self._rounds, seconds)

    async def _claim(self, due: Sequence[Due], after: asyncio.Task[None] | None = None) -> None:
        """Claim due times after what is older than they are."""
        if after is not None:
            await asyncio.wait([after])
        # In portions, so that the first executions run while the next are claimed.
        async for portion in in_portions(due, MAX_AT_ONCE):
            if self._stopped:
                return  # what is left stays due
            if self._suspensions:
                self._put_by += portion
            else:
                await self._claim_together(portion)

    async def look_for_unheard(self) -> None:
        """Look for what claims have begun whose answers were lost. What is not found out now is looked for in the next round."""
        unheard, self._unheard = self._unheard, []
        for reserved, at in unheard:
            try:
                begun = await self._reserved.begun(reserved, at)
            except Exception:
                log_failure(logger, "Looking for what a claim has begun failed; trying again soon")
                self._unheard.append((reserved, at))
            else:
                await self._start(begun, reserved)
                self._dispatch.in_doubt = True  # whoever looked meanwhile passed over what was held

    async def _claim_together(self, due: Sequence[Due]) -> None:
        """Claim due times in one transaction, set the next alarms, and start what runs."""
        job_ids, reserved, now = [job_id for job_id, _ in due], self._hold(due), self._time.now()
        try:
            claims = await self._store.claim(job_ids, now, self._reserved.begins(reserved))
            self.failing = False
        except Exception:
            claims = self._put_off(job_ids)
            if reserved:
                self._unheard.append((reserved, now))
                reserved = NOTHING
        except BaseException:
            self._dispatch.in_doubt = True
            self._reserved.let_go(reserved)
            raise
        if self._dispatch.leading and not self._stopped:
            for job_id, at in claims.next_times:  # the alarms of the others have rung, so there are none to remove
                self._clock.set_alarm(job_id, at)
        await self._start(claims.records, reserved)
        if self._unheard:
            await self.look_for_unheard()

    async def _start(self, claimed: Sequence[Claimed], reserved: frozenset[str]) -> None:
        """Start what runs: what has begun at once, the rest when there is room. Give back what has begun and does not start."""
        try:
            for each in claimed:
                self._dispatch.start(each)
        finally:
            self._reserved.let_go(reserved)
        if reserved:
            try:
                await self._reserved.give_up(claimed)
            except Exception:
                log_failure(logger, "What was begun and does not start was not given back")

    def _hold(self, due: Sequence[Due]) -> frozenset[str]:
        """Hold room for what is due, so that the claim begins it: a write less. In memory, where none is saved, it would cost."""
        if not self._store.survives_restart:
            return NOTHING
        known = [(job_id, at) for job_id, at in due if at is not None]
        return self._reserved.hold_all(len(known), (execution_id(job_id, at) for job_id, at in known))

    def _put_off(self, job_ids: Sequence[str]) -> Claims:
        """Let ring again what the store refused to claim. What was written all the same is found by the store's owner."""
        self.failing = self._dispatch.in_doubt = True
        if self._stopped:  # as when the lead is given up meanwhile: the next process finds what is due
            logger.debug("Claiming %d due jobs failed as the scheduler ended", len(job_ids), exc_info=True)
        else:
            log_failure(logger, "Claiming %d due jobs failed; trying again in %s s", len(job_ids), RETRY_SECONDS)
        again = self._time.now() + timedelta(seconds=RETRY_SECONDS)
        return Claims((), [Change(job_id, again) for job_id in job_ids])
