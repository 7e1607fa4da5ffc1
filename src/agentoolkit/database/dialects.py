"""Choose the dialect of a database by its setting."""

from __future__ import annotations

from pathlib import Path

from agentoolkit.database.postgres_dialect import Postgres
from agentoolkit.database.session import Dialect
from agentoolkit.database.sqlite_dialect import Sqlite
from agentoolkit.settings import Durability


def dialect_for(database: str, durability: Durability = "full") -> Dialect:
    """Return the dialect that a setting names: a PostgreSQL URL, or the path of a SQLite file."""
    if database.startswith(("postgresql://", "postgres://")):
        return Postgres(database)
    return Sqlite(Path(database.removeprefix("sqlite:///")).expanduser(), durability)
