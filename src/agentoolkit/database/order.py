"""The one order in which transactions lock, so that processes which share a PostgreSQL database never wait in a circle."""

from __future__ import annotations

from enum import IntEnum


class LockOrder(IntEnum):
    """A room of the database. In each transaction the work of one room comes before that of the next.

    In most rooms one transaction writes at a time: it does what was asked in the order of arrival, which is another one in
    each process. SQLite has one writer anyway.
    """

    NONE = 0
    """Reading, and migrations, which have a lock of their own."""
    JOBS = 1
    """And everything that has no room of its own: what is cheap and seldom."""
    EXECUTIONS = 2
    """Rows of executions alone. Work there may read, and then writes by one statement, which passes over rows that others lock."""
    QUEUES = 3
    VALUES = 4
    EVENTS = 5

    @property
    def is_exclusive(self) -> bool:
        """Does one transaction at a time write there? Else its statements lock single rows, in an order of their own."""
        return self in (LockOrder.JOBS, LockOrder.EVENTS)

    @property
    def lock(self) -> int:
        """The number of an exclusive room's lock. It stays, because processes of several versions may share a database."""
        return {LockOrder.JOBS: 1, LockOrder.EVENTS: 4}[self]
