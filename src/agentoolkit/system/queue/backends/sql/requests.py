"""Requests of queues that are handled together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from enum import IntEnum
from typing import Any, NamedTuple

from agentoolkit.system.queue.messages import Queue, QueueMessage, Receipt
from agentoolkit.system.queue.ports import Lease


class Lock(IntEnum):
    """A lock on a queue until the transaction ends. Several requests take the strongest of their locks."""

    DELETE = 1
    GROW = 2
    """Delete it, or add to it."""
    ALL = 3
    """Anything."""


class CreateRequest(NamedTuple):
    """A queue to be made."""

    queue_name: str
    now: datetime
    queue: Queue


class AddRequest(NamedTuple):
    """A message to be added."""

    queue_name: str
    now: datetime
    message: QueueMessage
    remember_until: datetime | None


class TakeRequest(NamedTuple):
    """Messages to be taken."""

    queue_name: str
    now: datetime
    limit: int
    lease: Lease | None
    """None: they are taken out."""


class PutBackRequest(NamedTuple):
    """Messages to be as if they had not been taken."""

    queue_name: str
    now: datetime
    messages: Sequence[QueueMessage]
    taken_out: bool


class RemoveRequest(NamedTuple):
    """A message to be removed."""

    queue_name: str
    now: datetime
    receipt: Receipt


class NackRequest(NamedTuple):
    """A message to be given back."""

    queue_name: str
    now: datetime
    receipt: Receipt
    available_at: datetime
    reason: str


class DeadLetterRequest(NamedTuple):
    """A message to be moved to the dead letters."""

    queue_name: str
    now: datetime
    receipt: Receipt
    reason: str


class OtherRequest(NamedTuple):
    """Anything else, one at a time."""

    queue_name: str
    now: datetime
    work: Callable[[Any], Any]
    """Is given the open queue."""
    lock: Lock


ReceiptRequest = RemoveRequest | NackRequest | DeadLetterRequest
Request = CreateRequest | AddRequest | TakeRequest | PutBackRequest | ReceiptRequest | OtherRequest


def lock_for(request: Request) -> Lock:
    """Return what must not happen to a queue meanwhile."""
    if isinstance(request, OtherRequest):
        return request.lock
    if isinstance(request, (CreateRequest, AddRequest)):
        return Lock.GROW
    if isinstance(request, PutBackRequest) and request.taken_out:
        return Lock.GROW
    return Lock.DELETE
