"""The statements that change executions: added, begun, finished, retried, taken over."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from itertools import chain

from agentoolkit.database.session import Row, Session
from agentoolkit.database.times import micros
from agentoolkit.system.scheduler.decisions import recovery
from agentoolkit.system.scheduler.decisions.failures import FAILURES
from agentoolkit.system.scheduler.decisions.outcomes import outcome_message
from agentoolkit.system.scheduler.decisions.recovery import recover
from agentoolkit.system.scheduler.decisions.retry import job_is_gone
from agentoolkit.system.scheduler.jobs import DeliveryStatus, Execution, ExecutionStatus, Job
from agentoolkit.system.scheduler.ports import (
    FINISHED,
    NOT_FINISHED,
    AuditEntry,
    Claimed,
    Ending,
    Finished,
    Message,
    PendingCancel,
    Retried,
)
from agentoolkit.system.scheduler.search.matching import AGENT, cost_of
from agentoolkit.system.scheduler.stores.sql.audit import add_note
from agentoolkit.system.scheduler.stores.sql.claims import HAS_DOWNSTREAM, prune, start_downstream
from agentoolkit.system.scheduler.stores.sql.failures import pause_failing
from agentoolkit.system.scheduler.stores.sql.keeping import make_room
from agentoolkit.system.scheduler.stores.sql.outgoing import put_out
from agentoolkit.system.scheduler.stores.sql.purging import fold_counts
from agentoolkit.system.scheduler.stores.sql.records import EXECUTION, damaged_execution, execution_of, time_or_first
from agentoolkit.system.scheduler.stores.sql.transactions import Transaction, reads, writes

_INSERT = f"""
    INSERT INTO agentool_executions ({EXECUTION.selected}, sequence) VALUES ({", ".join(f":{name}" for name in EXECUTION.names)}, :sequence)
    ON CONFLICT (execution_id) DO NOTHING
"""  # noqa: S608  column names of ours
_COUNT = "UPDATE agentool_jobs SET sequence = :sequence WHERE job_id = :job_id"
# Two queries, because each has an index of its own.
_LAST_PLACE = """
    SELECT MAX(place) FROM (
        SELECT MAX(sequence) AS place FROM agentool_executions WHERE job_id = :job_id AND finished_at IS NOT NULL
        UNION ALL SELECT MAX(sequence) AS place FROM agentool_executions WHERE job_id = :job_id AND finished_at IS NULL) AS places
"""
FIRST_HOMELESS_PLACE = -1_000_000_000_000
"""Where the places of executions without a job begin, so that all of them are below zero."""
_STARTED = EXECUTION.only("execution_id", "owner", "attempt", "started_at")
_BEGIN = """
    UPDATE agentool_executions SET status = 'running', started_at = r.started_at, retry_at = NULL FROM r
    WHERE agentool_executions.execution_id = r.execution_id AND agentool_executions.owner = r.owner
    AND agentool_executions.attempt = r.attempt AND agentool_executions.status IN ('queued', 'retrying')
    RETURNING agentool_executions.execution_id
"""
_ENDED = EXECUTION.only("execution_id", "owner", "attempt", "status", "reason", "finished_at", "duration", "result", "error", "delivery")
_ENDED_TYPES = {**_ENDED.types, "seen": "TEXT"}
_SET_ENDED = ", ".join(f"{name} = {_ENDED.value(name)}" for name in _ENDED.names[3:])
# COALESCE keeps PostgreSQL from reading all unfinished ones, which have an index of their own, for each of many outcomes.
UNFINISHED = "COALESCE(agentool_executions.finished_at, 0) = 0"
_FINISH = f"""
    UPDATE agentool_executions SET {_SET_ENDED}, retry_at = NULL
    FROM r
    WHERE agentool_executions.execution_id = r.execution_id AND agentool_executions.owner = r.owner
    AND agentool_executions.attempt = r.attempt AND {UNFINISHED} AND r.seen IN ('', agentool_executions.status)
    RETURNING agentool_executions.execution_id, agentool_executions.job_id, {HAS_DOWNSTREAM},
        (SELECT j.sequence FROM agentool_jobs j WHERE j.job_id = agentool_executions.job_id)
"""  # noqa: S608  a query of ours
_COST = "UPDATE agentool_executions SET cost = r.cost FROM r WHERE agentool_executions.execution_id = r.execution_id"
_POSTPONE = f"""
    UPDATE agentool_executions SET status = :status, reason = :reason, attempt = :attempt, started_at = NULL,
        retry_at = :retry_at, attempts = :attempts, owner = :new_owner
    WHERE execution_id = :execution_id AND owner = :owner AND attempt = :attempt - 1 AND {UNFINISHED}
"""  # noqa: S608  a condition of ours
_CLAIM = f"""
    UPDATE agentool_executions SET owner = r.new_owner FROM r
    WHERE execution_id = r.id AND owner <> r.new_owner AND finished_at IS NULL AND status IN ('queued', 'retrying')
    RETURNING {EXECUTION.selected}
"""  # noqa: S608  column names of ours
_OWNER = EXECUTION.names.index("owner")
_TAKE = """
    UPDATE agentool_executions SET status = :status, reason = :reason, attempt = :attempt, started_at = :started_at,
        finished_at = :finished_at, attempts = :attempts, delivery = :delivery, owner = :owner
    WHERE execution_id = :execution_id AND owner = :before_owner AND status = :before_status AND attempt = :before_attempt
"""
_LOSE = f"""
    UPDATE agentool_executions SET status = 'lost', reason = :reason, finished_at = :finished_at
    WHERE execution_id = :execution_id AND {UNFINISHED}
"""  # noqa: S608  a condition of ours
_RELEASE = "UPDATE agentool_executions SET owner = '' WHERE owner = :owner AND finished_at IS NULL AND status IN ('queued', 'retrying')"
_REQUEST_CANCEL = f"""
    UPDATE agentool_executions SET cancel_requested = 1, cancel_reason = :reason WHERE execution_id = :id AND {UNFINISHED}
"""  # noqa: S608  a condition of ours
_CANCEL_REQUESTS = """
    SELECT execution_id, cancel_reason FROM agentool_executions
    WHERE owner = :owner AND cancel_requested = 1 AND finished_at IS NULL ORDER BY execution_id
"""


@writes
def insert(tx: Transaction, executions: Sequence[Execution], messages: Sequence[Message] = (), note: AuditEntry | None = None) -> list[str]:
    """See `JobStore.insert`."""
    new = {execution.execution_id: execution for execution in executions if _insert(tx, execution)}
    put_out(tx.session, [(new[message.execution_id], message, tx.deliverer) for message in messages if message.execution_id in new])
    add_note(tx.session, note if new else None)
    return list(new)


@writes
def claim_executions(tx: Transaction, execution_ids: Sequence[str], now: datetime) -> list[Claimed]:
    """See `JobStore.claim_executions`."""
    wanted = sorted(set(execution_ids))
    rows = tx.session.from_rows(_CLAIM, {"id": "TEXT", "new_owner": "TEXT"}, [(id_, tx.owner) for id_ in wanted])
    executions = [execution_of(row) for row in rows]
    jobs = {job_id: _readable_job(tx, job_id) for job_id in {execution.job_id for execution in executions}}
    claimed = [Claimed(jobs[execution.job_id], execution) for execution in executions]
    if len(claimed) == len(wanted):
        return claimed
    others = set(wanted) - {execution.execution_id for execution in executions}
    return [*claimed, *_take_all(tx, _of_the_ended(tx, others), now)]


@writes
def begin(tx: Transaction, executions: Sequence[Execution]) -> list[bool]:
    """See `JobStore.begin`."""
    rows = [_STARTED.row(execution) for execution in _once(executions)]
    begun = {row[0] for row in tx.session.from_rows(_BEGIN, _STARTED.types, rows)}
    return _answers(executions, begun)


@writes
def finish(tx: Transaction, endings: Sequence[Ending]) -> list[Finished]:
    """See `JobStore.finish`."""
    return _finish(tx, endings)


@writes
def retry(tx: Transaction, execution: Execution, ending: Ending | None = None) -> Retried:
    """See `JobStore.retry`."""
    lock = " FOR SHARE" if tx.session.dialect == "postgres" else ""
    sql = "SELECT created_at FROM agentool_jobs WHERE job_id = :id AND state <> 'removed'" + lock  # noqa: S608  a constant of ours
    row = tx.session.row(sql, {"id": execution.job_id})
    if job_is_gone(execution, time_or_first(row[0]) if row else None):
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
def take_over(tx: Transaction, now: datetime, held: Callable[[str], bool]) -> list[Claimed]:
    """See `JobStore.take_over`."""
    leads = tx.ownership.leads(tx.session)
    if leads:
        fold_counts(tx.session)  # here, because the leader comes here every few seconds
    alive = tx.ownership.alive(tx.session) if leads else None
    return _take_all(tx, _abandoned(tx, held, alive), now)


@writes
def request_cancel(tx: Transaction, execution_id: str, reason: str = "") -> bool:
    """See `JobStore.request_cancel`."""
    return tx.session.run(_REQUEST_CANCEL, {"id": execution_id, "reason": reason}) == 1


@reads
def cancel_requests(tx: Transaction) -> list[PendingCancel]:
    """See `JobStore.cancel_requests`."""
    return [PendingCancel(*row) for row in tx.session.rows(_CANCEL_REQUESTS, {"owner": tx.owner})]


@writes
def acknowledge_cancel(tx: Transaction, execution_id: str) -> None:
    """See `JobStore.acknowledge_cancel`."""
    tx.session.run("UPDATE agentool_executions SET cancel_requested = 2 WHERE execution_id = :id", {"id": execution_id})


def last_place(session: Session, job_id: str) -> int | None:
    """Return the place of the newest execution of a job, or of what is called so; None: there is none."""
    row = session.row(_LAST_PLACE, {"job_id": job_id})
    return row[0] if row else None


def _finish(tx: Transaction, endings: Sequence[Ending]) -> list[Finished]:
    first: dict[str, Ending] = {ending.execution.execution_id: ending for ending in reversed(endings)}
    ended = {id_: _noted(ending.execution, ending.message) for id_, ending in first.items()}
    rows = [(*_ENDED.row(execution), first[id_].seen or "") for id_, execution in ended.items()]
    written = tx.session.from_rows(_FINISH, _ENDED_TYPES, rows)
    done: dict[str, bool] = {id_: has_downstream for id_, _, has_downstream, _ in written}
    _note_costs(tx.session, [ended[id_] for id_ in done if ended[id_].agentool_name == AGENT])
    put_out(tx.session, [(ended[id_], message, tx.deliverer) for id_ in done if (message := first[id_].message)])
    prune(tx, [(job_id, id_) for id_, job_id, _, sequence in written if sequence is None or sequence > tx.history_length])
    make_room(tx, [(id_, result) for id_, *_, result, _, _, _ in rows if result and id_ in done])
    pause_failing(tx, {ended[id_].job_id for id_ in done if ended[id_].status in FAILURES})
    upstream = [ended[id_] for id_, has_downstream in done.items() if has_downstream]
    after = start_downstream(tx, upstream, tx.deliverer) if upstream else {}
    answers = _answers([ending.execution for ending in endings], set(done))
    return [
        _answer(after.get(ending.execution.execution_id), tx.deliverer) if is_written else NOT_FINISHED
        for ending, is_written in zip(endings, answers, strict=True)
    ]


def _note_costs(session: Session, ended: Sequence[Execution]) -> None:
    """Keep what executions of agents have cost where an index holds it; all others have no cost."""
    costs = [(execution.execution_id, cost) for execution in ended if (cost := cost_of(execution)) is not None]
    session.from_rows(_COST, {"execution_id": "TEXT", "cost": "DOUBLE PRECISION"}, costs)


def _answer(found: Sequence[Claimed] | None, deliverer: str) -> Finished:
    return Finished(True, found) if found and deliverer else FINISHED


def _once(executions: Sequence[Execution]) -> list[Execution]:
    """Return the first of those with the same id: only one of them can come true."""
    first: dict[str, Execution] = {}
    for execution in executions:
        first.setdefault(execution.execution_id, execution)
    return list(first.values())


def _answers(executions: Sequence[Execution], done: set[str]) -> list[bool]:
    """Answer the first of those with the same id."""
    answers: list[bool] = []
    for execution in executions:
        answers.append(execution.execution_id in done)
        done.discard(execution.execution_id)
    return answers


def _postpone(session: Session, execution: Execution, owner: str, new_owner: str) -> bool:
    """Let an execution of `owner` wait: for its retry, or for a new owner."""
    return session.run(_POSTPONE, {**EXECUTION.parameters(execution), "owner": owner, "new_owner": new_owner}) == 1


def _abandoned(tx: Transaction, held: Callable[[str], bool], alive: set[str] | None) -> list[Row]:
    """Return unfinished executions that nobody works on: of `owner` and, if it is known who is `alive`, of who is not."""
    whose = "SELECT execution_id, owner FROM agentool_executions WHERE finished_at IS NULL"
    if alive is None:
        rows = tx.session.rows(whose + " AND owner = :owner", {"owner": tx.owner})
    else:
        rows = [row for row in tx.session.rows(whose) if row[1] == tx.owner or row[1] not in alive]
    one = f"SELECT {EXECUTION.selected} FROM agentool_executions WHERE execution_id = :id"  # noqa: S608  column names of ours
    found = [tx.session.row(one, {"id": execution_id}) for execution_id, of in rows if of != tx.owner or not held(execution_id)]
    return [row for row in found if row is not None]


def _of_the_ended(tx: Transaction, execution_ids: Iterable[str]) -> list[Row]:
    """Return those of these executions whose process can be seen to have ended."""
    one = f"SELECT {EXECUTION.selected} FROM agentool_executions WHERE execution_id = :id AND finished_at IS NULL"  # noqa: S608
    alive = tx.ownership.alive(tx.session)
    found = [tx.session.row(one, {"id": execution_id}) for execution_id in execution_ids]
    return [row for row in found if row is not None and row[_OWNER] not in alive]


def _take_all(tx: Transaction, rows: Sequence[Row], now: datetime) -> list[Claimed]:
    taken = [claimed for row in rows if (claimed := _take(tx, row, now)) is not None]
    lost = [execution for _, execution in taken if execution.finished]
    pause_failing(tx, {execution.job_id for execution in lost})
    after = start_downstream(tx, lost, tx.deliverer)
    return [*taken, *chain.from_iterable(after.values())] if tx.deliverer else taken


def _take(tx: Transaction, row: Row, now: datetime) -> Claimed | None:
    """Take over an execution that was left behind. Return nothing if it is not as it was any more."""
    try:
        execution = execution_of(row)
    except Exception as error:
        return _lose(tx, row, error, now)
    job = _readable_job(tx, execution.job_id)
    after = recover(execution, job, tx.owner, now)
    message = outcome_message(job.work, after) if job is not None and after.status is ExecutionStatus.LOST else None
    after = _noted(after, message)
    before = {"before_owner": execution.owner, "before_status": execution.status.value, "before_attempt": execution.attempt}
    if tx.session.run(_TAKE, {**EXECUTION.parameters(after), **before}) != 1:
        return None
    if message is not None:
        put_out(tx.session, [(after, message, tx.deliverer)])
    return Claimed(job, after)


def _lose(tx: Transaction, row: Row, error: Exception, now: datetime) -> Claimed:
    """Write an execution whose record was damaged as lost: nobody can go on with it."""
    lost = damaged_execution(row, error)._replace(finished_at=now)
    tx.session.run(_LOSE, {"execution_id": lost.execution_id, "reason": lost.reason, "finished_at": micros(now)})
    return Claimed(None, lost)


def _readable_job(tx: Transaction, job_id: str) -> Job | None:
    columns = "SELECT job_id, revision, definition FROM agentool_jobs WHERE job_id = :id AND state <> 'removed'"
    row = tx.session.row(columns, {"id": job_id})
    try:
        return tx.definitions.read(*row) if row else None
    except Exception:
        return None


def _noted(execution: Execution, message: Message | None) -> Execution:
    return execution if message is None else execution._replace(delivery=DeliveryStatus.PENDING)


def _insert(tx: Transaction, execution: Execution) -> bool:
    session, job = tx.session, {"job_id": execution.job_id}
    lock = " FOR UPDATE" if session.dialect == "postgres" else ""
    row = session.row("SELECT sequence FROM agentool_jobs WHERE job_id = :job_id" + lock, job)  # noqa: S608  a constant of ours
    last = row[0] if row else last_place(session, execution.job_id)
    sequence = FIRST_HOMELESS_PLACE if last is None else last + 1
    if session.run(_INSERT, {**EXECUTION.parameters(execution), "sequence": sequence}) == 0:
        return False
    session.run(_COUNT, {**job, "sequence": sequence})
    if execution.finished and execution.result is not None:
        make_room(tx, [(execution.execution_id, EXECUTION.parameters(execution)["result"])])
    if execution.finished and not 0 < sequence <= tx.history_length:
        prune(tx, [(execution.job_id, "")])
    return True
