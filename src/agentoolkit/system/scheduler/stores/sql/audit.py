"""The statements of the audit log. A row is added in the transaction of the change that it records, and never changed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from pydantic_core import PydanticSerializationError, to_json

from agentool.caller import Caller
from agentoolkit.database.session import Row, Session
from agentoolkit.database.times import instant, micros
from agentoolkit.system.scheduler.ports import AuditEntry
from agentoolkit.system.scheduler.stores.sql.definitions import encode
from agentoolkit.system.scheduler.stores.sql.transactions import Transaction, reads, writes

_COLUMNS = {
    "at": "BIGINT",
    "owner": "TEXT",
    "job_id": "TEXT",
    "execution_id": "TEXT",
    "action": "TEXT",
    "caller": "TEXT",
    "states": "TEXT",
}
_ADD = f"""
    INSERT INTO agentool_audit (number, {", ".join(_COLUMNS)})
    SELECT l.number + r.place, {", ".join(f"r.{name}" for name in _COLUMNS)}
    FROM r, (SELECT COALESCE(MAX(number), 0) AS number FROM agentool_audit) AS l
"""  # noqa: S608  column names of ours
_READ = "SELECT at, owner, job_id, execution_id, action, caller, states FROM agentool_audit"


@writes
def note(tx: Transaction, entry: AuditEntry) -> None:
    """See `JobStore.note`."""
    add_notes(tx.session, [entry])


@reads
def entries(tx: Transaction, job_id: str | None, owner: str | None, limit: int) -> list[AuditEntry]:
    """See `JobStore.entries`."""
    asked = {"job_id": job_id, "owner": owner}
    given = {name: value for name, value in asked.items() if value is not None}
    where = " AND ".join(f"{name} = :{name}" for name in given)
    sql = f"{_READ}{' WHERE ' + where if where else ''} ORDER BY number DESC LIMIT :limit"
    return [_entry(*row) for row in tx.session.rows(sql, {**given, "limit": limit})]


def add_notes(session: Session, entries: Iterable[AuditEntry | None]) -> None:
    """Add entries in this transaction, in order; None stands for no entry."""
    rows: list[Row] = []
    for place, entry in enumerate(filter(None, entries), 1):
        caller, states = _caller_text(entry.caller), _states_text([entry.before, entry.after])
        rows.append((place, micros(entry.at), entry.owner, entry.job_id, entry.execution_id, entry.action, caller, states))
    session.from_rows(_ADD, {"place": "BIGINT", **_COLUMNS}, rows)


def _states_text(states: Sequence[Any]) -> str:
    """Write a job's states as UTF-8 JSON, which takes a quarter of the time, unless a reason set by code has lone surrogates."""
    try:
        return to_json(states).decode()
    except PydanticSerializationError:
        return encode(states)


@lru_cache(maxsize=256)
def _caller_text(caller: Caller) -> str:
    """Write a caller as JSON text. Cached, because most entries have one of a few callers."""
    return encode(caller.to_json())


def _entry(at: int, owner: str, job_id: str, execution_id: str, action: str, caller: str, states: str) -> AuditEntry:
    before, after = json.loads(states)
    return AuditEntry(
        at=instant(at),
        caller=Caller.from_json(json.loads(caller)),
        action=action,  # type: ignore[arg-type]  as it was written
        owner=owner,
        job_id=job_id,
        execution_id=execution_id,
        before=before,
        after=after,
    )
