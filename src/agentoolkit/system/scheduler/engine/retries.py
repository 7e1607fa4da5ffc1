"""Keeps the executions that wait for their next attempt, each with an alarm."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from agentoolkit.failure_log import log_failure
from agentoolkit.system.scheduler.engine.clock_interface import RETRY_SECONDS, Alarms
from agentoolkit.system.scheduler.execution_records import Execution
from agentoolkit.system.scheduler.ports import Claimed, JobStore
from agentoolkit.time_source import TimeSource

logger = logging.getLogger(__name__)


class Retries(dict[str, Execution]):
    """Executions that wait for a retry, by id, each with an alarm.

    Args:
        store: Queues the executions whose alarm rings.
        time: The time source.
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
        """False while the scheduler stops: waiting executions are released."""

    def keep(self, execution: Execution, at: datetime) -> None:
        """Keep an execution until the instant `at`."""
        if self.accepts:
            self[execution.execution_id] = execution
            self._clock.set_alarm(execution.execution_id, at)

    def remove_all(self) -> None:
        """Forget all executions and their alarms: they are released."""
        for execution_id in self:
            self._clock.set_alarm(execution_id, None)
        self.clear()

    async def wake(self, execution_ids: Sequence[str]) -> None:
        """Start the executions whose alarms have rung, if they are still ours. Those of another owner are forgotten."""
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
