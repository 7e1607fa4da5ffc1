"""Decides whether a failed attempt is retried, and when: pure functions."""

from __future__ import annotations

from datetime import datetime, timedelta
from zlib import crc32

from agentool.errors import ConfigurationError, InvalidInput, UnknownAgenTool
from agentoolkit.endings import MAX_WAITED, MIN_PAUSE, GoesOnLater
from agentoolkit.json_values import UnrecordableResult
from agentoolkit.system.scheduler.decisions.recovery import CUT_SHORT
from agentoolkit.system.scheduler.execution_records import Attempt, Execution, ExecutionStatus
from agentoolkit.system.scheduler.jobs import Policies

MAX_DELAY = 600.0
"""Seconds. Source of the shape, doubled and capped: *Scheduler Service*, "Error Handling" (``retry_backoff=True``)."""

MAX_NAMED_LENGTH = 86_400.0
"""Maximum delay in seconds that an error can name (``retry_after``): a server may name any date."""

_UNCOUNTED = CUT_SHORT | {GoesOnLater.__name__}
"""Errors of attempts that do not count as retries."""

HOPELESS = (InvalidInput, UnknownAgenTool, ConfigurationError, UnrecordableResult, PermissionError, SystemExit)
"""Errors that the same call would raise again."""


def plan_retry(execution: Execution, error: BaseException, policies: Policies, now: datetime) -> Execution | None:
    """Return the record of an execution that waits for its next attempt; None if this was the last attempt."""
    uncounted = sum(past.error is not None and past.error.type in _UNCOUNTED for past in execution.attempts)
    counted = len(execution.attempts) - uncounted + 1
    if isinstance(error, GoesOnLater):
        waits_since = next((past.started_at for past in execution.attempts if _is_wait(past) and past.started_at), now)
        if now - waits_since >= MAX_WAITED:
            return None
        delay = max(retry_delay(execution, error, policies, now, counted), MIN_PAUSE)
        return _again(execution, str(error.reason), now + timedelta(seconds=delay))
    if counted > policies.max_retries or not is_worth_retrying(error, policies):
        return None
    reason = f"attempt {execution.attempt} of {execution.attempt - counted + policies.max_retries + 1} {execution.reason}"
    return _again(execution, reason, now + timedelta(seconds=retry_delay(execution, error, policies, now, counted)))


def only_waits(execution: Execution) -> bool:
    """Tell whether the latest attempt ended with `GoesOnLater`: it waits and has not failed."""
    return bool(execution.attempts) and _is_wait(execution.attempts[-1])


def _is_wait(attempt: Attempt) -> bool:
    return attempt.error is not None and attempt.error.type == GoesOnLater.__name__


def _again(execution: Execution, reason: str, at: datetime) -> Execution:
    """Add the attempt to the record and queue the next one. Consecutive waits are merged into one: they may be thousands."""
    before = execution.attempts
    attempt = Attempt(execution.attempt, execution.started_at, execution.finished_at, execution.error)
    if _is_wait(attempt) and only_waits(execution):
        before, attempt = before[:-1], attempt._replace(started_at=before[-1].started_at)
    return execution._replace(
        status=ExecutionStatus.RETRYING,
        reason=reason,
        retry_at=at,
        attempt=execution.attempt + 1,
        attempts=(*before, attempt),
        started_at=None,
        finished_at=None,
        duration=None,
        error=None,
    )


def job_is_gone(made_at: datetime | None, created_at: datetime | None) -> bool:
    """Tell whether the job of an attempt is gone: there is none with its id, or another one.

    The clock is not asked: it may have been set back since the job was created, or another machine's may be ahead.

    Args:
        made_at: Creation time of the job as the attempt began; None if it is unknown, so that any job with the id counts.
        created_at: Creation time of the job with the id now; None if there is no such job.
    """
    return created_at is None or made_at not in (None, created_at)


def is_worth_retrying(error: BaseException, policies: Policies) -> bool:
    """Tell whether an error is of a class that the job retries on or, if it names none, may be temporary."""
    if getattr(error, "retryable", True) is False:
        return False
    if policies.retry_on:
        return any(kind.__name__ in policies.retry_on for kind in type(error).__mro__)
    return not isinstance(error, HOPELESS)


def retry_delay(execution: Execution, error: BaseException, policies: Policies, now: datetime, counted: int) -> float:
    """Return the seconds to wait: the error's ``retry_after``, else the backoff, shortened by a spread of up to a half.

    The backoff doubles with each of the `counted` attempts.
    """
    if (named := _named_delay(error, now)) is not None:
        return named
    delay = min(policies.retry_backoff * 2.0 ** (counted - 1), MAX_DELAY)
    share = crc32(f"{execution.execution_id}#{execution.attempt}".encode()) / 2**32
    return delay * (1 - share / 2)


def _named_delay(error: BaseException, now: datetime) -> float | None:
    try:
        named: object = getattr(error, "retry_after", None)
    except Exception:  # reading an error may run its own code
        return None
    if isinstance(named, datetime) and named.tzinfo is not None:
        named = max((named - now).total_seconds(), 0.0)
    if isinstance(named, (int, float)) and not isinstance(named, bool) and named >= 0:
        return float(min(named, MAX_NAMED_LENGTH))
    return None
