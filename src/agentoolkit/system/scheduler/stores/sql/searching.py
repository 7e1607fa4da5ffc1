"""Searches jobs and executions: an index chooses the part to read, SQL narrows it, and `matching` decides on texts.

If no index covers a search, the newest `WINDOW` records are read, and the answer says where reading stopped.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from agentoolkit.system.scheduler.execution_records import UNFINISHED, Execution, ExecutionStatus
from agentoolkit.system.scheduler.jobs import LIVE, JobStatus
from agentoolkit.system.scheduler.ports import WINDOW, FoundExecutions, FoundJobs, Position, StoredJob
from agentoolkit.system.scheduler.search import Bound, Search
from agentoolkit.system.scheduler.search.matching import error_texts, text_fits
from agentoolkit.system.scheduler.stores.sql.claims import EACH
from agentoolkit.system.scheduler.stores.sql.conditions import (
    Values,
    compared,
    execution_conditions,
    job_conditions,
    label_conditions,
    time_conditions,
)
from agentoolkit.system.scheduler.stores.sql.few_jobs import LABEL, few_jobs, without_labels
from agentoolkit.system.scheduler.stores.sql.keyset_pages import EXECUTIONS, JOBS, Base, KeysetPages
from agentoolkit.system.scheduler.stores.sql.queries import INDEXED_OUTCOMES, JOB, STORED_STATUS, as_far_as_known
from agentoolkit.system.scheduler.stores.sql.records import EXECUTION, WITHOUT_RESULT, execution_or_damaged
from agentoolkit.system.scheduler.stores.sql.transactions import Transaction, reads

SLOW = 1.0
"""Minimum duration in seconds of the executions in the index on durations."""
SOON = 1_000
"""Number of jobs due next that are searched for those of an owner with many jobs."""
IS_ACTIVE = "state || '' = 'active'"
"""The condition of the index on due times, written so that no other query on states uses that index."""


@reads
def search_jobs(tx: Transaction, search: Search, limit: int, after: Position | None = None) -> FoundJobs:
    """See `JobStore.search_jobs`. If too few of the records read are the owner's, all jobs of the owner are sorted instead."""
    values, few = Values(tx.session.dialect, JOBS.table), few_jobs(tx.session, search)
    conditions = job_conditions(search if few is None else without_labels(search), values)
    bases = _job_bases(tx, search, few, values)

    def load(ids: Sequence[str]) -> dict[str, StoredJob]:
        rows = tx.session.rows(f"{JOB} WHERE job_id IN ({EACH[tx.session.dialect]})", {"ids": json.dumps(ids)})
        return {row[0]: as_far_as_known(tx, row) for row in rows}

    def fits(stored: StoredJob) -> bool:
        job, state = stored
        return text_fits(search, job.job_id, job.job_name, job.description, errors=(state.reason,))

    owned = f"{_owned(tx, search.owner, values)} AND {_has_status(search, values)}" if search.owner is not None else None
    pages = KeysetPages(tx, JOBS, bases, conditions, values.parameters, [Base(owned, is_ordered=False)] if owned else [])
    return FoundJobs(*pages.page(limit, after, load, fits))


@reads
def search_executions(
    tx: Transaction, search: Search, limit: int, before: Position | None = None, with_results: bool = True
) -> FoundExecutions:
    """See `JobStore.search_executions`. An owner's executions are searched as in `search_jobs`."""
    values, few = Values(tx.session.dialect, EXECUTIONS.table), few_jobs(tx.session, search)
    conditions = execution_conditions(search if few is None else without_labels(search), values)
    own = _histories(_owned(tx, search.owner, values)) if search.owner is not None else []
    pages = KeysetPages(tx, EXECUTIONS, _execution_bases(tx, search, few, values), conditions, values.parameters, own)
    columns = EXECUTION.selected if with_results else WITHOUT_RESULT

    def load(ids: Sequence[str]) -> dict[str, Execution]:
        statement = f"SELECT {columns} FROM agentool_executions WHERE execution_id IN ({EACH[tx.session.dialect]})"  # noqa: S608
        return {row[0]: execution_or_damaged(row) for row in tx.session.rows(statement, {"ids": json.dumps(ids)})}

    def fits(execution: Execution) -> bool:
        return text_fits(search, execution.execution_id, execution.agentool_name, errors=error_texts(execution))

    return FoundExecutions(*pages.page(limit, before, load, fits))


@reads
def due_next(tx: Transaction, limit: int, owner: str | None = None) -> list[StoredJob]:
    """See `JobStore.due_next`. If too few of the jobs due next are the owner's, all jobs of the owner are sorted instead."""
    if owner is None:
        return _due_first(tx, IS_ACTIVE, "next_run_at", limit, Values(tx.session.dialect, JOBS.table))
    search = Search("jobs", owner=owner)
    if (few := few_jobs(tx.session, search)) is None:
        values = Values(tx.session.dialect, JOBS.table)
        soon = f"SELECT next_run_at, job_id FROM agentool_jobs WHERE {IS_ACTIVE} AND next_run_at IS NOT NULL"  # noqa: S608
        ids = f"SELECT soon.job_id FROM ({soon} ORDER BY next_run_at, job_id LIMIT {SOON}) AS soon"  # noqa: S608
        where = " AND ".join([f"job_id IN ({ids})", *label_conditions(search, values)])
        found = _due_first(tx, where, "next_run_at + 0", limit, values)
        if len(found) == limit:
            return found
    values = Values(tx.session.dialect, JOBS.table)
    # COALESCE keeps SQLite, which has no statistics, from reading all active jobs instead.
    where = f"{_owned(tx, owner, values) if few is None else _among(tx, few, values)} AND COALESCE(state, '') = 'active'"
    return _due_first(tx, where, "next_run_at + 0", limit, values)


def _due_first(tx: Transaction, where: str, by: str, limit: int, values: Values) -> list[StoredJob]:
    sql = f"{JOB} WHERE {where} AND next_run_at IS NOT NULL ORDER BY {by}, job_id LIMIT {values.add(limit)}"
    return [as_far_as_known(tx, row) for row in tx.session.rows(sql, values.parameters)]


def _job_bases(tx: Transaction, search: Search, few: Sequence[str] | None, values: Values) -> list[Base]:
    statuses = search.job_statuses
    if few is not None:
        return [Base(f"{_among(tx, few, values)} AND {_has_status(search, values)}", is_ordered=False)]
    if statuses >= LIVE:
        return [Base("live + 0 = 1"), *map(_of_status, sorted(statuses - LIVE))]
    return list(map(_of_status, sorted(statuses)))


def _has_status(search: Search, values: Values) -> str:
    """Return a condition on the status. COALESCE keeps SQLite, which has no statistics, from reading all jobs of a status."""
    states = values.list_of([STORED_STATUS.get(status, status.value) for status in sorted(search.job_statuses)])
    return f"COALESCE(state, '') IN ({states})"


def _of_status(status: JobStatus) -> Base:
    return Base(f"state = '{STORED_STATUS.get(status, status.value)}'")


def _execution_bases(tx: Transaction, search: Search, few: Sequence[str] | None, values: Values) -> list[Base]:
    """Return the smallest indexed parts of the history that contain all matching executions."""
    if few is not None:
        return _histories(_among(tx, few, values))
    if (trigger := search.only("trigger")) and "schedule" not in trigger.values:
        found = [Base(f"cause = {values.add(cause)} AND cause <> 'schedule'") for cause in set(trigger.values)]
    elif (status := search.only("status")) and ExecutionStatus.SUCCESS not in status.values:
        found = [_of_outcome(ExecutionStatus(value)) for value in set(status.values)]
    elif (rare := _rare(tx, search, values)) is not None:
        return [rare]
    elif search.only("error"):
        found = [_of_outcome(status) for status in ExecutionStatus if status is not ExecutionStatus.SUCCESS]
    else:
        found = [Base("TRUE")]
    return [Base(" AND ".join([base.where, *time_conditions(search, values)]), base.is_ordered) for base in found]


def _histories(of_jobs: str) -> list[Base]:
    """Return the parts with all executions of the given jobs."""
    return [Base(f"{of_jobs} AND finished_at IS {null}", is_ordered=False) for null in ("NOT NULL", "NULL")]


def _of_outcome(status: ExecutionStatus) -> Base:
    if status in UNFINISHED:
        return Base(f"status = '{status}' AND finished_at IS NULL", is_ordered=False)
    return Base(f"status = '{status}' AND {INDEXED_OUTCOMES}")


def _rare(tx: Transaction, search: Search, values: Values) -> Base | None:
    """Return the executions with the searched duration or cost, if they are few."""
    took, cost = search.only("took"), search.only("cost")
    if cost is not None:
        where = f"{compared('cost', cost.values, values)} AND cost IS NOT NULL"
    elif took is not None and all(isinstance(bound, Bound) and bound.sign in (">", ">=") and bound.number >= SLOW for bound in took.values):
        where = f"{compared('duration', took.values, values)} AND duration >= {SLOW}"
    else:
        return None
    sql = f"SELECT COUNT(*) FROM (SELECT 1 AS one FROM agentool_executions WHERE {where} LIMIT {WINDOW + 1}) AS those"  # noqa: S608
    (number,) = tx.session.row(sql, values.parameters) or (0,)
    return Base(where, is_ordered=False) if number <= WINDOW else None


def _among(tx: Transaction, ids: Sequence[str], values: Values) -> str:
    return f"job_id IN ({EACH[tx.session.dialect].replace(':ids', values.add(json.dumps(ids)))})"


def _owned(tx: Transaction, owner: str, values: Values) -> str:
    is_owner = f"kind = 'owned' AND {LABEL[tx.session.dialect]} = {values.add(owner)}"
    return f"job_id IN (SELECT job_id FROM agentool_job_labels WHERE {is_owner})"  # noqa: S608  names of ours
