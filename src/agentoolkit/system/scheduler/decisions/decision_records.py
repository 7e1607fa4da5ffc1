"""The records of one decision: what starts, what was missed, and what is skipped."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from agentoolkit.system.scheduler.jobs import Execution, ExecutionStatus, Job, queued_execution


class Scribe(NamedTuple):
    """Writes the records of one decision."""

    job: Job
    now: datetime
    owner: str

    def starts(self, due: datetime) -> Execution:
        return queued_execution(self.job, due, self.owner)

    def missed(self, first: datetime, last: datetime, number: int, why: str) -> Execution:
        span = (
            f"; {number} due times from {first.isoformat(timespec='seconds')} to {last.isoformat(timespec='seconds')}" if number > 1 else ""
        )
        return self._passed_over(self.starts(last), ExecutionStatus.MISSED, why + span)._replace(due_count=number)

    def skipped(self, execution: Execution, why: str) -> Execution:
        return self._passed_over(execution, ExecutionStatus.SKIPPED, why)

    def _passed_over(self, execution: Execution, status: ExecutionStatus, reason: str) -> Execution:
        return execution._replace(status=status, reason=reason, finished_at=self.now)
