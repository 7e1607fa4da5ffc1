"""The storage in the toolkit's database, shared by every process that opens it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from agentoolkit.database.database import Database, Session
from agentoolkit.database.times import micros, moment
from agentoolkit.storage.kv.ports import Changed, KeptValue, StoredValue, ValueChange

_UNEXPIRED = "(expires_at IS NULL OR expires_at > :now)"
_LIVING = f"namespace = :namespace AND {_UNEXPIRED}"
_GET = f"SELECT value, expires_at FROM agentool_values WHERE key = :key AND {_LIVING}"  # noqa: S608  text of ours
_LOCK = "SELECT pg_advisory_xact_lock(hashtext(:namespace), hashtext(:key))"
_PUT = """
    INSERT INTO agentool_values (namespace, key, value, expires_at) VALUES (:namespace, :key, :value, :expires_at)
    ON CONFLICT (namespace, key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at
"""
_REMOVE = "DELETE FROM agentool_values WHERE namespace = :namespace AND key = :key"
_EXPIRE = "DELETE FROM agentool_values WHERE expires_at <= :now"
# As much of a key is compared as the prefix has characters; LIKE would read % and _ as something else.
_KEYS = f"SELECT key FROM agentool_values WHERE {_LIVING} AND substr(key, 1, :length) = :prefix ORDER BY "  # noqa: S608  text of ours


class SqlKeyValueStore:
    """Entries in one table of a `Database` whose migrations hold `schema.FIRST`. The first use opens it; who made it closes it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, namespace: str, key: str, now: datetime) -> StoredValue | None:
        return await (await self._opened()).read(lambda session: _get(session, namespace, key, now))

    async def change(self, namespace: str, key: str, change: ValueChange, now: datetime) -> Changed:
        return await (await self._opened()).write(lambda session: _change(session, namespace, key, change, now))

    async def everything(self, now: datetime) -> Sequence[KeptValue]:
        return await (await self._opened()).read(lambda session: _everything(session, now))

    async def keys(self, namespace: str, prefix: str, limit: int, now: datetime) -> Sequence[str]:
        return await (await self._opened()).read(lambda session: _keys(session, namespace, prefix, limit, now))

    async def _opened(self) -> Database:
        await self._database.open()
        return self._database


def _get(session: Session, namespace: str, key: str, now: datetime) -> StoredValue | None:
    row = session.row(_GET, {"namespace": namespace, "key": key, "now": micros(now)})
    return None if row is None else _entry(row)


def _change(session: Session, namespace: str, key: str, change: ValueChange, now: datetime) -> Changed:
    place = {"namespace": namespace, "key": key}
    if session.dialect == "postgres":  # SQLite has one writer at a time anyway
        session.run(_LOCK, place)
    before = _get(session, namespace, key, now)
    after = change(before)
    if after is before:
        return Changed(before, after)
    if after is None:
        session.run(_REMOVE, place)
    else:
        session.run(_PUT, {**place, "value": after.text, "expires_at": micros(after.expires_at)})
        if after.expires_at is not None:
            session.run(_EXPIRE, {"now": micros(now)})
    return Changed(before, after)


def _keys(session: Session, namespace: str, prefix: str, limit: int, now: datetime) -> list[str]:
    order = 'key COLLATE "C"' if session.dialect == "postgres" else "key"
    asked = {"namespace": namespace, "now": micros(now), "length": len(prefix), "prefix": prefix, "limit": limit}
    return [row[0] for row in session.rows(f"{_KEYS}{order} LIMIT :limit", asked)]


def _everything(session: Session, now: datetime) -> list[KeptValue]:
    rows = session.rows(f"SELECT namespace, key, value, expires_at FROM agentool_values WHERE {_UNEXPIRED}", {"now": micros(now)})  # noqa: S608
    return sorted((KeptValue(namespace, key, _entry(entry)) for namespace, key, *entry in rows), key=lambda held: held[:2])


def _entry(row: Sequence[Any]) -> StoredValue:
    text, expires_at = row
    return StoredValue(text, moment(expires_at))
