"""The dialect of PostgreSQL, through psycopg 3."""

from __future__ import annotations

import re
import select
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from pydantic_core import to_json

from agentool.errors import MissingExtra
from agentoolkit.database.order import LockOrder
from agentoolkit.database.session import DatabaseError, DatabaseUnreachable, DriverCursor

LOCK_SECONDS = 3.0
"""Longest wait of a PostgreSQL statement for another transaction's lock, in seconds."""

STATEMENT_SECONDS = 60.0
"""Longest time of a PostgreSQL statement, in seconds; a migration may take longer."""

IDLE_SECONDS = 5.0
"""Longest idle time inside a PostgreSQL transaction, in seconds. Its process may sleep while others wait for its locks."""

MIGRATION_SECONDS = 3_600.0
"""Longest time of a migration, in seconds."""

LARGEST_TEXT = 100_000_000
"""Bytes of rows in one PostgreSQL statement. Its `jsonb` takes at most 268 million."""

_PARAMETER = re.compile(r"(?<![:\w]):([a-z_]+)")

_UNWANTED = ("enable_seqscan", "enable_bitmapscan", "enable_hashjoin", "enable_mergejoin", "jit")
"""Plans that read a whole table or index before the first row comes, and the compilation of such plans.

PostgreSQL would keep such a plan from the time when the table was small.
"""

_KEEPALIVE: dict[str, Any] = {"keepalives_idle": 15, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 30_000}
"""Seconds; the last value is in milliseconds. The loss of a server's machine is noticed within 30 s."""

# The holder of a room may take long without being stuck, so the wait has the limit of a statement, not of a lock.
_ENTER = {
    room: f"""
        SELECT set_config('lock_timeout', '0', TRUE), pg_advisory_xact_lock(4923, {room.lock}), set_config('lock_timeout', before, TRUE)
        FROM (SELECT current_setting('lock_timeout') AS before OFFSET 0) was
    """  # noqa: S608  a number of ours
    for room in LockOrder
    if room.is_exclusive
}


def _session() -> dict[str, str | int]:
    """Return the settings of each connection to PostgreSQL."""
    return {
        "timezone": "UTC",
        "lock_timeout": round(LOCK_SECONDS * 1000),
        "statement_timeout": round(STATEMENT_SECONDS * 1000),
        "idle_in_transaction_session_timeout": round(IDLE_SECONDS * 1000),
        "max_parallel_workers_per_gather": 0,
        **dict.fromkeys(_UNWANTED, "off"),
    }


class Postgres:
    """A PostgreSQL database, through psycopg 3.

    Args:
        url: ``postgresql://user:password@host:port/name``.
    """

    name = "postgres"
    reads_in_transactions = False  # in a transaction, too, each statement sees what is committed when it begins

    def __init__(self, url: str) -> None:
        self._url = url
        try:
            import psycopg
        except ImportError as error:
            remedy = "Install it: pip install 'agentool[postgres]'."
            raise MissingExtra("PostgreSQL needs psycopg, which is not installed.", field="database", remedy=remedy) from error
        from agentoolkit.database.postgres_connection import BoundedConnection

        self._psycopg = psycopg
        self._bounded = BoundedConnection

    def connect(self, *, writes: bool) -> Any:
        connection: Any = None
        try:
            connection = self._bounded.connect(self._url, autocommit=True, connect_timeout=5, **_KEEPALIVE)
            limits = _session() if writes else {**_session(), "default_transaction_read_only": "on"}
            connection.execute("; ".join(f"SET {name} = {value}" for name, value in limits.items()), prepare=False)
        except self._psycopg.Error as error:
            if connection is not None:
                connection.close()
            remedy = "Check AGENTOOL_DATABASE, and that the server runs."
            raise DatabaseUnreachable(f"PostgreSQL cannot be reached: {error}", field="database", remedy=remedy) from error
        return connection

    def translate(self, sql: str) -> str:
        return _PARAMETER.sub(r"%(\1)s", sql.replace("%", "%%"))

    def begin(self, cursor: Any, room: LockOrder) -> None:
        # Not prepared: several statements in one message cannot be.
        cursor.execute(f"BEGIN; {_ENTER[room]}" if room.is_exclusive else "BEGIN", prepare=False)

    def enter(self, cursor: DriverCursor, room: LockOrder) -> None:
        if room.is_exclusive:
            cursor.execute(_ENTER[room])

    def with_rows(self, columns: Mapping[str, str], rows: Sequence[Sequence[Any]]) -> Iterator[tuple[str, Any]]:
        if not rows:
            return
        # As one JSON text: arrays, one for each column, cost psycopg twice as much, and the server more.
        text = to_json(rows, inf_nan_mode="strings")
        if len(text) > LARGEST_TEXT and len(rows) > 1:
            middle = len(rows) // 2
            yield from self.with_rows(columns, rows[:middle])
            yield from self.with_rows(columns, rows[middle:])
        else:
            yield _json_table(tuple(columns.items())), {"rows": text.decode()}

    def has_rows(self, cursor: Any) -> bool:
        return cursor.rownumber is not None  # cheaper than `description`, which creates an object for each column

    def was_closed(self, connection: Any) -> bool:
        watched = select.poll()
        watched.register(connection.fileno(), select.POLLIN)
        return bool(watched.poll(0))  # an idle server sends nothing but the end of the connection

    def is_lost(self, error: BaseException) -> bool:
        if isinstance(error, (self._psycopg.InterfaceError, self._psycopg.errors.IdleInTransactionSessionTimeout)):
            return True
        # An error without a state comes from the connection, not from the server.
        return isinstance(error, self._psycopg.OperationalError) and (error.sqlstate is None or error.sqlstate[:2] in ("08", "57"))

    def may_pass(self, error: BaseException) -> bool:
        return self.is_lost(error) or (isinstance(error, self._psycopg.OperationalError) and error.sqlstate in ("40001", "40P01"))

    def is_locked_out(self, error: BaseException) -> bool:
        return isinstance(error, self._psycopg.OperationalError) and error.sqlstate == "55P03"

    @contextmanager
    def without_limits(self, cursor: Any) -> Generator[None]:
        cursor.execute("SET LOCAL lock_timeout = 0")
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.connection.silent_seconds = MIGRATION_SECONDS
        try:
            yield
        finally:
            cursor.connection.silent_seconds = None

    def explained(self, error: BaseException) -> BaseException:
        if not isinstance(error, self._psycopg.Error):
            return error
        remedy = "Another transaction has locked the rows: end it." if self.is_locked_out(error) else ""
        explained = DatabaseError(f"PostgreSQL refused: {error}", field="database", remedy=remedy)
        explained.__cause__ = error
        return explained

    def relieve(self, error: BaseException) -> None:
        """Do nothing: the server's disk is out of reach."""


@lru_cache(maxsize=256)
def _json_table(columns: tuple[tuple[str, str], ...]) -> str:
    """Return the table ``r`` of rows that are a JSON list of lists, with these columns and their types."""
    values = ", ".join(f"CAST(each ->> {place} AS {kind}) AS {name}" for place, (name, kind) in enumerate(columns))
    return f"WITH r AS (SELECT {values} FROM jsonb_array_elements(CAST(%(rows)s AS jsonb)) AS rows_of_json (each))"  # noqa: S608  names of ours
