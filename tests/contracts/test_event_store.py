"""What every store of events owes. One suite, every store; a new one adds itself to the fixture."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from agentoolkit.database.database import Database
from agentoolkit.database.dialects import dialect_for
from agentoolkit.database.migrations import MIGRATIONS
from agentoolkit.redis_server import RedisServer
from agentoolkit.system.events.backends.memory import MemoryEventStore
from agentoolkit.system.events.backends.redis import RedisEventStore
from agentoolkit.system.events.backends.sql import SqlEventStore
from agentoolkit.system.events.messages import EventMessage, EventRecord
from agentoolkit.system.events.ports import EventStore, KeptIds

START = datetime(2030, 1, 1, tzinfo=UTC)
KEEP = 5


@pytest.fixture(params=["memory", "sqlite_database", "postgres_url", "redis_url"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[EventStore]:
    if request.param == "memory":
        yield MemoryEventStore(KEEP)
        return
    if request.param == "redis_url":
        server = RedisServer(request.getfixturevalue("redis_url"))
        yield RedisEventStore(server, KEEP)
        server.close()
        return
    database = Database(dialect_for(str(request.getfixturevalue(request.param)), "normal"), MIGRATIONS)
    await database.open()
    yield SqlEventStore(database, KEEP)
    await database.close()


def message(number: int, **more: object) -> EventMessage:
    return EventMessage.model_validate(
        {"event_type": f"a.{number}", "source_agent": "me", "payload": {"ü": [number]}, "published_at": START, **more}
    )


async def test_events_are_read_as_they_were_published(store: EventStore):
    """With their ids, target and owner, and the time to the microsecond."""
    published = message(1, target_agent="you", owner="maria", published_at=START.replace(microsecond=7))
    assert await store.append([published]) == 1
    assert list(await store.read(0, 10)) == [published.model_copy(update={"event_id": 1})]


@pytest.mark.parametrize("text", ["plain", "ü \u2028", "\ud800"])
async def test_facts_are_read_as_their_description(store: EventStore, text: str):
    """Whatever the text, and though the facts change afterwards: what is told is what they were."""
    facts = [text]
    record = EventRecord("a.b", "me", "maria", START, facts, lambda told: {"told": list(told), "none": None, "length": 0.25})
    await store.append([record])
    facts.append("later")
    payload = {"told": [text], "none": None, "length": 0.25}
    published = EventMessage(event_id=1, event_type="a.b", source_agent="me", payload=payload, owner="maria", published_at=START)
    assert list(await store.read(0, 10)) == [published]


async def test_pages_follow_each_other(store: EventStore):
    """The oldest first, each after the cursor and no longer than asked for."""
    await store.append([message(number) for number in range(3)])
    pages = [await store.read(after, 2) for after in (0, 2, 3)]
    assert [[each.event_id for each in page] for page in pages] == [[1, 2], [3], []]


async def test_the_newest_are_kept(store: EventStore):
    """Older ones are gone, and the bounds say so; ids go on."""
    for number in range(4):
        await store.append([message(number), message(number)])
    assert await store.bounds() == KeptIds(4, 8)
    assert [each.event_id for each in await store.read(0, 10)] == [4, 5, 6, 7, 8]


async def test_nothing_is_kept_at_first(store: EventStore):
    """The bounds of an empty store meet."""
    assert (await store.bounds(), list(await store.read(0, 10))) == (KeptIds(1, 0), [])


async def test_no_id_is_given_twice(store: EventStore):
    """However many publish at once."""
    ends = await asyncio.gather(*(store.append([message(number)]) for number in range(20)))
    assert sorted(ends) == list(range(1, 21))


async def test_a_cursor_is_kept_by_its_name(store: EventStore):
    """The last one that was saved; none of a subscriber that is new."""
    await store.save_cursor("mailer", 3)
    await store.save_cursor("mailer", 4)
    assert (await store.cursor("mailer"), await store.cursor("other")) == (4, None)


async def test_a_reader_is_remembered_for_a_while(store: EventStore):
    """Until the instant that was said last; an earlier one takes nothing back."""
    before = await store.has_readers(START)
    await store.note_reader(START + timedelta(minutes=10))
    await store.note_reader(START + timedelta(minutes=5))
    later = [await store.has_readers(START + timedelta(minutes=minutes)) for minutes in (9, 10)]
    assert (before, later) == (False, [True, False])


async def test_a_named_subscriber_stays_a_reader(store: EventStore):
    """It is told of what happens while it is away, however long."""
    await store.save_cursor("mailer", 0)
    assert await store.has_readers(START.replace(year=2090))
