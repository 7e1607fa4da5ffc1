"""The plan of every statement on messages and values: none reads a table that grows, whatever the statistics of a full store say."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from agentoolkit.database.database import Database
from agentoolkit.database.dialects import dialect_for
from agentoolkit.database.migrations import MIGRATIONS
from agentoolkit.storage.kv.ports import KeptValue, StoredValue
from agentoolkit.storage.kv.sql import SqlKeyValueStore
from agentoolkit.system.queue.backends.sql import SqlQueueBackend
from agentoolkit.system.queue.messages import Queue, QueueSettings, Receipt, State
from agentoolkit.system.queue.ports import Lease, QueueContents, Requeue

from .test_queue_backend import START, at, message
from .test_store_plans import Plans, Touched, watch

MESSAGES, VALUES = 20_000, 20_000
TABLES = ("agentool_queue_messages", "agentool_queue_ids", "agentool_values")


@pytest.fixture
def knows_all() -> bool:
    """Does the database have statistics? Else it has none, as SQLite never has and PostgreSQL right after an import."""
    return True


@pytest.fixture
async def full(database_url: str, knows_all: bool) -> AsyncIterator[Database]:
    """A database with thousands of messages, remembered ids and values, and statistics of them."""
    database = Database(dialect_for(database_url, "normal"), MIGRATIONS)
    await database.open()
    backend = SqlQueueBackend(database)
    for queue_name in ("q", "other"):
        held = [message(f"{queue_name}{number}")._replace(queue_name=queue_name, arrival=number) for number in range(MESSAGES // 2)]
        ids = [(found.message_id, at(1e6)) for found in held]
        await backend.restore([QueueContents(Queue(queue_name, QueueSettings(), START), held, ids, len(held))], START)
    values = [KeptValue(f"n{number % 3}", f"k{number}", StoredValue("1", at(number) if number % 2 else None)) for number in range(VALUES)]
    await SqlKeyValueStore(database).restore(values, START)
    if knows_all:
        await database.write(lambda session: session.run("ANALYZE"))
    yield database
    await database.close()


async def use_queue(backend: SqlQueueBackend) -> None:
    """Call every method that has a statement of its own."""
    for number in range(4):
        await backend.add(message(f"new{number}", 1, ttl=1 if number < 2 else None, delay=5 * number), at(1e6))
    await backend.status("q", at(2))
    first, second, third = (await backend.take("q", Lease("t", 3, 1.0), at(2))).messages
    await backend.nack("q", Receipt(first.message_id, "t"), at(3), "no", at(2))
    await backend.dead_letter("q", Receipt(second.message_id, "t"), "no", at(2))
    await backend.remove("q", Receipt(third.message_id, "t"), at(2))
    await backend.take_out("q", 1, at(30))
    await backend.dead_letters("q", 1, at(30))
    await backend.requeue("q", Requeue(), at(30))
    await backend.peek("q", 1, at(30))
    await backend.message("q", "q77", at(30))
    await backend.queues(at(30))
    await backend.damaged(1)


async def use_values(store: SqlKeyValueStore) -> None:
    """Call every method but `everything`, which is about all there is."""
    await store.get("n1", "k1", START)
    await store.change("n1", "k1", lambda _: StoredValue("2", START + timedelta(hours=1)), START)
    await store.change("n1", "k1", lambda _: None, START)
    await store.keys("n1", "k1", 10, START)
    await store.damaged(1)


async def test_no_statement_on_messages_reads_a_whole_table(full: Database, monkeypatch: pytest.MonkeyPatch):
    """With ten thousand messages in each of two queues, every statement finds its rows through an index."""
    plans = Plans(TABLES)
    watch(plans, monkeypatch)
    await use_queue(SqlQueueBackend(full))
    assert (plans.bad, len(plans.statements) > 9) == ([], True)


async def test_clearing_and_deleting_read_no_other_queue(full: Database, monkeypatch: pytest.MonkeyPatch):
    """What is about all of one queue goes through that queue's index."""
    plans = Plans(TABLES)
    watch(plans, monkeypatch)
    backend = SqlQueueBackend(full)
    await backend.clear("other", {State.READY}, at(1))
    await backend.delete("other", at(1))
    assert (plans.bad, len(plans.statements) > 3) == ([], True)


async def test_no_statement_on_values_reads_a_whole_table(full: Database, monkeypatch: pytest.MonkeyPatch):
    """With twenty thousand values in three namespaces, every statement finds its rows through an index."""
    plans = Plans(TABLES)
    watch(plans, monkeypatch)
    await use_values(SqlKeyValueStore(full))
    assert (plans.bad, len(plans.statements) > 4) == ([], True)


@pytest.mark.parametrize("knows_all", [False])
async def test_no_statement_touches_what_it_does_not_answer(full: Database, monkeypatch: pytest.MonkeyPatch):
    """What a statement on messages and values reads is in keeping with its answer, where there are no statistics."""
    touched = Touched()
    watch(touched, monkeypatch)
    await use_queue(SqlQueueBackend(full))
    await use_values(SqlKeyValueStore(full))
    assert touched.bad == []
