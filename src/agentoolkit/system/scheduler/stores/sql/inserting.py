"""Inserts executions that are not claimed from a schedule. Concurrent calls share a statement; each record gets its job's next place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from agentoolkit.database.session import Row, Session
from agentoolkit.system.scheduler.execution_records import Execution
from agentoolkit.system.scheduler.ports import AuditEntry, Message
from agentoolkit.system.scheduler.stores.sql.audit import add_notes
from agentoolkit.system.scheduler.stores.sql.claims import prune
from agentoolkit.system.scheduler.stores.sql.execution_changes import make_room
from agentoolkit.system.scheduler.stores.sql.outgoing import put_out
from agentoolkit.system.scheduler.stores.sql.records import EXECUTION
from agentoolkit.system.scheduler.stores.sql.transactions import Transaction, Transactions

_INSERT = f"""
    INSERT INTO agentool_executions ({EXECUTION.selected}, sequence)
    SELECT {", ".join(map(EXECUTION.value, EXECUTION.names))}, r.sequence
    FROM r WHERE TRUE ON CONFLICT (execution_id) DO NOTHING RETURNING execution_id
"""  # noqa: S608  column names of ours
_INSERTED = {**EXECUTION.types, "sequence": "BIGINT"}
_KNOWN = "SELECT e.execution_id FROM r JOIN agentool_executions e ON e.execution_id = r.execution_id"
_PLACES = "SELECT j.job_id, j.sequence FROM r JOIN agentool_jobs j ON j.job_id = r.job_id ORDER BY j.job_id"
_COUNT = "UPDATE agentool_jobs SET sequence = r.sequence FROM r WHERE agentool_jobs.job_id = r.job_id"
_JOB_ID = {"job_id": "TEXT"}
# Two queries, because each uses its own index.
LAST_PLACES = """
    (SELECT MAX(e.sequence) FROM agentool_executions e WHERE e.job_id = r.job_id AND e.finished_at IS NOT NULL),
    (SELECT MAX(e.sequence) FROM agentool_executions e WHERE e.job_id = r.job_id AND e.finished_at IS NULL)
"""
"""The places of a job's newest finished and newest unfinished execution."""
FIRST_HOMELESS_PLACE = -1_000_000_000_000
"""First place of executions without a job, so that all their places are below zero."""


class _Insertion(NamedTuple):
    """The arguments of one call of `insert`."""

    executions: Sequence[Execution]
    messages: Sequence[Message]
    note: AuditEntry | None


async def insert(
    store: Transactions, executions: Sequence[Execution], messages: Sequence[Message] = (), note: AuditEntry | None = None
) -> Sequence[str]:
    """See `JobStore.insert`."""
    return await store.write_together(_insert, _Insertion(executions, messages, note))


def _last_places(session: Session, job_ids: Iterable[str]) -> dict[str, int]:
    """Return the place of the newest execution under each job id that has one."""
    sql = f"SELECT r.job_id, {LAST_PLACES} FROM r"  # noqa: S608  SQL of ours
    rows = session.from_rows(sql, _JOB_ID, [(job_id,) for job_id in job_ids])
    return {job_id: max(known) for job_id, *places in rows if (known := [place for place in places if place is not None])}


def _insert(tx: Transaction, wanted: Sequence[_Insertion]) -> list[list[str]]:
    """Write the new executions of all calls. Return for each call the ids of its own new ones."""
    first: dict[str, tuple[int, Execution]] = {}
    for number, one in enumerate(wanted):
        for execution in one.executions:
            first.setdefault(execution.execution_id, (number, execution))
    new = _insert_new(tx, [execution for _, execution in first.values()])
    mine: list[list[str]] = [[] for _ in wanted]
    for execution_id, (number, _) in first.items():
        if execution_id in new:
            mine[number].append(execution_id)
    messages = [message for one in wanted for message in one.messages if message.execution_id in new]
    put_out(tx.session, [(new[message.execution_id], message, tx.deliverer) for message in messages])
    add_notes(tx.session, [one.note for one, ids in zip(wanted, mine, strict=True) if ids])
    return mine


def _insert_new(tx: Transaction, executions: Sequence[Execution]) -> dict[str, Execution]:
    """Write the executions that do not exist yet, each in the next place of its job. Return them by id."""
    session = tx.session
    # The lock keeps other transactions from taking the same place in a job.
    job_ids = sorted({execution.job_id for execution in executions})
    lock = " FOR UPDATE OF j" if session.dialect == "postgres" else ""
    found: dict[str, int] = dict(session.from_rows(_PLACES + lock, _JOB_ID, [(job_id,) for job_id in job_ids]))
    last = {**found, **_last_places(session, [job_id for job_id in job_ids if job_id not in found])}
    known = {row[0] for row in session.from_rows(_KNOWN, {"execution_id": "TEXT"}, [(one.execution_id,) for one in executions])}
    rows: list[Row] = []
    for execution in executions:
        if execution.execution_id not in known:
            last[execution.job_id] = last.get(execution.job_id, FIRST_HOMELESS_PLACE - 1) + 1
            rows.append((*EXECUTION.row(execution), last[execution.job_id]))
    written = {row[0] for row in session.from_rows(_INSERT, _INSERTED, rows)}
    new = {execution.execution_id: execution for execution in executions if execution.execution_id in written}
    places = {execution.job_id: last[execution.job_id] for execution in new.values()}
    session.from_rows(_COUNT, {**_JOB_ID, "sequence": "BIGINT"}, list(places.items()))
    ended = {execution.execution_id: execution for execution in new.values() if execution.finished}
    make_room(tx, [(id_, EXECUTION.parameters(one)["result"]) for id_, one in ended.items() if one.result is not None])
    prune(tx, [(job_id, "") for job_id in {one.job_id for one in ended.values()} if not 0 < places[job_id] <= tx.history_length])
    return new
