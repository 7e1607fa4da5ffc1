"""The table of the key-value storage. Times are microseconds since 1970 in UTC; values are JSON text."""

from __future__ import annotations

from collections.abc import Sequence

FIRST: Sequence[str] = (
    """
    CREATE TABLE agentool_values (
        namespace TEXT NOT NULL,
        key TEXT NOT NULL,
        value TEXT NOT NULL,
        expires_at BIGINT,
        PRIMARY KEY (namespace, key)
    )
    """,
    "CREATE INDEX agentool_values_expiry ON agentool_values (expires_at) WHERE expires_at IS NOT NULL",
)

MIGRATIONS: Sequence[Sequence[str]] = (FIRST,)
"""Each is run once, in order. A published one is never changed; what is to be different comes as a further one."""
