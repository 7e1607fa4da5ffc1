"""What a piece of work sees of a database: a session, and the seam between database systems."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from agentool.errors import AgenToolError
from agentoolkit.database.order import LockOrder

Row = tuple[Any, ...]
Parameters = Mapping[str, Any]


MAX_TRANSLATED = 2_000
"""Statements that a connection remembers in the form that its driver takes."""


class DatabaseError(AgenToolError, RuntimeError):
    """The database cannot be used; the cause is what its driver said."""


class DatabaseUnreachable(DatabaseError):
    """There is no connection, and none can be made."""


class CommitUnknown(DatabaseError):
    """The connection was lost during a commit: what was to be written may be there or not."""


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
    """What differs between database systems."""

    name: str
    reads_in_transactions: bool
    """Do statements that read have to be in one transaction, so that all see the same?"""

    def connect(self, *, writes: bool) -> Any:
        """Open a connection in autocommit mode. Raises `Unreachable` with a way out."""
        ...

    def translate(self, sql: str) -> str:
        """Turn ``:name`` parameters into the driver's own."""
        ...

    def begin(self, cursor: DriverCursor, room: LockOrder) -> None:
        """Begin a writing transaction, and enter a room by the same message to the server."""
        ...

    def enter(self, cursor: DriverCursor, room: LockOrder) -> None:
        """Wait until nobody else writes in a room, if it is an exclusive one, and keep it until the transaction ends."""
        ...

    def with_rows(self, columns: Mapping[str, str], rows: Sequence[Sequence[Any]]) -> Iterable[tuple[str, Any]]:
        """Yield ``WITH r (…) AS (…)`` and its parameters, for all rows in one or several portions."""
        ...

    def has_rows(self, cursor: DriverCursor) -> bool:
        """Did the latest statement return rows, be it none at all, rather than nothing?"""
        ...

    def was_closed(self, connection: Any) -> bool:
        """Has the server closed a connection while nothing was asked?"""
        ...

    def is_lost(self, error: BaseException) -> bool:
        """Does this error mean that the connection is of no more use?"""
        ...

    def may_pass(self, error: BaseException) -> bool:
        """Might the very same work succeed at once, if it is certain that nothing was committed?"""
        ...

    def is_locked_out(self, error: BaseException) -> bool:
        """Did another transaction keep a lock for longer than this one waits?"""
        ...

    def without_limits(self, cursor: DriverCursor) -> AbstractContextManager[None]:
        """Let the statements of a migration take as long as they need."""
        ...

    def explained(self, error: BaseException) -> BaseException:
        """Turn a driver's error into a `DatabaseError`; leave others as they are."""
        ...

    def relieve(self, error: BaseException) -> None:
        """Do what can be done against an error, such as freeing the ballast of a full disk."""
        ...


class Session:
    """Runs statements. Somebody else begins and ends their transaction; what only reads has none where it would see no more in one."""

    __slots__ = ("_cursor", "_dialect", "_translated", "kept", "written", "wrote")

    def __init__(self, cursor: DriverCursor, dialect: Dialect, translated: dict[str, str], kept: dict[str, Any] | None = None) -> None:
        self._cursor = cursor
        self._dialect = dialect
        self._translated = translated
        self.kept: dict[str, Any] = {} if kept is None else kept
        """What work keeps as long as the connection lasts."""
        self.written: dict[str, Any] = {}
        """What this transaction has written, for later work in the same transaction. Not to be remembered before the commit."""
        self.wrote = False
        """Was the statement sent by which work in `LockOrder.EXECUTIONS` writes?"""

    @property
    def dialect(self) -> str:
        return self._dialect.name

    def without_limits(self) -> AbstractContextManager[None]:
        """Let the statements of a migration take as long as they need."""
        return self._dialect.without_limits(self._cursor)

    def enter(self, room: LockOrder) -> None:
        """Wait until nobody else writes in an exclusive room, and keep it until the transaction ends."""
        self._dialect.enter(self._cursor, room)

    def save(self) -> None:
        """Remember what is done so far, where a statement that fails ends the whole transaction: not in SQLite."""
        if self.dialect == "postgres":
            self.run("SAVEPOINT saved")

    def undo_to_save(self) -> None:
        """Undo what was done since `save`."""
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
        """Run a statement and return how many rows it changed."""
        self._cursor.execute(self._sql(sql), parameters or {})
        return self._cursor.rowcount

    def run_many(self, sql: str, parameters: Sequence[Parameters]) -> None:
        """Run a statement once for each of the parameters."""
        if parameters:
            self._cursor.executemany(self._sql(sql), parameters)

    def from_rows(self, sql: str, columns: Mapping[str, str], rows: Sequence[Sequence[Any]]) -> list[Row]:
        """Run one statement over many rows, which are the table ``r`` in it, and return what it returns.

        Args:
            sql: The statement, from after its ``WITH``.
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
        """Do as `from_rows`, by the one statement that writes of work in `LockOrder.EXECUTIONS`."""
        self.wrote = True
        return self.from_rows(sql, columns, rows)

    def _sql(self, sql: str) -> str:
        if (translated := self._translated.get(sql)) is None:
            if len(self._translated) >= MAX_TRANSLATED:  # searches are written anew for each combination of terms
                self._translated.clear()
            translated = self._translated[sql] = self._dialect.translate(sql)
        return translated
