"""Facts as rows and rows as facts."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from agentoolkit.database.times import instant, micros, moment
from agentoolkit.system.scheduler.jobs import Attempt, Delivery, ErrorRecord, Execution, ExecutionStatus, Job, JobState, JobStatus, Policies
from agentoolkit.system.scheduler.ports import Message
from agentoolkit.system.scheduler.schedules import Schedule

_POLICIES = tuple(field.name for field in fields(Policies))

STANDING = "state, next_run_at, runs, version, reason, paused_until"
EXECUTION_TYPES = {
    "execution_id": "TEXT",
    "job_id": "TEXT",
    "agentool_name": "TEXT",
    "scheduled_at": "BIGINT",
    "cause": "TEXT",
    "status": "TEXT",
    "reason": "TEXT",
    "due_count": "BIGINT",
    "attempt": "BIGINT",
    "started_at": "BIGINT",
    "finished_at": "BIGINT",
    "duration": "DOUBLE PRECISION",
    "result": "TEXT",
    "error": "TEXT",
    "delivery": "TEXT",
    "retry_at": "BIGINT",
    "attempts": "TEXT",
    "owner": "TEXT",
}
EXECUTION = ", ".join(EXECUTION_TYPES)
NEW_TYPES = {
    "execution_id": "TEXT",
    "job_id": "TEXT",
    "sequence": "BIGINT",
    "agentool_name": "TEXT",
    "scheduled_at": "BIGINT",
    "cause": "TEXT",
    "status": "TEXT",
    "reason": "TEXT",
    "due_count": "BIGINT",
    "finished_at": "BIGINT",
    "owner": "TEXT",
}
"""The columns that an execution can have when it is first written down."""
_STATES = {state.value: state for state in JobStatus}


def definition_of(job: Job) -> str:
    """Write a job's definition as JSON."""
    record = {
        "job_name": job.job_name,
        "agentool_name": job.agentool_name,
        "input_data": job.input_data,
        "schedule": job.schedule.to_json(),
        "policies": {name: getattr(job.policies, name) for name in _POLICIES},
        "result_queue": job.result_queue,
        "error_queue": job.error_queue,
        "description": job.description,
        "tags": job.tags,
        "created_at": job.created_at.isoformat(),
    }
    return json.dumps(record, separators=(",", ":"))


def job_of(job_id: str, definition: str) -> Job:
    """Read a job's definition.

    Raises:
        ValueError, KeyError, TypeError: It was damaged.
    """
    record: dict[str, Any] = json.loads(definition)
    policies: dict[str, Any] = record["policies"]
    policies["retry_on"] = tuple(policies["retry_on"])
    record["schedule"] = Schedule.from_json(record["schedule"])
    record["policies"] = Policies(**policies)
    record["tags"] = tuple(record["tags"])
    record["created_at"] = datetime.fromisoformat(record["created_at"])
    return Job(job_id=job_id, **record)


def standing_of(row: Sequence[Any]) -> JobState:
    """Read the columns `STANDING`. Raises `KeyError` if there is no such state."""
    state, next_run_at, runs, version, reason, paused_until = row
    return JobState(_STATES[state], moment(next_run_at), runs, version, reason, moment(paused_until))


def unreadable_standing(error: Exception) -> JobState:
    """Return where a job stands whose row cannot be read."""
    return JobState(JobStatus.BROKEN, reason=f"it cannot be read: {error!r}")


def standing_parameters(standing: JobState) -> dict[str, Any]:
    """Return the columns `STANDING`, and whether the job can still fire."""
    return {
        "state": str(standing.state),
        "live": int(standing.state is not JobStatus.DONE),
        "next_run_at": micros(standing.next_run_at),
        "runs": standing.runs,
        "version": standing.version,
        "reason": standing.reason,
        "paused_until": micros(standing.paused_until),
    }


def execution_of(row: tuple[Any, ...]) -> Execution:
    """Read the columns `EXECUTION`, whose order is that of an execution's own fields."""
    return Execution(*(value if read is None else read(value) for read, value in zip(_READERS, row, strict=True)))


def _result_of(stored: str | None) -> Any:
    return None if stored is None else json.loads(stored)


def _error_of(stored: str | None) -> ErrorRecord | None:
    return None if stored is None else ErrorRecord(*json.loads(stored))


def _attempts_of(stored: str | None) -> tuple[Attempt, ...]:
    return () if stored is None else tuple(map(_attempt_of, json.loads(stored)))


_READ: dict[str, Callable[[Any], Any]] = {
    "scheduled_at": instant,
    "status": ExecutionStatus,
    "started_at": moment,
    "finished_at": moment,
    "result": _result_of,
    "error": _error_of,
    "delivery": Delivery,
    "retry_at": moment,
    "attempts": _attempts_of,
}
_READERS = tuple(map(_READ.get, EXECUTION_TYPES))


def execution_parameters(execution: Execution) -> dict[str, Any]:
    """Return the columns `EXECUTION`."""
    return {
        "execution_id": execution.execution_id,
        "job_id": execution.job_id,
        "agentool_name": execution.agentool_name,
        "scheduled_at": micros(execution.scheduled_at),
        "cause": execution.trigger,
        "status": str(execution.status),
        "reason": plain(execution.reason),
        "due_count": execution.due_count,
        "attempt": execution.attempt,
        "started_at": micros(execution.started_at),
        "finished_at": micros(execution.finished_at),
        "duration": execution.duration,
        "result": None if execution.result is None else json.dumps(execution.result, separators=(",", ":")),
        "error": None if execution.error is None else json.dumps(execution.error),
        "delivery": str(execution.delivery),
        "retry_at": micros(execution.retry_at),
        "attempts": json.dumps([_attempt_record(past) for past in execution.attempts]) if execution.attempts else None,
        "owner": execution.owner,
    }


def new_row(execution: Execution, sequence: int) -> tuple[Any, ...]:
    """Return the columns `NEW_TYPES`; a time that is not known is 0."""
    return (
        execution.execution_id,
        execution.job_id,
        sequence,
        execution.agentool_name,
        micros(execution.scheduled_at),
        execution.trigger,
        str(execution.status),
        plain(execution.reason),
        execution.due_count,
        micros(execution.finished_at) or 0,
        execution.owner,
    )


def ended_row(execution: Execution) -> tuple[Any, ...]:
    """Return what an outcome changes, and whose it is; what is not known is the text '' or the number -1."""
    return (
        execution.execution_id,
        execution.owner,
        execution.attempt,
        str(execution.status),
        plain(execution.reason),
        micros(execution.finished_at),
        -1.0 if execution.duration is None else execution.duration,
        "" if execution.result is None else json.dumps(execution.result, separators=(",", ":")),
        "" if execution.error is None else json.dumps(execution.error),
        str(execution.delivery),
    )


def plain(text: str) -> str:
    """Return text that every database can hold: without lone surrogates and NUL."""
    return text if text.isprintable() else text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def message_of(row: tuple[Any, ...]) -> Message:
    """Read ``execution_id, queue_name, payload, attempts``."""
    return Message(row[0], row[1], json.loads(row[2]), row[3])


def _attempt_record(past: Attempt) -> list[Any]:
    return [past.attempt, micros(past.started_at), micros(past.finished_at), past.error]


def _attempt_of(record: list[Any]) -> Attempt:
    number, started, finished, error = record
    return Attempt(number, moment(started), moment(finished), None if error is None else ErrorRecord(*error))
