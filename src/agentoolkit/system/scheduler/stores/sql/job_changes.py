"""The statements that change jobs: added, replaced, exchanged, removed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from agentoolkit.database.session import Row, Session
from agentoolkit.database.times import micros
from agentoolkit.system.scheduler.decisions.downstream import check_circle
from agentoolkit.system.scheduler.errors import InvalidSchedule, JobExists
from agentoolkit.system.scheduler.jobs import Execution, Job, JobState, JobStatus
from agentoolkit.system.scheduler.ports import AuditEntry, Removed, StoredJob
from agentoolkit.system.scheduler.search.labels import labels_of
from agentoolkit.system.scheduler.stores.sql.audit import add_notes
from agentoolkit.system.scheduler.stores.sql.definitions import definition_of
from agentoolkit.system.scheduler.stores.sql.execution_changes import last_places
from agentoolkit.system.scheduler.stores.sql.records import EXECUTION, STATE, execution_or_damaged, state_of, state_parameters
from agentoolkit.system.scheduler.stores.sql.transactions import Transaction, Transactions, writes

_COLUMNS = ("job_id", "job_name", "definition", *STATE.names, "live", "sequence", "revision", "created_at", "follows")
_TYPES = {**STATE.types, **dict.fromkeys(("live", "sequence", "revision", "created_at"), "BIGINT")}
_INSERTED = {name: _TYPES.get(name, "TEXT") for name in _COLUMNS}
_VALUE = {**{name: STATE.value(name) for name in STATE.names}, "follows": "NULLIF(r.follows, '')"}
_INSERT = f"""
    INSERT INTO agentool_jobs ({", ".join(_COLUMNS)}) SELECT {", ".join(_VALUE.get(name, f"r.{name}") for name in _COLUMNS)} FROM r
"""  # noqa: S608  names of ours
_DELETE = "DELETE FROM agentool_jobs WHERE job_id IN (SELECT r.job_id FROM r)"
_CHANGED = ("job_name", "definition", *STATE.names, "live", "revision", "created_at", "follows")
_REPLACE = f"UPDATE agentool_jobs SET {', '.join(f'{name} = :{name}' for name in _CHANGED)} WHERE job_id = :job_id"  # noqa: S608
# One query for each, because an OR, or a list, may make the database read a whole index.
_TAKEN = """
    SELECT r.place, j.job_id FROM r JOIN agentool_jobs j ON j.job_id = r.job_id WHERE j.live <> 0
    UNION ALL SELECT r.place, j.job_id FROM r JOIN agentool_jobs j ON j.job_id = r.job_name WHERE j.live <> 0
    UNION ALL SELECT r.place, j.job_id FROM r JOIN agentool_jobs j ON j.job_name = r.job_id WHERE j.live = 1
    UNION ALL SELECT r.place, j.job_id FROM r JOIN agentool_jobs j ON j.job_name = r.job_name WHERE j.live = 1
"""
_NAMES = {"place": "BIGINT", "job_id": "TEXT", "job_name": "TEXT"}
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


class _Addition(NamedTuple):
    """A job that somebody wants to be added."""

    job: Job
    state: JobState
    note: AuditEntry | None


class _New(NamedTuple):
    """A job that is written for the first time."""

    job: Job
    state: JobState
    revision: int


async def add(store: Transactions, job: Job, state: JobState, note: AuditEntry | None = None) -> int:
    """See `JobStore.add`. Return the revision of the job's definition."""
    return await store.write_together(_add, _Addition(job, state, note))


@writes
def replace(tx: Transaction, job: Job, state: JobState, before: JobState, note: AuditEntry | None = None) -> bool:
    """See `JobStore.replace`."""
    parameters = _parameters(tx.session, job, state)  # first, as in `_add`: it locks
    if not _is_unchanged(tx.session, job.job_id, before):
        return False
    _check(tx.session, job, but=job.job_id, is_done=state.status is JobStatus.DONE)
    tx.session.run(_REPLACE, {**parameters, "version": before.version + 1})
    tx.session.run("DELETE FROM agentool_job_labels WHERE job_id = :job_id", {"job_id": job.job_id})
    _label(tx.session, [job])
    add_notes(tx.session, [note])
    return True


@writes
def exchange(tx: Transaction, old: StoredJob, job: Job, state: JobState, at: datetime, note: AuditEntry | None = None) -> Removed:
    """See `JobStore.exchange`."""
    revision = _next_revision(tx.session)  # first, as in `_add`: it locks
    if not _is_unchanged(tx.session, old.job.job_id, old.state):
        return Removed(False)
    _check(tx.session, job, but=old.job.job_id)
    _remove(tx.session, old.job.job_id, at, "replaced", revision)
    cancelled = _cancel_waiting(tx.session, old.job.job_id, at)
    _insert(tx, [_New(job, state, revision)])
    add_notes(tx.session, [note])
    return Removed(True, cancelled)


@writes
def remove(tx: Transaction, job_id: str, at: datetime, reason: str = "", note: AuditEntry | None = None) -> Removed:
    """See `JobStore.remove`."""
    removed = _remove(tx.session, job_id, at, reason, _next_revision(tx.session))
    add_notes(tx.session, [note] if removed else [])
    return Removed(removed, _cancel_waiting(tx.session, job_id, at))


def _add(tx: Transaction, wanted: Sequence[_Addition]) -> list[int | Exception]:
    """Add the jobs of all; refuse those whose id or name is taken, also by one before it, and those that close a circle."""
    # First the next revisions: their row is locked, so that another process cannot add the same between look and write.
    first = _next_revision(tx.session, len(wanted)) - len(wanted) + 1
    taken = _taken(tx.session, [one.job for one in wanted])
    answers: list[int | Exception] = []
    new: dict[str, _New] = {}
    names: dict[str, str] = {}
    for revision, (one, there) in enumerate(zip(wanted, taken, strict=True), first):
        job_id, job_name = one.job.job_id, one.job.job_name
        try:
            if before := [*there, *(names[name] for name in (job_id, job_name) if name in names)]:
                raise _exists(one.job, before[0])
            _check_circle(tx.session, one.job, new)
        except (JobExists, InvalidSchedule) as error:
            answers.append(error)
            continue
        answers.append(revision)
        new[job_id] = _New(one.job, one.state, revision)
        names |= {job_id: job_id, job_name: job_id}
    _insert(tx, list(new.values()))
    add_notes(tx.session, [one.note for one, answer in zip(wanted, answers, strict=True) if isinstance(answer, int)])
    return answers


def _insert(tx: Transaction, new: Sequence[_New]) -> None:
    ids = [(one.job.job_id,) for one in new]
    last = last_places(tx.session, [job_id for (job_id,) in ids])
    tx.session.from_rows(_DELETE, {"job_id": "TEXT"}, ids)
    rows: list[Row] = []
    for job, state, revision in new:
        # Earlier runs under its id count, all of them as one full history, so that each further outcome looks whether it is too long.
        place = last.get(job.job_id)
        sequence = 0 if place is None else place if place > 0 else tx.history_length
        stands = (*STATE.row(state), int(state.status is not JobStatus.DONE), sequence, revision, micros(job.created_at))
        rows.append((job.job_id, job.job_name, definition_of(job), *stands, job.upstream_id or ""))
    tx.session.from_rows(_INSERT, _INSERTED, rows)
    _label(tx.session, [job for job, _, _ in new])


def _label(session: Session, jobs: Sequence[Job]) -> None:
    """Write down what jobs, and their executions through them, are found by."""
    rows = [(job.job_id, kind, value) for job in jobs for kind, value in sorted(labels_of(job))]
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
    for job_id in () if is_done else _taken(session, [job])[0]:
        if job_id != but:
            raise _exists(job, job_id)
    _check_circle(session, job, {})


def _check_circle(session: Session, job: Job, new: Mapping[str, _New]) -> None:
    """Refuse a job that would come after itself, by way of new ones too. Raises `InvalidSchedule`."""
    check_circle(job, lambda job_id: new[job_id].job.upstream_id if job_id in new else _upstream_of(session, job_id))


def _taken(session: Session, jobs: Sequence[Job]) -> list[list[str]]:
    """Return for each job the ids of those that can fire and have its id or name."""
    found = session.from_rows(_TAKEN, _NAMES, [(place, job.job_id, job.job_name) for place, job in enumerate(jobs)])
    taken: dict[int, list[str]] = {place: [] for place in range(len(jobs))}
    for place, job_id in found:
        taken[place].append(job_id)
    return list(taken.values())


def _exists(job: Job, job_id: str) -> JobExists:
    return JobExists(f"Job {job_id!r} exists.", field="job_id", value=job.job_id)


def _parameters(session: Session, job: Job, state: JobState) -> dict[str, Any]:
    named = {"job_id": job.job_id, "job_name": job.job_name, "created_at": micros(job.created_at), "follows": job.upstream_id}
    return {**named, **state_parameters(state), "definition": definition_of(job), "revision": _next_revision(session)}


def _next_revision(session: Session, number: int = 1) -> int:
    """Take as many revisions, and return the last of them."""
    sql = "UPDATE agentool_counters SET value = value + :number WHERE name = 'revision' RETURNING value"
    row = session.row(sql, {"number": number})
    return row[0] if row else 0


def _upstream_of(session: Session, job_id: str) -> str | None:
    row = session.row(_UPSTREAM, {"job_id": job_id})
    return row[0] if row else None
