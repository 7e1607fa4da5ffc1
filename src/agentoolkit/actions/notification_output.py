"""What was delivered of a notification, and what of it a further attempt finds delivered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

from pydantic import BaseModel, Field, ValidationError

from agentool.errors import AgenToolError
from agentool.secrets_here import secrets_here, without_texts
from agentoolkit.newest import keep_newest

MAX_TAKEN = 1_000
"""Records of which is known that an attempt has taken them, those taken last."""

_taken: dict[int, dict[str, Any]] = {}
"""Records by their `id`, which is nobody else's while they are here."""


class NotificationOutput(BaseModel):
    """What was said, and where it arrived."""

    message: str
    delivered: list[str]
    failed: dict[str, str] = Field(default={}, description="Target → why it did not arrive there")


class NotificationFailed(AgenToolError, RuntimeError):
    """At least one target did not take the notification. ``result``, a `NotificationOutput`, says which did and which did not."""

    result: NotificationOutput | None = None


def arrived_before(message: str, targets: Sequence[str]) -> frozenset[str]:
    """Return where an earlier attempt of this execution has delivered it: that is in the execution's result so far.

    Each record is taken once. The same words may be sent twice in one execution, and an attempt that ended early sent them once.
    """
    from agentoolkit.system.scheduler import current_execution

    execution = current_execution()
    message = without_texts(message, secrets_here.get())  # as it is in the record
    for record in () if execution is None else _records(execution.result):
        part = _as_output(record)
        if id(record) not in _taken and part and part.message == message and {*part.delivered, *part.failed} == set(targets):
            _taken[id(record)] = record
            keep_newest(_taken, MAX_TAKEN)
            return frozenset(part.delivered)
    return frozenset()


def _records(result: Any) -> Iterator[dict[str, Any]]:
    """Yield what may be a record of a notification that arrived in part, also of those within sequences."""
    if isinstance(result, dict):
        record = cast("dict[str, Any]", result)
        if record.keys() == NotificationOutput.model_fields.keys() and record["failed"]:
            yield record
        result = list(record.values())
    if isinstance(result, list):
        for value in cast("list[Any]", result):
            yield from _records(value)


def _as_output(record: dict[str, Any]) -> NotificationOutput | None:
    """Read a record; None if it is another tool's, which has the same keys."""
    try:
        return NotificationOutput.model_validate(record, strict=True)
    except ValidationError:
        return None
