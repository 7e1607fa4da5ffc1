"""The statements on queues, on what is counted of them, and on the ids they remember.

Locks are PostgreSQL's; SQLite has one writer at a time. Who adds to a queue excludes others who add, so that its limit,
its order of arrival and its memory of ids are exact; who takes excludes nobody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum

from agentoolkit.database.database import Session
from agentoolkit.database.times import micros
from agentoolkit.system.queue.backends.sql.records import QUEUE, QueueRow, found_of, locked, queue_parameters
from agentoolkit.system.queue.messages import Counts, Queue, QueueMessage, State

COUNTED = (*(state.value for state in State), "dropped")
"""What is counted per queue: messages in each state, and dead letters that were dropped."""

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


class Lock(StrEnum):
    """What nobody else may do to a queue until the transaction ends."""

    NOTHING = ""
    DELETE = "FOR KEY SHARE OF q"
    GROW = "FOR NO KEY UPDATE OF q"
    """Delete it, or add to it."""
    TOUCH = "FOR UPDATE OF q"


def find(session: Session, queue_name: str, lock: Lock = Lock.NOTHING) -> QueueRow | None:
    """Return a queue."""
    row = session.row(locked(session, _FIND, lock), {"queue_name": queue_name})
    return None if row is None else found_of(row)


def names(session: Session) -> list[str]:
    """Return the names of all queues, in order."""
    return sorted(name for (name,) in session.rows("SELECT queue_name FROM agentool_queues"))


def create(session: Session, queue: Queue) -> bool:
    """Keep a queue, unless there is one of its name."""
    return session.run(_CREATE, queue_parameters(queue)) == 1


def delete(session: Session, queue_name: str) -> None:
    """Forget all there is of a queue."""
    for table in ("queue_messages", "queue_ids", "queue_counts", "queues"):
        session.run(f"DELETE FROM agentool_{table} WHERE queue_name = :queue_name", {"queue_name": queue_name})  # noqa: S608  tables of ours


def sums(session: Session, queue_name: str) -> tuple[Counts, int]:
    """Return how many messages are where, and how many dead letters were dropped."""
    *numbers, dropped = session.row(_SUMS, {"queue_name": queue_name}) or (0,) * len(COUNTED)
    return Counts(*numbers), dropped


def tally(session: Session, queue_name: str, slot: int, changes: Mapping[str, int]) -> None:
    """Add to what is counted."""
    session.run(_TALLY, {"queue_name": queue_name, "slot": slot, **changes})


def note_growth(session: Session, queue_name: str, arrivals: int, remembered: int) -> None:
    """Write down how many messages ever came, and how many ids are remembered."""
    sql = "UPDATE agentool_queues SET arrivals = :arrivals, remembered = :remembered WHERE queue_name = :queue_name"
    session.run(sql, {"queue_name": queue_name, "arrivals": arrivals, "remembered": remembered})


def remember(session: Session, messages: Sequence[tuple[QueueMessage, datetime]]) -> None:
    """Remember ids until a time each."""
    rows = [(message.queue_name, message.message_id, message.arrival, micros(until)) for message, until in messages]
    session.from_rows(_REMEMBER, _REMEMBERED, rows)


def forget(session: Session, queue_name: str, number: int) -> int:
    """Forget the ids that were remembered first, and return how many."""
    return session.run(_FORGET, {"queue_name": queue_name, "limit": number})
