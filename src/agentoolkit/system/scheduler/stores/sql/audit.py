"""The statements of the audit: rows are only ever added, each in the transaction of the change that it tells of."""

from __future__ import annotations

import json

from agentool.caller import Caller
from agentoolkit.database.session import Session
from agentoolkit.database.times import instant, micros
from agentoolkit.system.scheduler.ports import AuditEntry
from agentoolkit.system.scheduler.stores.sql.transactions import Transaction, reads, writes

_ADD = """
    INSERT INTO agentool_audit (number, at, owner, job_id, execution_id, action, caller, states)
    VALUES ((SELECT COALESCE(MAX(number), 0) + 1 FROM agentool_audit), :at, :owner, :job_id, :execution_id, :action, :caller, :states)
"""
_READ = "SELECT at, owner, job_id, execution_id, action, caller, states FROM agentool_audit"


@writes
def note(tx: Transaction, entry: AuditEntry) -> None:
    """See `JobStore.note`."""
    add_note(tx.session, entry)


@reads
def entries(tx: Transaction, job_id: str | None, owner: str | None, limit: int) -> list[AuditEntry]:
    """See `JobStore.entries`."""
    asked = {"job_id": job_id, "owner": owner}
    given = {name: value for name, value in asked.items() if value is not None}
    where = " AND ".join(f"{name} = :{name}" for name in given)
    sql = f"{_READ}{' WHERE ' + where if where else ''} ORDER BY number DESC LIMIT :limit"
    return [_entry(*row) for row in tx.session.rows(sql, {**given, "limit": limit})]


def add_note(session: Session, entry: AuditEntry | None) -> None:
    """Keep a note, if there is one, in this transaction."""
    if entry is None:
        return
    row = {"at": micros(entry.at), "owner": entry.owner, "job_id": entry.job_id, "execution_id": entry.execution_id}
    states = json.dumps([entry.before, entry.after])
    session.run(_ADD, {**row, "action": entry.action, "caller": json.dumps(entry.caller.to_json()), "states": states})


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
