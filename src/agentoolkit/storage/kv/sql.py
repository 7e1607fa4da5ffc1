"""The storage in the toolkit's database, shared by every process that opens it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from agentoolkit.database.database import Database, Session
from agentoolkit.database.order import LockOrder
from agentoolkit.database.prefixes import after_prefix
from agentoolkit.database.times import micros, moment
from agentoolkit.json_values import is_json
from agentoolkit.storage.kv.ports import Changed, KeptValue, StoredValue, ValueChange

_PLACE = {"namespace": "TEXT", "key": "TEXT"}
_ROW = {**_PLACE, "value": "TEXT", "expires_at": "BIGINT"}
_EXPIRY = {**_PLACE, "expires_at": "BIGINT"}
_UNEXPIRED = "(v.expires_at IS NULL OR v.expires_at > :now)"
_GET = f"""
    SELECT v.value, v.expires_at FROM agentool_values v WHERE v.namespace = :namespace AND v.key = :key AND {_UNEXPIRED}
"""  # noqa: S608  text of ours
# Whoever changes a row has the lock of its place, so that nobody ever waits for a row. Few locks, because a server has not many.
_LOCKED_PLACE = "(hashtext(r.namespace) # hashtext(r.key)) & 1023"
# In the order of what is locked, so that no two processes wait for each other.
_LOCK = f"""
    SELECT pg_advisory_xact_lock(4921, place) FROM (SELECT DISTINCT {_LOCKED_PLACE} AS place FROM r ORDER BY place OFFSET 0) places
"""  # noqa: S608  text of ours
_FIND = """
    SELECT v.namespace, v.key, v.value, v.expires_at FROM r
    JOIN agentool_values v ON v.namespace = r.namespace AND v.key = r.key
"""
_PUT = """
    INSERT INTO agentool_values (namespace, key, value, expires_at) SELECT r.namespace, r.key, r.value, r.expires_at FROM r WHERE TRUE
    ON CONFLICT (namespace, key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at
"""
_REMOVE = "DELETE FROM agentool_values WHERE (namespace, key) IN (SELECT r.namespace, r.key FROM r)"
_EXPIRED = "SELECT namespace, key, expires_at FROM agentool_values WHERE expires_at <= :now ORDER BY expires_at LIMIT 1000"
# Those whose places can be had without waiting.
_EXPIRED_AND_FREE = f"SELECT * FROM ({_EXPIRED} OFFSET 0) r WHERE pg_try_advisory_xact_lock(4921, {_LOCKED_PLACE})"  # noqa: S608  text of ours
# As it was seen: it may have been replaced before its place was locked.
_REMOVE_EXPIRED = """
    DELETE FROM agentool_values WHERE (namespace, key, expires_at) IN (SELECT r.namespace, r.key, r.expires_at FROM r)
"""
_EVERYTHING = f"SELECT v.namespace, v.key, v.value, v.expires_at FROM agentool_values v WHERE {_UNEXPIRED}"  # noqa: S608  text of ours

_SOME = "SELECT namespace, key, value FROM agentool_values ORDER BY namespace, key LIMIT :limit"
_LOOKED_AT = 1_000
"""Values among which damaged ones are looked for."""


class ChangeRequest(NamedTuple):
    """A change to be made to one value."""

    place: tuple[str, str]
    change: ValueChange
    now: datetime


class SqlKeyValueStore:
    """Values in one table of a `Database`. The first use opens it; who made it closes it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, namespace: str, key: str, now: datetime) -> StoredValue | None:
        asked = {"namespace": namespace, "key": key, "now": micros(now)}
        row = await (await self._opened()).read(lambda session: session.row(_GET, asked))
        return None if row is None else _value(row)

    async def change(self, namespace: str, key: str, change: ValueChange, now: datetime) -> Changed:
        database = await self._opened()
        changed = await database.write_together(_change_all, ChangeRequest((namespace, key), change, now), order=LockOrder.VALUES)
        if isinstance(changed, Exception):
            raise changed
        return changed

    async def everything(self, now: datetime) -> Sequence[KeptValue]:
        rows = await (await self._opened()).read(lambda session: session.rows(_EVERYTHING, {"now": micros(now)}))
        return sorted((KeptValue(namespace, key, _value(entry)) for namespace, key, *entry in rows), key=lambda kept: kept[:2])

    async def restore(self, values: Sequence[KeptValue], now: datetime) -> int:
        database = await self._opened()
        return await database.write(lambda session: _restore(session, values, now), order=LockOrder.VALUES)

    async def keys(self, namespace: str, prefix: str, limit: int, now: datetime) -> Sequence[str]:
        return await (await self._opened()).read(lambda session: _keys(session, namespace, prefix, limit, now))

    async def damaged(self, limit: int) -> Sequence[str]:
        rows = await (await self._opened()).read(lambda session: session.rows(_SOME, {"limit": _LOOKED_AT}))
        return [f"value {key!r} in {namespace!r}: it is not JSON" for namespace, key, text in rows if not is_json(text)][:limit]

    async def _opened(self) -> Database:
        await self._database.open()
        return self._database


def _change_all(session: Session, requests: Sequence[ChangeRequest]) -> list[Changed | Exception]:
    """Make changes one after another. What a change raises is its answer, so that it ends no other."""
    there = _locked(session, {request.place for request in requests})
    before, answers = dict(there), list[Changed | Exception]()
    for request in requests:
        living = _unless_expired(there.get(request.place), request.now)
        try:
            after = request.change(living)
        except Exception as error:
            answers.append(error)
            continue
        if after is not living:
            there[request.place] = after
        answers.append(Changed(living, after))
    changed = {place: value for place, value in there.items() if value is not before.get(place)}
    _write(session, changed, max(request.now for request in requests))
    return answers


def _locked(session: Session, places: set[tuple[str, str]]) -> dict[tuple[str, str], StoredValue | None]:
    """Return what is at some places, which nobody else changes until the transaction ends."""
    rows = sorted(places)
    if session.dialect == "postgres":  # SQLite has one writer at a time anyway
        session.from_rows(_LOCK, _PLACE, rows)
    return {(namespace, key): _value(value) for namespace, key, *value in session.from_rows(_FIND, _PLACE, rows)}


def _write(session: Session, changed: Mapping[tuple[str, str], StoredValue | None], now: datetime) -> None:
    put = sorted((*place, value.text, micros(value.expires_at)) for place, value in changed.items() if value is not None)
    session.from_rows(_PUT, _ROW, put)
    session.from_rows(_REMOVE, _PLACE, sorted(place for place, value in changed.items() if value is None))
    if any(row[-1] is not None for row in put):
        expired = _EXPIRED_AND_FREE if session.dialect == "postgres" else _EXPIRED
        session.from_rows(_REMOVE_EXPIRED, _EXPIRY, session.rows(expired, {"now": micros(now)}))


def _restore(session: Session, values: Sequence[KeptValue], now: datetime) -> int:
    there = _locked(session, {(value.namespace, value.key) for value in values})
    living = [value for value in values if _unless_expired(value.entry, now)]
    new = {(value.namespace, value.key): value.entry for value in living}
    new = {place: entry for place, entry in new.items() if _unless_expired(there.get(place), now) is None}
    _write(session, new, now)
    return len(new)


def _keys(session: Session, namespace: str, prefix: str, limit: int, now: datetime) -> list[str]:
    """Read keys from the index: from the prefix up to the first text that does not begin with it."""
    key = 'v.key COLLATE "C"' if session.dialect == "postgres" else "v.key"
    end = after_prefix(prefix)
    asked = {"namespace": namespace, "now": micros(now), "prefix": prefix, "limit": limit, **({} if end is None else {"end": end})}
    until = "" if end is None else f"AND {key} < :end"
    sql = f"SELECT v.key FROM agentool_values v WHERE v.namespace = :namespace AND {key} >= :prefix {until} AND {_UNEXPIRED}"  # noqa: S608
    return [found for (found,) in session.rows(f"{sql} ORDER BY {key} LIMIT :limit", asked)]


def _unless_expired(value: StoredValue | None, now: datetime) -> StoredValue | None:
    return value if value is not None and (value.expires_at is None or value.expires_at > now) else None


def _value(row: Sequence[Any]) -> StoredValue:
    text, expires_at = row
    return StoredValue(text, moment(expires_at))
