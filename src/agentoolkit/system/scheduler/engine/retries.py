"""Executions of ours that wait for their next attempt, until they are with the executor again."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from agentoolkit.system.scheduler.engine.alarms import RETRY_SECONDS, Alarms
from agentoolkit.system.scheduler.engine.failures import log_failure
from agentoolkit.system.scheduler.jobs import Execution, ExecutionStatus
from agentoolkit.system.scheduler.ports import Claimed, JobStore
from agentoolkit.time_source import TimeSource

logger = logging.getLogger(__name__)

_WAITING = (ExecutionStatus.RETRYING, ExecutionStatus.QUEUED)
"""Queued, where writing so failed after it was done."""


class Retries(dict[str, Execution]):
    """Executions that wait for a retry, by their ids, each with an alarm.

    Args:
        store: Where it is looked up how an execution stands when its alarm rings.
        time: Where the time comes from.
        clock: Rings for each of them.
        start: Called with each execution whose retry is due.
    """

    def __init__(self, store: JobStore, time: TimeSource, clock: Alarms, start: Callable[[Claimed], None]) -> None:
        super().__init__()
        self._store = store
        self._time = time
        self._clock = clock
        self._start = start
        self.accepts = True
        """May more of them wait here? Not while the scheduler stops: what waits is given back."""

    def keep(self, execution: Execution, at: datetime) -> None:
        """Let an execution wait until an instant."""
        if self.accepts:
            self[execution.execution_id] = execution
            self._clock.set_alarm(execution.execution_id, at)

    def remove_all(self) -> None:
        """Forget all of them and their alarms: they are given back."""
        for execution_id in self:
            self._clock.set_alarm(execution_id, None)
        self.clear()

    async def wake(self, waiting: Execution) -> None:
        """Start an execution whose alarm has rung, if it still waits for us."""
        execution_id = waiting.execution_id
        try:
            execution = await self._store.execution(execution_id)
            stored = await self._store.find(execution.job_id) if execution else None
            if execution is None or stored is None or execution.owner != self._store.owner:
                pass  # whoever has it now sees to it
            elif execution.status in _WAITING and await self._store.queue_retry(execution):
                self._start(Claimed(stored.job, execution._replace(status=ExecutionStatus.QUEUED, retry_at=None)))
        except Exception:
            log_failure(logger, "Waking %s failed; trying again in %s s", execution_id, RETRY_SECONDS)
            self.keep(waiting, self._time.now() + timedelta(seconds=RETRY_SECONDS))
        else:
            self.pop(execution_id, None)
