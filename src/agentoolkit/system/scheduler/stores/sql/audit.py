"""The audit in a database: a table to which rows are only ever added."""

from __future__ import annotations

import json
from collections.abc import Sequence

from agentool.caller import Caller
from agentoolkit.database.database import Database, Session
from agentoolkit.database.times import instant, micros
from agentoolkit.system.scheduler.audit import AuditEntry

_APPEND = """
    INSERT INTO agentool_audit (number, at, owner, job_id, execution_id, action, caller, states)
    VALUES ((SELECT COALESCE(MAX(number), 0) + 1 FROM agentool_audit), :at, :owner, :job_id, :execution_id, :action, :caller, :states)
"""
_READ = "SELECT at, owner, job_id, execution_id, action, caller, states FROM agentool_audit"


class SqlAudit:
    """Entries in a `Database`, which the first use opens and its maker closes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, entry: AuditEntry) -> None:
        await self._database.open()
        await self._database.write(lambda session: _append(session, entry))

    async def newest(self, job_id: str | None, owner: str | None, limit: int) -> Sequence[AuditEntry]:
        asked = {"job_id": job_id, "owner": owner}
        given = {name: value for name, value in asked.items() if value is not None}
        where = " AND ".join(f"{name} = :{name}" for name in given)
        sql = f"{_READ}{' WHERE ' + where if where else ''} ORDER BY number DESC LIMIT :limit"
        await self._database.open()
        rows = await self._database.read(lambda session: session.rows(sql, {**given, "limit": limit}))
        return [_entry(*row) for row in rows]


def _append(session: Session, entry: AuditEntry) -> None:
    row = {"at": micros(entry.at), "owner": entry.owner, "job_id": entry.job_id, "execution_id": entry.execution_id}
    states = json.dumps([entry.before, entry.after])
    session.run(_APPEND, {**row, "action": entry.action, "caller": json.dumps(entry.caller.to_json()), "states": states})


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
