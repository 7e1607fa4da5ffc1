"""Claims due times, and hands the claimed executions to dispatch."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from agentoolkit.failure_log import log_failure
from agentoolkit.portions import in_portions
from agentoolkit.system.scheduler.decisions.due_or_late import replacing
from agentoolkit.system.scheduler.engine.clock_interface import RETRY_SECONDS, Alarms
from agentoolkit.system.scheduler.engine.dispatch import Dispatch
from agentoolkit.system.scheduler.event_loops import OwnedTasks, all_done
from agentoolkit.system.scheduler.execution_ids import execution_id
from agentoolkit.system.scheduler.ports import Change, Claimed, Claims, JobStore
from agentoolkit.time_source import TimeSource

logger = logging.getLogger(__name__)

Due = tuple[str, datetime | None]
"""A job's id, and its due time if that is known before the job is read."""

NOTHING = frozenset[str]()

MAX_AT_ONCE = 500
"""Jobs claimed in one transaction."""


class Claiming:
    """Claims due times, up to five hundred jobs a transaction, starts the executions, and sets the next alarms.

    Args:
        store: Decides what is due.
        time: The time source.
        clock: Rings at the next due times.
        dispatch: Receives every execution to run, and every record of a due time that is skipped.
    """

    def __init__(self, store: JobStore, time: TimeSource, clock: Alarms, dispatch: Dispatch) -> None:
        self._store = store
        self._time = time
        self._clock = clock
        self._dispatch = dispatch
        self._reserved = dispatch.reserved
        self._rounds = OwnedTasks()
        self._early: dict[str, datetime] | None = {}
        """Due times that rang before `open`."""
        self._unanswered: list[tuple[frozenset[str], datetime]] = []
        """Reserved executions of claims whose answer was lost, with the claim's instant. They may have begun, and keep their room."""
        self._suspensions = 0
        self._postponed: list[Due] = []
        """Due times that rang while claims were suspended."""
        self._stopped = False
        self.failing = False
        """True if the latest claim failed."""

    def ring(self, due: Mapping[str, datetime]) -> None:
        """Wake the executions whose retry is due, then claim the due jobs. Returns at once; `wait_idle` waits."""
        woken = None
        if retries := [id_ for id_ in due if "@" in id_]:  # the ids of executions; no job's id has an @
            woken = self._dispatch.wake(retries)
            due = {id_: at for id_, at in due.items() if "@" not in id_}
        if self._early is not None:
            self._early.update(due)
        elif due:
            self._rounds.start(self._claim(list(due.items()), woken))

    def open(self) -> None:
        """Begin to claim."""
        early, self._early = self._early, None
        if early:
            self.ring(early)

    def claim(self, job_ids: Iterable[str]) -> asyncio.Task[None]:
        """Claim the jobs' due times, even while claims are suspended: operations that change a job rely on it.

        The task ends when the executor has the executions.
        """
        return self._rounds.start(self._claim_together([(job_id, None) for job_id in job_ids]))

    def set_alarm(self, job_id: str, at: datetime | None) -> None:
        """Set a job's next due time on the clock, if this process leads; None removes it."""
        if self._dispatch.leading and not self._stopped:
            self._clock.set_alarm(job_id, at)

    def suspend(self) -> None:
        """Claim no due time until `resume` was called equally often."""
        self._suspensions += 1
        self._clock.pause()

    def resume(self) -> None:
        """End one suspension. After the last one, claim the due times that rang meanwhile; a new leader reads them itself."""
        self._suspensions -= 1
        if self._suspensions:
            return
        postponed, self._postponed = self._postponed, []
        if self._clock.running:
            self._clock.resume()
        if postponed and self._dispatch.leading:
            self._rounds.start(self._claim(postponed))

    def stop(self) -> None:
        """Claim no further portion, and set no further alarm."""
        self._stopped = True

    async def wait_idle(self, seconds: float | None = None) -> None:
        """Wait until every claim under way has ended, at most `seconds`."""
        await all_done(lambda: self._rounds, seconds)

    async def _claim(self, due: Sequence[Due], after: asyncio.Task[None] | None = None) -> None:
        """Claim due times, once the task `after` has ended: the retries that it starts are older."""
        if after is not None:
            await asyncio.wait([after])
        # In portions, so that the first executions run while the next are claimed.
        async for portion in in_portions(due, MAX_AT_ONCE):
            if self._stopped:
                return  # the remaining jobs stay due
            if self._suspensions:
                self._postponed += portion
            else:
                await self._claim_together(portion)

    async def find_unanswered(self) -> None:
        """Look for executions begun by claims whose answers were lost. If the store fails, the next round tries again."""
        unanswered, self._unanswered = self._unanswered, []
        for reserved, at in unanswered:
            try:
                begun = await self._reserved.begun(reserved, at)
            except Exception:
                log_failure(logger, "Looking for the executions that a claim has begun failed; trying again soon")
                self._unanswered.append((reserved, at))
            else:
                await self._start(begun, reserved, at)
                self._dispatch.active.in_doubt = True  # take-overs since then skipped the reserved executions

    async def _claim_together(self, due: Sequence[Due]) -> None:
        """Claim due times in one transaction, set the next alarms, and start the executions."""
        job_ids, reserved, now = [job_id for job_id, _ in due], self._hold(due), self._time.now()
        try:
            claims = await self._store.claim(job_ids, now, self._reserved.begins(reserved))
            self.failing = False
        except Exception:
            claims = self._put_off(job_ids)
            if reserved:
                self._unanswered.append((reserved, now))
                reserved = NOTHING
        except BaseException:
            self._dispatch.active.in_doubt = True
            self._reserved.let_go(reserved)
            raise
        if self._dispatch.leading and not self._stopped:
            for job_id, at in claims.next_times:  # the other jobs' alarms have rung, so there are none to remove
                self._clock.set_alarm(job_id, at)
        await self._start(claims.records, reserved, now)
        if self._unanswered:
            await self.find_unanswered()

    async def _start(self, claimed: Sequence[Claimed], reserved: frozenset[str], at: datetime) -> None:
        """Start executions claimed at an instant: those begun at once, the rest when there is room. Release those begun in vain."""
        jobs = replacing(claimed, at)
        try:
            for each in claimed:
                self._dispatch.start(each, replaces=each.execution.job_id in jobs)
        finally:
            self._reserved.let_go(reserved)
        if reserved:
            try:
                await self._reserved.give_up(claimed)
            except Exception:
                log_failure(logger, "Releasing executions that were begun and cannot start failed")

    def _hold(self, due: Sequence[Due]) -> frozenset[str]:
        """Reserve room for due jobs, so that the claim also begins them. That saves a write, except in a store in memory."""
        if not self._store.survives_restart:
            return NOTHING
        known = [(job_id, at) for job_id, at in due if at is not None]
        return self._reserved.hold_all(len(known), (execution_id(job_id, at) for job_id, at in known))

    def _put_off(self, job_ids: Sequence[str]) -> Claims:
        """Set the alarms again after a failed claim. Executions that were written nevertheless are found by a take-over."""
        self.failing = self._dispatch.active.in_doubt = True
        if self._stopped:  # the lead was released meanwhile: the next leader finds the due jobs
            logger.debug("Claiming %d due jobs failed as the scheduler ended", len(job_ids), exc_info=True)
        else:
            log_failure(logger, "Claiming %d due jobs failed; trying again in %s s", len(job_ids), RETRY_SECONDS)
        again = self._time.now() + timedelta(seconds=RETRY_SECONDS)
        return Claims((), [Change(job_id, again) for job_id in job_ids])
