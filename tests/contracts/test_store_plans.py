"""The plan of every statement of the store: none reads a table that grows, whatever the statistics of a full store say."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

import pytest
from psycopg.sql import Literal

from agentoolkit.database import rows_as_table
from agentoolkit.database.session import Session
from agentoolkit.system.scheduler.execution_records import ExecutionStatus
from agentoolkit.system.scheduler.jobs import JobState, JobStatus
from agentoolkit.system.scheduler.ports import Ending, Message, Position
from agentoolkit.system.scheduler.search import Subject, read_search
from agentoolkit.system.scheduler.stores.sql import SqlJobStore, few_jobs, keyset_pages, searching

from .job_store_steps import START, at, begin, claim, make, none_held, succeed
from .owners import sql

JOBS, EXECUTIONS = 3_000, 20_000
GROWING = ("agentool_jobs", "agentool_executions", "agentool_job_labels")
TOUCHED = 2_500
"""Rows that one statement may touch: fewer than there are jobs."""
STEPS = 12
"""Steps of SQLite's machine for each of them."""
INHERENT = (
    "SELECT job_id, state, next_run_at, paused_until, revision FROM agentool_jobs WHERE state",  # all that is due, at the lead
    "SELECT execution_id, owner, scheduled_at FROM agentool_executions WHERE finished_at IS NULL",  # all that is unfinished, at a take-over
)
"""Statements that are about all of a table, or all of an index, and are run seldom."""


_BOTH = ("", "job:job0", "job:j*", "tag:a,b", "tag:a*", "-owner:me", "owner:me tool:probe", "since:24h until:1h", "error:x", "word")
QUERIES: Mapping[Subject, Sequence[str]] = {
    "jobs": (*_BOTH, *(f"status:{status}" for status in ("scheduled", "paused,done", "failed", "cancelled", "failed,done"))),
    "executions": (
        *_BOTH,
        *(f"status:{status} -error:x" for status in ("failed", "success", "queued", "failed,lost", "success,failed,running")),
        *("trigger:requested", "trigger:schedule", "took:>5m", "took:<1s", "cost:>0.10", "-cost:>1 -took:>5s", "tag:a status:failed"),
    ),
}
"""Searches by every term, alone and together."""


class Watch(Protocol):
    """Looks at each statement in the place where it is run."""

    def explain(self, session: Session, statement: str, parameters: Any) -> None: ...


class Plans:
    """Tells statements whose plan reads a whole table."""

    def __init__(self, growing: tuple[str, ...] = GROWING) -> None:
        self.growing = growing
        self.bad: list[str] = []
        self.statements: set[str] = set()

    def explain(self, session: Session, statement: str, parameters: Any) -> None:
        if not _is_watched(statement):
            return
        self.statements.add(re.sub(r"\s+", " ", statement)[:90])
        prefix = "EXPLAIN QUERY PLAN " if session.dialect == "sqlite" else "EXPLAIN "
        session._cursor.execute(prefix + statement, parameters)
        for row in session._cursor.fetchall():
            line = str(row[-1])
            scans = re.search(r"^SCAN (agentool_\w+|\w)$|Seq Scan on (agentool_\w+)", line.strip())
            if scans and any(table in statement for table in self.growing) and (scans[2] in self.growing or scans[1] in self.growing):
                self.bad.append(f"{line.strip()}: {' '.join(statement.split())[:160]}")


class Touched:
    """Tells statements that touch many rows, when they are run as PostgreSQL and SQLite then run them."""

    def __init__(self) -> None:
        self.bad: list[str] = []

    def explain(self, session: Session, statement: str, parameters: Any) -> None:
        if not _is_watched(statement):
            return
        count, alone = (_steps if session.dialect == "sqlite" else _rows), _commits_itself(session)
        session._cursor.execute("BEGIN" if alone else "SAVEPOINT touched")
        number = count(session._cursor, statement, parameters)
        session._cursor.execute("ROLLBACK" if alone else "ROLLBACK TO SAVEPOINT touched")
        if number > TOUCHED:
            self.bad.append(f"{number:,}: {' '.join(statement.split())[:160]}")


def _is_watched(statement: str) -> bool:
    if not re.match(r"\s*(WITH|SELECT|UPDATE|DELETE|INSERT)", statement) or "agentool_" not in statement:
        return False
    return not any(statement.strip().startswith(known) for known in INHERENT)


def _commits_itself(session: Session) -> bool:
    """Is a statement here a transaction by itself? See `LockOrder.EXECUTIONS`."""
    return session.dialect == "postgres" and session._cursor.connection.info.transaction_status.name == "IDLE"


def _rows(cursor: Any, statement: str, parameters: Any) -> int:
    """Count the rows that PostgreSQL reads from tables and indexes, by the plan that it makes of a prepared statement here."""
    names = list(dict.fromkeys(re.findall(r"%\((\w+)\)[sb]", statement)))
    numbered = re.sub(r"%\((\w+)\)[sb]", lambda found: f"${names.index(found[1]) + 1}", statement).replace("%%", "%")
    values = ", ".join(Literal(parameters[name]).as_string(cursor) for name in names)
    cursor.execute("PREPARE touched AS " + numbered)
    cursor.execute("EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) EXECUTE touched" + (f" ({values})" if names else ""))
    found = sum(_rows_of(root["Plan"]) for root in cursor.fetchone()[0])
    cursor.execute("DEALLOCATE touched")
    return found


def _rows_of(node: Mapping[str, Any]) -> int:
    own = (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"] if "Relation Name" in node else 0
    return int(own) + sum(map(_rows_of, node.get("Plans", ())))


def _steps(cursor: Any, statement: str, parameters: Any) -> int:
    """Count the steps that SQLite takes, as rows."""
    hundreds = itertools.count()
    cursor.connection.set_progress_handler(lambda: next(hundreds) < 0, 100)
    cursor.execute(statement, parameters)
    cursor.fetchall()
    cursor.connection.set_progress_handler(None, 0)
    return next(hundreds) * 100 // STEPS


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> Plans:
    """Watch the statements of all sessions; nothing is explained before `plans.watch`."""
    return Plans()


def watch(plans: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("rows", "row", "run"):
        monkeypatch.setattr(Session, name, _explaining(plans, getattr(Session, name)))
    from_rows = Session.from_rows

    def explained(session: Session, statement: str, columns: Mapping[str, str], rows: Sequence[Sequence[Any]]) -> list[Any]:
        for table, parameters in session._dialect.with_rows(columns, rows):
            plans.explain(session, table + statement, parameters)
        return from_rows(session, statement, columns, rows)

    monkeypatch.setattr(Session, "from_rows", explained)


def _explaining(plans: Watch, original: Any) -> Any:
    def explained(session: Session, statement: str, parameters: Any = None) -> Any:
        plans.explain(session, session._sql(statement), parameters or {})
        return original(session, statement, parameters)

    return explained


@pytest.fixture
def known() -> str:
    """What the statistics of the database know.

    ``all``; ``nothing``, as SQLite always and PostgreSQL right after an import; or ``rest``: all but thousands that have begun to wait
    since, as in every burst.
    """
    return "all"


@pytest.fixture
async def full(first: SqlJobStore, known: str) -> SqlJobStore:
    """A store with thousands of jobs and executions, and statistics."""
    jobs = [make(f"job{number}", result_queue="results") for number in range(3)]
    for job in jobs:
        await first.add(job, JobState(next_run_at=at(1)))
    await sql(first, _copies("agentool_jobs", "job_id", "job_name", "WHERE o.job_id = 'job0'", JOBS))
    await sql(first, "DELETE FROM agentool_job_labels")
    for kind, value in {"owned": "'maria'", "owner": "'maria'", "tool": "'probe'", "job": "job_id", "tag": "substr(job_id, 1, 6)"}.items():
        await sql(first, f"INSERT INTO agentool_job_labels (job_id, kind, value) SELECT job_id, '{kind}', {value} FROM agentool_jobs")
    await claim(first, 1, "job0")
    await sql(first, "UPDATE agentool_executions SET status = 'success', finished_at = scheduled_at")
    await sql(first, _copies("agentool_executions", "execution_id", "job_id", "", EXECUTIONS))
    await sql(first, "UPDATE agentool_executions SET status = 'failed' WHERE execution_id LIKE '%99'")
    if known != "nothing":
        await sql(first, "ANALYZE")
    if known == "rest":
        await sql(first, _copies("agentool_executions", "execution_id", "job_id", "WHERE o.execution_id LIKE '%-1'", EXECUTIONS))
        await sql(first, "UPDATE agentool_executions SET status = 'queued', finished_at = NULL WHERE execution_id LIKE '%-1-%'")
    await first.changes()
    return first


def _copies(table: str, first: str, second: str, where: str, number: int) -> str:
    """Return SQL that copies the one row there is so often, with further ids. SQLite takes a CROSS JOIN in the order it is written."""
    columns = {
        "agentool_jobs": "definition, state, live, next_run_at, runs, version, reason, sequence, revision, created_at",
        "agentool_executions": (
            "sequence, agentool_name, scheduled_at, cause, status, reason, due_count, attempt, owner, finished_at, delivery"
        ),
    }[table]
    others = ", ".join(f"o.{name}" for name in columns.split(", "))
    return f"""
        WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {number})
        INSERT INTO {table} ({first}, {second}, {columns})
        SELECT o.{first} || '-' || n.n, o.{second} || '-' || n.n, {others} FROM {table} o CROSS JOIN n {where}
    """


async def use(store: SqlJobStore) -> None:
    """Call every method of a store that has a statement of its own."""
    for execution in await claim(store, 1, "job1", "job2"):
        started = await begin(store, execution)
        await store.finish([Ending(succeed(started), Message(started.execution_id, "results", {}))])
    (waiting,) = await claim(store, 2, "job1")
    running = await begin(store, waiting)
    await store.retry(running._replace(status=ExecutionStatus.RETRYING, attempt=2, retry_at=at(3)))
    await store.request_cancel(running.execution_id, "no")
    await store.cancel_requests()
    await store.acknowledge_cancel(running.execution_id)
    await store.take_over(at(3), none_held)
    await store.release(running)
    await _look(store)
    await store.outbox(10)
    await store.messages(10)
    await store.delivered(["job1@2030-01-01T00:01:00+00:00"])
    job2 = await store.find("job2")
    assert job2 is not None
    await store.replace(job2.job, job2.state, job2.state)
    job2 = await store.find("job2")
    assert job2 is not None
    await store.exchange(job2, make("job4"), JobState(next_run_at=at(9)), at(4))
    await store.remove("job4", at(5))
    await store.insert([succeed(running)._replace(execution_id="label@now-1", job_id="label", trigger="run_now")])
    await store.release_all()


async def use_as_worker(store: SqlJobStore, worker: SqlJobStore) -> None:
    """Let a worker claim what the store has claimed, one execution and several."""
    names = ("work0", "work1", "work2")
    for name in names:
        await store.add(make(name), JobState(next_run_at=at(1)))
    assert await store.lead(START)
    waiting = [each.execution_id for each in await claim(store, 1, *names)]
    await store.note_waiting(dict.fromkeys(waiting, "no worker takes it"))
    (one,) = await worker.claim_executions(waiting[:1], at(9))
    more = await worker.claim_executions(waiting[1:], at(9))
    await worker.begin([each.execution.begun(at(9)) for each in more])
    await worker.finish([Ending(succeed(each.execution)) for each in (one, *more)])
    await store.queue_retries(waiting)


async def _look(store: SqlJobStore) -> None:
    for name in ("job0", "job0-77", "nobody"):
        await store.find(name)
        await store.find_cancelled(name)
        await store.find_similar(name, 5)
    for status in (None, *JobStatus):
        await store.list_jobs(status, 10)
        await store.list_jobs(status, 10, Position(START, "job1"))
    await store.count_jobs()
    await store.due_next(10)
    await store.due_next(10, "maria")
    await store.downstream("job0")
    await store.changes()
    await store.execution("job0@x")
    for job_id in (None, "job0"):
        for status in (None, *ExecutionStatus):
            for before in (None, Position(at(1), "job0")):
                await store.executions(job_id, 10, status, before)
    await store.damaged(10)
    for subject, texts in QUERIES.items():
        for text in texts:
            found = read_search(text, subject, me="maria", now=at(10))
            search = store.search_jobs if subject == "jobs" else store.search_executions
            await search(found, 10)
            await search(replace(found, owner="maria"), 10, Position(at(1), "job0"))


async def test_no_statement_reads_a_table_that_grows(full: SqlJobStore, plans: Plans, monkeypatch: pytest.MonkeyPatch):
    """On both databases every statement finds its rows by an index, with the statistics of a full store."""
    watch(plans, monkeypatch)
    await use(full)
    assert plans.bad == []
    assert len(plans.statements) > 30


@pytest.mark.parametrize("known", ["all", "nothing"])
async def test_no_statement_touches_what_it_does_not_answer(full: SqlJobStore, monkeypatch: pytest.MonkeyPatch):
    """What a statement reads is in keeping with its answer or with `WINDOW` and `SOON`, whatever the statistics know."""
    monkeypatch.setattr(keyset_pages, "WINDOW", 200)
    monkeypatch.setattr(searching, "SOON", 200)
    monkeypatch.setattr(rows_as_table, "MANY", 2)  # the statements of long portions; the others are explained above
    touched = Touched()
    watch(touched, monkeypatch)
    await use(full)
    assert touched.bad == []


@pytest.mark.parametrize("subject", ["jobs", "executions"])
@pytest.mark.parametrize("most", [0, 5_000])
async def test_a_page_of_an_owner_is_sorted_a_few_times(full: SqlJobStore, monkeypatch: pytest.MonkeyPatch, subject: Subject, most: int):
    """Where no text fits, however small the page is: what has no order is sorted anew with each statement."""
    monkeypatch.setattr(few_jobs, "FEW_JOBS", {"jobs": most, "executions": most})
    monkeypatch.setattr(keyset_pages, "WINDOW", 400)
    statements = list[str]()
    rows = Session.rows

    def counting(session: Session, statement: str, parameters: Any = None) -> Any:
        statements.append(statement)
        return rows(session, statement, parameters)

    monkeypatch.setattr(Session, "rows", counting)
    search = full.search_jobs if subject == "jobs" else full.search_executions
    found = await search(replace(read_search("é", subject, me="maria", now=at(10)), owner="maria"), 1)
    assert (len(found[0]), found.following is None) == (0, False)
    assert len([statement for statement in statements if "ORDER BY" in statement]) <= 10


@pytest.mark.parametrize("known", ["all", "nothing", "rest"])
async def test_an_execution_costs_the_same_however_many_wait(full: SqlJobStore, second: SqlJobStore, monkeypatch: pytest.MonkeyPatch):
    """Among thousands that wait, of which the statistics know or do not, a claim, a beginning and an end read what they change."""
    touched = Touched()
    watch(touched, monkeypatch)
    await use_as_worker(full, second)
    assert touched.bad == []


async def test_a_statement_that_touches_many_rows_is_noticed(full: SqlJobStore, monkeypatch: pytest.MonkeyPatch):
    """A page that an index answers, but not in its order, is seen though its plan names no table that is read whole."""
    touched = Touched()
    watch(touched, monkeypatch)
    page = "SELECT execution_id FROM agentool_executions ORDER BY scheduled_at + 0, execution_id LIMIT 10"
    await full._database.read(lambda session: session.rows(page))
    assert len(touched.bad) == 1


async def test_a_statement_that_reads_a_table_is_noticed(full: SqlJobStore, plans: Plans, monkeypatch: pytest.MonkeyPatch):
    """What these tests look for is seen where it happens: a question that no index answers."""
    watch(plans, monkeypatch)
    await full._database.read(lambda session: session.rows("SELECT job_id FROM agentool_executions WHERE reason = 'x'"))
    assert len(plans.bad) == 1
