"""When a pause ends by itself, and when a job is paused because it failed again and again: every store decides alike."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from itertools import islice

from agentoolkit.system.scheduler.jobs import ExecutionStatus, Job, JobState, JobStatus

FAILURES = frozenset({ExecutionStatus.FAILED, ExecutionStatus.LOST})
COUNTED = FAILURES | {ExecutionStatus.SUCCESS}
"""What makes or ends a row of failures; what never ran does neither."""


def pause_if_failing(job: Job, state: JobState, newest: Iterable[ExecutionStatus]) -> JobState | None:
    """Return the state of a job that is paused now; None: it goes on.

    Args:
        job: The definition, with its policies.
        state: Where it stands.
        newest: How its executions ended that count (see `COUNTED`), since `failures_from`, those that finished last first.
    """
    most = job.policies.pause_after_failures
    if most is None or state.status is not JobStatus.ACTIVE:
        return None
    last = list(islice(newest, most))
    if len(last) < most or not FAILURES.issuperset(last):
        return None
    said = "1 failure" if most == 1 else f"{most} failures in a row"
    return state.paused(reason=f"paused after {said} (pause_after_failures)")


def end_pause(job: Job, state: JobState, now: datetime) -> JobState:
    """Resume a job whose pause is over. Due times within the pause were not its own."""
    until = state.paused_until
    if until is None or until > now:
        return state
    following = job.schedule.first_from(until)
    status = JobStatus.DONE if job.schedule.is_over(until) else JobStatus.ACTIVE
    return state._replace(status=status, next_run_at=following, paused_until=None, reason="")
