"""Turns at queues that many processes crowd. They order who tries; what is written is decided by ``WATCH`` all the same.

So a turn that ends too early loses nothing, and one whose process was killed delays the others until its end.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from agentoolkit.system.queue.backends.redis.keys import keys_of

PATIENCE = 0.1
"""Seconds that a change tries without a turn."""
_LONGEST_MS = 5_000
"""Milliseconds after which a turn ends by itself."""
# Whoever is in the middle of a change sees by the queue's own key that it changed, and looks whose turn it is.
_TAKE = """
    local queues = #KEYS / 2
    for place = 1, queues do
        if redis.call('EXISTS', KEYS[place]) == 1 then return 0 end
    end
    for place = 1, queues do
        redis.call('SET', KEYS[place], ARGV[1], 'PX', ARGV[2])
        if redis.call('EXISTS', KEYS[queues + place]) == 1 then redis.call('HSET', KEYS[queues + place], 'turn', ARGV[1]) end
    end
    return 1
"""
_END = """
    local queues = #KEYS / 2
    for place = 1, queues do
        if redis.call('GET', KEYS[place]) == ARGV[1] then redis.call('DEL', KEYS[place]) end
        if redis.call('HGET', KEYS[queues + place], 'turn') == ARGV[1] then redis.call('HDEL', KEYS[queues + place], 'turn') end
    end
"""


class Turn:
    """The turn of one change at its queues, which ends with a ``with`` block.

    Args:
        client: The client of the server.
        queue_names: The queues.
    """

    def __init__(self, client: Any, queue_names: Collection[str]) -> None:
        keys = [keys_of(queue_name) for queue_name in queue_names]
        self._client = client
        self._keys = [*(each.turn for each in keys), *(each.meta for each in keys)]
        self._token = uuid4().hex
        self._ends_patience = time.monotonic() + PATIENCE
        self._is_taken = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._is_taken:
            self._client.eval(_END, len(self._keys), *self._keys, self._token)

    def ask(self) -> None:
        """Take the turn after a while of vain tries, if nobody has it."""
        if not self._is_taken and time.monotonic() >= self._ends_patience:
            self._is_taken = bool(self._client.eval(_TAKE, len(self._keys), *self._keys, self._token, _LONGEST_MS))

    def is_anothers(self, queue_name: str, token: str | None) -> bool:
        """Tell whether another change has the turn that a queue tells of."""
        return token not in (None, self._token) and bool(self._client.exists(keys_of(queue_name).turn))
