"""The result of a decision on due times, and its records: executions that start, were missed, or are skipped."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from agentoolkit.system.scheduler.execution_records import Execution, ExecutionStatus, queued_execution
from agentoolkit.system.scheduler.jobs import Job, JobState


class Decision(NamedTuple):
    """The result of a decision: new records, and the job's state after them."""

    executions: Sequence[Execution]
    state: JobState


class Scribe(NamedTuple):
    """Creates the records of one decision on a job."""

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


_COALESCED = "coalesced into the run due"


def coalesced_into(due: datetime) -> str:
    """Return the reason of missed due times for which the run of a later one stands."""
    return f"{_COALESCED} {due.isoformat(timespec='seconds')}"


def was_coalesced(reason: str) -> bool:
    """Tell whether the reason of missed due times says that a later run stands for them."""
    return reason.startswith(_COALESCED)
