"""What every key-value store owes. One suite, every store; a new one adds itself to `STORES`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from agentoolkit.database.database import Database
from agentoolkit.database.dialects import dialect_for
from agentoolkit.database.migrations import MIGRATIONS
from agentoolkit.storage.kv.memory import MemoryKeyValueStore
from agentoolkit.storage.kv.ports import Changed, KeyValueStore, StoredValue
from agentoolkit.storage.kv.sql import SqlKeyValueStore

START = datetime(2030, 1, 1, tzinfo=UTC)
LATER = START + timedelta(seconds=10)


@pytest.fixture(params=["memory", "sqlite_database", "postgres_url"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[KeyValueStore]:
    if request.param == "memory":
        yield MemoryKeyValueStore()
        return
    database = Database(dialect_for(str(request.getfixturevalue(request.param)), "normal"), MIGRATIONS)
    await database.open()
    yield SqlKeyValueStore(database)
    await database.close()


async def put(store: KeyValueStore, key: str, text: str = "1", expires_at: datetime | None = None, namespace: str = "n") -> Changed:
    return await store.change(namespace, key, lambda _: StoredValue(text, expires_at), START)


async def test_what_is_put_is_found(store: KeyValueStore):
    """An entry comes back as it was put, its expiry to the microsecond."""
    at = START + timedelta(days=1, microseconds=1)
    await put(store, "ключ 'x' %", '{"a":"ü"}', at)
    assert await store.get("n", "ключ 'x' %", START) == StoredValue('{"a":"ü"}', at)


async def test_nothing_is_found_where_nothing_is(store: KeyValueStore):
    """A key that was never put is not there."""
    assert await store.get("n", "a", START) is None


async def test_change_is_given_what_was_there(store: KeyValueStore):
    """A change sees the present entry, or None, and the answer has both."""
    assert await put(store, "a", "1") == (None, StoredValue("1"))
    assert await put(store, "a", "2") == (StoredValue("1"), StoredValue("2"))


async def test_everything_is_every_living_entry(store: KeyValueStore):
    """Entries of every namespace, in order, without those that have expired."""
    await put(store, "b", "2", LATER)
    await put(store, "a", "1")
    await put(store, "a", "3", namespace="m")
    await put(store, "gone", "4", START + timedelta(seconds=1))
    assert await store.everything(START + timedelta(seconds=2)) == [
        ("m", "a", StoredValue("3")),
        ("n", "a", StoredValue("1")),
        ("n", "b", StoredValue("2", LATER)),
    ]


async def test_change_to_none_removes(store: KeyValueStore):
    """An entry that becomes None is gone; a second time changes nothing."""
    await put(store, "a")
    assert await store.change("n", "a", lambda _: None, START) == (StoredValue("1"), None)
    assert await store.change("n", "a", lambda _: None, START) == (None, None)
    assert await store.keys("n", "", 10, START) == []


async def test_change_that_raises_changes_nothing(store: KeyValueStore):
    """What the function raises comes out, and the entry stays."""
    await put(store, "a")

    def refuse(before: StoredValue | None) -> StoredValue:
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        await store.change("n", "a", refuse, START)
    assert await store.get("n", "a", START) == StoredValue("1")


async def test_namespaces_do_not_meet(store: KeyValueStore):
    """The same key in two namespaces is two entries."""
    await put(store, "a", "1", namespace="one")
    await put(store, "a", "2", namespace="two")
    assert [await store.get(name, "a", START) for name in ("one", "two")] == [StoredValue("1"), StoredValue("2")]


async def test_an_expired_entry_is_nowhere(store: KeyValueStore):
    """From its expiry on an entry is not got, not listed, and not seen by a change."""
    await put(store, "a", expires_at=LATER)
    assert await store.get("n", "a", LATER - timedelta(microseconds=1)) is not None
    assert await store.get("n", "a", LATER) is None
    assert await store.keys("n", "", 10, LATER) == []
    assert await store.change("n", "a", lambda before: before, LATER) == (None, None)


async def test_a_new_entry_has_its_own_expiry(store: KeyValueStore):
    """An entry put without expiry over one with an expiry stays."""
    await put(store, "a", expires_at=LATER)
    await put(store, "a", "2")
    assert await store.get("n", "a", LATER) == StoredValue("2")


async def test_keys_are_ordered_by_code_point(store: KeyValueStore):
    """Upper case comes before lower case and before what is not ASCII, on every system."""
    for key in ("ä", "b", "B", "a", "_", "a1"):
        await put(store, key)
    assert await store.keys("n", "", 10, START) == ["B", "_", "a", "a1", "b", "ä"]


async def test_keys_are_limited(store: KeyValueStore):
    """The first so many keys are listed."""
    for key in ("c", "a", "b"):
        await put(store, key)
    assert await store.keys("n", "", 2, START) == ["a", "b"]


async def test_a_prefix_is_taken_literally(store: KeyValueStore):
    """Percent and underscore in a prefix stand for themselves, and case matters."""
    for key in ("a_b", "axb", "a%b", "A_b", "a_"):
        await put(store, key)
    assert await store.keys("n", "a_", 10, START) == ["a_", "a_b"]
    assert await store.keys("n", "a%", 10, START) == ["a%b"]


async def test_changes_do_not_lose_each_other(store: KeyValueStore):
    """A hundred changes at once happen one after the other."""

    def one_more(before: StoredValue | None) -> StoredValue:
        return StoredValue(str(int(before.text if before else 0) + 1))

    await asyncio.gather(*(store.change("n", "a", one_more, START) for _ in range(100)))
    assert await store.get("n", "a", START) == StoredValue("100")


async def test_change_that_changes_nothing_adds_nothing():
    """A refused change, however often it is asked for, leaves nothing behind in memory."""
    store = MemoryKeyValueStore()
    await put(store, "a", expires_at=LATER)
    for _ in range(100):
        await store.change("n", "a", lambda before: before, START)
    assert len(store._expiring) == 1


async def test_entry_that_is_put_again_and_again_does_not_add_up():
    """Ten thousand entries under one key, each with its expiry, are not remembered in memory; the last expires at its time."""
    store = MemoryKeyValueStore()
    for second in range(10_000):
        await put(store, "a", expires_at=LATER + timedelta(seconds=second))
    assert len(store._expiring) < 2_500
    last = LATER + timedelta(seconds=9_999)
    assert [await store.get("n", "a", at) for at in (last - timedelta(seconds=1), last)] == [StoredValue("1", last), None]


async def test_two_databases_do_not_lose_changes(database_url: str):
    """Changes through two connections, as of two processes, happen one after the other too, from the first one on."""

    def one_more(before: StoredValue | None) -> StoredValue:
        return StoredValue(str(int(before.text if before else 0) + 1))

    databases = [Database(dialect_for(database_url, "normal"), MIGRATIONS) for _ in range(2)]
    for database in databases:
        await database.open()
    stores = [SqlKeyValueStore(database) for database in databases]
    await asyncio.gather(*(store.change("n", key, one_more, START) for _ in range(50) for store in stores for key in "ab"))
    assert [await stores[0].get("n", key, START) for key in "ab"] == [StoredValue("100"), StoredValue("100")]
    for database in databases:
        await database.close()


async def test_what_expires_is_left_to_whoever_changes_it(postgres_url: str):
    """On PostgreSQL a value that expired stays while another transaction has its place, so that neither waits for the other."""
    import psycopg

    place = "SELECT pg_advisory_xact_lock(4921, (hashtext('n') # hashtext('gone')) & 1023)"
    find = "SELECT key FROM agentool_values ORDER BY key"
    database = Database(dialect_for(postgres_url), MIGRATIONS)
    await database.open()
    store = SqlKeyValueStore(database)
    for key in ("gone", "gone too"):
        await put(store, key, expires_at=LATER)
    with psycopg.connect(postgres_url) as other:
        other.execute(place)
        await store.change("n", "new", lambda _: StoredValue("1", LATER + timedelta(days=1)), LATER)
        assert other.execute(find).fetchall() == [("gone",), ("new",)]
    await database.close()
