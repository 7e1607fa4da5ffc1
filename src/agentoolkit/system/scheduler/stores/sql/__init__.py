"""The store in a SQL database: SQLite or PostgreSQL, by the same statements."""

from agentoolkit.system.scheduler.stores.sql.store import SqlJobStore

__all__ = ["SqlJobStore"]
