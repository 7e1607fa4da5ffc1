"""The order in which every transaction takes its locks, so that processes sharing a PostgreSQL database never deadlock."""

from __future__ import annotations

from enum import IntEnum


class LockOrder(IntEnum):
    """A room of the database: a group of tables. Each transaction does the work of one room before that of the next.

    In most rooms one transaction writes at a time, because it works in the order of arrival, which differs in
    each process. SQLite has one writer anyway.
    """

    READING = 0
    """No locks and no writes."""
    NONE = 1
    """Migrations, which have a lock of their own."""
    JOBS = 2
    """Also all cheap and rare work without a room of its own."""
    EXECUTIONS = 3
    """Rows of executions alone. Work may read, and then writes by one statement, which skips rows that others have locked."""
    QUEUES = 4
    VALUES = 5
    EVENTS = 6

    @property
    def is_exclusive(self) -> bool:
        """True if one transaction at a time writes there. Otherwise statements lock single rows, in an order of their own."""
        return self in (LockOrder.JOBS, LockOrder.EVENTS)

    @property
    def lock(self) -> int:
        """The number of an exclusive room's lock. Never change it: processes of several versions may share a database."""
        return {LockOrder.JOBS: 1, LockOrder.EVENTS: 4}[self]
