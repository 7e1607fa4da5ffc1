"""One SQL database behind one writer thread, with group commit.

Work is a function of a `Session`. Whatever waits when the writer is free becomes one transaction, so that a thousand
outcomes cost one commit; if one of them raises, all are rolled back and each is done again by itself, so that only the
one that raised fails. Reads have a connection and a thread of their own and never wait for a commit.

SQL is written once, with ``:name`` parameters, in the part of the language that SQLite and PostgreSQL share. The drivers
are used directly: through SQLAlchemy Core the same transactions took four times as long (docs/decisions).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

from agentoolkit.database.migrations import migrate
from agentoolkit.database.session import DatabaseError, Dialect, Session
from agentoolkit.database.worker import BulkWork, DatabaseThread, Item, Work

__all__ = ["Database", "DatabaseError", "Dialect", "Session"]

T = TypeVar("T")

CLOSE_SECONDS = 5.0
"""How long `Database.close` waits for work that was begun."""


class _Gathering(NamedTuple):
    """Work that many ask for in one round of an event loop, until it is handed to the writer."""

    loop: asyncio.AbstractEventLoop
    item: Item


class Database:
    """A database that is open between `open` and `close`.

    Args:
        dialect: Which database system, and where.
        migrations: Statements by number; those above the stored version are run at `open`, each number once.
    """

    def __init__(self, dialect: Dialect, migrations: Sequence[Sequence[str]]) -> None:
        self.dialect = dialect
        self._migrations = migrations
        self._writer: DatabaseThread | None = None
        self._reader: DatabaseThread | None = None
        self._opening = 0
        self._gathered: dict[BulkWork, _Gathering] = {}

    @property
    def is_open(self) -> bool:
        return self._reader is not None

    async def open(self) -> None:
        """Connect and bring the schema up to date. Idempotent.

        All who open at once ask for the migrations, in one transaction that runs each of them once. So nobody depends on
        another's task or event loop, and only the last who cannot open it closes it.

        Raises:
            DatabaseError: It cannot be reached, or a newer program has written it.
        """
        if self._reader is not None:
            return
        writer = self._writer = self._writer or DatabaseThread(self.dialect, writes=True)
        self._opening += 1
        try:
            await writer.do(lambda session: migrate(session, self._migrations))
            self._opened(writer)
        except BaseException:
            if self._opening == 1 and self._reader is None:
                await self.close()
            raise
        finally:
            self._opening -= 1

    async def close(self) -> None:
        """Finish what was begun and disconnect, or leave that to the threads if it takes too long. Idempotent."""
        workers = [worker for worker in (self._writer, self._reader) if worker is not None]
        self._writer = self._reader = None
        try:
            await asyncio.sleep(0)  # what was gathered in this turn is handed over before the end
        finally:
            ends = [worker.stop() for worker in workers]
        if ends:
            await asyncio.wait(ends, timeout=CLOSE_SECONDS)

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
            gathering = self._gathered[work] = _Gathering(loop, Item(work, [], []))
            loop.call_soon(self._hand_over, writer, gathering)
        future = loop.create_future()
        gathering.item.facts.append(fact)
        gathering.item.futures.append(future)
        return await future

    async def read(self, work: Work[T]) -> T:
        """Do work that only reads."""
        return await self._worker(self._reader).do(work)

    def _opened(self, writer: DatabaseThread) -> None:
        if self._writer is not writer:
            raise DatabaseError("The database was closed while it was being opened.")
        self._reader = self._reader or DatabaseThread(self.dialect, writes=False)

    def _hand_over(self, writer: DatabaseThread, gathering: _Gathering) -> None:
        if self._gathered.get(gathering.item.work) is gathering:
            del self._gathered[gathering.item.work]
        writer.put(gathering.item)

    def _worker(self, worker: DatabaseThread | None) -> DatabaseThread:
        if worker is None:
            raise DatabaseError("The database is not open.")
        return worker
