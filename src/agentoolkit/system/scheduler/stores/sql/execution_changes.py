"""The statements that begin, finish, retry, release and cancel executions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from agentoolkit.database.session import Row, Session
from agentoolkit.system.scheduler.decisions import recovery
from agentoolkit.system.scheduler.decisions.pausing import FAILURES
from agentoolkit.system.scheduler.decisions.retry import job_is_gone
from agentoolkit.system.scheduler.decisions.unclaimed_reasons import WAITS
from agentoolkit.system.scheduler.execution_ids import job_id_of
from agentoolkit.system.scheduler.execution_records import DeliveryStatus, Execution
from agentoolkit.system.scheduler.jobs import Job
from agentoolkit.system.scheduler.ports import (
    FINISHED,
    NOT_FINISHED,
    Ending,
    Finished,
    Message,
    PendingCancel,
    Retried,
)
from agentoolkit.system.scheduler.retention import LEFT_OUT, smallest_counted
from agentoolkit.system.scheduler.search.matching import AGENT, cost_of
from agentoolkit.system.scheduler.stores.sql.claims import HAS_DOWNSTREAM, prune, start_downstream
from agentoolkit.system.scheduler.stores.sql.outgoing import put_out
from agentoolkit.system.scheduler.stores.sql.pausing import pause_failing
from agentoolkit.system.scheduler.stores.sql.records import EXECUTION, UNFINISHED, time_or_first
from agentoolkit.system.scheduler.stores.sql.transactions import Transaction, reads, writes

STARTED = EXECUTION.only("execution_id", "owner", "attempt", "started_at")
REASON_HERE = f"CASE SUBSTR(reason, 1, {len(WAITS)}) WHEN '{WAITS}' THEN '' ELSE reason END"
"""The reason of a claimed execution: it does not wait for a worker any more."""
_BEGIN = f"""
    UPDATE agentool_executions SET status = 'running', started_at = r.started_at, retry_at = NULL, reason = {REASON_HERE} FROM r
    WHERE agentool_executions.execution_id = r.execution_id AND agentool_executions.owner = r.owner
    AND agentool_executions.attempt = r.attempt AND agentool_executions.status IN ('queued', 'retrying')
    RETURNING agentool_executions.execution_id
"""  # noqa: S608  a constant of ours
ENDED = EXECUTION.only("execution_id", "owner", "attempt", "status", "reason", "finished_at", "duration", "result", "error", "delivery")
ENDED_TYPES = {**ENDED.types, "seen": "TEXT"}
_RESULT = ENDED.names.index("result")
SET_ENDED = ", ".join(f"{name} = {ENDED.value(name)}" for name in ENDED.names[3:])
_FINISH = f"""
    UPDATE agentool_executions SET {SET_ENDED}, retry_at = NULL
    FROM r
    WHERE agentool_executions.execution_id = r.execution_id AND agentool_executions.owner = r.owner
    AND agentool_executions.attempt = r.attempt AND {UNFINISHED} AND r.seen IN ('', agentool_executions.status)
    RETURNING agentool_executions.execution_id, {HAS_DOWNSTREAM}, CASE WHEN agentool_executions.sequence > {{length}} THEN TRUE
        ELSE COALESCE((SELECT j.sequence FROM agentool_jobs j WHERE j.job_id = agentool_executions.job_id) > {{length}}, TRUE) END
"""  # noqa: S608  a query of ours
_COST = "UPDATE agentool_executions SET cost = r.cost FROM r WHERE agentool_executions.execution_id = r.execution_id"
_POSTPONE = f"""
    UPDATE agentool_executions SET status = :status, reason = :reason, attempt = :attempt, started_at = NULL,
        retry_at = :retry_at, attempts = :attempts, result = :result, owner = :new_owner
    WHERE execution_id = :execution_id AND owner = :owner AND attempt = :attempt - 1 AND {UNFINISHED}
"""  # noqa: S608  a condition of ours
_RELEASE = "UPDATE agentool_executions SET owner = '' WHERE owner = :owner AND finished_at IS NULL AND status IN ('queued', 'retrying')"
_REQUEST_CANCEL = f"""
    UPDATE agentool_executions SET cancel_requested = :state, cancel_reason = :reason WHERE execution_id = :id AND {UNFINISHED}
"""  # noqa: S608  a condition of ours
_PENDING, _CARRIED_OUT = 1, 2
# It was sent by the leader or, if a caller waits for it, by the caller's process. Any other owner is a worker that claimed it.
_NOTE_WAITING = f"""
    UPDATE agentool_executions SET reason = r.reason FROM r
    WHERE execution_id = r.id AND status = 'queued' AND {UNFINISHED} AND agentool_executions.reason <> r.reason
    AND (cause = 'run_now' OR owner IN (SELECT l.owner FROM agentool_leases l WHERE l.name = 'leader'))
    RETURNING execution_id
"""  # noqa: S608  a condition of ours
_CANCEL_REQUESTS = """
    SELECT execution_id, cancel_reason FROM agentool_executions
    WHERE owner = :owner AND cancel_requested = 1 AND finished_at IS NULL ORDER BY execution_id
"""
_ALL_CANCELS = "SELECT execution_id, cancel_reason FROM agentool_executions WHERE finished_at IS NULL AND cancel_requested > 0"
# For the newest result the sum over newer ones is null, so it stays.
_LEAVE_OUT = """
    UPDATE agentool_executions SET result = NULL, reason = CASE WHEN reason = '' THEN :left_out ELSE reason END
    WHERE execution_id IN (SELECT execution_id FROM (
        SELECT execution_id, LENGTH(result) AS own, SUM(LENGTH(result)) OVER (
            ORDER BY finished_at DESC, sequence DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS newer
        FROM agentool_executions WHERE job_id = :job_id AND finished_at IS NOT NULL AND LENGTH(result) >= :smallest) AS counted
    WHERE own + newer > :most)
"""


@writes
def begin(tx: Transaction, executions: Sequence[Execution]) -> list[bool]:
    """See `JobStore.begin`."""
    rows = [STARTED.row(execution) for execution in first_of_each(executions)]
    begun = {row[0] for row in tx.session.from_rows(_BEGIN, STARTED.types, rows)}
    return answers_of(executions, begun)


@writes
def finish(tx: Transaction, endings: Sequence[Ending]) -> list[Finished]:
    """See `JobStore.finish`."""
    return _finish(tx, endings)


@writes
def retry(tx: Transaction, execution: Execution, ending: Ending | None = None, made_at: datetime | None = None) -> Retried:
    """See `JobStore.retry`."""
    lock = " FOR SHARE" if tx.session.dialect == "postgres" else ""
    sql = "SELECT created_at FROM agentool_jobs WHERE job_id = :id AND state <> 'removed'" + lock  # noqa: S608  a constant of ours
    row = tx.session.row(sql, {"id": execution.job_id})
    if job_is_gone(made_at, time_or_first(row[0]) if row else None):
        return Retried(False, _finish(tx, [ending])[0] if ending is not None else NOT_FINISHED)
    return Retried(_postpone(tx.session, execution, tx.owner, tx.deliverer))


@writes
def release(tx: Transaction, execution: Execution) -> bool:
    """See `JobStore.release`."""
    waiting = recovery.release(execution, execution.started_at or execution.scheduled_at)
    return _postpone(tx.session, waiting, tx.owner, "")


@writes
def release_all(tx: Transaction) -> None:
    """See `JobStore.release_all`."""
    tx.ownership.step_down(tx.session)
    tx.session.run(_RELEASE, {"owner": tx.owner})


@writes
def note_waiting(tx: Transaction, reasons: Mapping[str, str]) -> list[str]:
    """See `JobStore.note_waiting`."""
    return [row[0] for row in tx.session.from_rows(_NOTE_WAITING, {"id": "TEXT", "reason": "TEXT"}, sorted(reasons.items()))]


@writes
def request_cancel(tx: Transaction, execution_id: str, reason: str = "", *, is_carried_out: bool = False) -> bool:
    """See `JobStore.request_cancel`."""
    state = _CARRIED_OUT if is_carried_out else _PENDING
    return tx.session.run(_REQUEST_CANCEL, {"id": execution_id, "reason": reason, "state": state}) == 1


@reads
def cancel_requests(tx: Transaction) -> list[PendingCancel]:
    """See `JobStore.cancel_requests`."""
    return [PendingCancel(*row) for row in tx.session.rows(_CANCEL_REQUESTS, {"owner": tx.owner})]


@reads
def pending_cancels(tx: Transaction) -> list[PendingCancel]:
    """See `JobStore.pending_cancels`."""
    return [PendingCancel(*row) for row in sorted(tx.session.rows(_ALL_CANCELS))]


@writes
def acknowledge_cancel(tx: Transaction, execution_id: str) -> None:
    """See `JobStore.acknowledge_cancel`."""
    sql = "UPDATE agentool_executions SET cancel_requested = :state WHERE execution_id = :id"
    tx.session.run(sql, {"id": execution_id, "state": _CARRIED_OUT})


def _finish(tx: Transaction, endings: Sequence[Ending]) -> list[Finished]:
    first: dict[str, Ending] = {ending.execution.execution_id: ending for ending in reversed(endings)}
    ended = {id_: noted(ending.execution, ending.message) for id_, ending in first.items()}
    rows = [(*ENDED.row(execution), first[id_].seen or "") for id_, execution in ended.items()]
    written = tx.session.from_rows(_FINISH.format(length=tx.history_length), ENDED_TYPES, rows)
    done: dict[str, bool] = {id_: has_downstream for id_, has_downstream, _ in written}
    # The cost of agents' executions is kept in an indexed column; all others have no cost.
    costs = [(id_, cost) for id_ in done if ended[id_].agentool_name == AGENT and (cost := cost_of(ended[id_])) is not None]
    tx.session.from_rows(_COST, {"execution_id": "TEXT", "cost": "DOUBLE PRECISION"}, costs)
    put_out(tx.session, [(ended[id_], message, tx.deliverer) for id_ in done if (message := first[id_].message)])
    prune(tx, [(ended[id_].job_id, id_) for id_, _, history_may_be_full in written if history_may_be_full])
    make_room(tx, [(row[0], row[_RESULT]) for row in rows if row[_RESULT] and row[0] in done])
    pause_failing(tx, {ended[id_].job_id for id_ in done if ended[id_].status in FAILURES})
    upstream = [ended[id_] for id_, has_downstream in done.items() if has_downstream]
    after = start_downstream(tx, upstream, tx.deliverer) if upstream else {}
    answers = answers_of([ending.execution for ending in endings], set(done))
    if not after or not tx.deliverer:  # without a deliverer, the leader starts the downstream executions
        return [FINISHED if is_written else NOT_FINISHED for is_written in answers]
    return [
        Finished(True, after.get(ending.execution.execution_id, ())) if is_written else NOT_FINISHED
        for ending, is_written in zip(endings, answers, strict=True)
    ]


def first_of_each(executions: Sequence[Execution]) -> list[Execution]:
    """Return the first execution of each id: only one of them can succeed."""
    first: dict[str, Execution] = {}
    for execution in executions:
        first.setdefault(execution.execution_id, execution)
    return list(first.values())


def answers_of(executions: Sequence[Execution], done: set[str]) -> list[bool]:
    """Return for each execution whether its id is in `done`, but True only once for each id."""
    if len(done) == len(executions):  # so no two of them have the same id
        return [True] * len(done)
    answers: list[bool] = []
    for execution in executions:
        answers.append(execution.execution_id in done)
        done.discard(execution.execution_id)
    return answers


def make_room(tx: Transaction, written: Iterable[tuple[str, str]]) -> None:
    """Drop the oldest results of jobs whose results together exceed the limit.

    Args:
        tx: The transaction.
        written: Ids of executions, with the results just written.
    """
    smallest = smallest_counted(tx.history_length, tx.history_size)
    limits = {"smallest": smallest, "most": tx.history_size, "left_out": LEFT_OUT}
    for job_id in sorted({job_id_of(execution_id) for execution_id, result in written if len(result) >= smallest}):
        tx.session.run(_LEAVE_OUT, {"job_id": job_id, **limits})


def _postpone(session: Session, execution: Execution, owner: str, new_owner: str) -> bool:
    """Record that an execution of `owner` waits for its retry, or for a new owner."""
    return session.run(_POSTPONE, {**EXECUTION.parameters(execution), "owner": owner, "new_owner": new_owner}) == 1


def read_or_none(tx: Transaction, row: Row) -> Job | None:
    """Read a job from its id, revision and definition; None if they are damaged."""
    try:
        return tx.definitions.read(*row)
    except Exception:
        return None


def noted(execution: Execution, message: Message | None) -> Execution:
    """Return an execution with its delivery pending, if it has a message."""
    return execution if message is None else execution._replace(delivery=DeliveryStatus.PENDING)
