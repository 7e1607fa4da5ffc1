"""What time alone does to messages that come from a database a page at a time."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from agentoolkit.system.queue.messages import QueueMessage, changed, next_change_at

PAGE = 500
"""Messages at once."""


class MessageChange(NamedTuple):
    """A message before and after."""

    before: QueueMessage
    after: QueueMessage


def after_time(due: Sequence[QueueMessage], now: datetime, max_retries: int) -> list[MessageChange]:
    """Let time do its part to a page of messages, and return them in the order of their last changes.

    Args:
        due: In order of `next_change_at`, which they all have. If it is a full page, others follow.
        now: Until then; a full page only until the last of it, so that deaths keep their order.
        max_retries: The queue's.
    """
    timers = [(at, message.arrival, message) for message in due if (at := next_change_at(message)) is not None]
    until = timers[-1][0] if len(due) >= PAGE else now
    before = {message.message_id: message for message in due}
    after: dict[str, QueueMessage] = {}
    while timers and timers[0][0] <= until:
        at, arrival, message = heapq.heappop(timers)
        message = changed(message, at, max_retries)
        after.pop(message.message_id, None)
        after[message.message_id] = message
        if (again := next_change_at(message)) is not None:
            heapq.heappush(timers, (again, arrival, message))
    return [MessageChange(before[message_id], message) for message_id, message in after.items()]
