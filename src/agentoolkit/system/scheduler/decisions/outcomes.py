"""Turns the end of a handler into a record, with results and errors as JSON-safe data, and into a message to deliver."""

from __future__ import annotations

import traceback
from datetime import datetime

from agentool.errors import text_of
from agentool.secrets_here import beginning_of, end_of
from agentoolkit.endings import NOTHING_TO_REPORT, EndedEarly, GoesOnLater, part_done
from agentoolkit.json_values import UnrecordableResult, recordable
from agentoolkit.system.scheduler.execution_records import ErrorRecord, Execution, ExecutionStatus
from agentoolkit.system.scheduler.jobs import Job, Work
from agentoolkit.system.scheduler.ports import Message
from agentoolkit.system.scheduler.retention import RESULT_SIZE

MAX_MESSAGE_LENGTH = 10_000
"""Maximum characters of an error's message in a record."""
MAX_TRACEBACK_LENGTH = 50_000
"""Maximum characters of its traceback."""

_TRACEBACK_FRAMES = 8
_SUCCESS = ExecutionStatus.SUCCESS  # an enum is slow to look into

_EARLY = {"skipped": ExecutionStatus.SKIPPED, "cancelled": ExecutionStatus.CANCELLED}
"""The statuses by which a handler may end early. Any other status is recorded as a failure."""


def record_success(
    execution: Execution, output: object, now: datetime, duration: float, reason: str = "", largest: int = RESULT_SIZE
) -> Execution:
    """Record a handler's result. A result that cannot be recorded, or exceeds `largest` bytes, is recorded as a failure."""
    if output is None:
        return execution.succeeded(now, duration, None, reason)
    try:
        result = recordable(output, largest)
    except UnrecordableResult as error:
        return record_failure(execution, error, now, duration, reason="its result could not be recorded")
    if not reason and getattr(output, "nothing_to_report", False) is True:
        reason = NOTHING_TO_REPORT
    return execution.succeeded(now, duration, result, reason)


def record_failure(execution: Execution, error: BaseException, now: datetime, duration: float, reason: str = "") -> Execution:
    """Record a handler's exception. `EndedEarly` sets its own status; `GoesOnLater` is recorded as if this were the last call."""
    if isinstance(error, EndedEarly):
        ended = execution._replace(status=_EARLY[error.status], reason=str(error.reason), finished_at=now, duration=duration)
        return ended._replace(result=part_done(error, RESULT_SIZE))
    if isinstance(error, GoesOnLater):  # it is frequent, and nothing went wrong: without a traceback
        goes_on = ErrorRecord(type(error).__name__, _cut(str(error), MAX_MESSAGE_LENGTH))
        reason = f"not called again, though it goes on later: {error.reason}"
        return execution._replace(status=ExecutionStatus.FAILED, reason=reason, finished_at=now, duration=duration, error=goes_on)
    frames = "".join(traceback.format_exception(error, limit=-_TRACEBACK_FRAMES))
    record = ErrorRecord(type(error).__name__, _cut(text_of(error), MAX_MESSAGE_LENGTH), _cut(frames, MAX_TRACEBACK_LENGTH))
    ended = execution._replace(status=ExecutionStatus.FAILED, result=part_done(error, RESULT_SIZE), finished_at=now, duration=duration)
    return ended._replace(reason=reason or f"raised {record.type}", error=record)


def _cut(text: str, most: int) -> str:
    """Cut out the middle of a text that is too long: both ends say what happened and where."""
    if len(text) <= most:
        return text
    return f"{beginning_of(text, most // 2)} … ({len(text) - most:,} characters left out) … {end_of(text, most // 2)}"


def record_cancellation(execution: Execution, reason: str, now: datetime, duration: float | None = None) -> Execution:
    """Record that an execution was cancelled; without a duration, before its handler was called."""
    return execution._replace(status=ExecutionStatus.CANCELLED, reason=reason, finished_at=now, duration=duration)


def record_skip(execution: Execution, reason: str, now: datetime, duration: float) -> Execution:
    """Record that an execution was skipped."""
    return execution._replace(status=ExecutionStatus.SKIPPED, reason=reason, finished_at=now, duration=duration)


def outcome_message(work: Work | Job, execution: Execution) -> Message | None:
    """Return the message to deliver: a success to the result queue, any other outcome to the error queue; None if none."""
    succeeded = execution.status is _SUCCESS
    queue_name = work.result_queue if succeeded else work.error_queue
    if queue_name is None or execution.status is ExecutionStatus.SKIPPED or (succeeded and execution.reason == NOTHING_TO_REPORT):
        return None
    payload: dict[str, object] = {
        "execution_id": execution.execution_id,
        "job_id": execution.job_id,
        "agentool_name": execution.agentool_name,
        "scheduled_at": execution.scheduled_at.isoformat(),
        "status": execution.status.value,
    }
    if succeeded:
        payload["result"] = execution.result
    else:
        payload["reason"] = execution.reason
        payload["error"] = {"type": execution.error.type, "message": execution.error.message} if execution.error else None
    return Message(execution.execution_id, queue_name, payload)
