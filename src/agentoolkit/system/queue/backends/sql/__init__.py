"""Queues in a SQL database: SQLite or PostgreSQL, by the same statements."""

from agentoolkit.system.queue.backends.sql.backend import SqlQueueBackend

__all__ = ["SqlQueueBackend"]
