"""Jobs, executions, outcomes, queues and values as JSON values, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_jsonable_python

from agentool.errors import InvalidInput
from agentoolkit.storage.kv.ports import Entry, Held
from agentoolkit.system.queue import messages as queued
from agentoolkit.system.scheduler.jobs import Execution, Job, Policies, Standing
from agentoolkit.system.scheduler.ports import Message, StoredJob
from agentoolkit.system.scheduler.schedules import Schedule

_EXECUTION = TypeAdapter(Execution)
_STANDING = TypeAdapter(Standing)
_MESSAGE = TypeAdapter(Message)
_POLICIES = TypeAdapter(Policies)
_QUEUE = TypeAdapter(queued.Queue)
_QUEUED = TypeAdapter(queued.Message)
_ENTRY = TypeAdapter(Entry)

T = TypeVar("T")


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
    """Write an outcome that is still to be delivered."""
    return {"message": to_jsonable_python(message._asdict())}


def queue_record(queue: queued.Queue) -> dict[str, Any]:
    """Write a queue with its limits."""
    return {"queue": to_jsonable_python({**queue._asdict(), "settings": queue.settings._asdict()})}


def queued_record(message: queued.Message) -> dict[str, Any]:
    """Write a message in a queue."""
    return {"queued": to_jsonable_python(message._asdict())}


def value_record(held: Held) -> dict[str, Any]:
    """Write a value of the key-value storage."""
    return {"value": to_jsonable_python(held.entry._asdict()), "namespace": held.namespace, "key": held.key}


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
    return _read(_EXECUTION, "execution", record["execution"])


def message_from(record: Mapping[str, Any]) -> Message:
    """Read what `message_record` wrote. Raises `InvalidInput`."""
    return _read(_MESSAGE, "message", record["message"])


def queue_from(record: Mapping[str, Any]) -> queued.Queue:
    """Read what `queue_record` wrote. Raises `InvalidInput`."""
    return _read(_QUEUE, "queue", record["queue"])


def queued_from(record: Mapping[str, Any]) -> queued.Message:
    """Read what `queued_record` wrote. Raises `InvalidInput`."""
    return _read(_QUEUED, "queued", record["queued"])


def value_from(record: Mapping[str, Any]) -> Held:
    """Read what `value_record` wrote. Raises `InvalidInput`."""
    namespace, key = record.get("namespace"), record.get("key")
    if not (isinstance(namespace, str) and isinstance(key, str)):
        raise InvalidInput("The record of a value is damaged: it has no namespace or no key.", field="value")
    return Held(namespace, key, _read(_ENTRY, "value", record["value"]))


def _read(kind: TypeAdapter[T], name: str, record: object) -> T:
    try:
        return kind.validate_python(record)
    except ValidationError as error:
        raise InvalidInput(f"The record of {name} is damaged: {error}.", field=name) from error
