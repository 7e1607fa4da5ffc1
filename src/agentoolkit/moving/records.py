"""Jobs, executions and messages as JSON values, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any, cast

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_jsonable_python

from agentool.errors import InvalidInput
from agentoolkit.system.scheduler.jobs import Execution, Job, Policies, Standing
from agentoolkit.system.scheduler.ports import Message, StoredJob
from agentoolkit.system.scheduler.schedules import Schedule

_EXECUTION = TypeAdapter(Execution)
_STANDING = TypeAdapter(Standing)
_MESSAGE = TypeAdapter(Message)
_POLICIES = TypeAdapter(Policies)


def job_record(stored: StoredJob) -> dict[str, Any]:
    """Write a job and where it stands."""
    job, standing = stored
    # Taken apart by hand: a schedule writes itself.
    fields = {name: getattr(job, name) for name in Job.__dataclass_fields__}
    fields |= {"schedule": job.schedule.to_json(), "policies": asdict(job.policies)}
    return {"job": to_jsonable_python(fields), "standing": to_jsonable_python(standing._asdict())}


def execution_record(execution: Execution) -> dict[str, Any]:
    """Write an execution."""
    error = execution.error and execution.error._asdict()
    attempts = [{**attempt._asdict(), "error": attempt.error and attempt.error._asdict()} for attempt in execution.attempts]
    return {"execution": to_jsonable_python({**execution._asdict(), "error": error, "attempts": attempts})}


def message_record(message: Message) -> dict[str, Any]:
    """Write a message that is still to be delivered."""
    return {"message": to_jsonable_python(message._asdict())}


def job_from(record: Mapping[str, Any]) -> StoredJob:
    """Read what `job_record` wrote. Raises `InvalidInput`."""
    fields, standing = cast("dict[str, Any]", record["job"]), record["standing"]
    try:
        made: dict[str, Any] = {
            **fields,
            "schedule": Schedule.from_json(fields["schedule"]),
            "policies": _POLICIES.validate_python(fields["policies"]),
            "tags": tuple(fields["tags"]),
            "created_at": datetime.fromisoformat(fields["created_at"]),
        }
        return StoredJob(Job(**made), _STANDING.validate_python(standing))
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidInput(f"The record of a job is damaged: {error}.", field="job") from error


def execution_from(record: Mapping[str, Any]) -> Execution:
    """Read what `execution_record` wrote. Raises `InvalidInput`."""
    try:
        return _EXECUTION.validate_python(record["execution"])
    except ValidationError as error:
        raise InvalidInput(f"The record of an execution is damaged: {error}.", field="execution") from error


def message_from(record: Mapping[str, Any]) -> Message:
    """Read what `message_record` wrote. Raises `InvalidInput`."""
    try:
        return _MESSAGE.validate_python(record["message"])
    except ValidationError as error:
        raise InvalidInput(f"The record of a message is damaged: {error}.", field="message") from error
