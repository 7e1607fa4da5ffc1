"""The session, through which work uses a database, and the port that database systems implement."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from agentool.errors import AgenToolError
from agentoolkit.database.order import LockOrder

Row = tuple[Any, ...]
Parameters = Mapping[str, Any]


MAX_TRANSLATED = 2_000
"""Translated statements that a connection caches."""


class DatabaseError(AgenToolError, RuntimeError):
    """The database cannot be used; the cause is its driver's error."""


class DatabaseUnreachable(DatabaseError):
    """There is no connection, and none can be made."""


class CommitUnknown(DatabaseError):
    """The connection was lost during a commit, so the writes may be committed or not."""


class DriverCursor(Protocol):
    """The part of a database driver's cursor that is used here."""

    rowcount: int
    description: Any

    def execute(self, sql: str, parameters: Any = ..., /) -> object: ...
    def executemany(self, sql: str, parameters: Iterable[Any], /) -> object: ...
    def fetchall(self) -> list[Any]: ...
    def fetchone(self) -> Any: ...
    def close(self) -> object: ...


class Dialect(Protocol):
    """The differences between database systems."""

    name: str
    reads_in_transactions: bool
    """True if reads need a transaction to see one consistent state."""

    def connect(self, *, writes: bool) -> Any:
        """Open a connection in autocommit mode. Raises `DatabaseUnreachable` with a way out."""
        ...

    def translate(self, sql: str) -> str:
        """Turn ``:name`` parameters into the driver's own."""
        ...

    def begin(self, cursor: DriverCursor, room: LockOrder) -> None:
        """Begin a writing transaction, and enter a room with the same message to the server."""
        ...

    def enter(self, cursor: DriverCursor, room: LockOrder) -> None:
        """Take an exclusive room's lock until the transaction ends; do nothing for another room."""
        ...

    def with_rows(self, columns: Mapping[str, str], rows: Sequence[Sequence[Any]]) -> Iterable[tuple[str, Any]]:
        """Yield ``WITH r (…) AS (…)`` and its parameters, for all rows at once or for each portion."""
        ...

    def has_rows(self, cursor: DriverCursor) -> bool:
        """Tell whether the latest statement was one that returns rows, even if it returned none."""
        ...

    def was_closed(self, connection: Any) -> bool:
        """Tell whether the server has closed an idle connection."""
        ...

    def is_lost(self, error: BaseException) -> bool:
        """Tell whether this error means that the connection is lost."""
        ...

    def may_pass(self, error: BaseException) -> bool:
        """Tell whether the same work may succeed at once, provided that nothing was committed."""
        ...

    def is_locked_out(self, error: BaseException) -> bool:
        """Did another transaction keep a lock for longer than this one waits?"""
        ...

    def without_limits(self, cursor: DriverCursor) -> AbstractContextManager[None]:
        """Let the statements of a migration take as long as they need."""
        ...

    def explained(self, error: BaseException) -> BaseException:
        """Turn a driver's error into a `DatabaseError`; return other errors unchanged."""
        ...

    def relieve(self, error: BaseException) -> None:
        """React to an error, for example by deleting the ballast file on a full disk."""
        ...


class Session:
    """Runs statements. `DatabaseThread` begins and ends their transaction; reads have none if they do not need one."""

    __slots__ = ("_cursor", "_dialect", "_translated", "kept", "written", "wrote")

    def __init__(self, cursor: DriverCursor, dialect: Dialect, translated: dict[str, str], kept: dict[str, Any] | None = None) -> None:
        self._cursor = cursor
        self._dialect = dialect
        self._translated = translated
        self.kept: dict[str, Any] = {} if kept is None else kept
        """Values that work caches for the life of the connection."""
        self.written: dict[str, Any] = {}
        """Definitions of jobs that this transaction has written, by job id. Nobody may cache them before the commit."""
        self.wrote = False
        """True once the writing statement of work in `LockOrder.EXECUTIONS` was sent."""

    @property
    def dialect(self) -> str:
        return self._dialect.name

    def without_limits(self) -> AbstractContextManager[None]:
        """Let the statements of a migration take as long as they need."""
        return self._dialect.without_limits(self._cursor)

    def enter(self, room: LockOrder) -> None:
        """Take an exclusive room's lock until the transaction ends."""
        self._dialect.enter(self._cursor, room)

    def save(self) -> None:
        """Set a savepoint on PostgreSQL, where a failing statement ends the whole transaction. SQLite needs none."""
        if self.dialect == "postgres":
            self.run("SAVEPOINT saved")

    def undo_to_save(self) -> None:
        """Undo everything since `save`."""
        if self.dialect == "postgres":
            self.run("ROLLBACK TO SAVEPOINT saved")

    def is_locked_out(self, error: BaseException) -> bool:
        """Did another transaction keep a lock for longer than this one waits?"""
        return self._dialect.is_locked_out(error)

    def rows(self, sql: str, parameters: Parameters | None = None) -> list[Row]:
        """Run a query and return all of its rows."""
        self._cursor.execute(self._sql(sql), parameters or {})
        return self._cursor.fetchall()

    def row(self, sql: str, parameters: Parameters | None = None) -> Row | None:
        """Run a query and return its first row."""
        self._cursor.execute(self._sql(sql), parameters or {})
        return self._cursor.fetchone()

    def run(self, sql: str, parameters: Parameters | None = None) -> int:
        """Run a statement and return the number of changed rows."""
        self._cursor.execute(self._sql(sql), parameters or {})
        return self._cursor.rowcount

    def run_many(self, sql: str, parameters: Sequence[Parameters]) -> None:
        """Run a statement once for each of the parameters."""
        if parameters:
            self._cursor.executemany(self._sql(sql), parameters)

    def from_rows(self, sql: str, columns: Mapping[str, str], rows: Sequence[Sequence[Any]]) -> list[Row]:
        """Run one statement over many rows, which are its table ``r``, and return its rows.

        Args:
            sql: The statement, without the ``WITH`` of the table.
            columns: The table's columns, in order, and their SQL types. A null costs ``sqlite3`` as much as ten texts.
            rows: A value for each column.
        """
        returned: list[Row] = []
        for table, parameters in self._dialect.with_rows(columns, rows):
            self._cursor.execute(table + sql, parameters)
            if self._dialect.has_rows(self._cursor):
                returned += self._cursor.fetchall()
        return returned

    def write_rows(self, sql: str, columns: Mapping[str, str], rows: Sequence[Sequence[Any]]) -> list[Row]:
        """Run the one writing statement of work in `LockOrder.EXECUTIONS`, as `from_rows` does."""
        self.wrote = True
        return self.from_rows(sql, columns, rows)

    def _sql(self, sql: str) -> str:
        if (translated := self._translated.get(sql)) is None:
            if len(self._translated) >= MAX_TRANSLATED:  # each combination of search terms is a new statement
                self._translated.clear()
            translated = self._translated[sql] = self._dialect.translate(sql)
        return translated
