"""What every back end of the queue owes. One suite, every back end; a new one adds itself to `BACKENDS`."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from agentoolkit.database.database import Database
from agentoolkit.database.dialects import dialect_for
from agentoolkit.database.migrations import MIGRATIONS
from agentoolkit.redis_server import RedisServer
from agentoolkit.system.queue import decisions
from agentoolkit.system.queue.backends.memory import MemoryQueueBackend
from agentoolkit.system.queue.backends.redis import RedisQueueBackend, watched_queue
from agentoolkit.system.queue.backends.sql import SqlQueueBackend, open_queue
from agentoolkit.system.queue.decisions import waiting
from agentoolkit.system.queue.errors import MessageNotFound, QueueFull, QueueNotFound, StaleReceipt
from agentoolkit.system.queue.messages import Counts, Queue, QueueMessage, QueueSettings, Receipt, State
from agentoolkit.system.queue.ports import Lease, QueueBackend, Requeue

DEAD_LETTERS = 4
REMEMBERED_IDS = 6
START = datetime(2030, 1, 1, tzinfo=UTC)


@asynccontextmanager
async def memory(request: pytest.FixtureRequest) -> AsyncIterator[QueueBackend]:
    yield MemoryQueueBackend(DEAD_LETTERS, REMEMBERED_IDS)


@asynccontextmanager
async def sql(database_url: str) -> AsyncIterator[QueueBackend]:
    backend = SqlQueueBackend(Database(dialect_for(database_url, "normal"), MIGRATIONS), DEAD_LETTERS, REMEMBERED_IDS)
    await backend.open()
    for status in await backend.queues(START):
        await backend.delete(status.queue.queue_name, START)
    yield backend


def sqlite(request: pytest.FixtureRequest) -> AbstractAsyncContextManager[QueueBackend]:
    return sql(str(request.getfixturevalue("sqlite_database")))


def postgres(request: pytest.FixtureRequest) -> AbstractAsyncContextManager[QueueBackend]:
    return sql(request.getfixturevalue("postgres_url"))


@asynccontextmanager
async def redis(request: pytest.FixtureRequest) -> AsyncIterator[QueueBackend]:
    server = RedisServer(request.getfixturevalue("redis_url"))
    await server.run(lambda client: client.flushall())
    yield RedisQueueBackend(server, DEAD_LETTERS, REMEMBERED_IDS)
    server.close()


Opened = Callable[[pytest.FixtureRequest], AbstractAsyncContextManager[QueueBackend]]
BACKENDS: dict[str, Opened] = {"memory": memory, "sqlite": sqlite, "postgres": postgres, "redis": redis}
"""Each opens a back end that holds nothing, with the two limits above."""
FULL = bool(os.environ.get("AGENTOOL_FULL"))
EXAMPLES = {"memory": 200, "sqlite": 50, "postgres": 20, "redis": 20} if FULL else {"memory": 60, "sqlite": 15, "postgres": 8, "redis": 8}
"""Sequences of calls that are compared with a dictionary."""


@pytest.fixture(params=BACKENDS)
async def backend(request: pytest.FixtureRequest) -> AsyncIterator[QueueBackend]:
    async with BACKENDS[request.param](request) as opened:
        await opened.open()
        yield opened
        await opened.close()


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def message(message_id: str, sent: float = 0, *, delay: float = 0, ttl: float | None = None, **more: Any) -> QueueMessage:
    expires_at = None if ttl is None else at(sent + ttl)
    return waiting(QueueMessage(message_id, "q", f'"{message_id}"', at(sent), at(sent + delay), expires_at=expires_at, **more), at(sent))


async def add(backend: QueueBackend, *ids: str, sent: float = 0, **more: Any) -> None:
    for message_id in ids:
        await backend.add(message(message_id, sent, **more), None)


async def take(backend: QueueBackend, now: float, limit: int = 1, seconds: float | None = 10, token: str = "t") -> list[QueueMessage]:
    return list((await backend.take("q", Lease(token, limit, seconds), at(now))).messages)


async def counts(backend: QueueBackend, now: float) -> Counts:
    return (await backend.status("q", at(now))).counts


async def state(backend: QueueBackend, message_id: str, now: float) -> State:
    return (await backend.message("q", message_id, at(now))).state


async def dead_ids(backend: QueueBackend, now: float) -> list[str]:
    return [letter.message_id for letter in (await backend.dead_letters("q", 100, at(now))).messages]


def ids(messages: Any) -> list[str]:
    return [found.message_id for found in messages]


async def limited(backend: QueueBackend, **limits: Any) -> None:
    await backend.create(Queue("q", QueueSettings(**limits), START))


# Queues


async def test_the_first_to_create_a_queue_decides_its_settings(backend: QueueBackend):
    """A second queue of the same name is not made; the first is returned."""
    first = Queue("q", QueueSettings(max_size=5, description="mine"), START)
    assert await backend.create(first) == (first, True)
    assert await backend.create(Queue("q", QueueSettings(), at(1))) == (first, False)


async def test_queues_come_by_name_with_what_they_hold(backend: QueueBackend):
    """`queues` returns every queue in order of its name."""
    await backend.create(Queue("z", QueueSettings(), START))
    await add(backend, "a")
    assert [(status.queue.queue_name, status.counts.ready) for status in await backend.queues(at(0))] == [("q", 1), ("z", 0)]


async def test_a_page_of_queues_costs_what_it_shows(backend: QueueBackend, monkeypatch: pytest.MonkeyPatch):
    """However many others there are: only the queues of the page are looked into."""
    for name in ("z", "a", "m"):
        await backend.create(Queue(name, QueueSettings(), START))
    looked, status = list[str](), type(backend).status

    async def counted(self: QueueBackend, queue_name: str, now: datetime) -> Any:
        looked.append(queue_name)
        return await status(self, queue_name, now)

    monkeypatch.setattr(type(backend), "status", counted)
    assert [found.queue.queue_name for found in await backend.queues(at(0), 2)] == ["a", "m"]
    assert looked in ([], ["a", "m"])  # in memory it takes no call
    assert list(await backend.names()) == ["a", "m", "z"]


async def test_a_deleted_queue_is_forgotten_with_its_remembered_ids(backend: QueueBackend):
    """After `delete` nothing of the queue is left, and `delete` says what it held."""
    await backend.add(message("a"), at(1000))
    await add(backend, "b", delay=5)
    assert await backend.delete("q", at(0)) == Counts(ready=1, delayed=1)
    assert await backend.queues(at(0)) == []
    assert not (await backend.add(message("a", 1), None)).duplicate


CALLS: dict[str, Callable[[QueueBackend], Any]] = {
    "delete": lambda backend: backend.delete("repots", START),
    "status": lambda backend: backend.status("repots", START),
    "take": lambda backend: backend.take("repots", Lease("t"), START),
    "take_out": lambda backend: backend.take_out("repots", 1, START),
    "peek": lambda backend: backend.peek("repots", 1, START),
    "message": lambda backend: backend.message("repots", "a", START),
    "remove": lambda backend: backend.remove("repots", Receipt("a"), START),
    "nack": lambda backend: backend.nack("repots", Receipt("a"), START, "", START),
    "dead_letter": lambda backend: backend.dead_letter("repots", Receipt("a"), "", START),
    "dead_letters": lambda backend: backend.dead_letters("repots", 1, START),
    "requeue": lambda backend: backend.requeue("repots", Requeue(), START),
    "clear": lambda backend: backend.clear("repots", {State.READY}, START),
}


@pytest.mark.parametrize("call", CALLS)
async def test_an_unknown_queue_is_refused(backend: QueueBackend, call: str):
    """Every method but `add` and `create` refuses a queue that does not exist and names the nearest."""
    await backend.create(Queue("reports", QueueSettings(), START))
    with pytest.raises(QueueNotFound, match="Did you mean 'reports'"):
        await CALLS[call](backend)


# Adding


async def test_the_first_message_makes_its_queue(backend: QueueBackend):
    """A queue that does not exist is made with default settings."""
    await add(backend, "a", sent=3)
    assert (await backend.status("q", at(3))).queue == Queue("q", QueueSettings(), at(3))


async def test_a_payload_comes_back_letter_for_letter(backend: QueueBackend):
    """The text of a payload is kept as it is."""
    body = '{"a":[1,2.5e-300,"\\u00e9\\ud83d\\ude00\\u0000"],"b":{"":null},"n":12345678901234567890123}'
    await backend.add(message("a")._replace(body=body), None)
    assert (await take(backend, 0))[0].body == body


async def test_instants_are_kept_to_the_microsecond(backend: QueueBackend):
    """No instant is rounded, and all of them are aware."""
    kept = message("a", 0.123457, delay=0.000001, ttl=0.000003)
    await backend.add(kept, None)
    found = await backend.message("q", "a", at(0.123457))
    assert (found.enqueued_at, found.available_at, found.expires_at) == (kept.enqueued_at, kept.available_at, kept.expires_at)


@pytest.mark.parametrize("where", list(State))
async def test_an_id_that_is_held_is_not_added_again(backend: QueueBackend, where: State):
    """Wherever the first message is, the second is a duplicate and changes nothing."""
    await add(backend, "a", delay=5 if where is State.DELAYED else 0)
    if where is State.IN_FLIGHT:
        await take(backend, 0)
    if where is State.DEAD:
        await backend.dead_letter("q", Receipt("a"), "no", at(0))
    before = await backend.message("q", "a", at(1))
    assert await backend.add(message("a", 1)._replace(body="2"), None) == (before, True)
    assert await backend.message("q", "a", at(1)) == before


async def test_an_id_is_remembered_after_its_message_is_gone(backend: QueueBackend):
    """Until its time is over a remembered id is a duplicate, and then it is not."""
    await backend.add(message("a"), at(100))
    await backend.remove("q", Receipt("a"), at(0))
    assert await backend.add(message("a", 99), at(200)) == (None, True)
    assert not (await backend.add(message("a", 100), None)).duplicate


async def test_an_id_is_forgotten_where_nobody_asked_to_remember(backend: QueueBackend):
    """Without `remember_until` an id is free again as soon as its message is gone."""
    await add(backend, "a")
    await backend.remove("q", Receipt("a"), at(0))
    assert not (await backend.add(message("a", 1), None)).duplicate


async def test_only_the_newest_ids_are_remembered(backend: QueueBackend):
    """Beyond the limit the oldest id is forgotten, and no other."""
    for number in range(REMEMBERED_IDS + 1):
        await backend.add(message(str(number)), at(1000))
        await backend.remove("q", Receipt(str(number)), at(0))
    assert (await backend.add(message("1", 1), None)).duplicate
    assert not (await backend.add(message("0", 1), None)).duplicate


async def test_a_cleared_id_stays_remembered(backend: QueueBackend):
    """Clearing a queue does not make old messages welcome again."""
    await backend.add(message("a"), at(100))
    await backend.clear("q", {State.READY}, at(0))
    assert (await backend.add(message("a", 1), None)).duplicate


async def test_a_full_queue_refuses_and_stays_as_it_was(backend: QueueBackend):
    """Ready, delayed and messages in flight count towards `max_size`."""
    await limited(backend, max_size=3)
    await add(backend, "a", "b")
    await add(backend, "c", delay=5)
    await take(backend, 0)
    with pytest.raises(QueueFull, match="holds 3 of 3 messages"):
        await add(backend, "d")
    assert await counts(backend, 0) == Counts(ready=1, delayed=1, in_flight=1)
    await backend.remove("q", Receipt("a"), at(0))
    await add(backend, "d")


async def test_dead_letters_take_no_room(backend: QueueBackend):
    """A dead letter does not count towards `max_size`."""
    await limited(backend, max_size=1)
    await add(backend, "a")
    await backend.dead_letter("q", Receipt("a"), "no", at(0))
    await add(backend, "b")


async def test_a_duplicate_is_recognised_in_a_full_queue(backend: QueueBackend):
    """A second delivery of what is held never fails for want of room."""
    await limited(backend, max_size=1)
    await add(backend, "a")
    assert (await backend.add(message("a", 1), None)).duplicate


# Taking


async def test_messages_come_by_priority_then_availability_then_arrival(backend: QueueBackend):
    """The lowest priority number first, then the longest available, then the first to arrive."""
    await add(backend, "late", delay=2)
    await add(backend, "a", "b", delay=1)
    await add(backend, "urgent", delay=3, priority=-1)
    await add(backend, "now", priority=0)
    assert ids(await take(backend, 3, limit=10)) == ["urgent", "now", "a", "b", "late"]


async def test_a_message_is_taken_once(backend: QueueBackend):
    """What is in flight is not given to another."""
    await add(backend, "a")
    first = await take(backend, 0, token="one")
    assert (first[0].token, first[0].state, first[0].leased_until) == ("one", State.IN_FLIGHT, at(10))
    assert await take(backend, 9) == []


async def test_as_many_are_taken_as_asked_for(backend: QueueBackend):
    """`limit` bounds a taking; the others stay."""
    await add(backend, "a", "b", "c")
    assert ids(await take(backend, 0, limit=2)) == ["a", "b"]
    assert await counts(backend, 0) == Counts(ready=1, in_flight=2)


async def test_takers_at_the_same_time_get_different_messages(backend: QueueBackend):
    """However many take at once, each message goes to one of them."""
    await add(backend, *map(str, range(20)))
    taken = await asyncio.gather(*(take(backend, 0, limit=3, token=str(number)) for number in range(10)))
    assert sorted(ids(found for each in taken for found in each)) == sorted(map(str, range(20)))


async def test_a_delayed_message_is_available_at_its_very_instant(backend: QueueBackend):
    """Not before, and not after."""
    await add(backend, "a", delay=5)
    assert await take(backend, 4.999999) == []
    assert await counts(backend, 4.999999) == Counts(delayed=1)
    assert ids(await take(backend, 5)) == ["a"]


async def test_a_lease_that_runs_out_is_a_failed_attempt(backend: QueueBackend):
    """The message is back at that instant, behind those that were available before."""
    await add(backend, "a")
    await take(backend, 0)
    await add(backend, "b", sent=9)
    assert await counts(backend, 10) == Counts(ready=2)
    again = await take(backend, 20, limit=2)
    assert [(found.message_id, found.attempts) for found in again] == [("b", 0), ("a", 1)]
    assert (again[1].available_at, again[1].reason) == (at(10), "it was not acknowledged in time")


async def test_a_lease_lasts_as_long_as_the_queue_says(backend: QueueBackend):
    """Without a length of its own, a lease has the queue's visibility timeout."""
    await limited(backend, visibility_timeout=7)
    await add(backend, "a")
    assert (await take(backend, 0, seconds=None))[0].leased_until == at(7)


async def test_a_message_that_failed_too_often_is_dead(backend: QueueBackend):
    """After `max_retries` failed attempts it is a dead letter with a reason."""
    await limited(backend, max_retries=2)
    await add(backend, "a")
    for now in (0, 10):
        assert ids(await take(backend, now)) == ["a"]
    dead = (await backend.dead_letters("q", 10, at(100))).messages[0]
    assert (dead.attempts, dead.reason, dead.died_at) == (2, "it was not acknowledged in time", at(20))
    assert await take(backend, 100) == []


async def test_an_untaken_message_expires(backend: QueueBackend):
    """At its `expires_at` a message that is ready or delayed is dead."""
    await add(backend, "a", ttl=5)
    assert await state(backend, "a", 4.9) is State.READY
    dead = await backend.message("q", "a", at(60))
    assert (dead.state, dead.died_at, dead.attempts) == (State.DEAD, at(5), 0)


async def test_a_message_in_flight_does_not_expire(backend: QueueBackend):
    """It can be acknowledged after its time; if it comes back instead it is dead."""
    await add(backend, "a", "b", ttl=5)
    await take(backend, 0, limit=2)
    await backend.remove("q", Receipt("a", "t"), at(7))
    assert await state(backend, "b", 7) is State.IN_FLIGHT
    assert await state(backend, "b", 10) is State.DEAD


async def test_taking_tells_what_time_will_change_next(backend: QueueBackend):
    """`next_change_at` is the earliest end of a delay, of a lease or of a life."""
    await add(backend, "a", delay=5)
    assert (await backend.take("q", Lease("t"), at(0))).next_change_at == at(5)
    await add(backend, "b", ttl=3, delay=1)
    assert (await backend.take("q", Lease("t"), at(0))).next_change_at == at(1)
    assert (await backend.take("q", Lease("t", 1, 1.5), at(1))).next_change_at == at(2.5)


async def test_where_nothing_is_under_way_time_changes_nothing(backend: QueueBackend):
    """`next_change_at` is None in a queue that has nothing delayed, leased or expiring."""
    await add(backend, "a")
    assert (await backend.take_out("q", 1, at(0))).next_change_at is None
    assert (await backend.take("q", Lease("t"), at(0))) == ([], None)


async def test_what_is_taken_out_is_gone(backend: QueueBackend):
    """`take_out` removes ready messages in the order of `take`."""
    await add(backend, "a", "b", "c")
    assert ids((await backend.take_out("q", 2, at(0))).messages) == ["a", "b"]
    assert await counts(backend, 0) == Counts(ready=1)


async def test_peeking_shows_the_order_and_takes_nothing(backend: QueueBackend):
    """`peek` returns what `take` would."""
    await add(backend, "a", "b", priority=5)
    await add(backend, "c")
    assert ids(await backend.peek("q", 2, at(0))) == ["c", "a"]
    assert await counts(backend, 0) == Counts(ready=3)


# Receipts


async def test_an_acknowledged_message_is_gone(backend: QueueBackend):
    """With its receipt, or by its id, a message is removed and returned, once."""
    await add(backend, "a", "b")
    await take(backend, 0, limit=2)
    assert (await backend.remove("q", Receipt("a", "t"), at(1))).message_id == "a"
    assert (await backend.remove("q", Receipt("b"), at(1))).message_id == "b"
    assert await counts(backend, 1) == Counts()
    with pytest.raises(MessageNotFound):
        await backend.remove("q", Receipt("a", "t"), at(1))


@pytest.mark.parametrize("max_retries", [1, 2])
async def test_a_late_acknowledgement_counts_while_nobody_else_has_the_message(backend: QueueBackend, max_retries: int):
    """A lease that ran out still removes a message that is back in the queue, or died of it."""
    await limited(backend, max_retries=max_retries)
    await add(backend, "a")
    await take(backend, 0)
    await backend.remove("q", Receipt("a", "t"), at(60))
    assert await counts(backend, 60) == Counts()


async def test_a_receipt_is_stale_once_another_has_the_message(backend: QueueBackend):
    """The former holder can neither acknowledge, return nor dead-letter it, and changes nothing."""
    await add(backend, "a")
    await take(backend, 0, token="first")
    await take(backend, 10, token="second")
    stale, before = Receipt("a", "first"), await backend.message("q", "a", at(11))
    for refused in (
        backend.remove("q", stale, at(11)),
        backend.nack("q", stale, at(11), "", at(11)),
        backend.dead_letter("q", stale, "", at(11)),
    ):
        with pytest.raises(StaleReceipt, match="another took it"):
            await refused
    assert await backend.message("q", "a", at(11)) == before
    await backend.remove("q", Receipt("a", "second"), at(11))


async def test_a_message_is_given_back_at_once_or_later(backend: QueueBackend):
    """Giving back is a failed attempt with a reason, and the message is available from when the giver says."""
    await add(backend, "a", "b")
    await take(backend, 0, limit=2)
    now = await backend.nack("q", Receipt("a", "t"), at(1), "busy", at(1))
    later = await backend.nack("q", Receipt("b", "t"), at(5), "busy", at(1))
    assert (now.state, now.attempts, now.reason, now.available_at) == (State.READY, 1, "busy", at(1))
    assert (later.state, later.available_at) == (State.DELAYED, at(5))
    assert await backend.message("q", "b", at(1)) == later


async def test_giving_back_ends_the_lease(backend: QueueBackend):
    """The receipt is good for nothing after it."""
    await add(backend, "a")
    await take(backend, 0)
    await backend.nack("q", Receipt("a", "t"), at(1), "", at(1))
    with pytest.raises(StaleReceipt):
        await backend.remove("q", Receipt("a", "t"), at(1))


async def test_every_message_is_told_in_order_of_arrival(backend: QueueBackend):
    """Ready, delayed, in flight or dead: all of them, each as it stands now."""
    for message_id in ("dead", "taken", "ready"):
        await add(backend, message_id)
    await add(backend, "later", delay=60)
    await backend.dead_letter("q", Receipt("dead"), "poison", at(0))
    await take(backend, 0)
    messages = await backend.messages("q", at(0))
    assert [(message.message_id, message.state.value) for message in messages] == [
        ("dead", "dead"),
        ("taken", "in_flight"),
        ("ready", "ready"),
        ("later", "delayed"),
    ]
    assert (await backend.messages("q", at(60)))[3].state is State.READY


async def test_the_last_failed_attempt_is_the_end(backend: QueueBackend):
    """Giving back for the last time makes a dead letter, with the reason given."""
    await limited(backend, max_retries=1)
    await add(backend, "a")
    await take(backend, 0)
    dead = await backend.nack("q", Receipt("a", "t"), at(9), "broken", at(1))
    assert (dead.state, dead.reason, dead.died_at) == (State.DEAD, "broken", at(1))


@pytest.mark.parametrize("token", ["", "t"])
async def test_only_what_is_in_flight_can_be_given_back(backend: QueueBackend, token: str):
    """A message that is back already counts no further attempt."""
    await add(backend, "a")
    await take(backend, 0)
    with pytest.raises(StaleReceipt, match="not in flight"):
        await backend.nack("q", Receipt("a", token), at(10), "", at(10))
    assert (await backend.message("q", "a", at(10))).attempts == 1


async def test_a_message_that_is_not_held_is_not_found(backend: QueueBackend):
    """Every method that is about one message says so."""
    await limited(backend)
    for refused in (
        backend.message("q", "a", at(0)),
        backend.remove("q", Receipt("a"), at(0)),
        backend.nack("q", Receipt("a"), at(0), "", at(0)),
        backend.dead_letter("q", Receipt("a"), "", at(0)),
        backend.requeue("q", Requeue("a"), at(0)),
    ):
        with pytest.raises(MessageNotFound, match="holds no message 'a'"):
            await refused


# Dead letters


@pytest.mark.parametrize("where", [State.READY, State.DELAYED, State.IN_FLIGHT])
async def test_a_message_can_be_dead_lettered_from_anywhere(backend: QueueBackend, where: State):
    """It is a dead letter then, with reason and time, and its lease is over."""
    await add(backend, "a", delay=5 if where is State.DELAYED else 0)
    if where is State.IN_FLIGHT:
        await take(backend, 0)
    dead = await backend.dead_letter("q", Receipt("a"), "poison", at(1))
    assert (dead.state, dead.reason, dead.died_at, dead.attempts) == (State.DEAD, "poison", at(1), 0)
    assert await counts(backend, 60) == Counts(dead=1)
    with pytest.raises(StaleReceipt):
        await backend.remove("q", Receipt("a", "t"), at(2))


async def test_dead_lettering_the_dead_changes_nothing(backend: QueueBackend):
    """The first reason stays, and the place among the dead."""
    await add(backend, "a", "b")
    first = await backend.dead_letter("q", Receipt("a"), "poison", at(1))
    await backend.dead_letter("q", Receipt("b"), "poison", at(2))
    assert await backend.dead_letter("q", Receipt("a"), "again", at(3)) == first
    assert await dead_ids(backend, 3) == ["a", "b"]


async def test_dead_letters_come_in_the_order_they_died(backend: QueueBackend):
    """Also where several deaths are noticed at the same time."""
    await limited(backend, max_retries=3)
    await add(backend, "returned and expired", ttl=9)
    await take(backend, 0, seconds=2)
    await add(backend, "expired", ttl=5)
    assert await dead_ids(backend, 60) == ["expired", "returned and expired"]


async def test_those_that_die_at_one_instant_keep_their_order_across_pages(backend: QueueBackend, monkeypatch: pytest.MonkeyPatch):
    """However few are looked at together: by the instant of their death, then by arrival, whatever they died of."""
    for module in (decisions, open_queue, watched_queue):
        monkeypatch.setattr(module, "PAGE", 2)
    await limited(backend, max_retries=2)
    await add(backend, "returned and expired", ttl=10)
    await take(backend, 0, seconds=5)
    await add(backend, "expired", ttl=10)
    await add(backend, "before that", ttl=9.5)
    await add(backend, "early", ttl=9)
    assert await dead_ids(backend, 20) == ["early", "before that", "returned and expired", "expired"]


async def test_dead_letters_are_capped_and_the_dropped_are_counted(backend: QueueBackend):
    """Beyond the limit the oldest goes, and is counted for good, however messages died."""
    await limited(backend, max_retries=1)
    await add(backend, *"abc")
    for dead in "abc":
        await backend.dead_letter("q", Receipt(dead), "", at(0))
    await add(backend, *"de")
    await take(backend, 0, limit=2)
    await add(backend, "f", ttl=20)
    letters = await backend.dead_letters("q", 2, at(60))
    assert (ids(letters.messages), letters.total, letters.dropped) == (["c", "d"], DEAD_LETTERS, 2)
    assert await counts(backend, 60) == Counts(dead=DEAD_LETTERS)
    with pytest.raises(MessageNotFound):
        await backend.message("q", "a", at(60))


async def test_a_requeued_message_starts_anew(backend: QueueBackend):
    """It is ready at once, with no failed attempts, no reason and no end to its life."""
    await limited(backend, max_retries=1)
    await add(backend, "a", ttl=20)
    await take(backend, 0)
    assert ids(await backend.requeue("q", Requeue("a"), at(30))) == ["a"]
    again = (await take(backend, 90))[0]
    assert (again.attempts, again.reason, again.available_at, again.expires_at, again.died_at) == (0, "", at(30), None, None)
    assert (again.body, again.enqueued_at) == ('"a"', at(0))


async def test_a_requeued_message_may_have_another_payload(backend: QueueBackend):
    """`body` replaces the payload of the one that is requeued."""
    await add(backend, "a")
    await backend.dead_letter("q", Receipt("a"), "", at(0))
    await backend.requeue("q", Requeue("a", body='"better"'), at(1))
    assert (await take(backend, 1))[0].body == '"better"'


async def test_those_that_died_of_the_same_are_requeued(backend: QueueBackend):
    """A fingerprint chooses by the reason whatever its numbers, in the order they died, and the limit counts those."""
    for place, reason in enumerate(["no", "disk 1 full", "disk 2 full", "disk 3 full"]):
        await add(backend, str(place))
        await backend.dead_letter("q", Receipt(str(place)), reason, at(0))
    assert ids(await backend.requeue("q", Requeue(fingerprint="disk … full", limit=2), at(1))) == ["1", "2"]
    assert ids(await backend.requeue("q", Requeue(fingerprint="disk … full"), at(1))) == ["3"]


async def test_the_oldest_dead_letters_are_requeued_first(backend: QueueBackend):
    """Without an id all are, or as many as `limit` says."""
    await add(backend, *"abc")
    for dead in "bca":
        await backend.dead_letter("q", Receipt(dead), "", at(0))
    assert ids(await backend.requeue("q", Requeue(limit=2), at(1))) == ["b", "c"]
    assert ids(await backend.requeue("q", Requeue(), at(1))) == ["a"]
    assert ids(await backend.requeue("q", Requeue(), at(1))) == []


async def test_the_living_are_not_requeued(backend: QueueBackend):
    """A message that is no dead letter is refused, and it is said what it is."""
    await add(backend, "a")
    with pytest.raises(MessageNotFound, match="is ready, not a dead letter"):
        await backend.requeue("q", Requeue("a"), at(0))


async def test_all_dead_letters_have_room_or_none_is_moved(backend: QueueBackend):
    """Requeueing never makes a queue hold more than `max_size`."""
    await limited(backend, max_size=2)
    await add(backend, *"ab")
    for dead in "ab":
        await backend.dead_letter("q", Receipt(dead), "", at(0))
    await add(backend, "c")
    with pytest.raises(QueueFull, match="no room for 2 more"):
        await backend.requeue("q", Requeue(), at(0))
    assert await counts(backend, 0) == Counts(ready=1, dead=2)
    await backend.requeue("q", Requeue("a"), at(0))


@pytest.mark.parametrize("where", list(State))
async def test_a_queue_is_cleared_by_state(backend: QueueBackend, where: State):
    """Only messages in the given states go, and it is said how many."""
    await add(backend, "taken", "ready", "dead")
    await add(backend, "delayed", delay=5)
    await take(backend, 0)
    await backend.dead_letter("q", Receipt("dead"), "", at(0))
    only = Counts(**{where.value: 1})
    assert await backend.clear("q", {where}, at(0)) == only
    assert await counts(backend, 0) == Counts(*(1 - gone for gone in only))


async def test_many_messages_are_cleared_whole(backend: QueueBackend):
    """Also more than go in one portion, from several states; what is counted stays right."""
    await limited(backend, max_size=5_000)
    await asyncio.gather(*(add(backend, f"m{number}", delay=5 * (number % 2)) for number in range(2_100)))
    await take(backend, 0, limit=700)
    live = set(State) - {State.DEAD}
    assert await backend.clear("q", live, at(0)) == Counts(ready=350, delayed=1_050, in_flight=700)
    assert await counts(backend, 0) == Counts()
    await add(backend, "m1")
    assert ids(await take(backend, 0)) == ["m1"]


# Cancelled takers


@pytest.mark.parametrize("out", [False, True])
async def test_a_cancelled_taker_takes_nothing(backend: QueueBackend, out: bool):
    """Whenever it is cancelled: every message is ready afterwards, in its place and with no failed attempt."""
    await add(backend, *map(str, range(30)))

    def taking(number: int) -> Any:
        return backend.take_out("q", 1, at(0)) if out else backend.take("q", Lease(f"t{number}", 1, 10), at(0))

    for number in range(60):
        task = asyncio.ensure_future(taking(number))
        await asyncio.sleep(0.0003 * (number % 12))
        task.cancel()
        answer = (await asyncio.gather(task, return_exceptions=True))[0]
        if not isinstance(answer, BaseException) and answer.messages:
            before = answer.messages[0]
            await (backend.add(before, None) if out else backend.nack("q", before.receipt, at(0), "", at(0)))
            await backend.dead_letter("q", Receipt(before.message_id), "", at(0))
            await backend.requeue("q", Requeue(before.message_id), at(0))
    await backend.status("q", at(0))
    await backend.create(Queue("q", QueueSettings(), START))  # after everything that was still to be undone
    assert await counts(backend, 0) == Counts(ready=30)
    assert {found.attempts for found in await backend.peek("q", 100, at(0))} == {0}


# Moved to another place


async def filled(backend: QueueBackend) -> None:
    """A queue that is full, with messages in every state, two that died at one instant, and remembered ids."""
    await limited(backend, max_size=4, max_retries=3, description="mine")
    for message_id in ("dead b", "dead a", "gone"):
        await backend.add(message(message_id, ttl=500), at(1_000))
    for message_id in ("dead b", "dead a"):
        await backend.dead_letter("q", Receipt(message_id), f"poison {message_id}", at(1))
    await backend.remove("q", Receipt("gone"), at(1))
    await add(backend, "later", delay=50, priority=-3)
    await add(backend, "taken", "one more", "two more")
    await take(backend, 1)


async def test_a_queue_is_restored_as_it_was(backend: QueueBackend):
    """Messages, dead letters in the order they died and with their reasons, remembered ids, order and counts are the same."""
    await filled(backend)
    before = await backend.contents("q", at(2))
    assert [found.state for found in before.messages].count(State.DEAD) == 2
    size = await counts(backend, 2)
    await backend.delete("q", at(2))
    assert await backend.restore([before], at(2)) == (["q"], len(before.messages))
    assert await backend.contents("q", at(2)) == before
    assert (await counts(backend, 2), (await dead_ids(backend, 2))) == (size, ["dead b", "dead a"])
    assert (await backend.add(message("gone", 3), None)).duplicate


async def test_restoring_again_adds_nothing(backend: QueueBackend):
    """What is held or remembered stays as it is."""
    await filled(backend)
    before = await backend.contents("q", at(2))
    assert await backend.restore([before], at(2)) == ([], 0)
    assert await backend.contents("q", at(2)) == before


async def test_what_is_restored_arrives_after_what_is_there(backend: QueueBackend):
    """The messages of a queue that exists keep their places; the others come after them, in their own order."""
    await add(backend, "a", "b")
    moved = await backend.contents("q", at(0))
    await backend.delete("q", at(0))
    await add(backend, "mine")
    assert await backend.restore([moved], at(0)) == ([], 2)
    await add(backend, "c")
    assert ids(await take(backend, 0, limit=9)) == ["mine", "a", "b", "c"]


async def test_dead_letters_beyond_the_limit_are_dropped_when_restored(backend: QueueBackend):
    """The oldest go, and are counted, as always."""
    await add(backend, *"abcd")
    for dead in "abcd":
        await backend.dead_letter("q", Receipt(dead), "", at(0))
    moved = await backend.contents("q", at(0))
    more = [found._replace(message_id=f"{found.message_id}2") for found in moved.messages[:2]]
    await backend.restore([moved._replace(messages=more, remembered=[])], at(0))
    letters = await backend.dead_letters("q", 9, at(0))
    assert (ids(letters.messages), letters.dropped) == (["c", "d", "a2", "b2"], 2)


# Everything together

NUMBERS = st.integers(0, 5)


class QueueModel(RuleBasedStateMachine):
    """A dict of messages, moved second by second, against a back end."""

    SETTINGS = QueueSettings(max_size=5, max_retries=2)

    def __init__(self, opened: AbstractAsyncContextManager[QueueBackend]) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.context = opened
        self.backend = self.runner.run(self.context.__aenter__())
        self.run(self.backend.open())
        self.run(self.backend.create(Queue("q", self.SETTINGS, START)))
        self.now = self.arrivals = self.leases = self.deaths = 0
        self.held: dict[str, dict[str, Any]] = {}
        self.receipts: list[Receipt] = []
        self.added: set[str] = set()
        self.gone: set[str] = set()

    def teardown(self) -> None:
        self.run(self.backend.close())
        self.runner.run(self.context.__aexit__(None, None, None))
        self.runner.close()

    def run(self, call: Any) -> Any:
        return self.runner.run(call)

    @initialize(number=st.integers(1, 4))
    def add_some(self, number: int) -> None:
        for _ in range(number):
            self.add(new=True, priority=0, delay=0, ttl=None)

    @rule(new=st.booleans(), priority=st.integers(0, 1), delay=NUMBERS, ttl=st.none() | st.integers(6, 20))
    def add(self, new: bool, priority: int, delay: int, ttl: int | None) -> None:
        message_id = f"m{self.arrivals + 1}" if new or not self.held else min(self.held)
        adding = self.backend.add(message(message_id, self.now, delay=delay, ttl=ttl, priority=priority), None)
        if message_id in self.held:
            assert self.run(adding).duplicate
        elif len(self.living()) >= self.SETTINGS.max_size:
            with pytest.raises(QueueFull):
                self.run(adding)
        else:
            assert not self.run(adding).duplicate
            self.arrivals += 1
            self.added.add(message_id)
            expires = None if ttl is None else self.now + ttl
            fresh = {"priority": priority, "at": self.now + delay, "arrival": self.arrivals, "expires": expires}
            self.held[message_id] = {**fresh, "state": "delayed" if delay else "ready", "attempts": 0, "token": ""}

    @rule(limit=st.integers(1, 3), seconds=st.integers(1, 15))
    def take(self, limit: int, seconds: int) -> None:
        self.leases += 1
        token = f"t{self.leases}"
        expected = self.ready()[:limit]
        taken = self.run(self.backend.take("q", Lease(token, limit, seconds), at(self.now))).messages
        assert [(found.message_id, found.attempts) for found in taken] == [(name, self.held[name]["attempts"]) for name in expected]
        for name in expected:
            self.held[name].update(state="in_flight", token=token, until=self.now + seconds)
            self.receipts.append(Receipt(name, token))

    @rule(limit=st.just(1))
    def take_out(self, limit: int) -> None:
        expected = self.ready()[:limit]
        assert ids(self.run(self.backend.take_out("q", limit, at(self.now))).messages) == expected
        self.forget(expected)

    @precondition(lambda self: self.receipts)
    @rule(data=st.data())
    def ack(self, data: st.DataObject) -> None:
        receipt = data.draw(self.some_receipt())
        if self.refusal(receipt, "ack", self.backend.remove("q", receipt, at(self.now))) is None:
            self.forget([receipt.message_id])

    @precondition(lambda self: self.receipts)
    @rule(data=st.data(), delay=NUMBERS)
    def nack(self, data: st.DataObject, delay: int) -> None:
        receipt = data.draw(self.some_receipt())
        call = self.backend.nack("q", receipt, at(self.now + delay), "no", at(self.now))
        if self.refusal(receipt, "nack", call) is None:
            self.fail(self.held[receipt.message_id], self.now + delay)
            self.held[receipt.message_id]["token"] = ""
            self.tick(self.held[receipt.message_id])  # its life may have ended while it was in flight

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def dead_letter(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.held)))
        self.run(self.backend.dead_letter("q", Receipt(name), "no", at(self.now)))
        if self.held[name]["state"] != "dead":
            self.held[name]["token"] = ""
            self.die(self.held[name])

    @rule(limit=st.none() | st.integers(1, 2))
    def requeue(self, limit: int | None) -> None:
        expected = self.dead()[:limit]
        call = self.backend.requeue("q", Requeue(limit=limit), at(self.now))
        if len(self.living()) + len(expected) > self.SETTINGS.max_size:
            with pytest.raises(QueueFull):
                self.run(call)
            return
        assert ids(self.run(call)) == expected
        for name in expected:
            self.held[name].update(state="ready", attempts=0, token="", at=self.now, expires=None)

    @rule(seconds=st.integers(1, 6))
    def advance(self, seconds: int) -> None:
        for _ in range(seconds):
            self.now += 1
            for held in sorted(self.held.values(), key=lambda held: held["arrival"]):
                self.tick(held)

    @invariant()
    def every_message_is_in_one_place(self) -> None:
        numbers = [sum(held["state"] == state for held in self.held.values()) for state in State]
        assert self.run(counts(self.backend, self.now)) == Counts(*numbers)
        assert self.added == self.held.keys() | self.gone
        for name, held in self.held.items():
            found = self.run(self.backend.message("q", name, at(self.now)))
            assert (found.state, found.attempts) == (held["state"], held["attempts"])
            assert found.attempts <= self.SETTINGS.max_retries

    @invariant()
    def the_order_is_kept(self) -> None:
        assert ids(self.run(self.backend.peek("q", 100, at(self.now)))) == self.ready()
        assert self.run(dead_ids(self.backend, self.now)) == self.dead()

    def some_receipt(self) -> st.SearchStrategy[Receipt]:
        """Mostly good ones, because most others are stale."""
        good = [receipt for receipt in self.receipts if self.held.get(receipt.message_id, {}).get("token") == receipt.token]
        return st.sampled_from(good or self.receipts) | st.sampled_from(self.receipts[:-6:-1])

    def living(self) -> list[str]:
        return [name for name, held in self.held.items() if held["state"] != "dead"]

    def ready(self) -> list[str]:
        found = [(held["priority"], held["at"], held["arrival"], name) for name, held in self.held.items() if held["state"] == "ready"]
        return [entry[-1] for entry in sorted(found)]

    def dead(self) -> list[str]:
        found = [(held["died"], name) for name, held in self.held.items() if held["state"] == "dead"]
        return [name for _, name in sorted(found)]

    def refusal(self, receipt: Receipt, verb: str, call: Any) -> type[Exception] | None:
        """Make a call that the model foresees the end of."""
        held = self.held.get(receipt.message_id)
        refused: type[Exception] | None = None
        if held is None:
            refused = MessageNotFound
        elif held["token"] != receipt.token or (verb == "nack" and held["state"] != "in_flight"):
            refused = StaleReceipt
        if refused is None:
            self.run(call)
        else:
            with pytest.raises(refused):
                self.run(call)
        return refused

    def forget(self, names: list[str]) -> None:
        for name in names:
            del self.held[name]
            self.gone.add(name)

    def fail(self, held: dict[str, Any], available: int) -> None:
        held.update(attempts=held["attempts"] + 1, at=available, state="ready" if available <= self.now else "delayed")
        if held["attempts"] >= self.SETTINGS.max_retries:
            self.die(held)

    def die(self, held: dict[str, Any]) -> None:
        self.deaths += 1
        held.update(state="dead", died=self.deaths)
        if len(self.dead()) > DEAD_LETTERS:
            self.forget(self.dead()[:1])

    def tick(self, held: dict[str, Any]) -> None:
        if held["state"] == "in_flight" and held["until"] <= self.now:
            self.fail(held, self.now)
        if held["state"] == "delayed" and held["at"] <= self.now:
            held["state"] = "ready"
        if held["state"] in ("ready", "delayed") and held["expires"] is not None and held["expires"] <= self.now:
            self.die(held)


@pytest.mark.no_cover  # thousands of calls over lines that the tests above go over
@pytest.mark.parametrize("name", BACKENDS)
def test_a_back_end_does_what_a_dictionary_would(name: str, request: pytest.FixtureRequest):
    """Whatever is done in whatever order, every message is in exactly one place, in order, with the right attempts."""
    checked = settings(
        max_examples=EXAMPLES[name], stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
    )
    run_state_machine_as_test(lambda: QueueModel(BACKENDS[name](request)), settings=checked)
