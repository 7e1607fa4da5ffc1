"""The statements that read jobs and executions, one or a page at a time."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from agentoolkit.database.session import Row
from agentoolkit.database.times import micros, moment
from agentoolkit.system.scheduler.execution_records import UNFINISHED, Execution, ExecutionStatus
from agentoolkit.system.scheduler.job_records import unreadable
from agentoolkit.system.scheduler.jobs import Job, JobStatus
from agentoolkit.system.scheduler.ports import Change, DamagedJob, Position, StoredJob
from agentoolkit.system.scheduler.stores.sql.claims import EACH
from agentoolkit.system.scheduler.stores.sql.leader_lease_and_owners import damaged_owners
from agentoolkit.system.scheduler.stores.sql.outgoing import message_or_none
from agentoolkit.system.scheduler.stores.sql.records import (
    EXECUTION,
    STATE,
    WITHOUT_RESULT,
    execution_of,
    execution_or_damaged,
    state_of,
    time_or_first,
    unreadable_state,
)
from agentoolkit.system.scheduler.stores.sql.transactions import Transaction, Transactions, reads

JOB = f"SELECT job_id, revision, definition, {STATE.selected}, job_name, created_at FROM agentool_jobs"  # noqa: S608  column names of ours
# Three subqueries, each with its own index: OR would read the whole table.
_FIND = f"""
    SELECT r.key, j.job_id, j.revision, j.definition, {", ".join(f"j.{name}" for name in STATE.names)}, j.job_name, j.created_at
    FROM r JOIN agentool_jobs j ON j.job_id = COALESCE(
        (SELECT f.job_id FROM agentool_jobs f WHERE f.job_id = r.key AND f.state <> 'removed'),
        (SELECT f.job_id FROM agentool_jobs f WHERE f.live = 1 AND f.job_name = r.key LIMIT 1),
        (SELECT f.job_id FROM agentool_jobs f WHERE f.live = 0 AND f.job_name = r.key AND f.state <> 'removed'
            ORDER BY f.created_at DESC LIMIT 1))
"""  # noqa: S608  column names of ours
_KEY = {"key": "TEXT"}
_EXECUTION = f"""
    SELECT {", ".join(f"e.{name}" for name in EXECUTION.names)} FROM r JOIN agentool_executions e ON e.execution_id = r.key
"""  # noqa: S608  column names of ours
_DOWNSTREAM = """
    SELECT r.key, j.job_id FROM r JOIN agentool_jobs j ON j.follows = r.key WHERE j.live <> 0 ORDER BY j.job_id
"""
_FIND_CANCELLED = (
    "job_id = :key AND state = 'removed'",
    "live = 0 AND job_name = :key AND state = 'removed' ORDER BY created_at DESC LIMIT 1",
)
_SIMILAR = tuple(
    f"SELECT {name} FROM agentool_jobs WHERE {live} AND {name} {beyond} :key ORDER BY {name} {order} LIMIT :limit"  # noqa: S608
    for name, live in (("job_id", "live * 1 = 1"), ("job_name", "live = 1"))
    for beyond, order in ((">=", "ASC"), ("<", "DESC"))
)
_CHANGE = "SELECT job_id, state, next_run_at, paused_until, revision FROM agentool_jobs"
STORED_STATUS = {JobStatus.CANCELLED: "removed"}
_STATUS_OF = {**{status.value: status for status in JobStatus}, "removed": JobStatus.CANCELLED}
_LAST_OUTCOMES = """
    SELECT j.job_id, (
        SELECT e.status FROM agentool_executions e WHERE e.job_id = j.job_id AND e.finished_at IS NOT NULL
        ORDER BY e.finished_at DESC, e.sequence DESC LIMIT 1
    ) FROM agentool_jobs j WHERE j.job_id IN ({each})
"""
_OUTCOMES = frozenset(status.value for status in ExecutionStatus)
INDEXED_OUTCOMES = "status <> 'success' AND status <> 'running' AND status <> 'queued' AND status <> 'retrying'"
"""The condition of the index on outcomes. It excludes the frequent statuses: indexing them costs much and narrows little."""
_LOOKED_AT = 1_000
"""Number of records that are checked for damage."""


async def find(store: Transactions, id_or_name: str) -> StoredJob | None:
    """See `JobStore.find`."""
    return await store.read_together(_find, id_or_name)


@reads
def find_cancelled(tx: Transaction, id_or_name: str) -> StoredJob | None:
    """See `JobStore.find_cancelled`."""
    for where in _FIND_CANCELLED:
        if (row := tx.session.row(f"{JOB} WHERE {where}", {"key": id_or_name})) is not None:
            return as_far_as_known(tx, row)
    return None


@reads
def find_similar(tx: Transaction, id_or_name: str, limit: int) -> list[str]:
    """See `JobStore.find_similar`."""
    wanted = {"key": id_or_name, "limit": limit}
    return sorted({found for sql in _SIMILAR for (found,) in tx.session.rows(sql, wanted)})


@reads
def jobs(tx: Transaction) -> list[StoredJob]:
    """See `JobStore.jobs`."""
    rows = tx.session.rows(JOB + " WHERE state <> 'removed' ORDER BY created_at, job_id")
    return [as_far_as_known(tx, row) for row in rows]


@reads
def list_jobs(tx: Transaction, status: JobStatus | None = None, limit: int = 100, after: Position | None = None) -> list[StoredJob]:
    """See `JobStore.list_jobs`."""
    where = "live + 0 = 1" if status is None else "state = :status"
    wanted: dict[str, Any] = {"limit": limit}
    if status is not None:
        wanted["status"] = STORED_STATUS.get(status, status.value)
    if after is not None:
        where += " AND (created_at, job_id) > (:at, :id)"
        wanted |= {"at": micros(after.at), "id": after.id}
    rows = tx.session.rows(f"{JOB} WHERE {where} ORDER BY created_at, job_id LIMIT :limit", wanted)
    return [as_far_as_known(tx, row) for row in rows]


@reads
def count_jobs(tx: Transaction) -> Mapping[JobStatus, int]:
    """See `JobStore.count_jobs`."""
    counted = tx.session.rows("SELECT state, number FROM agentool_job_counts")
    return {_STATUS_OF[state]: int(number) for state, number in counted if state in _STATUS_OF and number}


@reads
def last_outcomes(tx: Transaction, job_ids: Sequence[str]) -> Mapping[str, ExecutionStatus]:
    """See `JobStore.last_outcomes`."""
    rows = tx.session.rows(_LAST_OUTCOMES.format(each=EACH[tx.session.dialect]), {"ids": json.dumps(job_ids)})
    return {job_id: ExecutionStatus(status) for job_id, status in rows if status in _OUTCOMES}


async def downstream(store: Transactions, job_id: str) -> Sequence[str]:
    """See `JobStore.downstream`."""
    return await store.read_together(_downstream, job_id)


@reads
def upcoming(tx: Transaction) -> list[Change]:
    """See `JobStore.upcoming`."""
    # A broken one may have been written by a newer version than the last leader's.
    where = " WHERE state = 'active' OR (state = 'paused' AND paused_until IS NOT NULL) OR (state = 'broken' AND next_run_at IS NOT NULL)"
    return [_change(row) for row in tx.session.rows(_CHANGE + where)]


@reads
def changes_since(tx: Transaction, seen: int) -> tuple[list[Change], int]:
    """Return the jobs that were changed since a revision, and the latest revision."""
    rows = tx.session.rows(_CHANGE + " WHERE revision > :seen", {"seen": seen})
    return [_change(row) for row in rows], max([seen, *(row[4] for row in rows)])


async def execution(store: Transactions, execution_id: str) -> Execution | None:
    """See `JobStore.execution`."""
    return await store.read_together(_execution, execution_id)


@reads
def statuses(tx: Transaction, execution_ids: Sequence[str]) -> dict[str, ExecutionStatus]:
    """See `JobStore.statuses`."""
    sql = "SELECT execution_id, status FROM r JOIN agentool_executions ON execution_id = r.id"
    rows = tx.session.from_rows(sql, {"id": "TEXT"}, [(execution_id,) for execution_id in execution_ids])
    return {execution_id: ExecutionStatus(status) for execution_id, status in rows}


@reads
def executions_by_id(tx: Transaction, execution_ids: Sequence[str]) -> list[Execution]:
    """See `JobStore.executions_by_id`."""
    sql = f"SELECT {WITHOUT_RESULT} FROM r JOIN agentool_executions ON execution_id = r.id"  # noqa: S608  column names of ours
    rows = tx.session.from_rows(sql, {"id": "TEXT"}, [(execution_id,) for execution_id in execution_ids])
    return [execution_or_damaged(row) for row in rows]


@reads
def executions(
    tx: Transaction,
    job_id: str | None,
    limit: int,
    status: ExecutionStatus | None = None,
    before: Position | None = None,
    with_results: bool = True,
) -> list[Execution]:
    """See `JobStore.executions`."""
    wanted = {"job_id": job_id, "status": status and status.value, "limit": limit}
    if before is not None:
        wanted |= {"at": micros(before.at), "id": before.id}
    selected = EXECUTION.selected if with_results else WITHOUT_RESULT
    sql = executions_sql(selected, of_job=job_id is not None, status=status, paged=before is not None)
    return [execution_or_damaged(row) for row in tx.session.rows(sql, wanted)]


def executions_sql(selected: str, *, of_job: bool, status: ExecutionStatus | None, paged: bool) -> str:
    """Return the query for a page of executions. Each combination of filters uses an index."""
    conditions = ["status = :status"] if status is not None else []
    if paged:
        conditions.append("(scheduled_at, execution_id) < (:at, :id)")
    order = "ORDER BY scheduled_at DESC, execution_id DESC LIMIT :limit"
    if of_job:
        # A job has few executions, in two indexes: reading all of them beats searching the ordered index of all jobs.
        where = " AND ".join(["job_id = :job_id", *conditions])
        each = [f"SELECT * FROM agentool_executions WHERE {where} AND finished_at IS {null}" for null in ("NOT NULL", "NULL")]  # noqa: S608
        return f"SELECT {selected} FROM ({' UNION ALL '.join(each)}) AS found {order}"  # noqa: S608  names of ours
    if status in UNFINISHED:
        # They are few: reading all of them beats searching the ordered index of all executions.
        conditions.append("finished_at IS NULL")
        order = order.replace("scheduled_at DESC", "scheduled_at + 0 DESC")
    elif status is not None and status is not ExecutionStatus.SUCCESS:
        conditions.append(INDEXED_OUTCOMES)
    return f"SELECT {selected} FROM agentool_executions WHERE {' AND '.join(conditions or ['TRUE'])} {order}"  # noqa: S608  names of ours


@reads
def damaged(tx: Transaction, limit: int) -> list[str]:
    """See `JobStore.damaged`."""
    sql = f"SELECT {EXECUTION.selected} FROM agentool_executions ORDER BY scheduled_at DESC, execution_id DESC LIMIT :looked_at"  # noqa: S608
    found: list[str] = []
    for row in tx.session.rows(sql, {"looked_at": _LOOKED_AT}):
        try:
            execution_of(row)
        except Exception as error:
            found.append(f"execution {row[0]!r}: {error}")
    sql = "SELECT execution_id, queue_name, payload, attempts FROM agentool_outbox ORDER BY created_at, execution_id LIMIT :looked_at"
    messages = tx.session.rows(sql, {"looked_at": _LOOKED_AT})
    found += [f"outcome {row[0]!r}: its message cannot be read" for row in messages if message_or_none(row) is None]
    found += damaged_owners(tx.session)
    return found[:limit]


def _find(tx: Transaction, keys: Sequence[str]) -> list[StoredJob | Exception | None]:
    found: dict[str, StoredJob | Exception] = {}
    for key, *row in tx.session.from_rows(_FIND, _KEY, [(key,) for key in dict.fromkeys(keys)]):
        try:
            found[key] = _stored(tx, row)
        except Exception as error:
            found[key] = damaged = DamagedJob(_known(tx, row), repr(error))
            damaged.__cause__ = error
    return [found.get(key) for key in keys]


def _execution(tx: Transaction, execution_ids: Sequence[str]) -> list[Execution | None]:
    rows = tx.session.from_rows(_EXECUTION, _KEY, [(execution_id,) for execution_id in dict.fromkeys(execution_ids)])
    found = {row[0]: execution_or_damaged(row) for row in rows}
    return [found.get(execution_id) for execution_id in execution_ids]


def _downstream(tx: Transaction, job_ids: Sequence[str]) -> list[list[str]]:
    rows = tx.session.from_rows(_DOWNSTREAM, _KEY, [(job_id,) for job_id in dict.fromkeys(job_ids)])
    found: dict[str, list[str]] = {job_id: [] for job_id in job_ids}
    for job_id, follower in rows:
        found[job_id].append(follower)
    return [found[job_id] for job_id in job_ids]


def _stored(tx: Transaction, row: Sequence[Any]) -> StoredJob:
    job_id, revision, definition, status, *more, _, _ = row
    state = state_of([JobStatus.CANCELLED.value if status == "removed" else status, *more])
    return StoredJob(tx.definitions.read(job_id, revision, definition), state)


def as_far_as_known(tx: Transaction, row: Row) -> StoredJob:
    """Read a row of `JOB`. A damaged one is returned as broken, with the fields that can be read."""
    try:
        return _stored(tx, row)
    except Exception as error:
        return StoredJob(_known(tx, row), unreadable_state(error))


def _known(tx: Transaction, row: Sequence[Any]) -> Job:
    """Return the job of a damaged row: its definition if that can be read, else a placeholder."""
    job_id, revision, definition, *_, job_name, created_at = row
    try:
        return tx.definitions.read(job_id, revision, definition)
    except Exception:
        return unreadable(job_id, job_name, time_or_first(created_at))


def _change(row: Row) -> Change:
    job_id, state, next_run_at, paused_until, _ = row
    at = {JobStatus.ACTIVE: next_run_at, JobStatus.BROKEN: next_run_at, JobStatus.PAUSED: paused_until}.get(state)
    return Change(job_id, moment(at))
