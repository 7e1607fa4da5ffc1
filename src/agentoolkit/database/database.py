"""One SQL database behind one writer thread, with group commit.

Work is a function of a `Session`. Whatever waits when the writer is free becomes one transaction, so that a thousand
outcomes cost one commit; if one of them raises, all are rolled back and each is done again by itself, so that only the
one that raised fails. Reads have a connection and a thread of their own and never wait for a commit.

SQL is written once, with ``:name`` parameters, in the part of the language that SQLite and PostgreSQL share. The drivers
are used directly: through SQLAlchemy Core the same transactions took four times as long (docs/decisions).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import Any, NamedTuple, TypeVar

from agentoolkit.database.migrations import Step, migrate
from agentoolkit.database.order import LockOrder
from agentoolkit.database.session import DatabaseError, Dialect, Session
from agentoolkit.database.worker import BulkWork, DatabaseThread, Item, Work

__all__ = ["Database", "DatabaseError", "Dialect", "Session"]

T = TypeVar("T")

CLOSE_SECONDS = 5.0
"""How long `Database.close` waits for work that was begun."""


class _Gathering(NamedTuple):
    """Work that many ask for in one round of an event loop, until it is handed to its thread."""

    thread: DatabaseThread
    item: Item


class Database:
    """A database that is open between `open` and `close`. Several event loops, each in a thread of its own, may use it.

    Args:
        dialect: Which database system, and where.
        migrations: Statements by number; those above the stored version are run at `open`, each number once.
        reads_apart: Does what only reads have a thread and a connection of its own? Without, it waits for commits too. It always
            has them where it is read in transactions, as on SQLite: those of a connection that writes would lock others out.
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
        self._gathered: dict[tuple[object, ...], _Gathering] = {}

    @property
    def is_open(self) -> bool:
        return self._reader is not None

    @property
    def is_busy(self) -> bool:
        """Does somebody in this event loop wait for an answer?"""
        return bool(self._gathered) or any(thread is not None and thread.asked for thread in (self._writer, self._reader))

    async def open(self) -> None:
        """Connect and bring the schema up to date. Idempotent.

        All who open at once ask for the migrations, in one transaction that runs each of them once. So nobody depends on
        another's task or event loop, and only the last who cannot open it closes it.

        Raises:
            DatabaseError: It cannot be reached, or a newer program has written it.
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
                    self._reader = DatabaseThread(self.dialect, writes=False) if self._reads_apart else writer
        finally:
            with self._lock:
                self._opening -= 1
                useless = self._detach() if self._opening == 0 and self._reader is None else ()
            await self._stop(useless)

    async def close(self) -> None:
        """Finish what was begun and disconnect, or leave that to the threads if it takes too long. Idempotent."""
        with self._lock:
            threads = self._detach()
        try:
            await asyncio.sleep(0)  # what was gathered in this turn is handed over before the end
        finally:
            await self._stop(threads)

    @contextmanager
    def shared(self) -> Generator[None]:
        """Let several use it meanwhile: none of them closes it by leaving, for what others have still to write would open it again."""
        self._is_shared = True
        try:
            yield
        finally:
            self._is_shared = False

    async def leave(self) -> None:
        """Close it, unless it is shared."""
        if not self._is_shared:
            await self.close()

    async def write(self, work: Work[T], *, order: LockOrder = LockOrder.JOBS) -> T:
        """Do work in a transaction, and return when it is committed. For `order` see `write_together`.

        The work may be run twice, so it must do nothing but ask and tell the session.
        """
        return await self._thread(self._writer).do(work, order)

    async def write_together(
        self, work: BulkWork, fact: Any, *, order: LockOrder = LockOrder.JOBS, undo: Callable[[Any, Any], Any] | None = None
    ) -> Any:
        """Do work together with all who ask for the same work at the same time: one statement for a thousand of them.

        A statement for each would give up and take back Python's global lock each time, and wait for a busy event loop.

        Args:
            work: What to do with the facts of all.
            fact: The caller's own.
            order: The room that it writes in: its place in the transaction.
            undo: For work that must not happen if its caller is cancelled: it is left out if it was not begun, and else
                done again with the fact that this function makes of fact and answer; None: there is nothing to undo.
        """
        gathering, future = self._gather(self._writer, Item(work, [], [], order, undo), fact)
        try:
            return await future
        except asyncio.CancelledError:
            if undo is not None and future.done() and not future.cancelled() and future.exception() is None:
                gathering.thread.undo(gathering.item, [(fact, future.result())])
            raise

    async def read(self, work: Work[T]) -> T:
        """Do work that only reads."""
        return await self._thread(self._reader).do(work, LockOrder.READING)

    async def read_together(self, work: BulkWork, fact: Any) -> Any:
        """Do work that only reads together with all who ask for the same at the same time. See `write_together`."""
        return await self._gather(self._reader, Item(work, [], [], LockOrder.READING), fact)[1]

    def _gather(self, thread: DatabaseThread | None, item: Item, fact: Any) -> tuple[_Gathering, asyncio.Future[Any]]:
        """Add a fact to the work of this kind that is handed over at the end of this turn."""
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
        return thread
