"""Executions of ours that wait for their next attempt, until they are with the executor again."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from agentoolkit.failure_log import log_failure
from agentoolkit.system.scheduler.engine.clock_interface import RETRY_SECONDS, Alarms
from agentoolkit.system.scheduler.jobs import Execution
from agentoolkit.system.scheduler.ports import Claimed, JobStore
from agentoolkit.time_source import TimeSource

logger = logging.getLogger(__name__)


class Retries(dict[str, Execution]):
    """Executions that wait for a retry, by their ids, each with an alarm.

    Args:
        store: Where executions are queued whose alarm rings.
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

    async def wake(self, execution_ids: Sequence[str]) -> None:
        """Start the executions whose alarms have rung, if they still wait for us; what we lost is seen to by whoever has it now."""
        try:
            for claimed in await self._store.queue_retries(execution_ids):
                self._start(claimed)
        except Exception:
            log_failure(logger, "Waking %d executions failed; trying again in %s s", len(execution_ids), RETRY_SECONDS)
            again = self._time.now() + timedelta(seconds=RETRY_SECONDS)
            for waiting in [self[execution_id] for execution_id in execution_ids if execution_id in self]:
                self.keep(waiting, again)
        else:
            for execution_id in execution_ids:
                self.pop(execution_id, None)
