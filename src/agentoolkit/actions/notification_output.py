"""What was delivered of a notification, and what of it a further attempt finds delivered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from pydantic import BaseModel, Field

from agentool.errors import AgenToolError
from agentoolkit.live_output import secrets_here
from agentoolkit.redaction import without_texts


class NotificationOutput(BaseModel):
    """What was said, and where it arrived."""

    message: str
    delivered: list[str]
    failed: dict[str, str] = Field(default={}, description="Target → why it did not arrive there")


class NotificationFailed(AgenToolError, RuntimeError):
    """At least one target did not take the notification. ``result``, a `NotificationOutput`, says which did and which did not."""

    result: NotificationOutput | None = None


def arrived_before(message: str, targets: Sequence[str]) -> frozenset[str]:
    """Return where an earlier attempt of this execution has delivered it: that is in the execution's result so far."""
    from agentoolkit.system.scheduler import current_execution

    execution = current_execution()
    message = without_texts(message, secrets_here.get())  # as it is in the record
    for record in () if execution is None else _records(execution.result):
        if record["message"] == message and {*record["delivered"], *record["failed"]} == set(targets):
            return frozenset(record["delivered"])
    return frozenset()


def _records(result: Any) -> Iterator[Mapping[str, Any]]:
    """Yield what was recorded of notifications that arrived in part, also of those within sequences."""
    if isinstance(result, dict):
        record = cast("dict[str, Any]", result)
        if record.keys() == NotificationOutput.model_fields.keys() and record["failed"]:
            yield record
        result = list(record.values())
    if isinstance(result, list):
        for value in cast("list[Any]", result):
            yield from _records(value)
