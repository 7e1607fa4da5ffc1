"""Write jobs, executions, outcomes, queues and values as JSON records, and read them back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple, cast

from pydantic import TypeAdapter
from pydantic_core import to_jsonable_python

from agentool.errors import InvalidInput
from agentoolkit.storage.kv.ports import KeptValue, StoredValue
from agentoolkit.storage.kv.schemas import KvInput
from agentoolkit.storage.kv.service import encoded
from agentoolkit.system.queue import messages as queued
from agentoolkit.system.queue.ports import QueueContents
from agentoolkit.system.queue.schemas import QueueInput
from agentoolkit.system.scheduler.execution_records import Execution
from agentoolkit.system.scheduler.job_records import JOB_RECORD, job_to_record
from agentoolkit.system.scheduler.jobs import JobState
from agentoolkit.system.scheduler.ports import Message, StoredJob
from agentoolkit.transfer import checks


class Remembered(NamedTuple):
    """An id that a queue remembers."""

    queue_name: str
    message_id: str
    until: datetime


_REMEMBERED = TypeAdapter(Remembered)
_EXECUTION = TypeAdapter(Execution)
_STATE = TypeAdapter(JobState)
_MESSAGE = TypeAdapter(Message)
_QUEUE = TypeAdapter(queued.Queue)
_QUEUED = TypeAdapter(queued.QueueMessage)
_ENTRY = TypeAdapter(StoredValue)
_REASON: TypeAdapter[str | None] = TypeAdapter(str | None)
_FILED = {"status": "state"}
"""Fields of a `JobState` that have another name in files."""


def job_record(stored: StoredJob) -> dict[str, Any]:
    """Write a job and its state."""
    job, state = stored
    fields = to_jsonable_python(state._asdict())
    return {"job": job_to_record(job), "standing": {_FILED.get(name, name): value for name, value in fields.items()}}


def execution_record(execution: Execution, cancel_reason: str | None = None) -> dict[str, Any]:
    """Write an execution. `cancel_reason` is that of a request to cancel it which is not carried out yet; None if there is none."""
    error = execution.error and execution.error._asdict()
    attempts = [{**attempt._asdict(), "error": attempt.error and attempt.error._asdict()} for attempt in execution.attempts]
    asked = {} if cancel_reason is None else {"cancel_reason": cancel_reason}
    return {"execution": to_jsonable_python({**execution._asdict(), "error": error, "attempts": attempts}), **asked}


def message_record(message: Message) -> dict[str, Any]:
    """Write an outcome that is still to be delivered."""
    return {"message": to_jsonable_python(message._asdict())}


def queue_record(contents: QueueContents) -> dict[str, Any]:
    """Write a queue with its limits, and how many messages it has received and dropped."""
    queue = {**contents.queue._asdict(), "settings": contents.queue.settings._asdict()}
    return {"queue": to_jsonable_python(queue), "arrivals": contents.arrivals, "dropped": contents.dropped}


def remembered_record(queue_name: str, message_id: str, until: datetime) -> dict[str, Any]:
    """Write an id that a queue remembers."""
    return {"remembered": {"queue_name": queue_name, "message_id": message_id, "until": until.isoformat()}}


def queued_record(message: queued.QueueMessage) -> dict[str, Any]:
    """Write a message in a queue."""
    return {"queued": to_jsonable_python(message._asdict())}


def value_record(held: KeptValue) -> dict[str, Any]:
    """Write a value of the key-value storage."""
    return {"value": to_jsonable_python(held.entry._asdict()), "namespace": held.namespace, "key": held.key}


def job_from(record: Mapping[str, Any]) -> StoredJob:
    """Read what `job_record` wrote. Raises `InvalidInput`."""
    job = checks.read(JOB_RECORD, "job", record["job"])
    checks.check_values("job", record["job"])
    state = record.get("standing")
    if isinstance(state, Mapping):
        ours = {filed_name: name for name, filed_name in _FILED.items()}
        state = {ours.get(name, name): value for name, value in cast("Mapping[str, object]", state).items()}
    stored = StoredJob(job, checks.read(_STATE, "standing", state))
    checks.check_job(job)
    return stored


def execution_from(record: Mapping[str, Any]) -> tuple[Execution, str | None]:
    """Read what `execution_record` wrote, with the reason of a pending request to cancel it. Raises `InvalidInput`."""
    execution = checks.read(_EXECUTION, "execution", record["execution"])
    checks.check_name("execution.execution_id", execution.execution_id)
    checks.check_name("execution.job_id", execution.job_id)
    checks.check_json("execution.result", execution.result)
    return execution, checks.read(_REASON, "cancel_reason", record.get("cancel_reason"))


def message_from(record: Mapping[str, Any]) -> Message:
    """Read what `message_record` wrote. Raises `InvalidInput`."""
    message = checks.read(_MESSAGE, "message", record["message"])
    checks.check_name("message.execution_id", message.execution_id)
    return message


def queue_from(record: Mapping[str, Any]) -> QueueContents:
    """Read what `queue_record` wrote. Raises `InvalidInput`."""
    queue = checks.read(_QUEUE, "queue", record["queue"])
    created = {"operation": "create_queue", "queue_name": queue.queue_name, **queue.settings._asdict()}
    checks.check_fields("queue", QueueInput, created)
    arrivals, dropped = (checks.count_in(f"queue.{name}", record.get(name, 0)) for name in ("arrivals", "dropped"))
    return QueueContents(queue, (), (), arrivals, dropped)


def remembered_from(record: Mapping[str, Any]) -> Remembered:
    """Read what `remembered_record` wrote. Raises `InvalidInput`."""
    remembered = checks.read(_REMEMBERED, "remembered", record["remembered"])
    named = {"queue_name": remembered.queue_name, "message_id": remembered.message_id}
    checks.check_fields("remembered", QueueInput, {"operation": "enqueue", **named})
    return remembered


def queued_from(record: Mapping[str, Any]) -> queued.QueueMessage:
    """Read what `queued_record` wrote. Raises `InvalidInput`."""
    message = checks.read(_QUEUED, "queued", record["queued"])
    named = {name: getattr(message, name) for name in ("queue_name", "message_id", "priority")}
    checks.check_fields("queued", QueueInput, {"operation": "enqueue", **named})
    checks.json_in("queued.body", message.body)
    for name in ("attempts", "arrival"):
        checks.count_in(f"queued.{name}", getattr(message, name))
    if message.state is queued.State.DEAD and message.died_at is None:
        raise InvalidInput("A dead letter has a time.", field="queued.died_at", remedy="Write when it died.")
    return message


def value_from(record: Mapping[str, Any]) -> KeptValue:
    """Read what `value_record` wrote. Raises `InvalidInput`."""
    entry = checks.read(_ENTRY, "value", record["value"])
    named = {name: record.get(name) or "" for name in ("namespace", "key")}
    checks.check_fields("value", KvInput, {"operation": "set", **named})
    for name, text in named.items():
        checks.check_name(f"value.{name}", text)
    # Equal values must have equal texts.
    return KeptValue(**named, entry=entry._replace(text=encoded(checks.json_in("value.text", entry.text))))
