"""What becomes of executions whose process ended: pure functions, so that every store decides alike."""

from __future__ import annotations

from datetime import datetime

from agentoolkit.system.scheduler.jobs import Attempt, ErrorRecord, Execution, Job, Status

MOST_INTERRUPTIONS = 3
"""Attempts at one execution that may end with their process; after that it is held to be what ends it."""

_INTERRUPTED = "ProcessEnded"


def settled(execution: Execution, job: Job | None, owner: str, now: datetime) -> Execution:
    """Return an execution left behind as a new owner takes it: to be started, waiting for its retry, or lost."""
    if execution.status is not Status.RUNNING:
        return execution._replace(owner=owner) if job is not None else _lost(execution, "its job is gone", owner, now)
    if job is None or execution.trigger == "run_now":
        return _lost(execution, "its process ended, and with it whoever waited for the result", owner, now)
    if job.policies.on_interrupt == "fail":
        return _lost(execution, "its process ended before an outcome was known (on_interrupt: fail)", owner, now)
    again = interrupted(execution, now)._replace(owner=owner)
    if sum(earlier.error is not None and earlier.error.type == _INTERRUPTED for earlier in again.attempts) < MOST_INTERRUPTIONS:
        return again
    return _lost(execution, f"its process ended during {MOST_INTERRUPTIONS} attempts at it", owner, now)


def interrupted(execution: Execution, now: datetime) -> Execution:
    """Return an execution whose attempt was cut short as one that waits for the next."""
    error = ErrorRecord(_INTERRUPTED, "The process ended while the handler ran.")
    return execution._replace(
        status=Status.QUEUED,
        reason="started again after its process ended",
        attempt=execution.attempt + 1,
        attempts=(*execution.attempts, Attempt(execution.attempt, execution.started_at, now, error)),
        started_at=None,
        owner="",
    )


def _lost(execution: Execution, reason: str, owner: str, now: datetime) -> Execution:
    return execution._replace(status=Status.LOST, reason=reason, owner=owner, finished_at=now)
