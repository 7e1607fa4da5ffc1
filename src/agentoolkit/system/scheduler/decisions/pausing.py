"""Decides when a pause ends by itself, and when repeated failures pause a job: pure functions, shared by all stores.

A person or agent pauses and resumes a job in `service`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from itertools import islice

from agentoolkit.system.scheduler.execution_records import ExecutionStatus
from agentoolkit.system.scheduler.jobs import Job, JobState, JobStatus

FAILURES = frozenset({ExecutionStatus.FAILED, ExecutionStatus.LOST})
COUNTED = FAILURES | {ExecutionStatus.SUCCESS}
"""Statuses that extend or end a series of failures. Executions that never ran do neither."""


def pause_if_failing(job: Job, state: JobState, newest: Iterable[ExecutionStatus]) -> JobState | None:
    """Return the paused state of a job that has failed too often in a row; None if it continues.

    Args:
        job: The definition, with its policies.
        state: The job's state.
        newest: Statuses of its executions that count (see `COUNTED`) since `failures_since`, the latest first.
    """
    most = job.policies.pause_after_failures
    if most is None or state.status is not JobStatus.ACTIVE:
        return None
    last = list(islice(newest, most))
    if len(last) < most or not FAILURES.issuperset(last):
        return None
    said = "1 failure" if most == 1 else f"{most} failures in a row"
    return state.paused(reason=f"paused after {said} (pause_after_failures)")


def failures_since(job: Job, state: JobState) -> datetime:
    """Return the time from which a job's failures count: when it was last resumed, else created. An earlier job may have had its id."""
    return job.created_at if state.failures_from is None else state.failures_from


def end_pause(job: Job, state: JobState, now: datetime) -> JobState:
    """Resume a job whose pause is over. Due times within the pause leave no records of their own."""
    until = state.paused_until
    if until is None or until > now:
        return state
    following = job.schedule.first_from(until)
    status = JobStatus.DONE if job.schedule.is_over(until) else JobStatus.ACTIVE
    return state._replace(status=status, next_run_at=following, paused_until=None, reason="")
