"""What only shows where several processes, or back ends, share the queues of one database."""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agentoolkit.database import postgres_dialect
from agentoolkit.database.database import Database, DatabaseError
from agentoolkit.database.dialects import dialect_for
from agentoolkit.database.migrations import MIGRATIONS
from agentoolkit.database.session import Session
from agentoolkit.settings import Settings
from agentoolkit.storage.kv.errors import DamagedValue
from agentoolkit.system.queue.backends.sql import SqlQueueBackend, statements
from agentoolkit.system.queue.enqueue import EnqueueRequest
from agentoolkit.system.queue.errors import QueueError, QueueFull
from agentoolkit.system.queue.messages import Counts, Queue, QueueMessage, QueueSettings, Receipt, State
from agentoolkit.system.queue.ports import Lease, Requeue
from agentoolkit.system.queue.service import DequeueRequest, QueueService
from agentoolkit.testing import ManualTime
from agentoolkit.transfer import Everything, export_lines
from agentoolkit.wiring import Toolkit

from .queue_taker import LEASE, MESSAGE, START

CHILD = Path(__file__).with_name("queue_taker.py")
TOMORROW = START + timedelta(days=1)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def message(number: int, **more: object) -> QueueMessage:
    return MESSAGE._replace(message_id=f"m{number}", **more)


@asynccontextmanager
async def opened(emptied_database_url: str) -> AsyncIterator[SqlQueueBackend]:
    backend = SqlQueueBackend(Database(dialect_for(emptied_database_url, "normal"), MIGRATIONS))
    await backend.open()
    yield backend
    await backend.close()


@pytest.fixture
async def backends(emptied_database_url: str, nothing_left: None) -> AsyncIterator[list[SqlQueueBackend]]:
    """Three back ends on one database, as three processes have them."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(opened(emptied_database_url)) for _ in range(3)]


async def take(backend: SqlQueueBackend, seconds: float = 0, limit: int = 1) -> list[QueueMessage]:
    return list((await backend.take("q", Lease("t", limit, 10), at(seconds))).messages)


def kill(emptied_database_url: str, point: str) -> None:
    """Start another process and see it die at a point."""
    ran = subprocess.run([sys.executable, str(CHILD), emptied_database_url, point], capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stderr) == (-signal.SIGKILL, "")


# Several back ends


async def test_one_message_has_one_winner(backends: list[SqlQueueBackend]):
    """Of all who take at the same time, one gets the message."""
    await backends[0].add(message(1), None)
    taken = await asyncio.gather(*(take(backend) for backend in backends * 3))
    assert sorted(map(len, taken)) == [0] * 8 + [1]


async def test_each_message_is_taken_once(backends: list[SqlQueueBackend]):
    """However many messages back ends take at the same time, none is taken twice and none is forgotten."""
    await asyncio.gather(*(backends[number % 3].add(message(number), None) for number in range(300)))
    seen: Counter[str] = Counter()
    while await backends[0].peek("q", 1, START):
        for taken in await asyncio.gather(*(take(backend, limit=4) for backend in backends * 5)):
            seen.update(found.message_id for found in taken)
    assert seen == {f"m{number}": 1 for number in range(300)}


async def test_all_back_ends_count_alike(backends: list[SqlQueueBackend]):
    """What one adds, takes, buries or removes is counted for all."""
    await asyncio.gather(*(backends[number % 3].add(message(number), None) for number in range(9)))
    for backend in backends:
        (found,) = await take(backend)
        await backend.dead_letter("q", found.receipt, "no", START)
        await take(backend)
    assert [(await backend.status("q", START)).counts for backend in backends] == [Counts(ready=3, in_flight=3, dead=3)] * 3


async def test_a_lease_that_runs_out_in_one_is_the_others(backends: list[SqlQueueBackend]):
    """What one does not acknowledge in time, another gets, and the first can do nothing about it any more."""
    one, other, _ = backends
    await one.add(message(1), None)
    await one.take("q", Lease("late", 1, 10), START)
    assert await take(other, 9.9) == []
    assert [(found.attempts, found.token) for found in await take(other, 10)] == [(1, "t")]
    assert (await one.message("q", "m1", at(10))).token == "t"


async def test_a_message_that_comes_twice_is_added_once(backends: list[SqlQueueBackend]):
    """Back ends that add the same id at the same time add one message, and know it after it is gone."""
    added = await asyncio.gather(*(backend.add(MESSAGE, TOMORROW) for backend in backends * 3))
    assert sorted(answer.duplicate for answer in added) == [False] + [True] * 8
    await backends[0].remove("q", Receipt(MESSAGE.message_id), START)
    assert await backends[1].add(MESSAGE, TOMORROW) == (None, True)


async def test_a_queue_never_holds_more_than_it_may(backends: list[SqlQueueBackend]):
    """However many back ends add at the same time, `max_size` is met exactly."""
    await backends[0].create(Queue("q", QueueSettings(max_size=50), START))
    adding = [backends[number % 3].add(message(number), None) for number in range(90)]
    answers = await asyncio.gather(*adding, return_exceptions=True)
    assert sum(isinstance(answer, QueueFull) for answer in answers) == 40
    assert (await backends[1].status("q", START)).counts == Counts(ready=50)


async def test_queues_that_meet_in_opposite_order_do_not_block(backends: list[SqlQueueBackend]):
    """Back ends that add to many queues at the same time, each in an order of its own, all succeed."""
    names = [f"q{number}" for number in range(20)]
    orders = zip(backends, (names, names[::-1], names[10:] + names[:10]), strict=True)
    await asyncio.gather(*(backend.add(message(1, queue_name=name), None) for backend, order in orders for name in order))
    assert [status.counts.ready for status in await backends[0].queues(START)] == [1] * 20


async def test_a_deleted_queue_is_gone_for_all(backends: list[SqlQueueBackend]):
    """A queue that one deletes and another makes anew holds nothing of the former."""
    await asyncio.gather(*(backends[number % 3].add(message(number), TOMORROW) for number in range(9)))
    await backends[0].delete("q", START)
    assert not (await backends[1].add(message(1), None)).duplicate
    assert (await backends[2].status("q", START)).counts == Counts(ready=1)


async def test_who_waits_sees_what_another_process_adds(backends: list[SqlQueueBackend]):
    """A waiting `dequeue` looks again after `looks_every` seconds, though nobody here has called it."""
    time = ManualTime(START)
    service = QueueService(backends[0], time)
    await service.create("q", {})
    waiting = asyncio.ensure_future(service.dequeue(DequeueRequest("q", timeout=60)))
    await _passes(backends[0], 3)
    await QueueService(backends[1], time).enqueue(EnqueueRequest("q", "from afar"))
    await time.advance(seconds=backends[0].looks_every or 0)
    assert [found.body for found in await waiting] == ['"from afar"']


async def _passes(backend: SqlQueueBackend, number: int) -> None:
    """Let what was asked of a back end before be answered, and what was asked after that."""
    for _ in range(number):
        await backend.create(Queue("q", QueueSettings(), START))
        await backend.status("q", START)


async def test_taking_does_not_wait_for_another_taker(emptied_postgres_url: str):
    """On PostgreSQL, what an open transaction has locked is passed over."""
    async with opened(emptied_postgres_url) as backend:
        for number in (1, 2):
            await backend.add(message(number), None)
        dialect = dialect_for(emptied_postgres_url)
        connection = dialect.connect(writes=True)
        cursor = connection.cursor()
        cursor.execute("BEGIN")
        locked = statements.ready(Session(cursor, dialect, {}), "q", 1, lock=True)
        assert [found.message_id for found in [*locked, *await take(backend, limit=5)]] == ["m1", "m2"]
        connection.close()


async def test_a_refused_nack_leaves_the_others_in_one_transaction(emptied_database_url: str):
    """An answer that is an error undoes no other: all of them are done in a transaction or two."""
    async with opened(emptied_database_url) as backend:
        await asyncio.gather(*(backend.add(message(number), None) for number in range(50)))
        taken = await take(backend, limit=50)
        writer = backend._database._writer
        sizes, original = [], writer._transaction
        writer._transaction = lambda batch: sizes.append(len(batch)) or original(batch)
        calls = [backend.nack("q", found.receipt, START, "no", START) for found in taken]
        calls += [backend.nack("q", Receipt(f"m{number}", "stale"), START, "no", START) for number in range(20)]
        calls += [backend.dead_letter("q", Receipt("unknown"), "no", START), backend.requeue("q", Requeue("unknown"), START)]
        answers = await asyncio.gather(*calls, return_exceptions=True)
        assert (sum(isinstance(answer, QueueError) for answer in answers), len(sizes)) == (22, 1)
        assert (await backend.status("q", START)).counts == Counts(ready=50)


async def test_clearing_misses_nothing_that_is_taken_meanwhile(emptied_postgres_url: str):
    """Whatever was there when it began is gone, though others take and return all the time."""
    async with opened(emptied_postgres_url) as backend, opened(emptied_postgres_url) as other:
        for _ in range(5):
            await asyncio.gather(*(backend.add(message(number), None) for number in range(300)))
            stop = asyncio.Event()

            async def disturb(stop: asyncio.Event = stop) -> None:
                while not stop.is_set():
                    found = (await other.take("q", Lease("t", 20, 10), START)).messages
                    asked = [other.nack("q", each.receipt, START, "", START) for each in found[::2]]
                    await asyncio.gather(*asked, return_exceptions=True)

            disturbing = asyncio.ensure_future(disturb())
            await asyncio.sleep(0.01)
            await backend.clear("q", set(State), START)
            left = (await backend.status("q", START)).counts
            stop.set()
            await disturbing
            assert left == Counts()
            await backend.delete("q", START)


async def test_a_queue_that_another_keeps_locked_stops_no_other(emptied_postgres_url: str, monkeypatch: pytest.MonkeyPatch):
    """A foreign lock on one queue is an error for those who ask for it, all at once, and the others go on."""
    import psycopg

    monkeypatch.setattr(postgres_dialect, "LOCK_SECONDS", 0.3)
    async with opened(emptied_postgres_url) as backend:
        for name in ("free", "locked"):
            await backend.add(message(0, queue_name=name), None)
        with psycopg.connect(emptied_postgres_url) as foreign:
            foreign.execute("SELECT * FROM agentool_queues WHERE queue_name = 'locked' FOR UPDATE")
            async with asyncio.timeout(5):
                names = ("free", "locked") * 20
                calls = [backend.add(message(number, queue_name=name), None) for number, name in enumerate(names, 1)]
                answers = await asyncio.gather(*calls, return_exceptions=True)
        assert [isinstance(answer, DatabaseError) for answer in answers] == [False, True] * 20
        assert (await backend.status("free", START)).counts == Counts(ready=21)


# Killed processes


async def test_the_lease_of_a_killed_process_runs_out(emptied_database_url: str):
    """What a process had taken when it was killed comes back when its lease is over, and counts as a failed attempt."""
    async with opened(emptied_database_url) as backend:
        await backend.add(MESSAGE, None)
        await asyncio.to_thread(kill, emptied_database_url, "taken")
        assert (await backend.message("q", MESSAGE.message_id, at(1))).token == LEASE.token
        assert await take(backend, 9) == []
        assert [found.attempts for found in await take(backend, 10)] == [1]


async def test_what_a_killed_process_was_taking_was_not_taken(emptied_database_url: str):
    """A process that dies before its commit has taken nothing: the message is ready, and its attempts are none."""
    async with opened(emptied_database_url) as backend:
        await backend.add(MESSAGE, None)
        await asyncio.to_thread(kill, emptied_database_url, "taking")
        async with asyncio.timeout(10):
            while not (taken := await take(backend)):  # noqa: ASYNC110
                await asyncio.sleep(0.01)  # the server holds the row until it sees that the process is gone
        assert [(found.state, found.attempts) for found in taken] == [(State.IN_FLIGHT, 0)]


@pytest.mark.parametrize("point", ["adding", "added"])
async def test_a_delivery_repeated_after_a_kill_has_its_effect_once(emptied_database_url: str, point: str):
    """Whether the killed process had committed or not, a second delivery of the same id leaves one message."""
    await asyncio.to_thread(kill, emptied_database_url, point)
    async with opened(emptied_database_url) as backend:
        assert (await backend.add(MESSAGE, TOMORROW)).duplicate == (point == "added")
        assert await take(backend, limit=5) == [MESSAGE._replace(arrival=1, state=State.IN_FLIGHT, token="t", leased_until=at(10))]


# The toolkit


async def test_the_toolkit_keeps_messages_where_it_has_a_database(emptied_database_url: str, nothing_left: None):
    """A message that one toolkit enqueued is dequeued by the next."""
    settings = Settings(database=emptied_database_url, durability="normal")
    async with Toolkit(settings) as kit:
        await kit.injector.run("queue", {"operation": "enqueue", "queue_name": "q", "message": 1})
    async with Toolkit(settings) as kit:
        taken = await kit.injector.run("queue", {"operation": "dequeue", "queue_name": "q"})
    assert [found["message"] for found in taken.data["messages"]] == [1]


async def test_the_queue_may_be_the_first_that_is_used(emptied_database_url: str, nothing_left: None):
    """The queue opens the database by itself, before anything else of the toolkit is open."""
    kit = Toolkit(Settings(database=emptied_database_url, durability="normal"))
    await kit.injector.run("queue", {"operation": "enqueue", "queue_name": "q", "message": 1})
    async with kit:
        size = await kit.injector.run("queue", {"operation": "size", "queue_name": "q"})
    assert size.data["ready"] == 1


# Damaged rows


async def test_one_damaged_row_costs_one_message(emptied_database_url: str):
    """A message with an unknown state, an impossible time or a payload that is no JSON: the others are listed and taken."""
    damages = ("state = 'weird'", "expires_at = 9223372036854775807, state = 'dead'", "body = '{'")
    async with Toolkit(Settings(database=emptied_database_url, durability="normal")) as kit:

        async def ask(operation: str, **fields: Any) -> Any:
            return (await kit.injector.run("queue", {"operation": operation, "queue_name": "q", **fields})).data

        for number in range(5):
            await ask("enqueue", message=number, message_id=f"m{number}")
        for number, damage in enumerate(damages):
            sql = f"UPDATE agentool_queue_messages SET {damage} WHERE message_id = 'm{number}'"
            await kit.database.write(lambda session, sql=sql: session.run(sql))
        assert (await ask("get_message", message_id="m0"))["reason"].startswith("its row in the database is damaged")
        assert [found["message"] for found in (await ask("peek"))["messages"]] == [None, 3, 4]
        assert [found["message"] for found in (await ask("dequeue", count=5))["messages"]] == [None, 3, 4]
        lines = [line async for line in export_lines(Everything(kit.scheduler.store, kit.queue.backend, kit.values), START)]
        assert sum('"queued"' in line for line in lines) >= 2


async def test_one_damaged_value_costs_one_key(emptied_database_url: str):
    """A value that is no JSON is an error that says what to do; it can be replaced, and others are found."""
    async with Toolkit(Settings(database=emptied_database_url, durability="normal")) as kit:

        async def ask(operation: str, key: str, **fields: Any) -> Any:
            return await kit.injector.run("storage_kv", {"operation": operation, "key": key, **fields})

        for key in ("a", "b"):
            await ask("set", key, value=1)
        await kit.database.write(lambda session: session.run("UPDATE agentool_values SET value = '{' WHERE key = 'a'"))
        with pytest.raises(DamagedValue, match="Repair its row"):
            await ask("get", "a")
        with pytest.raises(DamagedValue):
            await ask("increment", "a")
        assert not (await ask("compare_and_set", "b", expected=2, value=3)).changed
        assert (await ask("get", "b")).value == 1
        await ask("set", "a", value=2)
        assert (await ask("get", "a")).value == 2


# Plans


class Explained:
    """A connection, or a cursor, that notes how each statement is going to be done before it is done."""

    def __init__(self, driver: Any, explain: str, plans: list[str]) -> None:
        self._driver, self._explain, self._plans = driver, explain, plans

    def __getattr__(self, name: str) -> Any:
        return getattr(self._driver, name)

    def cursor(self) -> Explained:
        return Explained(self._driver.cursor(), self._explain, self._plans)

    def execute(self, sql: str, parameters: Any = (), **options: Any) -> None:
        if sql.lstrip().startswith(("SELECT", "WITH", "INSERT", "UPDATE", "DELETE")):
            self._driver.execute(self._explain + sql, parameters)
            self._plans += [row[-1] for row in self._driver.fetchall()]
        self._driver.execute(sql, parameters, **options)


async def test_no_statement_reads_a_whole_table(emptied_database_url: str, monkeypatch: pytest.MonkeyPatch):
    """Whatever is done with messages, they are found through an index, also while there are few."""
    dialect, plans = dialect_for(emptied_database_url, "normal"), []
    connect, explain = dialect.connect, "EXPLAIN QUERY PLAN " if dialect.name == "sqlite" else "EXPLAIN "
    backend = SqlQueueBackend(Database(dialect, MIGRATIONS), dead_letters=1, remembered_ids=1)
    await backend.open()
    await backend.close()
    monkeypatch.setattr(dialect, "connect", lambda writes: Explained(connect(writes=writes), explain, plans))
    await backend.open()
    await _use_all_of(backend)
    await backend.close()
    scans = [step for step in plans if re.search(r"^SCAN (agentool_queue|[qmi]\b)|Seq Scan on agentool_queue", step)]
    assert (scans, len(plans) > 100) == ([], True)


async def _use_all_of(backend: SqlQueueBackend) -> None:
    for number in range(4):
        await backend.add(message(number, expires_at=at(1) if number < 2 else None), TOMORROW)
    await backend.status("q", at(2))
    (first,) = await take(backend, 2)
    await backend.nack("q", first.receipt, at(3), "no", at(2))
    (first,) = await take(backend, 3)
    await backend.remove("q", first.receipt, at(3))
    await backend.take_out("q", 1, at(3))
    await backend.dead_letters("q", 1, at(3))
    await backend.requeue("q", Requeue(), at(3))
    await backend.peek("q", 1, at(3))
    await backend.clear("q", {State.READY}, at(3))
