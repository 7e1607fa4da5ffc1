"""Creates the audit entries of changes. The store writes an entry in the transaction of its change."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from functools import lru_cache
from typing import Any, Literal

from agentool.caller import Caller, get_caller
from agentoolkit.redaction import PLAIN, redacted, redacted_text
from agentoolkit.system.scheduler.job_records import job_to_record
from agentoolkit.system.scheduler.jobs import USUAL_POLICIES, Job, JobState
from agentoolkit.system.scheduler.ports import Action, AuditEntry, JobStore, StoredJob
from agentoolkit.time_source import TimeSource

_CALLERS = {"created_by", "changed_by"}
_PARTS = frozenset({"schedule", "policies"})
"""Fields of a job that have fields of their own."""
_USUAL: Mapping[str, Any] = {"policies": json.loads(json.dumps(asdict(USUAL_POLICIES)))}
"""The record of the policies that most jobs share."""
_NONE: Mapping[str, Any] = {}


class Auditor:
    """Creates and writes audit entries for the current caller.

    Args:
        store: The store of entries.
        time: The time source.
    """

    def __init__(self, store: JobStore, time: TimeSource) -> None:
        self._store = store
        self._time = time

    async def note(self, action: Action, stored: StoredJob, execution_id: str) -> None:
        """Write an entry of the current caller's action on an execution of a job."""
        await self._store.note(self.entry(action, stored, stored, execution_id))

    def entry(self, action: Action, before: StoredJob | None, after: StoredJob | None, execution_id: str = "") -> AuditEntry:
        """Return the entry of the current caller's action on a job, to be written with the change itself."""
        known = after or before
        assert known is not None  # noqa: S101  each action is done to a job
        was = snapshot(*before) if before else None
        return AuditEntry(
            at=self._time.now(),
            caller=get_caller(),
            action=action,
            owner=known.job.owner,
            job_id=known.job.job_id,
            execution_id=execution_id,
            before=was,
            after=was if after is before else snapshot(*after) if after else None,
        )

    async def note_of_all(self, action: Literal["stopped", "resumed"], reason: str) -> None:
        """Write that the caller stopped or resumed the scheduler for all processes that share the store."""
        caller, after = get_caller(), {"reason": redacted_text(reason)}
        await self._store.note(AuditEntry(at=self._time.now(), caller=caller, action=action, owner=caller.name, job_id="", after=after))

    async def last_stop(self) -> str:
        """Return who stopped the scheduler, and why; empty if unknown."""
        entries = await self._store.entries("", None, 1)
        if not entries or entries[0].action != "stopped":
            return ""
        reason = (entries[0].after or {}).get("reason", "")
        return f"stopped by {entries[0].caller.name}{f': {reason}' if reason else ''}"


def snapshot(job: Job, state: JobState) -> dict[str, Any]:
    """Return a job and its state for an entry, with secrets hidden."""
    shared = _USUAL if job.policies is USUAL_POLICIES else _NONE
    record = job_to_record(job, _CALLERS | shared.keys())
    _redact_fields(record)
    changed_by = job.changed_by and _redacted_caller(job.changed_by)
    callers = {"created_by": _redacted_caller(job.created_by), "changed_by": changed_by}
    return {**record, **shared, **callers, "state": state.status.value, "reason": state.reason}


@lru_cache(maxsize=256)
def _redacted_caller(caller: Caller) -> dict[str, Any]:
    """Return a caller as JSON values with secrets hidden. Cached, because a few callers create most jobs."""
    return redacted(caller.to_json())


def _redact_fields(record: dict[str, Any]) -> None:
    """Redact a job's record or a part of it, as `redacted` does. No field has a secret's name, so names are not checked."""
    for name, item in record.items():
        if not item or type(item) in PLAIN:
            continue
        if name in _PARTS:
            _redact_fields(item)
        else:
            record[name] = redacted_text(item) if isinstance(item, str) else redacted(item)
