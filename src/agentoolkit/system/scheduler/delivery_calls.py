"""What delivers an outcome: the AgenTool ``queue``, or ``http`` where a web address stands in the place of a queue's name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit


class Delivery(NamedTuple):
    """An AgenTool and what it is called with."""

    agentool_name: str
    input_data: dict[str, Any]


def is_address(queue_name: str) -> bool:
    """Is this a web address rather than the name of a queue?"""
    return queue_name.startswith(("https://", "http://"))


def delivery(queue_name: str, payload: Mapping[str, object], execution_id: str) -> Delivery:
    """Return the call that delivers an outcome. The execution's id tells a second delivery of it from a first."""
    if not is_address(queue_name):
        enqueue = {"operation": "enqueue", "queue_name": queue_name, "message": payload, "message_id": execution_id}
        return Delivery("queue", enqueue)
    headers = {"Idempotency-Key": quote(execution_id, safe="@:+")}
    return Delivery("http", {"operation": "request", "method": "POST", "url": queue_name, "json_data": payload, "headers": headers})


def shown(queue_name: str) -> str:
    """Name a destination in a log: of an address only the host, because its path is often a secret."""
    return f"{urlsplit(queue_name).hostname}" if is_address(queue_name) else queue_name
