"""The statements on the outbox: messages to be delivered to queues and web addresses."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import islice

from agentoolkit.database.session import Row, Session
from agentoolkit.database.times import micros
from agentoolkit.system.scheduler.execution_records import DeliveryStatus, Execution
from agentoolkit.system.scheduler.ports import Message
from agentoolkit.system.scheduler.stores.sql.claims import EACH
from agentoolkit.system.scheduler.stores.sql.definitions import encode
from agentoolkit.system.scheduler.stores.sql.records import message_of
from agentoolkit.system.scheduler.stores.sql.transactions import Transaction, reads, writes

_COLUMNS = {"execution_id": "TEXT", "queue_name": "TEXT", "payload": "TEXT", "created_at": "BIGINT", "owner": "TEXT"}
_PUT_OUT = """
    INSERT INTO agentool_outbox (execution_id, queue_name, payload, attempts, created_at, owner)
    SELECT r.execution_id, r.queue_name, r.payload, 0, r.created_at, r.owner FROM r WHERE TRUE
    ON CONFLICT (execution_id) DO NOTHING
"""
_MESSAGES = "SELECT execution_id, queue_name, payload, attempts, owner FROM agentool_outbox"
_OWNER = 4
"""Index of the owner in a message's row."""
_TAKE_OUT = "DELETE FROM agentool_outbox WHERE execution_id IN (SELECT r.execution_id FROM r)"
_NOTE_DELIVERY = "UPDATE agentool_executions SET delivery = r.delivery FROM r WHERE agentool_executions.execution_id = r.execution_id"
_ANY = "SELECT 1 FROM agentool_outbox LIMIT 1"
_DAMAGED_AT_MOST = 100
"""Maximum damaged messages that are skipped on one page."""


def put_out(session: Session, outcomes: Sequence[tuple[Execution, Message, str]]) -> None:
    """Put messages into the outbox, each with its execution and the owner that delivers it."""
    rows = [
        (message.execution_id, message.queue_name, encode(message.payload), micros(execution.finished_at), owner)
        for execution, message, owner in outcomes
    ]
    session.from_rows(_PUT_OUT, _COLUMNS, rows)


@reads
def outbox(tx: Transaction, limit: int) -> list[Message]:
    """See `JobStore.outbox`."""
    if tx.session.row(_ANY) is None:  # the usual case: this is called whenever workers have ended executions
        return []
    alive = tx.ownership.alive(tx.session) if tx.ownership.leads_now(tx.session) else None
    others = f"owner NOT IN ({EACH[tx.session.dialect]})" if alive is not None else "FALSE"
    sql = f"{_MESSAGES} WHERE owner = :owner OR {others} ORDER BY created_at, execution_id LIMIT :limit"
    parameters = {"limit": limit + _DAMAGED_AT_MOST, "owner": tx.owner, **({} if alive is None else {"ids": json.dumps(list(alive))})}
    rows = tx.session.rows(sql, parameters)
    if any(row[_OWNER] != tx.owner for row in rows):  # asked again: a process may have come between the two statements
        alive = tx.ownership.alive(tx.session)
        rows = [row for row in rows if row[_OWNER] == tx.owner or row[_OWNER] not in alive]
    return _readable(rows, limit)


@reads
def messages(tx: Transaction, limit: int) -> list[Message]:
    """See `JobStore.messages`."""
    sql = f"{_MESSAGES} ORDER BY created_at, execution_id LIMIT :limit"
    return _readable(tx.session.rows(sql, {"limit": limit + _DAMAGED_AT_MOST}), limit)


@writes
def delivered(tx: Transaction, execution_ids: Sequence[str]) -> None:
    """See `JobStore.delivered`."""
    _take_out(tx.session, execution_ids, DeliveryStatus.DELIVERED)


@writes
def undelivered(tx: Transaction, message: Message, *, give_up: bool) -> None:
    """See `JobStore.undelivered`."""
    if give_up:
        _take_out(tx.session, [message.execution_id], DeliveryStatus.FAILED)
    else:
        sql = "UPDATE agentool_outbox SET attempts = attempts + 1 WHERE execution_id = :id"
        tx.session.run(sql, {"id": message.execution_id})


def _take_out(session: Session, execution_ids: Sequence[str], delivery: DeliveryStatus) -> None:
    session.from_rows(_TAKE_OUT, {"execution_id": "TEXT"}, [(id_,) for id_ in execution_ids])
    noted = [(id_, delivery.value) for id_ in execution_ids]
    session.from_rows(_NOTE_DELIVERY, {"execution_id": "TEXT", "delivery": "TEXT"}, noted)


def _readable(rows: Sequence[Row], limit: int) -> list[Message]:
    """Return the readable messages; a damaged one is skipped."""
    return list(islice((message for row in rows if (message := message_or_none(row)) is not None), limit))


def message_or_none(row: Row) -> Message | None:
    """Read a message; None if it is damaged."""
    try:
        return message_of(row)
    except ValueError:
        return None
