"""How a queue lies in Redis: its keys, and messages as text and as members of sorted sets."""

from __future__ import annotations

import json
from typing import NamedTuple

from agentoolkit.database.times import instant, micros
from agentoolkit.system.queue.backends.rows import MESSAGE_TYPES, read_message, row_of
from agentoolkit.system.queue.decisions import next_change_at
from agentoolkit.system.queue.messages import Queue, QueueMessage, QueueSettings, State

NAMES = "agentool:queues"
"""A set of the names of all queues."""
_DIGITS = 20
_OFFSET = 2**63


class Keys(NamedTuple):
    """The keys of one queue. Each begins with what it is, so that no name of a queue reads as two."""

    meta: str
    """Settings, counters and a version that every change raises; who changes the queue watches it."""
    messages: str
    """Every message by its id."""
    arrivals: str
    """Ids by arrival."""
    timers: str
    """Messages by when time alone changes them next."""
    ready: str
    """Messages in the order of taking."""
    delayed: str
    in_flight: str
    dead: str
    """Ids in the order of their deaths."""
    remembered: str
    """Until when, by id."""
    remembered_order: str
    """Ids, the oldest first."""


def keys_of(queue_name: str) -> Keys:
    """Return the keys of a queue."""
    return Keys(*(f"agentool:queue:{part}:{queue_name}" for part in Keys._fields))


def queue_text(queue: Queue) -> str:
    """Write a queue's settings down."""
    return json.dumps([*queue.settings, micros(queue.created_at)])


def queue_of(queue_name: str, text: str) -> Queue:
    """Read what `queue_text` wrote."""
    *settings, created_at = json.loads(text)
    return Queue(queue_name, QueueSettings(*settings), instant(created_at))


def message_text(message: QueueMessage) -> str:
    """Write a message down."""
    return json.dumps(row_of(message)[: len(MESSAGE_TYPES)])


def message_of(text: str) -> QueueMessage:
    """Read what `message_text` wrote. Raises `ValueError`, `TypeError` or `OverflowError` if it was damaged."""
    message = read_message(json.loads(text))
    json.loads(message.body)
    return message


def place_of(message: QueueMessage) -> str:
    """Return a member of the sorted set of what is ready: it is in the order of taking."""
    return f"{_ordered(message.priority, micros(message.available_at), message.arrival)}{message.message_id}"


def placed_id(member: str) -> str:
    """Return whose place it is."""
    return member[3 * _DIGITS :]


def timer_of(message: QueueMessage) -> str | None:
    """Return a member of the sorted set of what time will change; None: nothing."""
    due = micros(next_change_at(message))
    return None if due is None else f"{_ordered(due, message.arrival)}{message.message_id}"


def timed_id(member: str) -> str:
    """Return whose timer it is."""
    return member[2 * _DIGITS :]


def timers_until(now: int) -> str:
    """Return the end of the timers that are due at an instant, in microseconds."""
    return f"({_ordered(now + 1)}"


def set_of(keys: Keys, state: State) -> str:
    """Return the key of the set of messages in a state."""
    return str(getattr(keys, state.value))


def _ordered(*numbers: int | None) -> str:
    """Write numbers so that their texts are in their order, negative ones too."""
    return "".join(f"{(number or 0) + _OFFSET:0{_DIGITS}d}" for number in numbers)
