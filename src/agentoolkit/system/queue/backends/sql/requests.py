"""What is asked of a queue by many at the same time, and done together."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from agentoolkit.system.queue.messages import QueueMessage, Receipt
from agentoolkit.system.queue.ports import Lease


class KeptPerQueue(NamedTuple):
    """What is kept per queue, and where this process counts."""

    dead_letters: int
    remembered_ids: int
    slot: int


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


class RemoveRequest(NamedTuple):
    """A message to be removed."""

    queue_name: str
    now: datetime
    receipt: Receipt


Request = AddRequest | TakeRequest | RemoveRequest
