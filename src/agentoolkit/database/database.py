"""One SQL database behind one writer thread, with group commit.

Work is a function of a `Session`. All work that waits when the writer is free becomes one transaction, so that a thousand
outcomes cost one commit. If one of them raises, all are rolled back and each is run again alone, so that only the
failing one fails. Reads have a connection and a thread of their own and never wait for a commit.

SQL is written once, with ``:name`` parameters, in the part of the language that SQLite and PostgreSQL share. The drivers
are used directly: through SQLAlchemy Core the same transactions took four times as long (docs/decisions).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from os import getpid
from threading import Lock
from typing import Any, NamedTuple, TypeVar

from agentoolkit.database.batches import BulkWork, Item
from agentoolkit.database.migrations import Step, migrate
from agentoolkit.database.order import LockOrder
from agentoolkit.database.session import DatabaseError, Dialect, Session
from agentoolkit.database.worker import DatabaseThread

__all__ = ["Database", "DatabaseError", "Dialect", "Session"]

T = TypeVar("T")

CLOSE_SECONDS = 5.0
"""Longest wait of `Database.close`, in seconds, for running work."""


class _Gathering(NamedTuple):
    """The same work requested by several callers in one turn of an event loop, until it is handed to its thread."""

    thread: DatabaseThread
    item: Item


class Database:
    """A database that is open between `open` and `close`. Several event loops, each in a thread of its own, may use it.

    Args:
        dialect: The database system and its location.
        migrations: Statements by number; those above the stored version are run at `open`, each number once.
        reads_apart: True to give reads a thread and a connection of their own; otherwise they wait for commits. SQLite always
            has them, because it reads in transactions, and those of a writing connection would lock others out.
    """

    def __init__(self, dialect: Dialect, migrations: Sequence[Sequence[Step]], *, reads_apart: bool = True) -> None:
        self.dialect = dialect
        self._reads_apart = reads_apart or dialect.reads_in_transactions
        self._is_shared = False
        self._migrations = migrations
        self._lock = Lock()
        self._writer: DatabaseThread | None = None
        self._reader: DatabaseThread | None = None
        self._opening = 0
        self._process = 0
        """The process that has opened it: its threads are in no process that is forked from that one."""
        self._gathered: dict[tuple[object, ...], _Gathering] = {}

    @property
    def is_open(self) -> bool:
        return self._reader is not None

    @property
    def is_busy(self) -> bool:
        """True if a caller waits for an answer."""
        return bool(self._gathered) or any(thread is not None and thread.asked for thread in (self._writer, self._reader))

    async def open(self) -> None:
        """Connect and bring the schema up to date. Idempotent.

        All concurrent callers request the migrations, and one transaction runs each migration once. No caller depends on
        another's task or event loop, and the last caller that fails to open the database closes it.

        Raises:
            DatabaseError: The database cannot be reached, or a newer program has written it.
        """
        if self._reader is not None:
            return
        with self._lock:
            self._opening += 1
            writer = self._writer = self._writer or DatabaseThread(self.dialect, writes=True)
        try:
            await writer.do(lambda session: migrate(session, self._migrations), LockOrder.NONE)
            with self._lock:
                if self._writer is not writer:
                    raise DatabaseError("The database was closed while it was being opened.")
                if self._reader is None:
                    self._process = getpid()
                    self._reader = DatabaseThread(self.dialect, writes=False) if self._reads_apart else writer
        finally:
            with self._lock:
                self._opening -= 1
                useless = self._detach() if self._opening == 0 and self._reader is None else ()
            await self._stop(useless)

    async def close(self) -> None:
        """Finish the running work and disconnect; after `CLOSE_SECONDS` the threads do so alone. Idempotent."""
        with self._lock:
            threads = self._detach()
        try:
            await asyncio.sleep(0)  # the work gathered in this turn is handed over first
        finally:
            await self._stop(threads)

    @contextmanager
    def shared(self) -> Generator[None]:
        """Keep the database open inside a ``with`` block: `leave` does nothing.

        A store that closes must not close it for the other parts of a toolkit, whose next write would open it again.
        """
        self._is_shared = True
        try:
            yield
        finally:
            self._is_shared = False

    async def leave(self) -> None:
        """Close it, unless it is shared."""
        if not self._is_shared:
            await self.close()

    async def write(self, work: Callable[[Session], T], *, order: LockOrder = LockOrder.JOBS) -> T:
        """Run work in a transaction, and return after its commit. For `order` see `write_together`.

        The work may run twice, so it must have no effect outside of the session.
        """
        return await self._thread(self._writer).do(work, order)

    async def write_together(
        self, work: BulkWork, fact: Any, *, order: LockOrder = LockOrder.JOBS, undo: Callable[[Any, Any], Any] | None = None
    ) -> Any:
        """Run work once for all callers that request it at the same time: one statement serves a thousand of them.

        A statement per caller would release and take Python's global lock each time, and wait for a busy event loop.

        Args:
            work: Handles the facts of all callers.
            fact: The caller's fact.
            order: The room it writes in, which decides its place in the transaction.
            undo: For work that must not stay if its caller is cancelled. Work not yet started is skipped; finished work is
                followed by work on the fact that this function makes of fact and answer, or by nothing if it returns None.
        """
        gathering, future = self._gather(self._writer, Item(work, [], [], order, undo), fact)
        try:
            return await future
        except asyncio.CancelledError:
            if undo is not None and future.done() and not future.cancelled() and future.exception() is None:
                gathering.thread.undo(gathering.item, [(fact, future.result())])
            raise

    async def read(self, work: Callable[[Session], T]) -> T:
        """Run work that only reads."""
        return await self._thread(self._reader).do(work, LockOrder.READING)

    async def read_together(self, work: BulkWork, fact: Any) -> Any:
        """Run work that only reads, once for all callers that request it at the same time. See `write_together`."""
        return await self._gather(self._reader, Item(work, [], [], LockOrder.READING), fact)[1]

    def _gather(self, thread: DatabaseThread | None, item: Item, fact: Any) -> tuple[_Gathering, asyncio.Future[Any]]:
        """Add a fact to the same work of this turn, which is handed over at the turn's end."""
        loop = asyncio.get_running_loop()
        key = (item.work, item.undo, loop)
        gathering = self._gathered.get(key)
        if gathering is None:
            gathering = self._gathered[key] = _Gathering(self._thread(thread), item)
            loop.call_soon(self._hand_over, key)
        future = loop.create_future()
        gathering.item.facts.append(fact)
        gathering.item.futures.append(future)
        return gathering, future

    def _detach(self) -> set[DatabaseThread]:
        threads = {thread for thread in (self._writer, self._reader) if thread is not None}
        self._writer = self._reader = None
        return threads

    async def _stop(self, threads: Iterable[DatabaseThread]) -> None:
        if ends := [thread.stop() for thread in threads]:
            await asyncio.wait(ends, timeout=CLOSE_SECONDS)

    def _hand_over(self, key: tuple[object, ...]) -> None:
        gathering = self._gathered.pop(key)
        gathering.thread.put(gathering.item)

    def _thread(self, thread: DatabaseThread | None) -> DatabaseThread:
        if thread is None:
            raise DatabaseError("The database is not open.")
        if self._process not in (0, getpid()):
            remedy = "Fork first, or close it before: use it, and what schedules jobs, in the new process only."
            raise DatabaseError("The database was opened before this process was forked.", remedy=remedy)
        return thread
