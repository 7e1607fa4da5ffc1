"""Claims, begins and finishes executions by one statement each: the most frequent writes, without the room of jobs.

Used if statements lock rows (PostgreSQL). Such a statement waits for no row, so it cannot deadlock. Rows that it skips,
and changes that concern more than the execution itself, are written in the room of jobs (docs/decisions/0037).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from agentoolkit.database.session import Row
from agentoolkit.database.times import micros
from agentoolkit.system.scheduler.decisions.pausing import FAILURES
from agentoolkit.system.scheduler.decisions.unclaimed_reasons import tells_of_workers
from agentoolkit.system.scheduler.execution_records import Execution, ExecutionStatus
from agentoolkit.system.scheduler.jobs import Job
from agentoolkit.system.scheduler.ports import FINISHED, NOT_FINISHED, Begins, CanRun, Claimed, Ending, Finished, any_job, none_begins
from agentoolkit.system.scheduler.retention import smallest_counted
from agentoolkit.system.scheduler.search.matching import AGENT
from agentoolkit.system.scheduler.stores.sql import execution_changes, execution_take_overs
from agentoolkit.system.scheduler.stores.sql.claims import HAS_DOWNSTREAM
from agentoolkit.system.scheduler.stores.sql.execution_changes import ENDED, ENDED_TYPES, REASON_HERE, SET_ENDED, STARTED, answers_of
from agentoolkit.system.scheduler.stores.sql.records import EXECUTION, UNFINISHED, execution_of
from agentoolkit.system.scheduler.stores.sql.transactions import Transaction, Transactions

_UNFINISHED = UNFINISHED.replace("agentool_executions", "e")
_FIND = f"""
    SELECT {", ".join(f"e.{name}" for name in EXECUTION.names)}, j.revision, j.definition
    FROM r JOIN agentool_executions e ON e.execution_id = r.id LEFT JOIN agentool_jobs j ON j.job_id = e.job_id AND j.state <> 'removed'
    WHERE {_UNFINISHED}
"""  # noqa: S608  column names of ours
_CLAIMED = {
    **dict.fromkeys(("id", "owner", "status"), "TEXT"),
    **dict.fromkeys(("attempt", "revision"), "BIGINT"),
    "new_owner": "TEXT",
    "begun_at": "BIGINT",
}
"""The state of an execution when it was read, and its new values. A `begun_at` of 0 means that it does not begin yet."""
_CLAIM = f"""
    , free AS (
        SELECT r.* FROM r JOIN agentool_executions e ON e.execution_id = r.id
        WHERE e.owner = r.owner AND e.status = r.status AND e.attempt = r.attempt AND {_UNFINISHED}
        AND EXISTS (SELECT 1 FROM agentool_jobs j WHERE j.job_id = e.job_id AND j.revision = r.revision)
        FOR UPDATE OF e SKIP LOCKED)
    UPDATE agentool_executions SET owner = free.new_owner, reason = {REASON_HERE},
        status = CASE free.begun_at WHEN 0 THEN agentool_executions.status ELSE 'running' END,
        started_at = CASE free.begun_at WHEN 0 THEN started_at ELSE free.begun_at END,
        retry_at = CASE free.begun_at WHEN 0 THEN retry_at END
    FROM free WHERE execution_id = free.id RETURNING execution_id
"""  # noqa: S608  a constant of ours
_BEGIN = f"""
    , free AS (
        SELECT r.* FROM r JOIN agentool_executions e ON e.execution_id = r.execution_id
        WHERE e.owner = r.owner AND e.attempt = r.attempt AND e.status IN ('queued', 'retrying') AND {_UNFINISHED}
        FOR UPDATE OF e SKIP LOCKED)
    UPDATE agentool_executions SET status = 'running', started_at = free.started_at, retry_at = NULL, reason = {REASON_HERE}
    FROM free WHERE agentool_executions.execution_id = free.execution_id RETURNING agentool_executions.execution_id
"""  # noqa: S608  a constant of ours
# The rest of the statement does not see the new outcome, so one less of the others is kept.
_FINISH = f"""
    , free AS (
        SELECT r.*, agentool_executions.job_id,
            (SELECT j.sequence FROM agentool_jobs j WHERE j.job_id = agentool_executions.job_id) AS place
        FROM r JOIN agentool_executions ON agentool_executions.execution_id = r.execution_id
        WHERE agentool_executions.owner = r.owner AND agentool_executions.attempt = r.attempt
        AND {UNFINISHED} AND r.seen IN ('', agentool_executions.status) AND NOT {HAS_DOWNSTREAM}
        FOR UPDATE OF agentool_executions SKIP LOCKED),
    pruned AS (
        DELETE FROM agentool_executions WHERE execution_id IN (
            SELECT e.execution_id FROM free JOIN agentool_executions e ON e.job_id = free.job_id AND e.finished_at IS NOT NULL
            WHERE COALESCE(free.place, {{length}} + 1) > {{length}} AND (e.finished_at, e.sequence) < (
                SELECT k.finished_at, k.sequence FROM agentool_executions k WHERE k.job_id = free.job_id AND k.finished_at IS NOT NULL
                ORDER BY k.finished_at DESC, k.sequence DESC LIMIT 1 OFFSET {{length}} - 2)
            FOR UPDATE OF e SKIP LOCKED))
    UPDATE agentool_executions SET {SET_ENDED}, retry_at = NULL
    FROM free r WHERE agentool_executions.execution_id = r.execution_id RETURNING agentool_executions.execution_id
"""  # noqa: S608  column names of ours


_RESULT = ENDED.names.index("result")


class _Message(NamedTuple):
    """The arguments of one call of `claim_executions`."""

    execution_ids: Sequence[str]
    now: datetime
    can_run: CanRun
    begins: Begins


class _Answer(NamedTuple):
    """The claimed executions of a call, and those that remain for the room of jobs."""

    claimed: Sequence[Claimed]
    left: Sequence[str]


class _Free(NamedTuple):
    """An execution that may be claimed, before and after the claim."""

    before: Execution
    job: Job
    revision: int
    after: Execution


async def claim_executions(
    store: Transactions, execution_ids: Sequence[str], now: datetime, can_run: CanRun = any_job, begins: Begins = none_begins
) -> Sequence[Claimed]:
    """See `JobStore.claim_executions`."""
    if not store.locks_rows:
        return await execution_take_overs.claim_executions(store, execution_ids, now, can_run, begins)
    claimed, left = await store.write_alone(_claim, _Message(execution_ids, now, can_run, begins))
    more = await execution_take_overs.claim_executions(store, left, now, can_run, begins) if left else ()
    place = {execution_id: number for number, execution_id in enumerate(execution_ids)}
    return sorted((*claimed, *more), key=lambda each: place.get(each.execution.execution_id, len(place)))


async def begin(store: Transactions, executions: Sequence[Execution]) -> Sequence[bool]:
    """See `JobStore.begin`."""
    if not store.locks_rows:
        return await execution_changes.begin(store, executions)
    begun = await store.write_alone(_begin, executions)
    if left := [execution for execution in executions if execution.execution_id not in begun]:
        begun |= {each.execution_id for each, begins in zip(left, await execution_changes.begin(store, left), strict=True) if begins}
    return answers_of(executions, begun)


async def finish(store: Transactions, endings: Sequence[Ending]) -> Sequence[Finished]:
    """See `JobStore.finish`."""
    if not store.locks_rows:
        return await execution_changes.finish(store, endings)
    first = {ending.execution.execution_id: ending for ending in reversed(endings)}
    plain = [ending for ending in first.values() if _is_plain(ending)]
    if not plain:
        return await execution_changes.finish(store, endings)
    written = await store.write_alone(_finish, plain)
    left = [ending for ending in endings if ending.execution.execution_id not in written]
    more = iter(await execution_changes.finish(store, left) if left else ())
    new = answers_of([ending.execution for ending in endings], set(written))
    return [
        next(more) if ending.execution.execution_id not in written else FINISHED if is_new else NOT_FINISHED
        for ending, is_new in zip(endings, new, strict=True)
    ]


def _claim(tx: Transaction, messages: Sequence[_Message]) -> list[_Answer]:
    first = _first_of([message.execution_ids for message in messages])
    free: dict[str, _Free] = {}
    left: list[list[str]] = [[] for _ in messages]
    for row in tx.session.from_rows(_FIND, {"id": "TEXT"}, [(id_,) for id_ in first]):
        place = first[row[0]]
        if (found := _read_free(tx, row, messages[place])) is None:
            left[place].append(row[0])
        elif messages[place].can_run(found.job):
            begins = messages[place].begins(row[0], found.job)
            free[row[0]] = found._replace(after=found.after.begun(messages[place].now)) if begins else found
    rows = [_claimed_row(each) for each in free.values()]
    done = {id_ for (id_,) in tx.session.write_rows(_CLAIM, _CLAIMED, rows)}
    claimed: list[list[Claimed]] = [[] for _ in messages]
    for execution_id, place in first.items():
        if execution_id in done:
            claimed[place].append(Claimed(free[execution_id].job, free[execution_id].after))
        elif execution_id in free:
            left[place].append(execution_id)
    return [_Answer(*answer) for answer in zip(claimed, left, strict=True)]


def _read_free(tx: Transaction, row: Row, message: _Message) -> _Free | None:
    """Read the columns of `_FIND`. Return None if the execution is not free or is damaged."""
    *stored, revision, definition = row
    try:
        execution, job = execution_of(tuple(stored)), tx.definitions.read(row[1], revision, definition)
    except Exception:
        return None
    is_due = execution.retry_at is not None and execution.retry_at <= message.now
    waits = execution.status is ExecutionStatus.QUEUED or (execution.status is ExecutionStatus.RETRYING and is_due)
    reason = "" if tells_of_workers(execution.reason) else execution.reason
    after = execution._replace(owner=tx.owner, reason=reason)
    return _Free(execution, job, revision, after) if waits and execution.owner != tx.owner else None


def _claimed_row(free: _Free) -> Row:
    """Return the columns `_CLAIMED`."""
    before, after = free.before, free.after
    begun_at = micros(after.started_at) if after.status is ExecutionStatus.RUNNING else 0
    return before.execution_id, before.owner, before.status.value, before.attempt, free.revision, after.owner, begun_at


def _begin(tx: Transaction, asked: Sequence[Sequence[Execution]]) -> list[set[str]]:
    first = _first_of([[each.execution_id for each in executions] for executions in asked])
    known = {each.execution_id: each for executions in reversed(asked) for each in reversed(executions)}
    rows = [STARTED.row(execution) for execution in known.values()]
    return _by_asker(tx.session.write_rows(_BEGIN, STARTED.types, rows), first, len(asked))


def _finish(tx: Transaction, asked: Sequence[Sequence[Ending]]) -> list[set[str]]:
    """Finish the executions of all calls: one execution of a job at a time, and none with a large result."""
    first = _first_of([[ending.execution.execution_id for ending in endings] for endings in asked])
    by_job = {ending.execution.job_id: ending for endings in reversed(asked) for ending in reversed(endings)}
    rows = [(*ENDED.row(ending.execution), ending.seen or "") for ending in by_job.values()]
    smallest = smallest_counted(tx.history_length, tx.history_size)
    small = [row for row in rows if len(row[_RESULT]) < smallest] if tx.history_length > 1 else []
    written = tx.session.write_rows(_FINISH.format(length=tx.history_length), ENDED_TYPES, small)
    return _by_asker(written, first, len(asked))


def _is_plain(ending: Ending) -> bool:
    """Tell whether an outcome concerns the execution alone: it has no message, is no failure, and has no cost."""
    execution = ending.execution
    return ending.message is None and execution.status not in FAILURES and execution.agentool_name != AGENT


def _first_of(asked: Sequence[Iterable[str]]) -> dict[str, int]:
    """Return for each id the place of the first call that names it: only one call can get it."""
    first: dict[str, int] = {}
    for place, ids in enumerate(asked):
        for execution_id in ids:
            first.setdefault(execution_id, place)
    return first


def _by_asker(rows: Iterable[Row], first: Mapping[str, int], askers: int) -> list[set[str]]:
    """Return the written ids by call."""
    written: list[set[str]] = [set() for _ in range(askers)]
    for (execution_id,) in rows:
        written[first[execution_id]].add(execution_id)
    return written
