"""The statements on executions and their messages: each a function of the session it runs in."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import chain

from agentoolkit.database.database import Session
from agentoolkit.database.session import Row
from agentoolkit.database.times import micros
from agentoolkit.system.scheduler.decisions.outcomes import outcome_message
from agentoolkit.system.scheduler.decisions.recovery import recover
from agentoolkit.system.scheduler.jobs import HISTORY_LENGTH, Delivery, Execution, ExecutionStatus, Job
from agentoolkit.system.scheduler.ports import FINISHED, NOT_FINISHED, Claimed, Ending, Finished, Message
from agentoolkit.system.scheduler.stores.sql.claims import EACH, Definitions, prune
from agentoolkit.system.scheduler.stores.sql.downstream import HAS_DOWNSTREAM, start_downstream
from agentoolkit.system.scheduler.stores.sql.records import (
    EXECUTION,
    EXECUTION_TYPES,
    ended_row,
    execution_of,
    execution_parameters,
    message_of,
)

_INSERT = f"""
    INSERT INTO agentool_executions ({EXECUTION}, sequence) VALUES ({", ".join(f":{name}" for name in EXECUTION_TYPES)}, :sequence)
    ON CONFLICT (execution_id) DO NOTHING
"""  # noqa: S608  column names of ours
_COUNT = "UPDATE agentool_jobs SET sequence = :sequence WHERE job_id = :job_id"
_STARTED = {"execution_id": "TEXT", "owner": "TEXT", "attempt": "BIGINT", "started_at": "BIGINT"}
_BEGIN = """
    UPDATE agentool_executions SET status = 'running', started_at = r.started_at, retry_at = NULL FROM r
    WHERE agentool_executions.execution_id = r.execution_id AND agentool_executions.owner = r.owner
    AND agentool_executions.attempt = r.attempt AND agentool_executions.status IN ('queued', 'retrying')
    RETURNING agentool_executions.execution_id
"""
_ENDED = {
    "execution_id": "TEXT",
    "owner": "TEXT",
    "attempt": "BIGINT",
    "status": "TEXT",
    "reason": "TEXT",
    "finished_at": "BIGINT",
    "duration": "DOUBLE PRECISION",
    "result": "TEXT",
    "error": "TEXT",
    "delivery": "TEXT",
}
# Only a row that is older than the newest hundred of its job has to go when it is finished: who adds rows prunes the others.
_FINISH = f"""
    UPDATE agentool_executions SET status = r.status, reason = r.reason, finished_at = r.finished_at, duration = NULLIF(r.duration, -1),
        result = NULLIF(r.result, ''), error = NULLIF(r.error, ''), delivery = r.delivery, retry_at = NULL
    FROM r
    WHERE agentool_executions.execution_id = r.execution_id AND agentool_executions.owner = r.owner
    AND agentool_executions.attempt = r.attempt AND agentool_executions.finished_at IS NULL
    RETURNING agentool_executions.execution_id, agentool_executions.job_id, {HAS_DOWNSTREAM},
        (SELECT j.sequence FROM agentool_jobs j WHERE j.job_id = agentool_executions.job_id) - agentool_executions.sequence
"""  # noqa: S608  a query of ours
_MESSAGE = {"execution_id": "TEXT", "queue_name": "TEXT", "payload": "TEXT", "created_at": "BIGINT", "owner": "TEXT"}
_PUT_OUT = """
    INSERT INTO agentool_outbox (execution_id, queue_name, payload, attempts, created_at, owner)
    SELECT r.execution_id, r.queue_name, r.payload, 0, r.created_at, r.owner FROM r WHERE TRUE
    ON CONFLICT (execution_id) DO NOTHING
"""
_POSTPONE = """
    UPDATE agentool_executions SET status = :status, reason = :reason, attempt = :attempt, started_at = NULL,
        retry_at = :retry_at, attempts = :attempts, owner = :new_owner
    WHERE execution_id = :execution_id AND owner = :owner AND attempt = :attempt - 1 AND finished_at IS NULL
"""
_TAKE = """
    UPDATE agentool_executions SET status = :status, reason = :reason, attempt = :attempt, started_at = :started_at,
        finished_at = :finished_at, attempts = :attempts, delivery = :delivery, owner = :owner
    WHERE execution_id = :execution_id AND owner = :before_owner AND status = :before_status AND attempt = :before_attempt
"""
_RELEASE = "UPDATE agentool_executions SET owner = '' WHERE owner = :owner AND status IN ('queued', 'retrying')"


def insert(session: Session, executions: Sequence[Execution], messages: Sequence[Message], deliverer: str) -> list[str]:
    """See `JobStore.insert`."""
    new = {execution.execution_id: execution for execution in executions if _insert(session, execution)}
    put_out(session, [(new[message.execution_id], message, deliverer) for message in messages if message.execution_id in new])
    return list(new)


def begin(session: Session, executions: Sequence[Execution]) -> list[bool]:
    """See `JobStore.begin`, for many."""
    rows = [(e.execution_id, e.owner, e.attempt, micros(e.started_at)) for e in _once(executions)]
    begun = {row[0] for row in session.from_rows(_BEGIN, _STARTED, rows)}
    return _told(executions, begun)


def finish(session: Session, endings: Sequence[Ending], definitions: Definitions, deliverer: str) -> list[Finished]:
    """See `JobStore.finish`, for many. `deliverer` is the owner who delivers messages and starts what follows; empty: whoever leads."""
    ended = {execution.execution_id: _noted(execution, message) for execution, message in reversed(endings)}
    rows = session.from_rows(_FINISH, _ENDED, [ended_row(execution) for execution in ended.values()])
    finished: dict[str, bool] = {id_: followed for id_, _, followed, _ in rows}
    messages = {message.execution_id: message for _, message in reversed(endings) if message and message.execution_id in finished}
    put_out(session, [(ended[id_], message, deliverer) for id_, message in messages.items()])
    prune(session, {job_id for _, job_id, _, newer in rows if (newer or 0) >= HISTORY_LENGTH})
    followed = [ended[id_] for id_, is_followed in finished.items() if is_followed]
    after = start_downstream(session, definitions, followed, deliverer) if followed else {}
    written = _told([execution for execution, _ in endings], set(finished))
    return [
        _answer(after.get(ending[0].execution_id), deliverer) if done else NOT_FINISHED
        for ending, done in zip(endings, written, strict=True)
    ]


def _answer(found: Sequence[Claimed] | None, deliverer: str) -> Finished:
    return Finished(True, found) if found and deliverer else FINISHED


def _once(executions: Sequence[Execution]) -> list[Execution]:
    """Return the first of those with the same id: only one of them can come true."""
    first: dict[str, Execution] = {}
    for execution in executions:
        first.setdefault(execution.execution_id, execution)
    return list(first.values())


def _told(executions: Sequence[Execution], done: set[str]) -> list[bool]:
    """Answer the first of those with the same id."""
    answers: list[bool] = []
    for execution in executions:
        answers.append(execution.execution_id in done)
        done.discard(execution.execution_id)
    return answers


def postpone(session: Session, execution: Execution, owner: str, new_owner: str) -> bool:
    """Let an execution of `owner` wait: for its retry, or for a new owner."""
    return session.run(_POSTPONE, {**execution_parameters(execution), "owner": owner, "new_owner": new_owner}) == 1


def put_out(session: Session, endings: Sequence[tuple[Execution, Message, str]]) -> None:
    """Put messages into the outbox."""
    rows = [
        (message.execution_id, message.queue_name, json.dumps(message.payload, separators=(",", ":")), micros(execution.finished_at), owner)
        for execution, message, owner in endings
    ]
    session.from_rows(_PUT_OUT, _MESSAGE, rows)


def outbox(session: Session, limit: int, owner: str, alive: set[str] | None) -> list[Message]:
    """Return the messages of `owner` and, if it is known who is `alive`, of who is not; the oldest first."""
    others = f"owner NOT IN ({EACH[session.dialect]})" if alive is not None else "FALSE"
    sql = f"""
        SELECT execution_id, queue_name, payload, attempts FROM agentool_outbox WHERE owner = :owner OR {others}
        ORDER BY created_at, execution_id LIMIT :limit
    """  # noqa: S608  a query of ours
    parameters = {"limit": limit, "owner": owner, **({} if alive is None else {"ids": json.dumps(list(alive))})}
    return [message_of(row) for row in session.rows(sql, parameters)]


def messages(session: Session, limit: int) -> list[Message]:
    """See `JobStore.messages`."""
    sql = "SELECT execution_id, queue_name, payload, attempts FROM agentool_outbox ORDER BY created_at, execution_id LIMIT :limit"
    return [message_of(row) for row in session.rows(sql, {"limit": limit})]


def note_delivery(session: Session, execution_id: str, delivery: Delivery) -> None:
    """Take a message out of the outbox and note what became of it."""
    session.run("DELETE FROM agentool_outbox WHERE execution_id = :execution_id", {"execution_id": execution_id})
    noted = {"delivery": delivery.value, "execution_id": execution_id}
    session.run("UPDATE agentool_executions SET delivery = :delivery WHERE execution_id = :execution_id", noted)


def newest(session: Session, job_id: str | None, limit: int, status: ExecutionStatus | None) -> list[Execution]:
    """See `JobStore.executions`."""
    wanted = {name: value for name, value in (("job_id", job_id), ("status", status and status.value)) if value is not None}
    where = " AND ".join(["TRUE", *(f"{name} = :{name}" for name in wanted)])
    order = "scheduled_at DESC, execution_id DESC"
    sql = f"SELECT {EXECUTION} FROM agentool_executions WHERE {where} ORDER BY {order} LIMIT :limit"  # noqa: S608  column names of ours
    return [execution_of(row) for row in session.rows(sql, {**wanted, "limit": limit})]


def one(session: Session, execution_id: str) -> Execution | None:
    """See `JobStore.execution`."""
    sql = f"SELECT {EXECUTION} FROM agentool_executions WHERE execution_id = :execution_id"  # noqa: S608  column names of ours
    row = session.row(sql, {"execution_id": execution_id})
    return execution_of(row) if row else None


def abandoned(session: Session, owner: str, held: Callable[[str], bool], alive: set[str] | None) -> list[Execution]:
    """Return unfinished executions that nobody works on: of `owner` and, if it is known who is `alive`, of who is not."""
    whose = "SELECT execution_id, owner FROM agentool_executions WHERE finished_at IS NULL"
    if alive is None:
        rows = session.rows(whose + " AND owner = :owner", {"owner": owner})
    else:
        rows = [row for row in session.rows(whose) if row[1] == owner or row[1] not in alive]
    found = [one(session, execution_id) for execution_id, of in rows if of != owner or not held(execution_id)]
    return [execution for execution in found if execution is not None]


def take_all(session: Session, left: Sequence[Execution], definitions: Definitions, owner: str, now: datetime) -> list[Claimed]:
    """Settle executions that were left behind, and write down what comes after those that are lost."""
    taken = [claimed for execution in left if (claimed := take(session, execution, definitions, owner, now)) is not None]
    lost = [execution for _, execution in taken if execution.finished]
    return [*taken, *chain.from_iterable(start_downstream(session, definitions, lost, owner).values())]


def take(session: Session, execution: Execution, definitions: Definitions, owner: str, now: datetime) -> Claimed | None:
    """Settle an execution that was left behind. Return nothing if it is not as it was any more."""
    columns = "SELECT job_id, revision, definition FROM agentool_jobs WHERE job_id = :id AND state <> 'removed'"
    row = session.row(columns, {"id": execution.job_id})
    job = _readable(definitions, row) if row else None
    after = recover(execution, job, owner, now)
    message = outcome_message(job.work, after) if job is not None and after.status is ExecutionStatus.LOST else None
    after = _noted(after, message)
    before = {"before_owner": execution.owner, "before_status": execution.status.value, "before_attempt": execution.attempt}
    if session.run(_TAKE, {**execution_parameters(after), **before}) != 1:
        return None
    if message is not None:
        put_out(session, [(after, message, owner)])
    return Claimed(job, after)


def release_all(session: Session, owner: str) -> None:
    """Let whoever leads next start what waits of `owner`."""
    session.run(_RELEASE, {"owner": owner})


def _readable(definitions: Definitions, row: Row) -> Job | None:
    try:
        return definitions.read(*row)
    except Exception:
        return None


def _noted(execution: Execution, message: Message | None) -> Execution:
    return execution if message is None else execution._replace(delivery=Delivery.PENDING)


def _insert(session: Session, execution: Execution) -> bool:
    job = {"job_id": execution.job_id}
    lock = " FOR UPDATE" if session.dialect == "postgres" else ""
    row = session.row("SELECT sequence FROM agentool_jobs WHERE job_id = :job_id" + lock, job)  # noqa: S608  a constant of ours
    sequence = row[0] + 1 if row else 0
    if session.run(_INSERT, {**execution_parameters(execution), "sequence": sequence}) == 0:
        return False
    session.run(_COUNT, {**job, "sequence": sequence})
    if sequence > HISTORY_LENGTH:
        prune(session, [execution.job_id])
    return True
