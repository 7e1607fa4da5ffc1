"""Events in the toolkit's database, shared by every process that opens it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic_core import to_json

from agentoolkit.database.database import Database, Session
from agentoolkit.database.order import LockOrder
from agentoolkit.database.times import instant, micros
from agentoolkit.system.events.messages import EventMessage, EventRecord
from agentoolkit.system.events.ports import KEEP, KeptIds

_COLUMNS = {
    "event_id": "BIGINT",
    "event_type": "TEXT",
    "source_agent": "TEXT",
    "target_agent": "TEXT",
    "owner": "TEXT",
    "payload": "TEXT",
    "published_at": "BIGINT",
}
_NAMES = ", ".join(_COLUMNS)
# The counter is a row, not a sequence: after an id is visible, no lower id may appear.
_COUNT = "UPDATE agentool_counters SET value = value + :number WHERE name = 'events' RETURNING value"
_ADD = f"INSERT INTO agentool_events ({_NAMES}) SELECT {', '.join(f'r.{name}' for name in _COLUMNS)} FROM r"  # noqa: S608  names of ours
_PRUNE = "DELETE FROM agentool_events WHERE event_id <= :last"
_READ = f"SELECT {_NAMES} FROM agentool_events WHERE event_id > :after ORDER BY event_id LIMIT :limit"  # noqa: S608  names of ours
_NEWEST = "SELECT value FROM agentool_counters WHERE name = 'events'"
_SAVE = """
    INSERT INTO agentool_event_cursors (name, event_id) VALUES (:name, :event_id)
    ON CONFLICT (name) DO UPDATE SET event_id = excluded.event_id
"""

_NOTE_READER = """
    INSERT INTO agentool_counters (name, value) VALUES ('events_read_until', :until)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE agentool_counters.value < excluded.value
"""
_READERS = (
    "SELECT 1 FROM agentool_event_cursors LIMIT 1",
    "SELECT 1 FROM agentool_counters WHERE name = 'events_read_until' AND value > :now",
)


class SqlEventStore:
    """Events in a `Database`. The first use opens it; its creator closes it.

    Args:
        database: The database.
        keep: Number of newest events that are kept.
    """

    shared = True

    def __init__(self, database: Database, keep: int = KEEP) -> None:
        self._database = database
        self._keep = keep

    async def append(self, messages: Sequence[EventRecord | EventMessage]) -> int:
        database = await self._opened()
        return await database.write(lambda session: _append(session, messages, self._keep), order=LockOrder.EVENTS)

    async def read(self, after: int, limit: int) -> Sequence[EventMessage]:
        database = await self._opened()
        rows = await database.read(lambda session: session.rows(_READ, {"after": after, "limit": limit}))
        return [
            EventMessage(
                event_id=event_id,
                event_type=event_type,
                source_agent=source,
                target_agent=target or None,
                owner=owner,
                payload=json.loads(payload),
                published_at=instant(published_at),
            )
            for event_id, event_type, source, target, owner, payload, published_at in rows
        ]

    async def bounds(self) -> KeptIds:
        return await (await self._opened()).read(_bounds)

    async def cursor(self, name: str) -> int | None:
        sql = "SELECT event_id FROM agentool_event_cursors WHERE name = :name"
        row = await (await self._opened()).read(lambda session: session.row(sql, {"name": name}))
        return row[0] if row else None

    async def save_cursor(self, name: str, event_id: int) -> None:
        database = await self._opened()
        await database.write(lambda session: session.run(_SAVE, {"name": name, "event_id": event_id}), order=LockOrder.EVENTS)

    async def note_reader(self, until: datetime) -> None:
        database = await self._opened()
        await database.write(lambda session: session.run(_NOTE_READER, {"until": micros(until)}), order=LockOrder.EVENTS)

    async def has_readers(self, now: datetime) -> bool:
        at = {"now": micros(now)}
        return await (await self._opened()).read(lambda session: any(session.row(sql, at) for sql in _READERS))

    async def _opened(self) -> Database:
        await self._database.open()
        return self._database


def _append(session: Session, messages: Sequence[EventRecord | EventMessage], keep: int) -> int:
    # Serialised here, in the database's thread, to spare the event loop.
    rows = [
        (each.event_type, each.source_agent, each.target_agent or "", each.owner, _text(each.payload), micros(each.published_at))
        for each in messages
    ]
    counted = session.row(_COUNT, {"number": len(rows)})
    newest = int(counted[0]) if counted else 0
    first = newest - len(rows) + 1
    session.from_rows(_ADD, _COLUMNS, [(first + place, *row) for place, row in enumerate(rows)])
    session.run(_PRUNE, {"last": newest - keep})
    return newest


def _bounds(session: Session) -> KeptIds:
    counted = session.row(_NEWEST)
    newest = int(counted[0]) if counted else 0
    oldest = session.row("SELECT event_id FROM agentool_events ORDER BY event_id LIMIT 1")
    return KeptIds(int(oldest[0]) if oldest else newest + 1, newest)


def _text(payload: dict[str, Any]) -> str:
    try:
        return to_json(payload).decode()
    except ValueError:  # a lone surrogate, which JSON text holds as an escape
        return json.dumps(payload)
