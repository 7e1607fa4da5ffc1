"""The calls that deliver outcomes: by the AgenTool ``queue``, or by ``http`` if the destination is a web address."""

from __future__ import annotations

from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from agentoolkit.system.scheduler.ports import Message


class Delivery(NamedTuple):
    """An AgenTool and its input."""

    agentool_name: str
    input_data: dict[str, Any]


def is_address(queue_name: str) -> bool:
    """Tell whether a destination is a web address and not the name of a queue."""
    return queue_name.startswith(("https://", "http://"))


def delivery(message: Message) -> Delivery:
    """Return the call that delivers an outcome. The execution's id lets the receiver recognise a second delivery."""
    execution_id, queue_name, payload, _ = message
    if not is_address(queue_name):
        enqueue = {"operation": "enqueue", "queue_name": queue_name, "message": payload, "message_id": execution_id}
        return Delivery("queue", enqueue)
    headers = {"Idempotency-Key": quote(execution_id, safe="@:+")}
    return Delivery("http", {"operation": "request", "method": "POST", "url": queue_name, "json_data": payload, "headers": headers})


def shown(queue_name: str) -> str:
    """Return a destination's name for logs: only the host of an address, because its path is often secret."""
    return f"{urlsplit(queue_name).hostname}" if is_address(queue_name) else queue_name
