"""The statements on messages: each a function of the session it runs in. All find their rows through an index.

Who takes messages passes over those that another process has locked, so that each goes to one of them and none waits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from agentoolkit.database.database import Session
from agentoolkit.database.times import micros
from agentoolkit.json_values import is_json
from agentoolkit.system.queue.backends.rows import MESSAGE_TYPES, read_message, row_of
from agentoolkit.system.queue.backends.sql.records import ROW_TYPES, KnownMessage, locked, message_of, moment
from agentoolkit.system.queue.messages import QueueMessage, State

_MESSAGE = ", ".join(f"m.{name}" for name in MESSAGE_TYPES)
_ONE_ID = {"queue_name": "TEXT", "message_id": "TEXT"}
_SKIP = "FOR UPDATE SKIP LOCKED"

_READY = f"""
    SELECT {_MESSAGE} FROM agentool_queue_messages m WHERE m.queue_name = :queue_name AND m.state = 'ready'
    ORDER BY m.priority, m.available_at, m.arrival LIMIT :limit
"""  # noqa: S608  column names of ours
_DUE = f"""
    SELECT {_MESSAGE} FROM agentool_queue_messages m WHERE m.queue_name = :queue_name AND m.change_at <= :now
    ORDER BY m.change_at, m.arrival LIMIT :limit
"""  # noqa: S608  column names of ours
_DEAD = f"""
    SELECT {_MESSAGE} FROM agentool_queue_messages m WHERE m.queue_name = :queue_name AND m.death IS NOT NULL
    ORDER BY m.death LIMIT :limit
"""  # noqa: S608  column names of ours
_ALL = f"SELECT {_MESSAGE} FROM agentool_queue_messages m WHERE m.queue_name = :queue_name ORDER BY m.arrival"  # noqa: S608
_SOME = f"SELECT {_MESSAGE} FROM agentool_queue_messages m ORDER BY m.queue_name, m.message_id LIMIT :limit"  # noqa: S608
_LOOKED_AT = 1_000
"""Messages among which damaged ones are looked for."""
_BY_ID = f"""
    SELECT {_MESSAGE} FROM r JOIN agentool_queue_messages m ON m.queue_name = r.queue_name AND m.message_id = r.message_id
    ORDER BY m.message_id
"""  # noqa: S608  column names of ours
_KNOWN = f"""
    SELECT r.message_id, i.remembered_until, {_MESSAGE} FROM r
    LEFT JOIN agentool_queue_ids i ON i.queue_name = r.queue_name AND i.message_id = r.message_id
    LEFT JOIN agentool_queue_messages m ON m.queue_name = r.queue_name AND m.message_id = r.message_id
    WHERE i.message_id IS NOT NULL OR m.message_id IS NOT NULL
"""  # noqa: S608  column names of ours
_AVAILABLE = """
    SELECT message_id FROM agentool_queue_messages WHERE queue_name = :queue_name AND change_at <= :now
    AND state = 'delayed' AND available_at <= :now AND (expires_at IS NULL OR expires_at > :now)
"""
_WAKE = """
    UPDATE agentool_queue_messages SET state = 'ready', change_at = expires_at
    WHERE queue_name = :queue_name AND message_id IN
"""
_DROP = "DELETE FROM agentool_queue_messages WHERE queue_name = :queue_name AND message_id IN"
_PORTION = """
    SELECT message_id, state, arrival FROM agentool_queue_messages WHERE queue_name = :queue_name AND message_id > :after
    ORDER BY message_id LIMIT :limit
"""
_INSERT = f"""
    INSERT INTO agentool_queue_messages ({", ".join(ROW_TYPES)}) SELECT {", ".join(f"r.{name}" for name in ROW_TYPES)} FROM r
"""  # noqa: S608  column names of ours
_CHANGED = [name for name in ROW_TYPES if name not in ("message_id", "queue_name", "enqueued_at", "priority", "arrival")]
_SAVE = f"""
    UPDATE agentool_queue_messages SET {", ".join(f"{name} = r.{name}" for name in _CHANGED)} FROM r
    WHERE agentool_queue_messages.queue_name = r.queue_name AND agentool_queue_messages.message_id = r.message_id
"""  # noqa: S608  column names of ours
_DELETE = "DELETE FROM agentool_queue_messages WHERE (queue_name, message_id) IN (SELECT r.queue_name, r.message_id FROM r)"


def next_change(session: Session, queue_name: str, now: datetime) -> datetime | None:
    """Return when time alone changes a message next, after now."""
    sql = "SELECT MIN(change_at) FROM agentool_queue_messages WHERE queue_name = :queue_name AND change_at > :now"
    row = session.row(sql, {"queue_name": queue_name, "now": micros(now)})
    return moment(row[0]) if row else None


def wake(session: Session, queue_name: str, now: datetime) -> int:
    """Make ready what was delayed until now, and return how many."""
    return session.run(_WAKE + _chosen(session, _AVAILABLE), {"queue_name": queue_name, "now": micros(now)})


def due(session: Session, queue_name: str, now: datetime, limit: int) -> list[QueueMessage]:
    """Return, and lock, messages that time alone has changed, in order of that time."""
    return _messages(session, _DUE, _SKIP, {"queue_name": queue_name, "now": micros(now), "limit": limit})


def ready(session: Session, queue_name: str, limit: int, *, lock: bool = False) -> list[QueueMessage]:
    """Return messages that are ready, in the order they are to be taken; with a lock, those that nobody else has locked."""
    return _messages(session, _READY, _SKIP if lock else "", {"queue_name": queue_name, "limit": limit})


def dead(session: Session, queue_name: str, limit: int) -> list[QueueMessage]:
    """Return the first that died."""
    return _messages(session, _DEAD, "", {"queue_name": queue_name, "limit": limit})


def all_of(session: Session, queue_name: str) -> list[QueueMessage]:
    """Return every message, in order of arrival."""
    return _messages(session, _ALL, "", {"queue_name": queue_name})


def by_id(session: Session, queue_name: str, message_ids: Iterable[str], *, lock: bool = False) -> dict[str, QueueMessage]:
    """Return those of these messages that are held."""
    sql = locked(session, _BY_ID, "FOR UPDATE OF m" if lock else "")
    return {row[0]: message_of(row) for row in session.from_rows(sql, _ONE_ID, _ids(queue_name, message_ids))}


def known(session: Session, queue_name: str, message_ids: Iterable[str]) -> dict[str, KnownMessage]:
    """Return what a queue knows of each of these ids."""
    ids = _ids(queue_name, message_ids)
    found = {
        id_: KnownMessage(None if row[0] is None else message_of(row), moment(until))
        for id_, until, *row in session.from_rows(_KNOWN, _ONE_ID, ids)
    }
    return {**dict.fromkeys((id_ for _, id_ in ids), KnownMessage()), **found}


def insert(session: Session, queue_name: str, messages: Sequence[QueueMessage]) -> None:
    """Keep new messages, dead ones in the order of their deaths."""
    session.from_rows(_INSERT, ROW_TYPES, _rows(session, queue_name, messages))


def save(session: Session, queue_name: str, messages: Sequence[QueueMessage]) -> None:
    """Write down messages that changed, those that died in the order of their deaths."""
    session.from_rows(_SAVE, ROW_TYPES, _rows(session, queue_name, messages))


def delete(session: Session, queue_name: str, message_ids: Iterable[str]) -> None:
    """Remove messages."""
    session.from_rows(_DELETE, _ONE_ID, _ids(queue_name, message_ids))


def portion(session: Session, queue_name: str, after: str, limit: int) -> list[tuple[str, str, int]]:
    """Return id, state and arrival of the next messages after an id, in the order of ids."""
    parameters = {"queue_name": queue_name, "after": after, "limit": limit}
    return [(message_id, state, arrival) for message_id, state, arrival in session.rows(_PORTION, parameters)]


def damaged(session: Session, limit: int) -> list[str]:
    """See `QueueBackend.damaged`."""
    found: list[str] = []
    for row in session.rows(_SOME, {"limit": _LOOKED_AT}):
        try:
            if not is_json(read_message(row).body):
                found.append(f"message {row[0]!r} in queue {row[1]!r}: its payload is not JSON")
        except (ValueError, TypeError, OverflowError) as error:
            found.append(f"message {row[0]!r} in queue {row[1]!r}: {error}")
    return found[:limit]


def drop_dead(session: Session, queue_name: str, number: int) -> int:
    """Remove the first that died, and return how many."""
    return session.run(_DROP + _chosen(session, _DEAD), {"queue_name": queue_name, "limit": number})


def _messages(session: Session, sql: str, lock: str, parameters: dict[str, Any]) -> list[QueueMessage]:
    return [message_of(row) for row in session.rows(locked(session, sql, lock), parameters)]


def _chosen(session: Session, sql: str) -> str:
    """Turn a query into the list of its ids, which is made once, of rows that nobody else has locked."""
    return f" (WITH chosen AS MATERIALIZED ({locked(session, sql, _SKIP)}) SELECT message_id FROM chosen)"  # noqa: S608  statements of ours


def _rows(session: Session, queue_name: str, messages: Sequence[QueueMessage]) -> list[tuple[Any, ...]]:
    deaths = 0
    if any(message.state is State.DEAD for message in messages):
        sql = "SELECT MAX(death) FROM agentool_queue_messages WHERE queue_name = :queue_name AND death IS NOT NULL"
        row = session.row(sql, {"queue_name": queue_name})
        deaths = (row[0] or 0) if row else 0
    numbered = enumerate(messages, deaths + 1)
    return [row_of(message, number if message.state is State.DEAD else None) for number, message in numbered]


def _ids(queue_name: str, message_ids: Iterable[str]) -> list[tuple[str, str]]:
    return [(queue_name, message_id) for message_id in sorted(set(message_ids))]
