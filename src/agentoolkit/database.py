"""One SQL database behind one writer thread, with group commit.

Work is a function of a `Session`. Whatever waits when the writer is free becomes one transaction, so that a thousand
outcomes cost one commit; if one of them raises, all are rolled back and each is done again by itself, so that only the
one that raised fails. Reads have a connection and a thread of their own and never wait for a commit.

SQL is written once, with ``:name`` parameters, in the part of the language that SQLite and PostgreSQL share. The drivers
are used directly: through SQLAlchemy Core the same transactions took four times as long (docs/decisions).
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from typing import Any, NamedTuple, TypeVar, cast

from agentoolkit.sql import CommitUnknown, Cursor, DatabaseError, Dialect, Session, Unreachable

__all__ = ["Database", "DatabaseError", "Dialect", "Session", "migrate"]

T = TypeVar("T")

MOST_AT_ONCE = 1_000
"""Pieces of work in one transaction."""
CLOSE_SECONDS = 5.0
TRIES = 3
"""At work that was kept from its commit by what may pass: a lost connection, a deadlock."""

Work = Callable[[Session], T]
BulkWork = Callable[[Session, Sequence[Any]], Sequence[Any]]
"""Takes the facts of everybody who asked for the same, and answers each in order."""


class _Item(NamedTuple):
    """Work that waits, and the future of whoever waits for it."""

    work: Work[Any] | BulkWork
    future: asyncio.Future[Any]
    fact: Any = None
    bulk: bool = False


class Database:
    """A database that is open between `open` and `close`.

    Args:
        dialect: Which database system, and where.
        migrations: Statements by number; those above the stored version are run at `open`, each number once.
    """

    def __init__(self, dialect: Dialect, migrations: Sequence[Sequence[str]]) -> None:
        self.dialect = dialect
        self._migrations = migrations
        self._writer: _Worker | None = None
        self._reader: _Worker | None = None

    @property
    def is_open(self) -> bool:
        return self._writer is not None

    async def open(self) -> None:
        """Connect and bring the schema up to date. Idempotent.

        Raises:
            DatabaseError: It cannot be reached, or a newer program has written it.
        """
        if self._writer is None:
            self._writer = _Worker(self.dialect, writes=True)
            self._reader = _Worker(self.dialect, writes=False)
            try:
                await self._writer.do(lambda session: migrate(session, self._migrations))
            except BaseException:
                await self.close()
                raise

    async def close(self) -> None:
        """Finish what was begun and disconnect. Idempotent."""
        workers = [worker for worker in (self._writer, self._reader) if worker is not None]
        self._writer = self._reader = None
        for worker in workers:
            await asyncio.to_thread(worker.stop)

    async def write(self, work: Work[T]) -> T:
        """Do work in a transaction, and return when it is committed.

        The work may be run twice, so it must do nothing but ask and tell the session.
        """
        return await self._worker(self._writer).do(work)

    async def write_together(self, work: BulkWork, fact: Any) -> Any:
        """Do work together with all who ask for the same work at the same time: one statement for a thousand of them.

        A statement for each would give up and take back Python's global lock each time, and wait for a busy event loop.
        """
        return await self._worker(self._writer).do(work, fact, bulk=True)

    async def read(self, work: Work[T]) -> T:
        """Do work that only reads."""
        return await self._worker(self._reader).do(work)

    def _worker(self, worker: _Worker | None) -> _Worker:
        if worker is None:
            raise DatabaseError("The database is not open.")
        return worker


def migrate(session: Session, migrations: Sequence[Sequence[str]]) -> None:
    """Run the migrations that a database lacks, in one transaction.

    Raises:
        DatabaseError: The database has more of them than this program knows.
    """
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
    for statements in migrations[version:]:
        for statement in statements:
            session.run(statement)
    session.run("DELETE FROM agentool_schema")
    session.run("INSERT INTO agentool_schema (version) VALUES (:version)", {"version": len(migrations)})


class _Worker:
    """A thread with a connection of its own, which it opens at need and again after it was lost."""

    def __init__(self, dialect: Dialect, *, writes: bool) -> None:
        self._dialect = dialect
        self._writes = writes
        self._waiting: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._connection: Any = None
        self._translated: dict[str, str] = {}
        self._thread = threading.Thread(target=self._run, name=f"agentool-{'writer' if writes else 'reader'}", daemon=True)
        self._thread.start()

    def do(self, work: Work[Any] | BulkWork, fact: Any = None, *, bulk: bool = False) -> asyncio.Future[Any]:
        future = asyncio.get_running_loop().create_future()
        self._waiting.put(_Item(work, future, fact, bulk))
        return future

    def stop(self) -> None:
        self._waiting.put(None)
        self._thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        while (item := self._waiting.get()) is not None:
            batch = [item]
            with suppress(queue.Empty):
                while len(batch) < MOST_AT_ONCE and (more := self._waiting.get_nowait()) is not None:
                    batch.append(more)
                if len(batch) < MOST_AT_ONCE:
                    self._waiting.put(None)  # the end came into the batch: meet it again after it
            self._do_all(batch)
        self._disconnect()

    def _do_all(self, batch: Sequence[_Item], tries: int = TRIES) -> None:
        try:
            results = self._transaction(batch)
        except (Unreachable, CommitUnknown) as error:
            _settle([(item.future, None, error) for item in batch])
        except BaseException as error:
            if len(batch) > 1:
                for item in batch:
                    self._do_all([item])
            elif tries > 1 and self._dialect.may_pass(error):
                self._do_all(batch, tries - 1)
            else:
                _settle([(batch[0].future, None, self._dialect.explained(error))])
        else:
            _settle([(item.future, result, None) for item, result in zip(batch, results, strict=True)])

    def _transaction(self, batch: Sequence[_Item]) -> list[Any]:
        # Closed, because an error keeps the frames it came through, and so its cursor and the cursor's file, open.
        with closing(self._cursor()) as cursor:
            try:
                cursor.execute(self._dialect.begin() if self._writes else "BEGIN")
                results = _results(Session(cursor, self._dialect, self._translated), batch)
            except BaseException as error:
                self._undo(error)
                raise
            self._commit(cursor)
            return results

    def _commit(self, cursor: Cursor) -> None:
        try:
            cursor.execute("COMMIT")
        except BaseException as error:
            self._undo(error)
            if self._writes and self._dialect.is_lost(error):
                raise CommitUnknown(f"The connection was lost during a commit: {error}") from error
            raise

    def _cursor(self) -> Cursor:
        if self._connection is None:
            self._connection = self._dialect.connect(writes=self._writes)
        return self._connection.cursor()

    def _undo(self, error: BaseException) -> None:
        with suppress(OSError):
            self._dialect.relieve(error)
        try:
            self._connection.rollback()
        except Exception:
            self._disconnect()
        if self._dialect.is_lost(error):
            self._disconnect()

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):
                connection.close()


def _results(session: Session, batch: Sequence[_Item]) -> list[Any]:
    """Do all the work of a batch, each kind of bulk work once, and answer in the order of the batch."""
    results: list[Any] = [None] * len(batch)
    bulks: dict[Any, list[int]] = {}
    for position, item in enumerate(batch):
        if item.bulk:
            bulks.setdefault(item.work, []).append(position)
        else:
            results[position] = cast("Work[Any]", item.work)(session)
    for work, positions in bulks.items():
        answers = work(session, [batch[position].fact for position in positions])
        for position, answer in zip(positions, answers, strict=True):
            results[position] = answer
    return results


_Outcome = tuple["asyncio.Future[Any]", Any, BaseException | None]


def _settle(outcomes: Sequence[_Outcome]) -> None:
    """Wake everybody whose work is done, with one call into each event loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_Outcome]] = {}
    for outcome in outcomes:
        by_loop.setdefault(outcome[0].get_loop(), []).append(outcome)
    for loop, settled in by_loop.items():
        with suppress(RuntimeError):  # the loop was closed meanwhile: nobody waits any more
            loop.call_soon_threadsafe(_wake, settled)


def _wake(outcomes: Sequence[_Outcome]) -> None:
    for future, result, error in outcomes:
        if future.done():
            continue
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)
