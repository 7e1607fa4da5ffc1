"""The layout of a queue in Redis: its keys, and messages as text and as members of sorted sets."""

from __future__ import annotations

import json
from typing import NamedTuple

from agentoolkit.database.times import instant, micros
from agentoolkit.system.queue.backends.rows import MESSAGE_TYPES, read_message, row_of
from agentoolkit.system.queue.decisions import next_change_at
from agentoolkit.system.queue.messages import Queue, QueueMessage, QueueSettings, State

NAMES = "agentool:queues"
"""The set of all queue names."""
_DIGITS = 20
_OFFSET = 2**63


class Keys(NamedTuple):
    """The keys of one queue. Each begins with its kind, so that no two queues share a key."""

    meta: str
    """Settings, counters, and a version that every change raises. Every change watches it."""
    messages: str
    """All messages by id."""
    arrivals: str
    """Ids by arrival."""
    timers: str
    """Messages by the time of their next change by time."""
    ready: str
    """Ready messages in the order of taking."""
    delayed: str
    in_flight: str
    dead: str
    """Ids of dead letters, first dead first."""
    remembered: str
    """End of remembering, by id."""
    remembered_order: str
    """Remembered ids, oldest first."""
    turn: str
    """Whose turn it is, see `turns`."""


def keys_of(queue_name: str) -> Keys:
    """Return the keys of a queue."""
    return Keys(*(f"agentool:queue:{part}:{queue_name}" for part in Keys._fields))


def queue_text(queue: Queue) -> str:
    """Return a queue's settings as text."""
    return json.dumps([*queue.settings, micros(queue.created_at)])


def queue_of(queue_name: str, text: str) -> Queue:
    """Read what `queue_text` wrote."""
    *settings, created_at = json.loads(text)
    return Queue(queue_name, QueueSettings(*settings), instant(created_at))


def message_text(message: QueueMessage) -> str:
    """Return a message as text."""
    return json.dumps(row_of(message)[: len(MESSAGE_TYPES)])


def message_of(text: str) -> QueueMessage:
    """Read what `message_text` wrote. Raises `ValueError`, `TypeError` or `OverflowError` if the text is damaged."""
    message = read_message(json.loads(text))
    json.loads(message.body)
    return message


def place_of(message: QueueMessage) -> str:
    """Return a message's member of the sorted set of ready messages, which sorts in the order of taking."""
    return f"{_ordered(message.priority, micros(message.available_at), message.arrival)}{message.message_id}"


def placed_id(member: str) -> str:
    """Return the message id in a place."""
    return member[3 * _DIGITS :]


def timer_of(message: QueueMessage) -> str | None:
    """Return a message's member of the sorted set of timers; None if time does not change it."""
    due = micros(next_change_at(message))
    return None if due is None else f"{_ordered(due, message.arrival)}{message.message_id}"


def timed_id(member: str) -> str:
    """Return the message id in a timer."""
    return member[2 * _DIGITS :]


def timers_until(now: int) -> str:
    """Return the upper bound of the timers due at an instant, in microseconds."""
    return f"({_ordered(now + 1)}"


def set_of(keys: Keys, state: State) -> str:
    """Return the key of the set of messages in a state."""
    return str(getattr(keys, state.value))


def _ordered(*numbers: int | None) -> str:
    """Return numbers as text that sorts in their order, negative ones too."""
    return "".join(f"{(number or 0) + _OFFSET:0{_DIGITS}d}" for number in numbers)
