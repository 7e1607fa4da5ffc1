"""Events in a stream of Redis, shared by every process that reaches the server.

An event's id is the id of its entry in the stream, so one key holds both the events and the newest id.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from agentoolkit.redis_server import RedisServer
from agentoolkit.system.events.messages import EventMessage, EventRecord
from agentoolkit.system.events.ports import KEEP, KeptIds

STREAM = "agentool:events"
CURSORS = "agentool:events:cursors"
READERS = "agentool:events:readers"
_UNTIL = "until"
_START = datetime.fromtimestamp(0, UTC)
_MICROSECOND = timedelta(microseconds=1)
# A script is atomic for readers: no id becomes visible before a lower one. The newest entry is never trimmed.
_APPEND = """
    local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
    local newest = last and tonumber(string.match(last[1], '^%d+')) or 0
    for place = 2, #ARGV do
        newest = newest + 1
        redis.call('XADD', KEYS[1], 'MAXLEN', ARGV[1], string.format('%d-0', newest), 'event', ARGV[place])
    end
    return newest
"""


class RedisEventStore:
    """Events on a `RedisServer`, which its creator closes.

    Args:
        server: The Redis server.
        keep: Number of newest events that are kept.
    """

    shared = True

    def __init__(self, server: RedisServer, keep: int = KEEP) -> None:
        self._server = server
        self._keep = keep

    async def append(self, messages: Sequence[EventRecord | EventMessage]) -> int:
        return await self._server.run(lambda client: int(client.eval(_APPEND, 1, STREAM, self._keep, *map(_text, messages))))

    async def read(self, after: int, limit: int) -> Sequence[EventMessage]:
        entries = await self._server.run(lambda client: client.xrange(STREAM, f"({max(after, 0)}-0", "+", count=limit))
        return [_message(_number(key), fields["event"]) for key, fields in entries]

    async def bounds(self) -> KeptIds:
        def ends(client: Any) -> Sequence[Any]:
            return client.pipeline().xrange(STREAM, count=1).xrevrange(STREAM, count=1).execute()

        oldest, newest = await self._server.run(ends)
        return KeptIds(_number(oldest[0][0]), _number(newest[0][0])) if newest else KeptIds(1, 0)

    async def cursor(self, name: str) -> int | None:
        found = await self._server.run(lambda client: client.hget(CURSORS, name))
        return None if found is None else int(found)

    async def save_cursor(self, name: str, event_id: int) -> None:
        await self._server.run(lambda client: client.hset(CURSORS, name, event_id))

    async def note_reader(self, until: datetime) -> None:
        await self._server.run(lambda client: client.zadd(READERS, {_UNTIL: (until - _START) // _MICROSECOND}, gt=True))

    async def has_readers(self, now: datetime) -> bool:
        def known(client: Any) -> Sequence[Any]:
            return client.pipeline().exists(CURSORS).zscore(READERS, _UNTIL).execute()

        named, until = await self._server.run(known)
        return bool(named) or (until is not None and until > (now - _START) // _MICROSECOND)


def _number(key: str) -> int:
    return int(key.partition("-")[0])


def _text(message: EventRecord | EventMessage) -> str:
    """Return an event as ASCII text, which can also hold a lone surrogate."""
    at = message.published_at.isoformat()
    return json.dumps([message.event_type, message.source_agent, message.target_agent, message.owner, message.payload, at])


def _message(event_id: int, text: str) -> EventMessage:
    event_type, source, target, owner, payload, published_at = json.loads(text)
    return EventMessage(
        event_id=event_id,
        event_type=event_type,
        source_agent=source,
        target_agent=target,
        owner=owner,
        payload=payload,
        published_at=datetime.fromisoformat(published_at),
    )
