"""The store in a SQL database, with the same statements for SQLite and PostgreSQL."""

from agentoolkit.system.scheduler.stores.sql.store import SqlJobStore

__all__ = ["SqlJobStore"]
