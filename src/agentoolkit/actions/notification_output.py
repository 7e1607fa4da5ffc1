"""The output of a notification, and the targets where an earlier attempt has delivered it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

from pydantic import BaseModel, Field, ValidationError

from agentool.errors import AgenToolError
from agentool.secrets_here import secrets_here, without_texts
from agentoolkit.newest import keep_newest

MAX_TAKEN = 1_000
"""Used records that are remembered, the latest ones."""

_taken: dict[int, dict[str, Any]] = {}
"""Used records by `id`. Holding the record keeps its id from being reused."""


class NotificationOutput(BaseModel):
    """The message, and where it arrived."""

    message: str
    delivered: list[str]
    failed: dict[str, str] = Field(default={}, description="Target → why it did not arrive there")


class NotificationFailed(AgenToolError, RuntimeError):
    """At least one target did not take the notification. ``result``, a `NotificationOutput`, lists both kinds of targets."""

    result: NotificationOutput | None = None


def arrived_before(message: str, targets: Sequence[str]) -> frozenset[str]:
    """Return the targets where an earlier attempt of this execution has delivered the message, as its result so far records.

    Each record is used once: an execution may send the same message twice, and an early end may have sent it once.
    """
    from agentoolkit.system.scheduler import current_execution

    execution = current_execution()
    message = without_texts(message, secrets_here.get())  # records are without secrets too
    for record in () if execution is None else _records(execution.result):
        try:
            part = NotificationOutput.model_validate(record, strict=True)
        except ValidationError:  # another tool's record with the same keys
            continue
        if id(record) not in _taken and part.message == message and {*part.delivered, *part.failed} == set(targets):
            _taken[id(record)] = record
            keep_newest(_taken, MAX_TAKEN)
            return frozenset(part.delivered)
    return frozenset()


def _records(result: Any) -> Iterator[dict[str, Any]]:
    """Yield possible records of a notification that arrived in part, also those inside sequences."""
    if isinstance(result, dict):
        record = cast("dict[str, Any]", result)
        if record.keys() == NotificationOutput.model_fields.keys() and record["failed"]:
            yield record
        result = list(record.values())
    if isinstance(result, list):
        for value in cast("list[Any]", result):
            yield from _records(value)
