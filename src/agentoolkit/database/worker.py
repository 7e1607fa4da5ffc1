"""A thread with its own database connection. It runs all waiting work in one transaction."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import closing, suppress
from typing import Any, NamedTuple

from agentoolkit.database.batches import LEFT_OUT, Item, apart, commits_itself, divided, opposite_of, results_of
from agentoolkit.database.order import LockOrder
from agentoolkit.database.session import CommitUnknown, DatabaseError, DatabaseUnreachable, Dialect, DriverCursor, Session

MAX_AT_ONCE = 1_000
"""Pieces of work in one transaction."""
TRIES = 3
"""Tries of work that a temporary error, such as a lost connection or a deadlock, kept from its commit."""


class _NotBegun(Exception):
    """No transaction could be begun."""

    def __init__(self, reason: BaseException) -> None:
        super().__init__(reason)
        self.reason = reason


class DatabaseThread:
    """A thread with its own connection, which it opens when it needs one, and again after a loss."""

    def __init__(self, dialect: Dialect, *, writes: bool) -> None:
        self._dialect = dialect
        self._writes = writes
        self._waiting: queue.SimpleQueue[Item | None] = queue.SimpleQueue()
        self._connection: Any = None
        self._translated: dict[str, str] = {}
        self._kept: dict[str, Any] = {}
        self._over = False
        self.asked = 0
        """Answers that callers wait for."""
        self._ended: Future[None] = Future()
        threading.Thread(target=self._run, name=f"agentool-{'writer' if writes else 'reader'}", daemon=True).start()

    def do(self, work: Callable[[Session], Any], order: LockOrder) -> asyncio.Future[Any]:
        future = asyncio.get_running_loop().create_future()

        def alone(session: Session, _: Sequence[Any]) -> Sequence[Any]:
            return [work(session)]

        self.put(Item(alone, [None], [future], order))
        return future

    def put(self, item: Item) -> None:
        self.asked += len(item.futures)
        self._waiting.put(item)
        if self._over:
            self._refuse_waiting()

    def undo(self, item: Item, done: Sequence[tuple[Any, Any]]) -> None:
        """Undo the finished work of cancelled callers."""
        if opposite := opposite_of(item, done):
            self.put(opposite)

    def stop(self) -> asyncio.Future[None]:
        """End the thread after the waiting work. The future is done when it has ended."""
        self._waiting.put(None)
        return asyncio.wrap_future(self._ended)

    def _run(self) -> None:
        while (item := self._waiting.get()) is not None:
            batch = [item]
            with suppress(queue.Empty):
                while len(batch) < MAX_AT_ONCE and (more := self._waiting.get_nowait()) is not None:
                    batch.append(more)
                if len(batch) < MAX_AT_ONCE:
                    self._waiting.put(None)  # the end mark was taken with the batch: put it back for the loop
            for part in divided(batch):
                self._do_all(part)
        self._disconnect()
        self._over = True  # from here on `put` itself refuses new work, so that none is left waiting
        self._refuse_waiting()
        self._ended.set_result(None)

    def _refuse_waiting(self) -> None:
        with suppress(queue.Empty):
            while True:
                if (item := self._waiting.get_nowait()) is not None:
                    self._settle([item], error=DatabaseError("The database is not open."))

    def _do_all(self, batch: Sequence[Item], tries: int = TRIES) -> None:
        try:
            results = self._transaction(batch)
        except (DatabaseUnreachable, CommitUnknown) as error:
            self._settle(batch, error=error)
        except _NotBegun as error:  # the work is not at fault, so running each item alone would not help
            self._try_again(batch, error.reason, tries)
        except BaseException as error:
            singles = [single for item in batch for single in apart(item)]
            if len(singles) == 1 or (tries > 1 and self._dialect.may_pass(error)):
                self._try_again(batch, error, tries)
                return
            for single in singles:
                self._do_all([single])
        else:
            self._undo_unheard(batch, results)
            self._settle(batch, results)

    def _undo_unheard(self, batch: Sequence[Item], results: Sequence[list[Any]]) -> None:
        """Undo at once the work of callers that were cancelled meanwhile: later this thread may have ended."""
        for item, answers in zip(batch, results, strict=True):
            if item.undo is None:
                continue
            unheard = [index for index in range(len(answers)) if answers[index] is not LEFT_OUT and item.is_unwanted(index)]
            opposite = opposite_of(item, [(item.facts[index], answers[index]) for index in unheard])
            for index in unheard:
                answers[index] = LEFT_OUT
            if opposite:
                self._do_all([opposite])

    def _try_again(self, batch: Sequence[Item], error: BaseException, tries: int) -> None:
        if tries > 1 and self._dialect.may_pass(error):
            self._do_all(batch, tries - 1)
        else:
            self._settle(batch, error=self._dialect.explained(error))

    def _transaction(self, batch: Sequence[Item]) -> list[Any]:
        # The cursor is closed explicitly: an error's traceback would keep it, and its file, open.
        room = min(item.order for item in batch)
        alone = not self._dialect.reads_in_transactions if room is LockOrder.READING else commits_itself(batch)
        if alone and self._connection is not None and self._dialect.was_closed(self._connection):
            self._disconnect()  # without a transaction no BEGIN would find the loss before the work
        if self._connection is None:
            self._connection = self._dialect.connect(writes=self._writes)
        with closing(self._connection.cursor()) as cursor:
            session = Session(cursor, self._dialect, self._translated, self._kept)
            if alone:
                return self._without_transaction(session, batch, room)
            self._begin(cursor, room)
            try:
                results = results_of(session, batch, room)
            except BaseException as error:
                self._undo(error)
                raise
            self._commit(cursor)
            return results

    def _without_transaction(self, session: Session, batch: Sequence[Item], room: LockOrder) -> list[Any]:
        """Run work that only reads, or whose last statement is its only write: that statement is a transaction by itself."""
        try:
            return results_of(session, batch, room)
        except BaseException as error:
            self._undo(error)
            if session.wrote and self._dialect.is_lost(error):
                raise _commit_unknown(error) from error
            raise

    def _begin(self, cursor: DriverCursor, room: LockOrder) -> None:
        try:
            if self._writes:
                self._dialect.begin(cursor, room)
            else:
                cursor.execute("BEGIN")
        except BaseException as error:
            self._undo(error)
            raise _NotBegun(error) from error

    def _commit(self, cursor: DriverCursor) -> None:
        try:
            cursor.execute("COMMIT")
        except BaseException as error:
            self._undo(error)
            if self._writes and self._dialect.is_lost(error):
                raise _commit_unknown(error) from error
            raise

    def _undo(self, error: BaseException) -> None:
        with suppress(OSError):
            self._dialect.relieve(error)
        try:
            self._connection.rollback()
        except Exception:
            self._disconnect()
        if self._dialect.is_lost(error):
            self._disconnect()

    def _settle(self, batch: Sequence[Item], results: Sequence[Sequence[Any]] = (), error: BaseException | None = None) -> None:
        """Wake all callers of finished work, with one call into each event loop."""
        by_loop: dict[asyncio.AbstractEventLoop, list[_Answered]] = {}
        for place, item in enumerate(batch):
            if item.futures:
                answered = _Answered(item, results[place] if results else (), error)
                by_loop.setdefault(item.futures[0].get_loop(), []).append(answered)
        for loop, answered in by_loop.items():
            try:
                loop.call_soon_threadsafe(self._wake, answered)
            except RuntimeError:  # the event loop is closed, so nobody waits
                for item, answers, _ in answered:
                    if opposite := opposite_of(item, list(zip(item.facts, answers, strict=False))):
                        self._do_all([opposite])

    def _wake(self, answered: Sequence[_Answered]) -> None:
        for item, answers, error in answered:
            self.asked -= len(item.futures)
            if error is not None:
                for future in item.futures:
                    if not future.done():
                        future.set_exception(error)
                continue
            unheard: list[tuple[Any, Any]] = []
            for fact, future, answer in zip(item.facts, item.futures, answers, strict=True):
                if not future.done():
                    future.set_result(answer)
                elif item.undo is not None:
                    unheard.append((fact, answer))
            self.undo(item, unheard)

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        self._kept = {}
        if connection is not None:
            with suppress(Exception):
                connection.close()


class _Answered(NamedTuple):
    """An item and the answers to its facts."""

    item: Item
    answers: Sequence[Any]
    error: BaseException | None


def _commit_unknown(error: BaseException) -> CommitUnknown:
    return CommitUnknown(f"The connection was lost during a commit: {error}")
