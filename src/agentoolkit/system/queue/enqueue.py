"""From what a caller says to a message: checked, as JSON text, with instants in place of seconds."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import uuid4

from pydantic import JsonValue

from agentool.errors import InvalidInput, excerpt
from agentoolkit.json_values import NotJson, checked_json
from agentoolkit.system.queue.decisions import waiting
from agentoolkit.system.queue.errors import MessageTooLarge
from agentoolkit.system.queue.messages import MAX_MESSAGE_SIZE, QueueMessage, Receipt


class EnqueueRequest(NamedTuple):
    """What a caller wants to be queued. Meanings, units and defaults: see `schemas.QueueInput`."""

    queue_name: str
    message: JsonValue
    message_id: str | None = None
    priority: int = 0
    delay: float | None = None
    schedule_at: str | None = None
    ttl: float | None = None


def new_message(request: EnqueueRequest, now: datetime, largest: int = MAX_MESSAGE_SIZE) -> QueueMessage:
    """Make the message that a request asks for.

    Raises:
        InvalidInput: The payload is not JSON, or the times contradict each other.
        MessageTooLarge: The payload has more than `largest` characters as JSON.
    """
    body = encoded(request.message, largest)
    available_at = _available_at(request, now)
    expires_at = None if request.ttl is None else now + timedelta(seconds=request.ttl)
    if expires_at is not None and expires_at <= available_at:
        problem = f"The message would expire at {expires_at.isoformat()}, and is available only from {available_at.isoformat()}."
        raise InvalidInput(problem, field="ttl", value=request.ttl, remedy="Give a longer ttl: it counts from now.")
    message = QueueMessage(request.message_id or uuid4().hex, request.queue_name, body, now, available_at, request.priority, expires_at)
    return message if available_at == now else waiting(message, now)


def encoded(message: JsonValue, largest: int = MAX_MESSAGE_SIZE) -> str:
    """Write a payload as JSON text.

    Raises:
        InvalidInput: It contains something that JSON does not have; where, is said.
        MessageTooLarge: The text has more than `largest` characters.
    """
    try:
        body = checked_json(message, "message")
    except NotJson as error:
        remedy = "Use objects with text keys, lists, text, finite numbers, true, false and null."
        raise InvalidInput(error.problem, field=error.field, value=error.value, remedy=remedy) from None
    if len(body) > largest:
        remedy = f"Send at most {largest:,} (setting `queue_message_size`), or write a file and send its path."
        raise MessageTooLarge(f"It has {len(body):,} characters as JSON.", field="message", value=message, remedy=remedy)
    return body


def decoded(body: str) -> JsonValue:
    """Read a payload back, as an object of its own each time."""
    return json.loads(body)


def read_receipt(receipt: str | None, message_id: str | None) -> Receipt:
    """Read which message is meant: by the receipt that came with it, or by its id.

    Raises:
        InvalidInput: Neither or a contradiction is given, or the receipt is none of ours.
    """
    if receipt is None:
        if message_id is None:
            raise InvalidInput("A receipt or a message_id is required.", field="receipt", remedy="'dequeue' returns both.")
        return Receipt(message_id)
    token, _, named = receipt.partition(":")
    if not (token and named):
        remedy = "Use the one that 'dequeue' returned."
        raise InvalidInput(f"{excerpt(receipt)} is not a receipt.", field="receipt", value=receipt, remedy=remedy)
    if message_id not in (None, named):
        problem = f"The receipt is of message {excerpt(named)}, not {excerpt(message_id)}."
        raise InvalidInput(problem, field="message_id", value=message_id, remedy="Leave one of them out.")
    return Receipt(named, token)


def _available_at(request: EnqueueRequest, now: datetime) -> datetime:
    if request.schedule_at is None:
        return now + timedelta(seconds=request.delay) if request.delay else now
    if request.delay is not None:
        raise InvalidInput("Both delay and schedule_at are given.", field="delay", value=request.delay, remedy="Leave one of them out.")
    return max(_instant(request.schedule_at), now)


def _instant(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        remedy = "Write ISO 8601, such as '2030-12-24T09:00:00+01:00'; without an offset it is read as UTC."
        raise InvalidInput(f"{excerpt(text)} is not a time.", field="schedule_at", value=text, remedy=remedy) from error
