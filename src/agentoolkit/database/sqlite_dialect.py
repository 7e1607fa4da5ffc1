"""The dialect of SQLite."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from agentoolkit.database.order import LockOrder
from agentoolkit.database.private import make_private
from agentoolkit.database.rows_as_table import tables_of
from agentoolkit.database.session import DatabaseError, DatabaseUnreachable, DriverCursor
from agentoolkit.settings import Durability

BALLAST_BYTES = 1_000_000
"""Size of the ballast file, which is deleted when the disk is full, so that old records can still be deleted."""

BUSY_SECONDS = 5.0
"""Longest wait for the transaction of another process, in seconds."""

JOURNAL_BYTES = 16_000_000
"""Size to which SQLite's write-ahead log is cut after it was written back to the file."""

JOURNAL_PAGES = 3_500
"""Pages of the log after which a commit writes it back. With SQLite's default of 1,000 that was 20 % of the cost of a new job."""

_REMEDIES = {
    sqlite3.SQLITE_FULL: "Make room on its disk.",
    sqlite3.SQLITE_READONLY: "Let this user write the file and its folder, or name another by AGENTOOL_DATABASE.",
    sqlite3.SQLITE_BUSY: "Another program has kept it locked for long: end that one.",
}


class Sqlite:
    """A SQLite file in WAL mode.

    Args:
        path: The file; its folder is created.
        durability: ``full`` survives a power cut; ``normal`` survives any end of the process, and may lose the last
            commits in a power cut.
    """

    name = "sqlite"
    reads_in_transactions = True

    def __init__(self, path: Path, durability: Durability = "full") -> None:
        self.path = path
        self._durability = durability
        self._ballast = path.with_name(f"{path.name}.ballast")
        self._relieved = False

    def connect(self, *, writes: bool) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = None
        try:
            make_private(self.path)
            connection = sqlite3.connect(
                self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=256
            )
            _use_wal(connection)
            connection.execute(f"PRAGMA synchronous = {self._durability.upper()}")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute(f"PRAGMA journal_size_limit = {JOURNAL_BYTES}")
            connection.execute(f"PRAGMA wal_autocheckpoint = {JOURNAL_PAGES}")
            if writes:
                if not self._relieved and not self._ballast.exists():
                    with suppress(OSError):
                        self._ballast.touch(mode=0o600)
                        self._ballast.write_bytes(b"\0" * BALLAST_BYTES)
            else:
                connection.execute("PRAGMA query_only = ON")
        except (OSError, sqlite3.Error) as error:
            if connection is not None:
                connection.close()
            remedy = "Name a file in a folder that can be written, by AGENTOOL_DATABASE."
            raise DatabaseUnreachable(f"The database {self.path} cannot be opened: {error}.", field="database", remedy=remedy) from error
        return connection

    def translate(self, sql: str) -> str:
        return sql

    def begin(self, cursor: DriverCursor, room: LockOrder) -> None:
        cursor.execute("BEGIN IMMEDIATE")

    def enter(self, cursor: DriverCursor, room: LockOrder) -> None:
        """Do nothing: SQLite has one writer at a time."""

    def with_rows(self, columns: Mapping[str, str], rows: Sequence[Sequence[Any]]) -> Iterator[tuple[str, Any]]:
        return tables_of(tuple(columns), rows)

    def has_rows(self, cursor: DriverCursor) -> bool:
        return cursor.description is not None

    def was_closed(self, connection: sqlite3.Connection) -> bool:
        return False

    def is_lost(self, error: BaseException) -> bool:
        return False

    def is_locked_out(self, error: BaseException) -> bool:
        return False

    @contextmanager
    def without_limits(self, cursor: DriverCursor) -> Generator[None]:
        yield

    def may_pass(self, error: BaseException) -> bool:
        return False

    def explained(self, error: BaseException) -> BaseException:
        if not isinstance(error, sqlite3.Error):
            return error
        explained = DatabaseError(f"The database {self.path} refused: {error}.", field="database", remedy=_REMEDIES.get(_code(error), ""))
        explained.__cause__ = error
        return explained

    def relieve(self, error: BaseException) -> None:
        if _code(error) == sqlite3.SQLITE_FULL:
            self._relieved = True
            self._ballast.unlink(missing_ok=True)


def _code(error: BaseException) -> int:
    """Return SQLite's primary error code; 0 for any other error."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF if isinstance(error, sqlite3.Error) else 0


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch to a write-ahead log. Wait here for another connection that is switching, because SQLite itself does not wait."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if _code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
        time.sleep(0.01)
