"""The statements on queues, their counters and their remembered ids.

Locks exist on PostgreSQL; SQLite has one writer at a time. Adding to a queue excludes other adders, so that its limit,
its order of arrival and its remembered ids are exact. Taking excludes nobody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from agentoolkit.database.database import Session
from agentoolkit.database.times import instant, micros
from agentoolkit.system.queue.backends.sql.records import QUEUE, QueueRow, found_of, locked, queue_parameters
from agentoolkit.system.queue.backends.sql.requests import Lock
from agentoolkit.system.queue.messages import Counts, Queue, State

COUNTED = (*(state.value for state in State), "dropped")
"""The counters of a queue: messages in each state, and dropped dead letters."""

_FIND = f"""
    SELECT {QUEUE}, arrivals, remembered,
        (SELECT MIN(m.change_at) FROM agentool_queue_messages m WHERE m.queue_name = q.queue_name AND m.change_at IS NOT NULL)
    FROM agentool_queues q WHERE q.queue_name = :queue_name
"""  # noqa: S608  column names of ours
_CREATE = f"""
    INSERT INTO agentool_queues ({QUEUE})
    VALUES (:queue_name, :max_size, :visibility_timeout, :max_retries, :description, :created_at) ON CONFLICT (queue_name) DO NOTHING
"""  # noqa: S608  column names of ours
_SUMS = f"""
    SELECT {", ".join(f"CAST(COALESCE(SUM({name}), 0) AS BIGINT)" for name in COUNTED)}
    FROM agentool_queue_counts WHERE queue_name = :queue_name
"""  # noqa: S608  column names of ours
_TALLY = f"""
    INSERT INTO agentool_queue_counts (queue_name, slot, {", ".join(COUNTED)})
    VALUES (:queue_name, :slot, {", ".join(f":{name}" for name in COUNTED)}) ON CONFLICT (queue_name, slot)
    DO UPDATE SET {", ".join(f"{name} = agentool_queue_counts.{name} + excluded.{name}" for name in COUNTED)}
"""  # noqa: S608  column names of ours
_REMEMBERED = {"queue_name": "TEXT", "message_id": "TEXT", "number": "BIGINT", "remembered_until": "BIGINT"}
_REMEMBER = """
    INSERT INTO agentool_queue_ids (queue_name, message_id, number, remembered_until)
    SELECT r.queue_name, r.message_id, r.number, r.remembered_until FROM r WHERE TRUE
    ON CONFLICT (queue_name, message_id) DO UPDATE SET number = excluded.number, remembered_until = excluded.remembered_until
"""
_FORGET = """
    DELETE FROM agentool_queue_ids WHERE queue_name = :queue_name AND message_id IN
        (SELECT message_id FROM agentool_queue_ids WHERE queue_name = :queue_name ORDER BY number LIMIT :limit)
"""


SLOTS = 64
"""Rows that share a queue's counters."""
_SLOT = f"SELECT n FROM generate_series(0, {SLOTS - 1}) AS n WHERE pg_try_advisory_lock(4920, n) LIMIT 1"  # noqa: S608  a number of ours
_LOCKS = {Lock.DELETE: "FOR KEY SHARE OF q", Lock.GROW: "FOR NO KEY UPDATE OF q", Lock.ALL: "FOR UPDATE OF q"}


def find(session: Session, queue_name: str, lock: Lock | None = None) -> QueueRow | None:
    """Return a queue."""
    row = session.row(locked(session, _FIND, _LOCKS[lock] if lock else ""), {"queue_name": queue_name})
    return None if row is None else found_of(row)


def names(session: Session) -> list[str]:
    """Return the names of all queues, in order."""
    return sorted(name for (name,) in session.rows("SELECT queue_name FROM agentool_queues"))


def create(session: Session, queue: Queue) -> bool:
    """Insert a queue, unless its name exists."""
    return session.run(_CREATE, queue_parameters(queue)) == 1


def delete(session: Session, queue_name: str) -> None:
    """Delete a queue with everything in it."""
    for table in ("queue_messages", "queue_ids", "queue_counts", "queues"):
        session.run(f"DELETE FROM agentool_{table} WHERE queue_name = :queue_name", {"queue_name": queue_name})  # noqa: S608  tables of ours


def sums(session: Session, queue_name: str) -> tuple[Counts, int]:
    """Return the number of messages in each state, and of dropped dead letters."""
    *numbers, dropped = session.row(_SUMS, {"queue_name": queue_name}) or (0,) * len(COUNTED)
    return Counts(*numbers), dropped


def tally(session: Session, queue_name: str, changes: Mapping[str, int]) -> None:
    """Add to the counters."""
    session.run(_TALLY, {"queue_name": queue_name, "slot": _own_slot(session), **changes})


def note_growth(session: Session, queue_name: str, row: QueueRow) -> None:
    """Write the number of all arrivals, and of remembered ids."""
    sql = "UPDATE agentool_queues SET arrivals = :arrivals, remembered = :remembered WHERE queue_name = :queue_name"
    session.run(sql, {"queue_name": queue_name, "arrivals": row.arrivals, "remembered": row.remembered})


def remember(session: Session, queue_name: str, ids: Sequence[tuple[str, int, datetime]]) -> None:
    """Store ids with the end of their remembering, in the order of their numbers."""
    rows = [(queue_name, message_id, number, micros(until)) for message_id, number, until in ids]
    session.from_rows(_REMEMBER, _REMEMBERED, rows)


def remembered(session: Session, queue_name: str) -> list[tuple[str, datetime]]:
    """Return the remembered ids, oldest first, with the end of their remembering."""
    sql = "SELECT message_id, remembered_until FROM agentool_queue_ids WHERE queue_name = :queue_name ORDER BY number, message_id"
    return [(message_id, instant(until)) for message_id, until in session.rows(sql, {"queue_name": queue_name})]


def forget(session: Session, queue_name: str, number: int) -> int:
    """Delete the oldest ids, and return their number."""
    return session.run(_FORGET, {"queue_name": queue_name, "limit": number})


def _own_slot(session: Session) -> int:
    """Return this connection's own row of counters. Connections share rows only if there are more than `SLOTS`."""
    if session.dialect != "postgres":  # SQLite has one writer at a time anyway
        return 0
    if "queue_slot" not in session.kept:
        row = session.row(_SLOT)
        session.kept["queue_slot"] = SLOTS if row is None else row[0]
    return session.kept["queue_slot"]
