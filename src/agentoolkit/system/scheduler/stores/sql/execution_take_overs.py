"""Claims waiting executions by id, and takes over executions that this process or an ended one has abandoned."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from heapq import nsmallest
from itertools import chain
from operator import itemgetter

from agentoolkit.database.session import Row
from agentoolkit.database.times import micros
from agentoolkit.system.scheduler.decisions.outcomes import outcome_message
from agentoolkit.system.scheduler.decisions.recovery import recover
from agentoolkit.system.scheduler.execution_records import Execution
from agentoolkit.system.scheduler.job_records import unreadable
from agentoolkit.system.scheduler.ports import Begins, CanRun, Claimed, Ending, any_job, none_begins
from agentoolkit.system.scheduler.stores.sql.claims import start_downstream
from agentoolkit.system.scheduler.stores.sql.execution_changes import REASON_HERE, noted, read_or_none
from agentoolkit.system.scheduler.stores.sql.outgoing import put_out
from agentoolkit.system.scheduler.stores.sql.pausing import pause_failing
from agentoolkit.system.scheduler.stores.sql.records import EXECUTION, UNFINISHED, damaged_execution, execution_of, execution_or_damaged
from agentoolkit.system.scheduler.stores.sql.transactions import Transaction, writes

_CLAIM = f"""
    UPDATE agentool_executions SET owner = r.new_owner, status = CASE r.begins WHEN 1 THEN 'running' ELSE status END,
        started_at = CASE r.begins WHEN 1 THEN r.claimed_at ELSE started_at END,
        retry_at = CASE r.begins WHEN 1 THEN NULL ELSE retry_at END,
        reason = {REASON_HERE}
    FROM r
    WHERE execution_id = r.id AND owner <> r.new_owner AND {UNFINISHED}
    AND (status = 'queued' OR (status = 'retrying' AND retry_at <= r.claimed_at))
    RETURNING {EXECUTION.selected}
"""  # noqa: S608  column names of ours
_QUEUE_RETRIES = f"""
    UPDATE agentool_executions SET status = 'queued', retry_at = NULL FROM r
    WHERE execution_id = r.id AND owner = r.of AND status IN ('queued', 'retrying')
    RETURNING {EXECUTION.selected}
"""  # noqa: S608  column names of ours
_UNFINISHED = """
    SELECT e.execution_id, e.job_id, j.revision, j.definition FROM r JOIN agentool_executions e ON e.execution_id = r.id
    LEFT JOIN agentool_jobs j ON j.job_id = e.job_id AND j.state <> 'removed' WHERE COALESCE(e.finished_at, 0) = 0
"""
_OWNER, _DUE, _FINISHED, _STATUS, _RETRY = map(EXECUTION.names.index, ("owner", "scheduled_at", "finished_at", "status", "retry_at"))
_TAKEN = EXECUTION.only("execution_id", "status", "reason", "attempt", "started_at", "finished_at", "attempts", "delivery", "owner")
_TAKEN_TYPES = {**_TAKEN.types, "before_owner": "TEXT", "before_status": "TEXT", "before_attempt": "BIGINT"}
_TAKE = f"""
    UPDATE agentool_executions SET {", ".join(f"{name} = {_TAKEN.value(name)}" for name in _TAKEN.names[1:])} FROM r
    WHERE agentool_executions.execution_id = r.execution_id AND agentool_executions.owner = r.before_owner
    AND agentool_executions.status = r.before_status AND agentool_executions.attempt = r.before_attempt
    RETURNING agentool_executions.execution_id
"""  # noqa: S608  column names of ours
_BY_ID = f"SELECT {EXECUTION.selected} FROM r JOIN agentool_executions ON execution_id = r.id"  # noqa: S608  column names of ours
_CANCELLED = """
    SELECT e.execution_id, e.cancel_reason FROM r JOIN agentool_executions e ON e.execution_id = r.id WHERE e.cancel_requested > 0
"""
_JOBS = """
    SELECT j.job_id, j.revision, j.definition FROM r JOIN agentool_jobs j ON j.job_id = r.id WHERE j.state <> 'removed'
"""
_ID = {"id": "TEXT"}
PORTION = 500
"""Executions that one transaction takes over. It must be short, to keep the lead and let other processes write jobs."""
_LOSE = f"""
    UPDATE agentool_executions SET status = 'lost', reason = :reason, finished_at = :finished_at
    WHERE execution_id = :execution_id AND {UNFINISHED}
"""  # noqa: S608  a condition of ours


@writes
def claim_executions(
    tx: Transaction, execution_ids: Sequence[str], now: datetime, can_run: CanRun = any_job, begins: Begins = none_begins
) -> list[Claimed]:
    """See `JobStore.claim_executions`."""
    found = tx.session.from_rows(_UNFINISHED, {"id": "TEXT"}, [(id_,) for id_ in set(execution_ids)])
    jobs = {job_id: read_or_none(tx, (job_id, *job)) or unreadable(job_id, "", now) if job[1] else None for _, job_id, *job in found}
    wanted = {id_: job for id_, job_id, *_ in sorted(found) if (job := jobs[job_id]) is None or can_run(job)}
    asked = [(id_, tx.owner, micros(now), int(job is not None and begins(id_, job))) for id_, job in wanted.items()]
    rows = tx.session.from_rows(_CLAIM, {"id": "TEXT", "new_owner": "TEXT", "claimed_at": "BIGINT", "begins": "BIGINT"}, asked)
    executions = [_read_or_lose(tx, row, now) for row in rows]
    claimed = [Claimed(None if execution.finished else jobs[execution.job_id], execution) for execution in executions]
    others = set(wanted) - {execution.execution_id for execution in executions}
    taken = _take(tx, _of_the_ended(tx, others, now), now) if others else []
    place = {execution_id: number for number, execution_id in enumerate(execution_ids)}
    return _with_downstream(tx, sorted([*claimed, *taken], key=lambda of: place[of.execution.execution_id]))


@writes
def queue_retries(tx: Transaction, execution_ids: Sequence[str]) -> list[Claimed]:
    """See `JobStore.queue_retries`. Executions that are damaged, or whose job is gone or damaged, are left to `take_over`."""
    found = tx.session.from_rows(_UNFINISHED, {"id": "TEXT"}, [(id_,) for id_ in set(execution_ids)])
    jobs = {id_: job for id_, job_id, *of in found if of[1] and (job := read_or_none(tx, (job_id, *of))) is not None}
    rows = tx.session.from_rows(_QUEUE_RETRIES, {"id": "TEXT", "of": "TEXT"}, [(id_, tx.owner) for id_ in sorted(jobs)])
    queued = {execution.execution_id: execution for row in rows if not (execution := execution_or_damaged(row)).finished}
    return [Claimed(jobs[id_], queued[id_]) for id_ in dict.fromkeys(execution_ids) if id_ in queued]


@writes
def take_over(tx: Transaction, now: datetime, held: Callable[[str], bool]) -> list[Claimed]:
    """See `JobStore.take_over`."""
    return _with_downstream(tx, _take(tx, _abandoned(tx, held, leads=tx.ownership.leads(tx.session)), now))


def _abandoned(tx: Transaction, held: Callable[[str], bool], *, leads: bool) -> list[Row]:
    """Return abandoned unfinished executions, the oldest first: our own and, if this process leads, those of ended processes."""
    whose = "SELECT execution_id, owner, scheduled_at FROM agentool_executions WHERE finished_at IS NULL"
    if leads:
        found = tx.session.rows(whose)
        alive = tx.ownership.alive(tx.session)  # read afterwards, so that it includes any process that has claimed one by then
        rows = [row for row in found if row[1] == tx.owner or row[1] not in alive]
    else:
        rows = tx.session.rows(whose + " AND owner = :owner", {"owner": tx.owner})
    left = [(due, execution_id, of) for execution_id, of, due in rows if of != tx.owner or not held(execution_id)]
    owners = {execution_id: of for _, execution_id, of in nsmallest(PORTION, left)}
    # A worker may have claimed one of them meanwhile, and runs it.
    return [row for row in _rows(tx, owners) if row[_OWNER] == owners[row[0]]]


def _of_the_ended(tx: Transaction, execution_ids: Iterable[str], now: datetime) -> list[Row]:
    """Return the executions whose process has ended visibly, and that do not wait for a later retry."""
    rows = _rows(tx, execution_ids)
    alive = tx.ownership.alive(tx.session)  # read afterwards, as in `_abandoned`
    left = [row for row in rows if row[_FINISHED] is None and row[_OWNER] not in alive]
    return [row for row in left if row[_STATUS] != "retrying" or (row[_RETRY] is not None and row[_RETRY] <= micros(now))]


def _rows(tx: Transaction, execution_ids: Iterable[str]) -> list[Row]:
    """Return the rows of executions by id, the oldest first."""
    return sorted(tx.session.from_rows(_BY_ID, _ID, [(id_,) for id_ in sorted(execution_ids)]), key=itemgetter(_DUE))


def _with_downstream(tx: Transaction, taken: Sequence[Claimed]) -> list[Claimed]:
    """Return the taken executions, with the downstream executions of lost ones."""
    lost = [execution for _, execution in taken if execution.finished]
    if not lost:
        return [*taken]
    pause_failing(tx, {execution.job_id for execution in lost})
    after = start_downstream(tx, lost, tx.deliverer)
    return [*taken, *chain.from_iterable(after.values())] if tx.deliverer else [*taken]


def _take(tx: Transaction, rows: Sequence[Row], now: datetime) -> list[Claimed]:
    """Take over abandoned executions, except those that have changed meanwhile."""
    executions = [_read_or_lose(tx, row, now) for row in rows]
    before = {execution.execution_id: execution for execution in executions if not execution.finished}
    found = tx.session.from_rows(_JOBS, _ID, [(job_id,) for job_id in sorted({execution.job_id for execution in before.values()})])
    jobs = {row[0]: job for row in found if (job := read_or_none(tx, row)) is not None}
    asked: dict[str, str] = dict(tx.session.from_rows(_CANCELLED, _ID, [(id_,) for id_ in before]))
    endings: dict[str, Ending] = {}
    for id_, execution in before.items():
        job, reason = jobs.get(execution.job_id), asked[id_] or "cancelled" if id_ in asked else None
        after = recover(execution, job, tx.owner, now, reason)
        message = outcome_message(job, after) if job is not None and after.finished else None
        endings[id_] = Ending(noted(after, message), message)
    fences = {id_: (execution.owner, execution.status.value, execution.attempt) for id_, execution in before.items()}
    changed = [(*_TAKEN.row(ending.execution), *fences[id_]) for id_, ending in endings.items()]
    written = {id_ for (id_,) in tx.session.from_rows(_TAKE, _TAKEN_TYPES, changed)}
    put_out(tx.session, [(of.execution, of.message, tx.deliverer) for id_, of in endings.items() if of.message and id_ in written])
    taken = {id_: Claimed(jobs.get(of.execution.job_id), of.execution) for id_, of in endings.items() if id_ in written}
    lost = {execution.execution_id: Claimed(None, execution) for execution in executions if execution.finished}
    return [of for execution in executions if (of := {**lost, **taken}.get(execution.execution_id)) is not None]


def _read_or_lose(tx: Transaction, row: Row, now: datetime) -> Execution:
    """Read an execution. A damaged one is written as lost, because it cannot continue."""
    try:
        return execution_of(row)
    except Exception as error:
        lost = damaged_execution(row, error)._replace(finished_at=now)
    tx.session.run(_LOSE, {"execution_id": lost.execution_id, "reason": lost.reason, "finished_at": micros(now)})
    return lost
