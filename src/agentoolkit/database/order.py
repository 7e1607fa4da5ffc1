"""The one order in which transactions lock, so that processes which share a PostgreSQL database never wait in a circle."""

from __future__ import annotations

from enum import IntEnum


class LockOrder(IntEnum):
    """A room of the database. In each transaction the work of one room comes before that of the next.

    In most rooms one transaction writes at a time: it does what was asked in the order of arrival, which is another one in
    each process. SQLite has one writer anyway.
    """

    READING = 0
    """Nothing is locked, nor written."""
    NONE = 1
    """Migrations, which have a lock of their own."""
    JOBS = 2
    """And everything that has no room of its own: what is cheap and seldom."""
    EXECUTIONS = 3
    """Rows of executions alone. Work there may read, and then writes by one statement, which passes over rows that others lock."""
    QUEUES = 4
    VALUES = 5
    EVENTS = 6

    @property
    def is_exclusive(self) -> bool:
        """Does one transaction at a time write there? Else its statements lock single rows, in an order of their own."""
        return self in (LockOrder.JOBS, LockOrder.EVENTS)

    @property
    def lock(self) -> int:
        """The number of an exclusive room's lock. It stays, because processes of several versions may share a database."""
        return {LockOrder.JOBS: 1, LockOrder.EVENTS: 4}[self]
