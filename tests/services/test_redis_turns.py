"""A queue in Redis that many processes crowd: each change and each look gets its turn, and stops nothing else."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis

from agentoolkit.redis_server import RedisServer
from agentoolkit.system.queue import decisions
from agentoolkit.system.queue.backends.redis import RedisQueueBackend, turns, watched_queue
from agentoolkit.system.queue.backends.redis import backend as backend_module
from agentoolkit.system.queue.backends.redis.keys import keys_of
from agentoolkit.system.queue.backends.redis.watched_queue import WatchedQueue
from agentoolkit.system.queue.messages import QueueMessage, State
from agentoolkit.system.queue.ports import Requeue

NOW = datetime(2030, 1, 1, tzinfo=UTC)
NOTICED = 0.2
"""Seconds in which another process's change is made, unless it waits."""


def message(message_id: str, queue_name: str = "q", **fields: Any) -> QueueMessage:
    return QueueMessage(message_id, queue_name, "1", NOW, NOW, **fields)


@pytest.fixture
async def here(redis_url: str) -> AsyncIterator[RedisQueueBackend]:
    server = RedisServer(redis_url)
    yield RedisQueueBackend(server)
    server.close()


class Crowd:
    """Another process, which adds a message whenever this one is in the middle of something, and does not wait to be asked."""

    def __init__(self, redis_url: str) -> None:
        self._server = RedisServer(redis_url)
        self._backend = RedisQueueBackend(self._server)
        self.threads: list[threading.Thread] = []

    def disturb(self) -> None:
        added = self._backend.add(message(f"other{len(self.threads)}"), None)
        self.threads.append(threading.Thread(target=lambda: asyncio.run(_awaited(added))))
        self.threads[-1].start()
        self.threads[-1].join(NOTICED)

    def close(self) -> None:
        for thread in self.threads:
            thread.join()
        self._server.close()


async def _awaited(work: Any) -> None:
    await work


@pytest.fixture
async def crowd(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Crowd]:
    monkeypatch.setattr(backend_module, "TRIES", 20)
    monkeypatch.setattr(turns, "PATIENCE", 0.0)
    made = Crowd(redis_url)
    yield made
    await asyncio.to_thread(made.close)


def disturbed(monkeypatch: pytest.MonkeyPatch, method: str, disturb: Callable[[], object]) -> None:
    """Let something happen in the middle of each call of a method of a queue."""
    real = getattr(WatchedQueue, method)

    def call(self: WatchedQueue, *given: Any, **named: Any) -> Any:
        answer = real(self, *given, **named)
        disturb()
        return answer

    monkeypatch.setattr(WatchedQueue, method, call)


async def test_a_long_look_at_a_busy_queue_ends(here: RedisQueueBackend, crowd: Crowd, monkeypatch: pytest.MonkeyPatch):
    """A backup of a queue that others change all the time: they wait for it once, and their changes are made after it."""
    await here.add(message("first"), None)
    disturbed(monkeypatch, "contents", crowd.disturb)
    contents = await here.contents("q", NOW)
    assert "first" in {held.message_id for held in contents.messages}
    await asyncio.to_thread(lambda: [thread.join() for thread in crowd.threads])
    assert len(await here.messages("q", NOW)) == 1 + len(crowd.threads)


async def test_many_dead_letters_of_a_busy_queue_are_requeued(here: RedisQueueBackend, crowd: Crowd, monkeypatch: pytest.MonkeyPatch):
    """All of them, in one step."""
    for number in range(3):
        await here.add(message(f"dead{number}", state=State.DEAD, died_at=NOW), None)
    disturbed(monkeypatch, "requeue", crowd.disturb)
    assert len(await here.requeue("q", Requeue(), NOW)) == 3


async def test_who_tries_again_stops_no_other_queue(here: RedisQueueBackend, redis_url: str, monkeypatch: pytest.MonkeyPatch):
    """Between two tries the other queues of the process are used."""
    await here.add(message("first"), None)
    begun, done = threading.Event(), threading.Event()
    with redis.Redis.from_url(redis_url) as client:

        def disturb() -> None:
            begun.set()
            if not done.is_set():
                client.hincrby(keys_of("q").meta, "version", 1)

        disturbed(monkeypatch, "contents", disturb)
        looking = asyncio.create_task(here.contents("q", NOW))
        await asyncio.to_thread(begun.wait)
        await here.add(message("first", "other"), None)
        done.set()
        assert len((await looking).messages) == 1


async def test_the_turn_of_a_process_that_was_killed_ends(here: RedisQueueBackend, redis_url: str):
    """The others wait for its end, and no longer."""
    await here.add(message("first"), None)
    keys = keys_of("q")
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        client.hset(keys.meta, "turn", "killed")
        client.set(keys.turn, "killed", px=100)
        await here.add(message("second"), None)
        assert client.exists(keys.turn) == 0
    assert len(await here.messages("q", NOW)) == 2


async def test_a_turn_leaves_nothing_behind(here: RedisQueueBackend, redis_url: str, crowd: Crowd, monkeypatch: pytest.MonkeyPatch):
    """Neither after what was done, nor after what was refused."""
    await here.add(message("first"), None)
    disturbed(monkeypatch, "message", crowd.disturb)
    await here.message("q", "first", NOW)
    with pytest.raises(KeyError):
        await here.message("q", "none", NOW)
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        assert (client.exists(keys_of("q").turn), client.hget(keys_of("q").meta, "turn")) == (0, None)


async def test_as_much_as_time_has_changed_is_written(here: RedisQueueBackend, monkeypatch: pytest.MonkeyPatch):
    """However many pages that takes: only what others change meanwhile counts as a try."""
    for module in (decisions, watched_queue):
        monkeypatch.setattr(module, "PAGE", 1)
    monkeypatch.setattr(backend_module, "TRIES", 2)
    for number in range(5):
        await here.add(message(f"m{number}")._replace(available_at=NOW + timedelta(seconds=1), state=State.DELAYED), None)
    assert (await here.status("q", NOW + timedelta(seconds=2))).counts.ready == 5
