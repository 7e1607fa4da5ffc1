"""Who created, changed, ran and cancelled what, from which door: entries are added and never changed."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from agentool.caller import Caller, get_caller
from agentoolkit.redaction import redacted, redacted_text
from agentoolkit.system.scheduler.job_records import job_to_record
from agentoolkit.system.scheduler.jobs import Job, JobState
from agentoolkit.system.scheduler.ports import StoredJob
from agentoolkit.time_source import TimeSource

Action = Literal["created", "changed", "paused", "resumed", "cancelled", "ran", "started", "backfilled", "cancelled_execution", "stopped"]

KEPT_IN_MEMORY = 10_000
"""Entries that are kept where nothing outlives the process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One thing that somebody did."""

    at: datetime
    caller: Caller
    action: Action
    owner: str
    """Whose job it was done to."""
    job_id: str
    """Empty where it was done to all of them."""
    execution_id: str = ""
    before: Mapping[str, Any] | None = None
    """The job as it was, and where it stood; secrets hidden."""
    after: Mapping[str, Any] | None = None


class AuditLog(Protocol):
    """Keeps entries."""

    async def append(self, entry: AuditEntry) -> None:
        """Add an entry."""
        ...

    async def newest(self, job_id: str | None, owner: str | None, limit: int) -> Sequence[AuditEntry]:
        """Return the newest entries, of a job or of all, of an owner or of all; the newest first."""
        ...


class MemoryAudit:
    """Entries that last as long as the process."""

    def __init__(self) -> None:
        self._entries: deque[AuditEntry] = deque(maxlen=KEPT_IN_MEMORY)

    async def append(self, entry: AuditEntry) -> None:
        self._entries.append(entry)

    async def newest(self, job_id: str | None, owner: str | None, limit: int) -> Sequence[AuditEntry]:
        found = [e for e in reversed(self._entries) if job_id in (None, e.job_id) and owner in (None, e.owner)]
        return found[:limit]


class Auditor:
    """Notes who did what to a job.

    Args:
        log: Where entries are kept.
        time: Where the time comes from.
    """

    def __init__(self, log: AuditLog, time: TimeSource) -> None:
        self._log = log
        self._time = time

    async def note(self, action: Action, before: StoredJob | None, after: StoredJob | None, execution_id: str = "") -> None:
        """Keep an entry, made by the caller that asks; nothing where no job is known."""
        if (known := after or before) is None:
            return
        entry = AuditEntry(
            at=self._time.now(),
            caller=get_caller(),
            action=action,
            owner=known.job.owner,
            job_id=known.job.job_id,
            execution_id=execution_id,
            before=snapshot(*before) if before else None,
            after=snapshot(*after) if after else None,
        )
        await self._log.append(entry)

    async def note_of_all(self, action: Literal["stopped", "resumed"], reason: str) -> None:
        """Keep that the caller stopped the scheduler, or let it go on, for every process that shares the store."""
        caller = get_caller()
        told = {"reason": redacted_text(reason)}
        await self._log.append(AuditEntry(at=self._time.now(), caller=caller, action=action, owner=caller.name, job_id="", after=told))

    async def last_stop(self) -> str:
        """Say who stopped the scheduler, and why; empty where that is not known."""
        entries = await self._log.newest("", None, 1)
        if not entries or entries[0].action != "stopped":
            return ""
        reason = (entries[0].after or {}).get("reason", "")
        return f"stopped by {entries[0].caller.name}{f': {reason}' if reason else ''}"


def snapshot(job: Job, state: JobState) -> dict[str, Any]:
    """Return a job as an entry keeps it."""
    return {**redacted(job_to_record(job)), "state": state.status.value, "reason": state.reason}
