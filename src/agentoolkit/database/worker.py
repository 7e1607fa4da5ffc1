"""A thread with a database connection of its own, which does together what waits together."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import closing, suppress
from itertools import islice
from typing import Any, NamedTuple, TypeVar

from agentoolkit.database.session import CommitUnknown, DatabaseError, DatabaseUnreachable, Dialect, DriverCursor, Session

T = TypeVar("T")

MAX_AT_ONCE = 1_000
"""Pieces of work in one transaction."""
TRIES = 3
"""At work that was kept from its commit by what may pass: a lost connection, a deadlock."""

Work = Callable[[Session], T]
BulkWork = Callable[[Session, Sequence[Any]], Sequence[Any]]
"""Takes the facts of everybody who asked for the same, and answers each in order."""


class Item(NamedTuple):
    """Work that waits, its facts, and the futures of those who wait for the answers: one for each fact."""

    work: BulkWork
    facts: list[Any]
    futures: list[asyncio.Future[Any]]


class _NotBegun(Exception):
    """No transaction could be begun."""

    def __init__(self, reason: BaseException) -> None:
        super().__init__(reason)
        self.reason = reason


class DatabaseThread:
    """A thread with a connection of its own, which it opens at need and again after it was lost."""

    def __init__(self, dialect: Dialect, *, writes: bool) -> None:
        self._dialect = dialect
        self._writes = writes
        self._waiting: queue.SimpleQueue[Item | None] = queue.SimpleQueue()
        self._connection: Any = None
        self._translated: dict[str, str] = {}
        self._over = False
        self._ended: Future[None] = Future()
        threading.Thread(target=self._run, name=f"agentool-{'writer' if writes else 'reader'}", daemon=True).start()

    def do(self, work: Work[Any]) -> asyncio.Future[Any]:
        future = asyncio.get_running_loop().create_future()

        def alone(session: Session, _: Sequence[Any]) -> Sequence[Any]:
            return [work(session)]

        self.put(Item(alone, [None], [future]))
        return future

    def put(self, item: Item) -> None:
        self._waiting.put(item)
        if self._over:
            self._refuse_waiting()

    def stop(self) -> asyncio.Future[None]:
        """Let the thread end after what waits. The future is done when it has."""
        self._waiting.put(None)
        return asyncio.wrap_future(self._ended)

    def _run(self) -> None:
        while (item := self._waiting.get()) is not None:
            batch = [item]
            with suppress(queue.Empty):
                while len(batch) < MAX_AT_ONCE and (more := self._waiting.get_nowait()) is not None:
                    batch.append(more)
                if len(batch) < MAX_AT_ONCE:
                    self._waiting.put(None)  # the end came into the batch: meet it again after it
            self._do_all(batch)
        self._disconnect()
        self._over = True  # from here on `put` sees to what comes, so that nothing is left between the two
        self._refuse_waiting()
        self._ended.set_result(None)

    def _refuse_waiting(self) -> None:
        with suppress(queue.Empty):
            while True:
                if (item := self._waiting.get_nowait()) is not None:
                    _settle([item], error=DatabaseError("The database is not open."))

    def _do_all(self, batch: Sequence[Item], tries: int = TRIES) -> None:
        try:
            results = self._transaction(batch)
        except (DatabaseUnreachable, CommitUnknown) as error:
            _settle(batch, error=error)
        except _NotBegun as error:  # none of them is to blame, so each by itself would only wait for the same
            self._try_again(batch, error.reason, tries)
        except BaseException as error:
            apart = [single for item in batch for single in _apart(item)]
            if len(apart) == 1:
                self._try_again(batch, error, tries)
                return
            for single in apart:
                self._do_all([single])
        else:
            _settle(batch, results)

    def _try_again(self, batch: Sequence[Item], error: BaseException, tries: int) -> None:
        if tries > 1 and self._dialect.may_pass(error):
            self._do_all(batch, tries - 1)
        else:
            _settle(batch, error=self._dialect.explained(error))

    def _transaction(self, batch: Sequence[Item]) -> list[Any]:
        # Closed, because an error keeps the frames it came through, and so its cursor and the cursor's file, open.
        with closing(self._cursor()) as cursor:
            self._begin(cursor)
            try:
                results = _results(Session(cursor, self._dialect, self._translated), batch)
            except BaseException as error:
                self._undo(error)
                raise
            self._commit(cursor)
            return results

    def _begin(self, cursor: DriverCursor) -> None:
        try:
            cursor.execute(self._dialect.begin() if self._writes else "BEGIN")
        except BaseException as error:
            self._undo(error)
            raise _NotBegun(error) from error

    def _commit(self, cursor: DriverCursor) -> None:
        try:
            cursor.execute("COMMIT")
        except BaseException as error:
            self._undo(error)
            if self._writes and self._dialect.is_lost(error):
                raise CommitUnknown(f"The connection was lost during a commit: {error}") from error
            raise

    def _cursor(self) -> DriverCursor:
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


def _apart(item: Item) -> list[Item]:
    """Divide work into one piece for each of its facts."""
    return [Item(item.work, [fact], [future]) for fact, future in zip(item.facts, item.futures, strict=True)]


def _results(session: Session, batch: Sequence[Item]) -> list[Sequence[Any]]:
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


def _settle(batch: Sequence[Item], results: Sequence[Sequence[Any]] = (), error: BaseException | None = None) -> None:
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
