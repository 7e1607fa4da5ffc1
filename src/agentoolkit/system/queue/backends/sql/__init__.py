"""Queues in a SQL database: SQLite or PostgreSQL, by the same statements."""

from agentoolkit.system.queue.backends.sql.backend import SqlQueueBackend
from agentoolkit.system.queue.backends.sql.schema import MIGRATIONS

__all__ = ["MIGRATIONS", "SqlQueueBackend"]
