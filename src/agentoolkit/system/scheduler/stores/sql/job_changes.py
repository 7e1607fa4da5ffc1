"""The statements that change jobs: added, replaced, exchanged, removed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from agentoolkit.database.session import Session
from agentoolkit.database.times import micros
from agentoolkit.system.scheduler.decisions.downstream import check_circle
from agentoolkit.system.scheduler.errors import JobExists
from agentoolkit.system.scheduler.jobs import Execution, Job, JobState, JobStatus
from agentoolkit.system.scheduler.ports import AuditEntry, Removed, StoredJob
from agentoolkit.system.scheduler.search.labels import labels_of
from agentoolkit.system.scheduler.stores.sql.audit import add_note
from agentoolkit.system.scheduler.stores.sql.definitions import definition_of
from agentoolkit.system.scheduler.stores.sql.execution_changes import last_place
from agentoolkit.system.scheduler.stores.sql.records import EXECUTION, STATE, execution_or_damaged, state_of, state_parameters
from agentoolkit.system.scheduler.stores.sql.transactions import Transaction, writes

_COLUMNS = ("job_id", "job_name", "definition", *STATE.names, "live", "sequence", "revision", "created_at", "follows")
_INSERT = f"INSERT INTO agentool_jobs ({', '.join(_COLUMNS)}) VALUES ({', '.join(f':{name}' for name in _COLUMNS)})"  # noqa: S608  names of ours
_CHANGED = ("job_name", "definition", *STATE.names, "live", "revision", "created_at", "follows")
_REPLACE = f"UPDATE agentool_jobs SET {', '.join(f'{name} = :{name}' for name in _CHANGED)} WHERE job_id = :job_id"  # noqa: S608
# One query for each, because an OR, or a list, may make the database read a whole index.
_TAKEN = """
    SELECT job_id FROM agentool_jobs WHERE live <> 0 AND job_id = :job_id
    UNION ALL SELECT job_id FROM agentool_jobs WHERE live <> 0 AND job_id = :job_name
    UNION ALL SELECT job_id FROM agentool_jobs WHERE live = 1 AND job_name = :job_id
    UNION ALL SELECT job_id FROM agentool_jobs WHERE live = 1 AND job_name = :job_name
"""
_LABEL = "INSERT INTO agentool_job_labels (job_id, kind, value) SELECT r.job_id, r.kind, r.value FROM r"
_STANDS = f"SELECT {STATE.selected} FROM agentool_jobs WHERE job_id = :job_id AND state <> 'removed'"  # noqa: S608  column names of ours
_UPSTREAM = "SELECT follows FROM agentool_jobs WHERE job_id = :job_id AND state <> 'removed'"
_REMOVE = """
    UPDATE agentool_jobs SET state = 'removed', live = 0, next_run_at = NULL, revision = :revision, reason = :reason, ended_at = :at
    WHERE job_id = :job_id AND state <> 'removed'
"""
_CANCEL_WAITING = f"""
    UPDATE agentool_executions SET status = 'cancelled', reason = 'its job was cancelled', finished_at = :at
    WHERE job_id = :job_id AND finished_at IS NULL AND status IN ('queued', 'retrying') RETURNING {EXECUTION.selected}
"""  # noqa: S608  column names of ours


@writes
def add(tx: Transaction, job: Job, state: JobState, note: AuditEntry | None = None) -> int:
    """See `JobStore.add`. Return the revision of the job's definition."""
    # First the next revision: its row is locked, so that another process cannot add the same between look and write.
    parameters = _parameters(tx.session, job, state)
    _check(tx.session, job)
    _insert(tx, parameters, job)
    add_note(tx.session, note)
    return parameters["revision"]


@writes
def replace(tx: Transaction, job: Job, state: JobState, before: JobState, note: AuditEntry | None = None) -> bool:
    """See `JobStore.replace`."""
    parameters = _parameters(tx.session, job, state)  # first, as in `add`: it locks
    if not _is_unchanged(tx.session, job.job_id, before):
        return False
    _check(tx.session, job, but=job.job_id, is_done=state.status is JobStatus.DONE)
    tx.session.run(_REPLACE, {**parameters, "version": before.version + 1})
    tx.session.run("DELETE FROM agentool_job_labels WHERE job_id = :job_id", {"job_id": job.job_id})
    _label(tx.session, job)
    add_note(tx.session, note)
    return True


@writes
def exchange(tx: Transaction, old: StoredJob, job: Job, state: JobState, at: datetime, note: AuditEntry | None = None) -> Removed:
    """See `JobStore.exchange`."""
    parameters = _parameters(tx.session, job, state)  # first, as in `add`: it locks
    if not _is_unchanged(tx.session, old.job.job_id, old.state):
        return Removed(False)
    _check(tx.session, job, but=old.job.job_id)
    _remove(tx.session, old.job.job_id, at, "replaced", parameters["revision"])
    cancelled = _cancel_waiting(tx.session, old.job.job_id, at)
    _insert(tx, parameters, job)
    add_note(tx.session, note)
    return Removed(True, cancelled)


@writes
def remove(tx: Transaction, job_id: str, at: datetime, reason: str = "", note: AuditEntry | None = None) -> Removed:
    """See `JobStore.remove`."""
    removed = _remove(tx.session, job_id, at, reason, _next_revision(tx.session))
    add_note(tx.session, note if removed else None)
    return Removed(removed, _cancel_waiting(tx.session, job_id, at))


def _insert(tx: Transaction, parameters: dict[str, Any], job: Job) -> None:
    last = last_place(tx.session, parameters["job_id"])
    # Earlier runs under its id count, all of them as one full history, so that each further outcome looks whether it is too long.
    sequence = 0 if last is None else last if last > 0 else tx.history_length
    tx.session.run("DELETE FROM agentool_jobs WHERE job_id = :job_id", {"job_id": parameters["job_id"]})
    tx.session.run(_INSERT, {**parameters, "sequence": sequence})
    _label(tx.session, job)


def _label(session: Session, job: Job) -> None:
    """Write down what a job, and its executions through it, is found by."""
    rows = [(job.job_id, kind, value) for kind, value in sorted(labels_of(job))]
    session.from_rows(_LABEL, {"job_id": "TEXT", "kind": "TEXT", "value": "TEXT"}, rows)


def _remove(session: Session, job_id: str, at: datetime, reason: str, revision: int) -> bool:
    return session.run(_REMOVE, {"job_id": job_id, "revision": revision, "reason": reason, "at": micros(at)}) == 1


def _cancel_waiting(session: Session, job_id: str, at: datetime) -> list[Execution]:
    return [execution_or_damaged(row) for row in session.rows(_CANCEL_WAITING, {"job_id": job_id, "at": micros(at)})]


def _is_unchanged(session: Session, job_id: str, before: JobState) -> bool:
    lock = " FOR UPDATE" if session.dialect == "postgres" else ""
    row = session.row(_STANDS + lock, {"job_id": job_id})
    return row is not None and state_of(row) == before


def _check(session: Session, job: Job, but: str = "", *, is_done: bool = False) -> None:
    """Refuse a job whose id or name is taken by another one that can fire, or that would come after itself."""
    taken = [] if is_done else session.rows(_TAKEN, {"job_id": job.job_id, "job_name": job.job_name})
    for (job_id,) in taken:
        if job_id != but:
            raise JobExists(f"Job {job_id!r} exists.", field="job_id", value=job.job_id)
    check_circle(job, lambda job_id: _upstream_of(session, job_id))


def _parameters(session: Session, job: Job, state: JobState) -> dict[str, Any]:
    named = {"job_id": job.job_id, "job_name": job.job_name, "created_at": micros(job.created_at), "follows": job.upstream_id}
    return {**named, **state_parameters(state), "definition": definition_of(job), "revision": _next_revision(session)}


def _next_revision(session: Session) -> int:
    row = session.row("UPDATE agentool_counters SET value = value + 1 WHERE name = 'revision' RETURNING value")
    return row[0] if row else 0


def _upstream_of(session: Session, job_id: str) -> str | None:
    row = session.row(_UPSTREAM, {"job_id": job_id})
    return row[0] if row else None
