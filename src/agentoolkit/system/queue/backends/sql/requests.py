"""What is asked of a queue by many at the same time, and done together."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from agentoolkit.system.queue.messages import Message, Receipt
from agentoolkit.system.queue.ports import Lease


class Limits(NamedTuple):
    """What is kept per queue, and where this process counts."""

    dead_letters: int
    remembered_ids: int
    slot: int


class Adding(NamedTuple):
    """A message to be added."""

    queue_name: str
    now: datetime
    message: Message
    remember_until: datetime | None


class Taking(NamedTuple):
    """Messages to be taken."""

    queue_name: str
    now: datetime
    limit: int
    lease: Lease | None
    """None: they are taken out."""


class Removal(NamedTuple):
    """A message to be removed."""

    queue_name: str
    now: datetime
    receipt: Receipt


Request = Adding | Taking | Removal
