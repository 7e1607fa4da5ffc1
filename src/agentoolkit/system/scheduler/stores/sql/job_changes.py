"""The statements that add, replace, exchange and remove jobs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from agentoolkit.database.session import Row, Session
from agentoolkit.database.times import micros
from agentoolkit.system.scheduler.decisions.downstream import check_circle
from agentoolkit.system.scheduler.errors import InvalidSchedule, JobExists
from agentoolkit.system.scheduler.execution_records import Execution
from agentoolkit.system.scheduler.jobs import Job, JobState, JobStatus
from agentoolkit.system.scheduler.ports import AuditEntry, Removed, StoredJob
from agentoolkit.system.scheduler.search.matching import labels_of
from agentoolkit.system.scheduler.stores.sql.audit import add_notes
from agentoolkit.system.scheduler.stores.sql.definitions import definition_of
from agentoolkit.system.scheduler.stores.sql.ids_in_use import Held, held_by, taken_by
from agentoolkit.system.scheduler.stores.sql.records import EXECUTION, STATE, execution_or_damaged, state_of
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
_REPLACED = {name: _INSERTED[name] for name in ("job_id", *_CHANGED)}
_REPLACE = f"""
    UPDATE agentool_jobs SET {", ".join(f"{name} = {_VALUE.get(name, f'r.{name}')}" for name in _CHANGED)}
    FROM r WHERE agentool_jobs.job_id = r.job_id
"""  # noqa: S608  names of ours
_LABEL = "INSERT INTO agentool_job_labels (job_id, kind, value) SELECT r.job_id, r.kind, r.value FROM r"
_UNLABEL = "DELETE FROM agentool_job_labels WHERE job_id IN (SELECT r.job_id FROM r)"
_STANDS = f"""
    SELECT j.job_id, {", ".join(f"j.{name}" for name in STATE.names)} FROM r JOIN agentool_jobs j ON j.job_id = r.job_id
    WHERE j.state <> 'removed' ORDER BY j.job_id
"""  # noqa: S608  column names of ours
_JOB_ID = {"job_id": "TEXT"}
_UPSTREAM = "SELECT follows FROM agentool_jobs WHERE job_id = :job_id AND state <> 'removed'"
_REMOVE = """
    UPDATE agentool_jobs SET state = 'removed', live = 0, next_run_at = NULL, revision = r.revision, reason = r.reason, ended_at = r.at
    FROM r WHERE agentool_jobs.job_id = r.job_id AND agentool_jobs.state <> 'removed' RETURNING agentool_jobs.job_id
"""
_REMOVED = {"job_id": "TEXT", "revision": "BIGINT", "reason": "TEXT", "at": "BIGINT"}
_CANCEL_WAITING = f"""
    UPDATE agentool_executions SET status = 'cancelled', reason = 'its job was cancelled', finished_at = r.at
    FROM r WHERE agentool_executions.job_id = r.job_id AND agentool_executions.finished_at IS NULL
    AND agentool_executions.status IN ('queued', 'retrying')
    RETURNING {", ".join(f"agentool_executions.{name}" for name in EXECUTION.names)}
"""  # noqa: S608  column names of ours
_STILL_RUNNING = f"""
    SELECT {", ".join("NULL" if name == "result" else f"e.{name}" for name in EXECUTION.names)}
    FROM r JOIN agentool_executions e ON e.job_id = r.job_id WHERE e.finished_at IS NULL ORDER BY e.scheduled_at DESC, e.execution_id DESC
"""  # noqa: S608  column names of ours


class _Addition(NamedTuple):
    """The arguments of one call of `add`."""

    job: Job
    state: JobState
    note: AuditEntry | None


class _New(NamedTuple):
    """A job to be written, with its new revision."""

    job: Job
    state: JobState
    revision: int


async def add(store: Transactions, job: Job, state: JobState, note: AuditEntry | None = None) -> int:
    """See `JobStore.add`. Return the revision of the job's definition."""
    return await store.write_together(_add, _Addition(job, state, note))


class _Replacement(NamedTuple):
    """The arguments of one call of `replace`."""

    job: Job
    state: JobState
    before: JobState
    note: AuditEntry | None


async def replace(store: Transactions, job: Job, state: JobState, before: JobState, note: AuditEntry | None = None) -> bool:
    """See `JobStore.replace`."""
    return await store.write_together(_replace, _Replacement(job, state, before, note))


@writes
def exchange(tx: Transaction, old: StoredJob, job: Job, state: JobState, at: datetime, note: AuditEntry | None = None) -> Removed:
    """See `JobStore.exchange`."""
    revision = _take_revisions(tx.session, 1)  # first: it locks
    if _stands(tx.session, [old.job.job_id]).get(old.job.job_id) != old.state:
        return Removed(False)
    (held,) = held_by(tx.session, [job])
    if others := [job_id for job_id in held.taken if job_id != old.job.job_id]:
        raise _exists(job, others[0])
    _check_circle(tx.session, job, {})
    cancelled = _remove(tx.session, [_Removal(old.job.job_id, at, "replaced", None)], revision)[0].cancelled
    _insert(tx, [(_New(job, state, revision), held)])
    add_notes(tx.session, [note])
    return Removed(True, cancelled)


class _Removal(NamedTuple):
    """The arguments of one call of `remove`."""

    job_id: str
    at: datetime
    reason: str
    note: AuditEntry | None


async def remove(store: Transactions, job_id: str, at: datetime, reason: str = "", note: AuditEntry | None = None) -> Removed:
    """See `JobStore.remove`."""
    return await store.write_together(_remove_all, _Removal(job_id, at, reason, note))


def _add(tx: Transaction, wanted: Sequence[_Addition]) -> list[int | Exception]:
    """Add the jobs of all calls. Refuse those whose id or name is in use, even by an earlier call, and those that close a circle."""
    jobs = [one.job for one in wanted]
    held = held_by(tx.session, jobs)
    if all(there.taken for there in held):  # nothing is written, so there is no commit to wait for
        return [_exists(job, there.taken[0]) for job, there in zip(jobs, held, strict=True)]
    first = _take_revisions(tx.session, len(wanted))
    answers: list[int | Exception] = []
    new: dict[str, _New] = {}
    places: list[Held] = []
    names: dict[str, str] = {}
    for revision, (one, there) in enumerate(zip(wanted, held, strict=True), first):
        job_id, job_name = one.job.job_id, one.job.job_name
        try:
            if before := [*there.taken, *(names[name] for name in (job_id, job_name) if name in names)]:
                raise _exists(one.job, before[0])
            _check_circle(tx.session, one.job, new)
        except (JobExists, InvalidSchedule) as error:
            answers.append(error)
            continue
        answers.append(revision)
        new[job_id] = _New(one.job, one.state, revision)
        places.append(there)
        names[job_id] = job_id
        if one.state.status is not JobStatus.DONE:  # a job that is over does not occupy its name
            names[job_name] = job_id
    _insert(tx, list(zip(new.values(), places, strict=True)))
    add_notes(tx.session, [one.note for one, answer in zip(wanted, answers, strict=True) if isinstance(answer, int)])
    return answers


def _insert(tx: Transaction, new: Sequence[tuple[_New, Held]]) -> None:
    tx.session.from_rows(_DELETE, _JOB_ID, [(one.job.job_id,) for one, held in new if held.is_known])
    rows: list[Row] = []
    for (job, state, revision), (_, _, place) in new:
        tx.session.written[job.job_id] = job
        # Executions left under its id may fill the history: the high place makes every further outcome check its length.
        sequence = 0 if place is None else place if place > 0 else tx.history_length
        stands = (*STATE.row(state), int(state.status is not JobStatus.DONE), sequence, revision, micros(job.created_at))
        rows.append((job.job_id, job.job_name, definition_of(job), *stands, job.upstream_id or ""))
    tx.session.from_rows(_INSERT, _INSERTED, rows)
    _label(tx.session, [one.job for one, _ in new])


def _label(session: Session, jobs: Sequence[Job]) -> None:
    """Write the labels by which jobs and their executions are searched."""
    rows = [(job.job_id, kind, value) for job in jobs for kind, value in sorted(labels_of(job))]
    session.from_rows(_LABEL, {"job_id": "TEXT", "kind": "TEXT", "value": "TEXT"}, rows)


def _replace(tx: Transaction, wanted: Sequence[_Replacement]) -> list[bool | Exception]:
    """Replace the jobs of all calls, as if one after the other: jobs that share an id or name go into separate portions."""
    answers: list[bool | Exception] = []
    portion: list[_Replacement] = []
    names: set[str] = set()
    for one in wanted:
        if not names.isdisjoint(mine := {one.job.job_id, one.job.job_name}):
            answers += _replace_portion(tx, portion)
            portion, names = [], set()
        portion.append(one)
        names |= mine
    return answers + _replace_portion(tx, portion)


def _replace_portion(tx: Transaction, wanted: Sequence[_Replacement]) -> list[bool | Exception]:
    first = _take_revisions(tx.session, len(wanted))  # first: it locks
    stands = _stands(tx.session, [one.job.job_id for one in wanted])
    taken = taken_by(tx.session, [one.job for one in wanted])
    answers: list[bool | Exception] = []
    new: dict[str, _New] = {}
    for revision, (one, there) in enumerate(zip(wanted, taken, strict=True), first):
        if stands.get(one.job.job_id) != one.before:
            answers.append(False)
            continue
        try:
            others = [] if one.state.status is JobStatus.DONE else [job_id for job_id in there if job_id != one.job.job_id]
            if others:
                raise _exists(one.job, others[0])
            _check_circle(tx.session, one.job, new)
        except (JobExists, InvalidSchedule) as error:
            answers.append(error)
            continue
        answers.append(True)
        new[one.job.job_id] = _New(one.job, one.state._replace(version=one.before.version + 1), revision)
        tx.session.written[one.job.job_id] = one.job
    tx.session.from_rows(_REPLACE, _REPLACED, [_changed_row(one) for one in new.values()])
    tx.session.from_rows(_UNLABEL, _JOB_ID, [(job_id,) for job_id in new])
    _label(tx.session, [one.job for one in new.values()])
    add_notes(tx.session, [one.note for one, answer in zip(wanted, answers, strict=True) if answer is True])
    return answers


def _changed_row(new: _New) -> Row:
    """Return the columns `_REPLACED`."""
    job, state, revision = new
    said = (job.job_id, job.job_name, definition_of(job), *STATE.row(state), int(state.status is not JobStatus.DONE))
    return (*said, revision, micros(job.created_at), job.upstream_id or "")


def _remove_all(tx: Transaction, wanted: Sequence[_Removal]) -> list[Removed]:
    answers = _remove(tx.session, wanted, _take_revisions(tx.session, len(wanted)))
    add_notes(tx.session, [one.note for one, removed in zip(wanted, answers, strict=True) if removed])
    return answers


def _remove(session: Session, wanted: Sequence[_Removal], revision: int) -> list[Removed]:
    """Remove jobs and cancel their waiting executions. Revisions count from `revision`; a job is removed by the first call."""
    first: dict[str, int] = {}
    for place, one in enumerate(wanted):
        first.setdefault(one.job_id, place)
    rows = [(job_id, revision + place, wanted[place].reason, micros(wanted[place].at)) for job_id, place in first.items()]
    removed = {job_id for (job_id,) in session.from_rows(_REMOVE, _REMOVED, rows)}
    cancelled = _by_job(session.from_rows(_CANCEL_WAITING, {"job_id": "TEXT", "at": "BIGINT"}, [(row[0], row[-1]) for row in rows]))
    running = _by_job(session.from_rows(_STILL_RUNNING, _JOB_ID, [(job_id,) for job_id in first]))
    return [
        Removed(id_ in removed and first[id_] == place, cancelled[id_] if first[id_] == place else [], running[id_])
        for place, id_ in enumerate(one.job_id for one in wanted)
    ]


def _by_job(rows: Sequence[Row]) -> defaultdict[str, list[Execution]]:
    found: defaultdict[str, list[Execution]] = defaultdict(list)
    for execution in map(execution_or_damaged, rows):
        found[execution.job_id].append(execution)
    return found


def _stands(session: Session, job_ids: Sequence[str]) -> dict[str, JobState]:
    """Return the states of jobs, and lock their rows until the transaction ends."""
    lock = " FOR UPDATE OF j" if session.dialect == "postgres" else ""
    return {job_id: state_of(stands) for job_id, *stands in session.from_rows(_STANDS + lock, _JOB_ID, [(each,) for each in job_ids])}


def _check_circle(session: Session, job: Job, new: Mapping[str, _New]) -> None:
    """Refuse a job that would come after itself, also through jobs that are written with it. Raises `InvalidSchedule`."""

    def upstream_of(job_id: str) -> str | None:
        if job_id in new:
            return new[job_id].job.upstream_id
        row = session.row(_UPSTREAM, {"job_id": job_id})
        return row[0] if row else None

    check_circle(job, upstream_of)


def _exists(job: Job, job_id: str) -> JobExists:
    return JobExists(f"Job {job_id!r} exists.", field="job_id", value=job.job_id)


def _take_revisions(session: Session, number: int) -> int:
    """Take `number` consecutive revisions, and return the first."""
    sql = "UPDATE agentool_counters SET value = value + :number WHERE name = 'revision' RETURNING value"
    row = session.row(sql, {"number": number})
    return row[0] - number + 1 if row else 0
