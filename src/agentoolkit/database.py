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
from itertools import islice
from typing import Any, NamedTuple, TypeVar

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
    """Work that waits, its facts, and the futures of those who wait for the answers: one for each fact."""

    work: BulkWork
    facts: list[Any]
    futures: list[asyncio.Future[Any]]


class _Gathering(NamedTuple):
    """Work that many ask for in one round of an event loop, until it is handed to the writer."""

    loop: asyncio.AbstractEventLoop
    item: _Item


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
        self._gathered: dict[BulkWork, _Gathering] = {}

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
        loop = asyncio.get_running_loop()
        gathering = self._gathered.get(work)
        if gathering is None or gathering.loop is not loop:
            writer = self._worker(self._writer)
            gathering = self._gathered[work] = _Gathering(loop, _Item(work, [], []))
            loop.call_soon(self._hand_over, writer, gathering)
        future = loop.create_future()
        gathering.item.facts.append(fact)
        gathering.item.futures.append(future)
        return await future

    async def read(self, work: Work[T]) -> T:
        """Do work that only reads."""
        return await self._worker(self._reader).do(work)

    def _hand_over(self, writer: _Worker, gathering: _Gathering) -> None:
        if self._gathered.get(gathering.item.work) is gathering:
            del self._gathered[gathering.item.work]
        writer.put(gathering.item)

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

    def do(self, work: Work[Any]) -> asyncio.Future[Any]:
        future = asyncio.get_running_loop().create_future()

        def alone(session: Session, _: Sequence[Any]) -> Sequence[Any]:
            return [work(session)]

        self.put(_Item(alone, [None], [future]))
        return future

    def put(self, item: _Item) -> None:
        self._waiting.put(item)

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
            _settle(batch, error=error)
        except BaseException as error:
            apart = [single for item in batch for single in _apart(item)]
            if len(apart) > 1:
                for single in apart:
                    self._do_all([single])
            elif tries > 1 and self._dialect.may_pass(error):
                self._do_all(batch, tries - 1)
            else:
                _settle(batch, error=self._dialect.explained(error))
        else:
            _settle(batch, results)

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


def _apart(item: _Item) -> list[_Item]:
    """Divide work into one piece for each of its facts."""
    return [_Item(item.work, [fact], [future]) for fact, future in zip(item.facts, item.futures, strict=True)]


def _results(session: Session, batch: Sequence[_Item]) -> list[Sequence[Any]]:
    """Do all the work of a batch, the same work once, and answer each item in the order of its facts."""
    results: list[Sequence[Any]] = [()] * len(batch)
    same: dict[BulkWork, list[int]] = {}
    for place, item in enumerate(batch):
        same.setdefault(item.work, []).append(place)
    for work, places in same.items():
        answers = iter(work(session, [fact for place in places for fact in batch[place].facts]))
        for place in places:
            results[place] = list(islice(answers, len(batch[place].facts)))
    return results


class _Outcome(NamedTuple):
    """What became of an item."""

    futures: Sequence[asyncio.Future[Any]]
    answers: Sequence[Any]
    error: BaseException | None


def _settle(batch: Sequence[_Item], results: Sequence[Sequence[Any]] = (), error: BaseException | None = None) -> None:
    """Wake everybody whose work is done, with one call into each event loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_Outcome]] = {}
    for place, item in enumerate(batch):
        outcome = _Outcome(item.futures, results[place] if results else (), error)
        by_loop.setdefault(item.futures[0].get_loop(), []).append(outcome)
    for loop, outcomes in by_loop.items():
        with suppress(RuntimeError):  # the loop was closed meanwhile: nobody waits any more
            loop.call_soon_threadsafe(_wake, outcomes)


def _wake(outcomes: Sequence[_Outcome]) -> None:
    for futures, answers, error in outcomes:
        if error is not None:
            for future in futures:
                if not future.done():
                    future.set_exception(error)
            continue
        for future, answer in zip(futures, answers, strict=True):
            if not future.done():
                future.set_result(answer)
