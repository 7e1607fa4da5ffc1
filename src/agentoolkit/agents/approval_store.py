"""Calls that wait for a person. They outlive the process, and each is decided once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Literal, Protocol

from agentoolkit.database.database import Database, Session
from agentoolkit.database.times import micros

Status = Literal["pending", "approved", "denied"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingCall:
    """One call of a tool that needs approval."""

    call_id: str
    tool: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """A run that was parked, and what was decided."""

    approval_id: str
    owner: str
    agent: str
    job_id: str
    execution_id: str
    conversation_id: str
    calls: tuple[WaitingCall, ...]
    created_at: datetime
    deadline: datetime
    status: Status = "pending"
    decided_by: str = ""
    decided_at: datetime | None = None
    edits: Mapping[str, Mapping[str, Any]] | None = None
    """For the name of a tool: arguments that take the place of those asked for."""
    reason: str = ""
    """Why it was denied."""

    @property
    def run_key(self) -> str:
        """Names the further execution in which the run goes on: there is never a second one."""
        return f"approval-{self.approval_id}"

    def to_json(self) -> dict[str, Any]:
        """Write it as JSON values."""
        record = asdict(self)
        for name in ("created_at", "deadline", "decided_at"):
            record[name] = record[name] and record[name].isoformat()
        return record

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Approval:
        """Read what `to_json` wrote."""
        read = dict(record)
        for name in ("created_at", "deadline", "decided_at"):
            read[name] = read[name] and datetime.fromisoformat(read[name])
        read["calls"] = tuple(WaitingCall(**call) for call in read["calls"])
        return cls(**read)


class ApprovalStore(Protocol):
    """Keeps approvals."""

    async def add(self, approval: Approval) -> None:
        """Keep a new one; one of this id that is there already stays."""
        ...

    async def get(self, approval_id: str) -> Approval | None:
        """Return one."""
        ...

    async def pending(self, limit: int) -> Sequence[Approval]:
        """Return those that wait, the oldest first."""
        ...

    async def decide(self, decided: Approval) -> bool:
        """Write a decision if there is none yet, and tell whether it was written."""
        ...


class MemoryApprovals:
    """Approvals that last as long as the process."""

    def __init__(self) -> None:
        self._kept: dict[str, Approval] = {}

    async def add(self, approval: Approval) -> None:
        self._kept.setdefault(approval.approval_id, approval)

    async def get(self, approval_id: str) -> Approval | None:
        return self._kept.get(approval_id)

    async def pending(self, limit: int) -> Sequence[Approval]:
        waiting = [approval for approval in self._kept.values() if approval.status == "pending"]
        return sorted(waiting, key=lambda approval: (approval.created_at, approval.approval_id))[:limit]

    async def decide(self, decided: Approval) -> bool:
        before = self._kept.get(decided.approval_id)
        if before is None or before.status != "pending":
            return False
        self._kept[decided.approval_id] = decided
        return True


_ADD = """
    INSERT INTO agentool_approvals (approval_id, owner, status, created_at, record) VALUES (:id, :owner, :status, :created_at, :record)
    ON CONFLICT (approval_id) DO NOTHING
"""
_DECIDE = "UPDATE agentool_approvals SET status = :status, record = :record WHERE approval_id = :id AND status = 'pending'"
_PENDING = "SELECT record FROM agentool_approvals WHERE status = 'pending' ORDER BY created_at, approval_id LIMIT :limit"


class SqlApprovals:
    """Approvals in a `Database`, which their first use opens and its maker closes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, approval: Approval) -> None:
        row = {"owner": approval.owner, "created_at": micros(approval.created_at)}
        await self._write(_ADD, {**_row(approval), **row})

    async def get(self, approval_id: str) -> Approval | None:
        await self._database.open()
        sql = "SELECT record FROM agentool_approvals WHERE approval_id = :id"
        row = await self._database.read(lambda session: session.row(sql, {"id": approval_id}))
        return Approval.from_json(json.loads(row[0])) if row else None

    async def pending(self, limit: int) -> Sequence[Approval]:
        await self._database.open()
        rows = await self._database.read(lambda session: session.rows(_PENDING, {"limit": limit}))
        return [Approval.from_json(json.loads(row[0])) for row in rows]

    async def decide(self, decided: Approval) -> bool:
        return await self._write(_DECIDE, _row(decided)) == 1

    async def _write(self, sql: str, row: Mapping[str, Any]) -> int:
        def write(session: Session) -> int:
            return session.run(sql, row)

        await self._database.open()
        return await self._database.write(write)


def _row(approval: Approval) -> dict[str, Any]:
    return {"id": approval.approval_id, "status": approval.status, "record": json.dumps(approval.to_json())}


def decided(
    approval: Approval, status: Status, by: str, now: datetime, edits: Mapping[str, Mapping[str, Any]] | None = None, reason: str = ""
) -> Approval:
    """Return an approval as it is after a decision."""
    return replace(approval, status=status, decided_by=by, decided_at=now, edits=edits, reason=reason)
