"""What every store of browser sessions owes. One suite, every store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from agentoolkit.database.database import Database
from agentoolkit.database.dialects import dialect_for
from agentoolkit.database.migrations import MIGRATIONS
from agentoolkit.sessions import BrowserSession, MemorySessions, SessionStore, SqlSessions

START = datetime(2030, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture(params=["memory", "sqlite_database", "postgres_url"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[SessionStore]:
    if request.param == "memory":
        yield MemorySessions()
        return
    database = Database(dialect_for(str(request.getfixturevalue(request.param)), "normal"), MIGRATIONS)
    yield SqlSessions(database)
    await database.close()


async def test_a_session_is_kept_until_it_is_removed(store: SessionStore) -> None:
    """As it was put, its end to the microsecond; removing one leaves the others."""
    one, other = BrowserSession("1", "a", START + timedelta(microseconds=1)), BrowserSession("2", "a", START + HOUR)
    await store.put(one, START)
    await store.put(other, START)
    assert await store.get("1") == one
    await store.remove("1")
    assert (await store.get("1"), await store.get("2")) == (None, other)


async def test_what_has_expired_is_forgotten(store: SessionStore) -> None:
    """As soon as somebody else signs in: what is kept does not grow."""
    await store.put(BrowserSession("1", "a", START + HOUR), START)
    await store.put(BrowserSession("2", "a", START + 2 * HOUR), START + HOUR)
    assert (await store.get("1"), await store.get("2")) == (None, BrowserSession("2", "a", START + 2 * HOUR))
