"""Decides what happens to executions whose process ended: pure functions, shared by all stores."""

from __future__ import annotations

from datetime import datetime

from agentoolkit.system.scheduler.execution_records import Attempt, ErrorRecord, Execution, ExecutionStatus
from agentoolkit.system.scheduler.jobs import Job, Policies

MAX_INTERRUPTIONS = 3
"""Number of attempts during which the process ended, after which the execution is assumed to be the cause."""

_ENDED = ErrorRecord("ProcessEnded", "The process ended while the handler ran.")
_STOPPED = ErrorRecord("SchedulerStopped", "The scheduler was stopped while the handler ran.")

CUT_SHORT = frozenset({_ENDED.type, _STOPPED.type})
"""Errors of attempts that say nothing about the handler."""


def begins_as_claimed(policies: Policies) -> bool:
    """Tell whether the claim may record an execution as begun, if there is room for it.

    If the process is killed between the claim and the handler's first line, the record says running though nothing ran.
    With ``on_interrupt: fail`` that would make it lost. Room under a concurrency key is not known before the claim.
    """
    return policies.on_interrupt == "retry" and policies.concurrency_key is None


def recover(execution: Execution, job: Job | None, owner: str, now: datetime, cancelled: str | None = None) -> Execution:
    """Return the record of an abandoned execution under its new owner: queued, waiting for its retry, or lost.

    `cancelled` is the reason of a pending cancel request, which is then carried out; None if there is none.
    """
    if cancelled is not None:
        return execution._replace(status=ExecutionStatus.CANCELLED, reason=cancelled, owner=owner, finished_at=now)
    if execution.trigger == "run_now":
        return _lost(execution, "its process ended, and with it whoever waited for the result", owner, now)
    if job is None:
        return _lost(execution, "its process ended, and its job is gone or cannot be read", owner, now)
    if execution.status is not ExecutionStatus.RUNNING:
        return execution._replace(owner=owner)
    if job.policies.on_interrupt == "fail":
        return _lost(execution, "its process ended before an outcome was known (on_interrupt: fail)", owner, now)
    again = _again(execution, now, _ENDED, "started again after its process ended")
    if sum(earlier.error is not None and earlier.error.type == _ENDED.type for earlier in again.attempts) < MAX_INTERRUPTIONS:
        return again._replace(owner=owner)
    return _lost(execution, f"its process ended during {MAX_INTERRUPTIONS} attempts at it", owner, now)


def release(execution: Execution, now: datetime) -> Execution:
    """Return the record of an execution whose scheduler stopped: queued and without an owner, for the next leader."""
    return _again(execution, now, _STOPPED, "started again after the scheduler stopped")._replace(owner="")


def _again(execution: Execution, now: datetime, error: ErrorRecord, reason: str) -> Execution:
    return execution._replace(
        status=ExecutionStatus.QUEUED,
        reason=reason,
        attempt=execution.attempt + 1,
        attempts=(*execution.attempts, Attempt(execution.attempt, execution.started_at, now, error)),
        started_at=None,
    )


def _lost(execution: Execution, reason: str, owner: str, now: datetime) -> Execution:
    return execution._replace(status=ExecutionStatus.LOST, reason=reason, owner=owner, finished_at=now)
