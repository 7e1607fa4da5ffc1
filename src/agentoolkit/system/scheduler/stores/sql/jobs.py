"""The statements on jobs: each a function of the session it runs in."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from agentoolkit.database.database import Session
from agentoolkit.database.session import Row
from agentoolkit.database.times import instant, micros, moment
from agentoolkit.system.scheduler.decisions.downstream import check_circle
from agentoolkit.system.scheduler.errors import JobExists
from agentoolkit.system.scheduler.jobs import Job, JobState, JobStatus, unreadable
from agentoolkit.system.scheduler.ports import Change, DamagedJob, StoredJob
from agentoolkit.system.scheduler.stores.sql.claims import Definitions
from agentoolkit.system.scheduler.stores.sql.records import STANDING, definition_of, standing_of, standing_parameters, unreadable_standing

_JOB = f"SELECT job_id, revision, definition, {STANDING}, job_name, created_at FROM agentool_jobs"  # noqa: S608  column names of ours
_CHANGE = "SELECT job_id, state, next_run_at, paused_until, revision FROM agentool_jobs"
_INSERT = """
    INSERT INTO agentool_jobs (job_id, job_name, definition, state, live, next_run_at, paused_until, runs, version, reason,
        sequence, revision, created_at, follows)
    VALUES (:job_id, :job_name, :definition, :state, :live, :next_run_at, :paused_until, :runs, :version, :reason,
        COALESCE((SELECT MAX(sequence) FROM agentool_executions WHERE job_id = :job_id), 0), :revision, :created_at, :follows)
"""
# Two queries, because an OR of the two would read the whole table.
_TAKEN = """
    SELECT job_id FROM agentool_jobs WHERE live = 1 AND job_id IN (:job_id, :job_name)
    UNION ALL SELECT job_id FROM agentool_jobs WHERE live = 1 AND job_name IN (:job_id, :job_name)
"""
_REPLACE = """
    UPDATE agentool_jobs SET job_name = :job_name, definition = :definition, state = :state, live = :live,
        next_run_at = :next_run_at, paused_until = :paused_until, runs = :runs, version = :version + 1, reason = :reason,
        revision = :revision, follows = :follows WHERE job_id = :job_id
"""
_STANDS = f"SELECT {STANDING} FROM agentool_jobs WHERE job_id = :job_id AND state <> 'removed'"  # noqa: S608  column names of ours
_FOLLOWS = "SELECT follows FROM agentool_jobs WHERE job_id = :job_id AND state <> 'removed'"
_REMOVE = """
    UPDATE agentool_jobs SET state = 'removed', live = 0, next_run_at = NULL, revision = :revision
    WHERE job_id = :job_id AND state <> 'removed'
"""
_CANCEL_WAITING = """
    UPDATE agentool_executions SET status = 'cancelled', reason = 'its job was cancelled', finished_at = :now
    WHERE job_id = :job_id AND status IN ('queued', 'retrying')
"""


def add(session: Session, job: Job, standing: JobState) -> int:
    """See `JobStore.add`. Return the revision of the job's definition."""
    # First the next revision: its row is locked, so that another process cannot add the same between look and write.
    parameters = _parameters(session, job, standing)
    _check_free(session, job)
    check_circle(job, lambda job_id: _upstream_of(session, job_id))
    session.run("DELETE FROM agentool_jobs WHERE job_id = :job_id", {"job_id": job.job_id})
    session.run(_INSERT, parameters)
    return parameters["revision"]


def replace(session: Session, job: Job, standing: JobState, before: JobState) -> bool:
    """See `JobStore.replace`."""
    parameters = _parameters(session, job, standing)  # first, as in `add`: it locks
    lock = " FOR UPDATE" if session.dialect == "postgres" else ""
    row = session.row(_STANDS + lock, {"job_id": job.job_id})
    if row is None or standing_of(row) != before:
        return False
    if standing.state is not JobStatus.DONE:
        _check_free(session, job, but=job.job_id)
    check_circle(job, lambda job_id: _upstream_of(session, job_id))
    session.run(_REPLACE, {**parameters, "version": before.version})
    return True


def remove(session: Session, job_id: str, now: int) -> bool:
    """See `JobStore.remove`; `now` in microseconds."""
    removed = session.run(_REMOVE, {"job_id": job_id, "revision": _next_revision(session)}) == 1
    session.run(_CANCEL_WAITING, {"job_id": job_id, "now": now})
    return removed


def find(session: Session, definitions: Definitions, id_or_name: str) -> StoredJob | None:
    """See `JobStore.find`."""
    where = " WHERE state <> 'removed' AND (job_id = :key OR job_name = :key) ORDER BY (job_id = :key) DESC, live DESC, created_at DESC"
    row = session.row(_JOB + where, {"key": id_or_name})
    if row is None:
        return None
    try:
        return _stored(definitions, row)
    except Exception as error:
        raise DamagedJob(_known(definitions, row), repr(error)) from error


def everything(session: Session, definitions: Definitions) -> list[StoredJob]:
    """See `JobStore.jobs`."""
    rows = session.rows(_JOB + " WHERE state <> 'removed' ORDER BY created_at, job_id")
    return [_as_far_as_known(definitions, row) for row in rows]


def downstream(session: Session, job_id: str) -> list[str]:
    """See `JobStore.downstream`."""
    sql = "SELECT job_id FROM agentool_jobs WHERE follows = :job_id AND live = 1 ORDER BY job_id"
    return [row[0] for row in session.rows(sql, {"job_id": job_id})]


def upcoming(session: Session) -> list[Change]:
    """See `JobStore.upcoming`."""
    where = " WHERE state = 'active' OR (state = 'paused' AND paused_until IS NOT NULL)"
    return [_change(row) for row in session.rows(_CHANGE + where)]


def changes(session: Session, seen: int) -> tuple[list[Change], int]:
    """Return the jobs that were changed since a revision, and the latest one."""
    rows = session.rows(_CHANGE + " WHERE revision > :seen", {"seen": seen})
    return [_change(row) for row in rows], max([seen, *(row[4] for row in rows)])


def _stored(definitions: Definitions, row: Row) -> StoredJob:
    job_id, revision, definition, *standing, _, _ = row
    where = standing_of(standing)
    return StoredJob(definitions.read(job_id, revision, definition), where)


def _as_far_as_known(definitions: Definitions, row: Row) -> StoredJob:
    try:
        return _stored(definitions, row)
    except Exception as error:
        return StoredJob(_known(definitions, row), unreadable_standing(error))


def _known(definitions: Definitions, row: Row) -> Job:
    """Return the job of a damaged row: its definition, if that is what was left whole."""
    job_id, revision, definition, *_, job_name, created_at = row
    try:
        return definitions.read(job_id, revision, definition)
    except Exception:
        return unreadable(job_id, job_name, _instant_or_first(created_at))


def _instant_or_first(stored: int) -> datetime:
    try:
        return instant(stored)
    except OverflowError:
        return instant(0)


def _parameters(session: Session, job: Job, standing: JobState) -> dict[str, Any]:
    named = {"job_id": job.job_id, "job_name": job.job_name, "created_at": micros(job.created_at), "follows": job.upstream_id}
    return {**named, **standing_parameters(standing), "definition": definition_of(job), "revision": _next_revision(session)}


def _next_revision(session: Session) -> int:
    row = session.row("UPDATE agentool_counters SET value = value + 1 WHERE name = 'revision' RETURNING value")
    return row[0] if row else 0


def _check_free(session: Session, job: Job, but: str = "") -> None:
    for (job_id,) in session.rows(_TAKEN, {"job_id": job.job_id, "job_name": job.job_name}):
        if job_id != but:
            raise JobExists(f"Job {job_id!r} exists.", field="job_id", value=job.job_id)


def _upstream_of(session: Session, job_id: str) -> str | None:
    row = session.row(_FOLLOWS, {"job_id": job_id})
    return row[0] if row else None


def _change(row: Row) -> Change:
    job_id, state, next_run_at, paused_until, _ = row
    at = {JobStatus.ACTIVE: next_run_at, JobStatus.PAUSED: paused_until}.get(state)
    return Change(job_id, moment(at))
