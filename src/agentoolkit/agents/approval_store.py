"""Store approvals: calls that wait for a person's decision. They outlive the process, and each is decided once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, Literal, NamedTuple, Protocol

from agentoolkit.database.database import Database, Session
from agentoolkit.database.times import micros
from agentoolkit.system.scheduler.execution_ids import APPROVED, requested_execution_id

Status = Literal["pending", "approved", "denied"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingCall:
    """One call of a tool that needs approval."""

    call_id: str
    tool: str
    arguments: Mapping[str, Any]
    schema: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """JSON schema of the tool's arguments, which edits are checked against."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """A parked run and its decision."""

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
    """Arguments that replace the model's own, by call id."""
    reason: str = ""
    """The reason of a denial."""

    @property
    def run_key(self) -> str:
        """Run key of the execution in which the run goes on. The key keeps a second one from starting."""
        return f"{APPROVED}{self.approval_id}"

    @property
    def goes_on_as(self) -> str:
        """The id of the execution in which the run goes on."""
        return requested_execution_id(self.job_id, self.run_key)

    @property
    def call_ids(self) -> frozenset[str]:
        """The ids of its calls."""
        return frozenset(call.call_id for call in self.calls)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
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


class CallBegun(NamedTuple):
    """The state of an approved call before it is made."""

    first: bool
    """True if no earlier attempt has started it."""
    outcome: str | None = None
    """The outcome that an earlier attempt has written; None if there is none."""


class ApprovalStore(Protocol):
    """Stores approvals, and the outcomes of approved calls."""

    async def add(self, approval: Approval) -> None:
        """Add an approval. An existing one with this id stays."""
        ...

    async def get(self, approval_id: str) -> Approval | None:
        """Return an approval; None if it does not exist."""
        ...

    async def pending(self, owner: str | None, limit: int, after: Approval | None = None) -> Sequence[Approval]:
        """Return the first `limit` undecided approvals of an owner, or of all owners for None, oldest first, that follow `after`."""
        ...

    async def decide(self, decided: Approval) -> bool:
        """Write a decision if there is none yet, and tell whether it was written."""
        ...

    async def begin_call(self, approval_id: str, call_id: str) -> CallBegun:
        """Record the start of an approved call. Among several attempts exactly one is the first."""
        ...

    async def end_call(self, approval_id: str, call_id: str, outcome: str) -> None:
        """Record the outcome of a started call."""
        ...


class MemoryApprovals:
    """Approvals that last as long as the process."""

    def __init__(self) -> None:
        self._kept: dict[str, Approval] = {}
        self._outcomes: dict[tuple[str, str], str | None] = {}

    async def add(self, approval: Approval) -> None:
        self._kept.setdefault(approval.approval_id, approval)

    async def get(self, approval_id: str) -> Approval | None:
        return self._kept.get(approval_id)

    async def pending(self, owner: str | None, limit: int, after: Approval | None = None) -> Sequence[Approval]:
        waiting = [kept for kept in self._kept.values() if kept.status == "pending" and owner in (None, kept.owner)]
        return sorted((kept for kept in waiting if after is None or _place(kept) > _place(after)), key=_place)[:limit]

    async def decide(self, decided: Approval) -> bool:
        before = self._kept.get(decided.approval_id)
        if before is None or before.status != "pending":
            return False
        self._kept[decided.approval_id] = decided
        return True

    async def begin_call(self, approval_id: str, call_id: str) -> CallBegun:
        key = (approval_id, call_id)
        begun = CallBegun(key not in self._outcomes, self._outcomes.get(key))
        self._outcomes.setdefault(key, None)
        return begun

    async def end_call(self, approval_id: str, call_id: str, outcome: str) -> None:
        self._outcomes[approval_id, call_id] = outcome


def _place(approval: Approval) -> tuple[datetime, str]:
    """Return the approval's place in a list."""
    return approval.created_at, approval.approval_id


_ADD = """
    INSERT INTO agentool_approvals (approval_id, owner, status, created_at, record) VALUES (:id, :owner, :status, :created_at, :record)
    ON CONFLICT (approval_id) DO NOTHING
"""
_DECIDE = "UPDATE agentool_approvals SET status = :status, record = :record WHERE approval_id = :id AND status = 'pending'"
_PENDING = "SELECT record FROM agentool_approvals WHERE status = 'pending' {} ORDER BY created_at, approval_id LIMIT :limit"
_BEGIN_CALL = "INSERT INTO agentool_approved_calls (approval_id, call_id) VALUES (:id, :call_id) ON CONFLICT DO NOTHING"
_OUTCOME = "SELECT outcome FROM agentool_approved_calls WHERE approval_id = :id AND call_id = :call_id"
_END_CALL = "UPDATE agentool_approved_calls SET outcome = :outcome WHERE approval_id = :id AND call_id = :call_id"


class SqlApprovals:
    """Approvals in a `Database`. The first use opens it; its creator closes it."""

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

    async def pending(self, owner: str | None, limit: int, after: Approval | None = None) -> Sequence[Approval]:
        await self._database.open()
        terms, asked = "", dict[str, Any](limit=limit)
        if owner is not None:
            terms, asked["owner"] = "AND owner = :owner", owner
        if after is not None:
            terms += " AND (created_at, approval_id) > (:created_at, :id)"
            asked |= {"created_at": micros(after.created_at), "id": after.approval_id}
        sql = _PENDING.format(terms)
        rows = await self._database.read(lambda session: session.rows(sql, asked))
        return [Approval.from_json(json.loads(row[0])) for row in rows]

    async def decide(self, decided: Approval) -> bool:
        return await self._write(_DECIDE, _row(decided)) == 1

    async def begin_call(self, approval_id: str, call_id: str) -> CallBegun:
        call = {"id": approval_id, "call_id": call_id}
        if await self._write(_BEGIN_CALL, call) == 1:
            return CallBegun(first=True)
        row = await self._database.read(lambda session: session.row(_OUTCOME, call))
        return CallBegun(first=False, outcome=row[0] if row else None)

    async def end_call(self, approval_id: str, call_id: str, outcome: str) -> None:
        await self._write(_END_CALL, {"id": approval_id, "call_id": call_id, "outcome": outcome})

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
    """Return a copy of an approval with its decision."""
    return replace(approval, status=status, decided_by=by, decided_at=now, edits=edits, reason=reason)
