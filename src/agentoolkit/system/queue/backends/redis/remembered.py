"""The message ids that a queue remembers, so that the same message is not added again."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from agentoolkit.database.times import instant, micros
from agentoolkit.system.queue.backends.redis.keys import Keys


class RememberedIds:
    """The remembered ids of one queue inside one transaction. Reads run at once; writes join the queue's writes.

    Args:
        pipe: A pipeline that watches the queue's `meta`.
        keys: The queue's keys.
        most: Largest number of ids.
        number: Ids ever remembered; ids are forgotten in the order of their numbers.
        writes: The queue's writes, which are sent together at the end.
    """

    def __init__(self, pipe: Any, keys: Keys, most: int, number: int, writes: list[tuple[Any, ...]]) -> None:
        self.number = number
        self._pipe = pipe
        self._keys = keys
        self._most = most
        self._writes = writes
        self._new: dict[str, None] = {}

    def knows(self, message_id: str, now: datetime) -> bool:
        """Tell whether an id is still remembered."""
        until = self._pipe.hget(self._keys.remembered, message_id)
        return until is not None and instant(int(until)) > now

    def everything(self) -> list[tuple[str, datetime]]:
        """Return all ids, oldest first, with the end of their remembering."""
        until = self._pipe.hgetall(self._keys.remembered)
        return [(id_, instant(int(until[id_]))) for id_ in self._pipe.zrange(self._keys.remembered_order, 0, -1)]

    def add(self, message_id: str, until: datetime) -> None:
        """Remember an id as the newest."""
        self.number += 1
        self._new[message_id] = None
        self._writes.append(("HSET", self._keys.remembered, message_id, micros(until)))
        self._writes.append(("ZADD", self._keys.remembered_order, self.number, message_id))

    def forget_oldest(self) -> None:
        """Forget the oldest ids beyond the limit."""
        if not self._new:
            return
        order = self._keys.remembered_order
        known = sum(self._pipe.zscore(order, message_id) is not None for message_id in self._new)
        excess = self._pipe.zcard(order) + len(self._new) - known - self._most
        if excess > 0:
            older = [id_ for id_ in self._pipe.zrange(order, 0, excess + known - 1) if id_ not in self._new]
            gone = [*older, *self._new][:excess]
            self._writes += [("ZREM", order, *gone), ("HDEL", self._keys.remembered, *gone)]
