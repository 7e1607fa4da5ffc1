"""The database's migrations in order, and the function that runs them.

Times are microseconds since 1970 in UTC; values without a column of their own are JSON text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain

from agentoolkit.database.schema import queues, scheduler, search, tools
from agentoolkit.database.session import DatabaseError, Session

Step = str | Callable[[Session], None]
"""A statement, or a function that computes something from existing rows."""

MIGRATIONS: Sequence[Sequence[Step]] = (
    scheduler.JOBS,
    scheduler.OUTBOX_OWNERS,
    tools.VALUES,
    queues.QUEUES,
    scheduler.DOWNSTREAM,
    scheduler.HOMELESS,
    tools.KEYS_IN_ORDER,
    scheduler.PAGES,
    scheduler.COUNTS,
    tools.AGENTS,
    scheduler.LIVE_PAGES,
    scheduler.LIVE_IDS,
    scheduler.AUDIT,
    tools.EVENTS,
    tools.TOKENS,
    scheduler.FAILURES,
    (*search.SEARCH_TABLES, search.fill_search_tables),
    tools.AGENT_DAYS,
    scheduler.CHEAPER_COUNTS,
    tools.SESSIONS,
    scheduler.LIVE_IDS_APART,
    scheduler.COUNTS_BY_STATEMENT,
    search.LABELS_IN_ORDER,
    scheduler.DUE_NEXT,
    scheduler.OUTCOMES_ONE_BY_ONE,
    tools.APPROVED_CALLS,
    tools.RESERVATIONS,
)
"""A position in this list is a schema version of real databases. Never change a step; append new ones at the end.

A statement for one database system begins with the system's name: ``postgres: CREATE …``.
"""


def migrate(session: Session, migrations: Sequence[Sequence[Step]]) -> None:
    """Run the migrations that a database lacks, in one transaction.

    Raises:
        DatabaseError: The database has a newer version than this program knows.
    """
    with session.without_limits():
        if session.dialect == "postgres":  # two processes may meet at a new database
            session.run("SELECT pg_advisory_xact_lock(4919)")
        session.run("CREATE TABLE IF NOT EXISTS agentool_schema (version INTEGER NOT NULL)")
        row = session.row("SELECT version FROM agentool_schema")
        version = row[0] if row else 0
        if version > len(migrations):
            raise DatabaseError(
                f"The database has schema version {version}, and this program knows {len(migrations)}.",
                remedy="Use the newer version of the program, or another database.",
            )
        for step in chain.from_iterable(migrations[version:]):
            if not isinstance(step, str):
                step(session)
                continue
            system, _, sql = step.partition(": ")
            if system not in ("sqlite", "postgres"):
                session.run(step)
            elif system == session.dialect:
                session.run(sql)
        if version == len(migrations):
            return  # nothing to commit: the usual case, and frequent in forked workers
        session.run("DELETE FROM agentool_schema")
        session.run("INSERT INTO agentool_schema (version) VALUES (:version)", {"version": len(migrations)})
