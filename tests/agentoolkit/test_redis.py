"""What is kept in Redis: chosen by a setting, shared by toolkits."""

from __future__ import annotations

import asyncio
import json
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import redis
from tests.servers import free_port, redis_running

from agentool import ConfigurationError
from agentoolkit import redis_server
from agentoolkit.redis_server import RedisServer, RedisUnavailable
from agentoolkit.settings import Settings
from agentoolkit.system.queue.backends.redis import RedisQueueBackend
from agentoolkit.system.queue.backends.redis.keys import keys_of
from agentoolkit.system.queue.messages import Counts, QueueMessage
from agentoolkit.system.queue.ports import Lease
from agentoolkit.system.queue.service import DequeueRequest
from agentoolkit.wiring import Toolkit


def settings(**given: Any) -> Settings:
    return Settings.from_values({"timezone": "UTC", "log_console": False, **given})


async def test_toolkits_share_the_event_bus_of_a_server(redis_url: str) -> None:
    """With ``events_backend = "redis"`` a subscriber is told what another toolkit publishes, though neither has a database."""
    given = settings(events_backend="redis", redis_url=redis_url)
    async with Toolkit(given, runs_jobs=False) as here, Toolkit(given, runs_jobs=False) as there:
        subscription = here.events.subscribe("report.*")
        await here.events.wait_idle()
        there.events.publish("report.sent", "other", {"report": "daily"})
        told = await subscription.next(timeout=10)
        assert told is not None
        assert (told.event_type, told.payload) == ("report.sent", {"report": "daily"})


async def test_events_outlive_their_toolkit(redis_url: str) -> None:
    """What was published is on the server when its toolkit is closed, to be read by the next one."""
    given = settings(events_backend="redis", redis_url=redis_url)
    async with Toolkit(given, runs_jobs=False) as kit:
        kit.events.publish("report.sent", "me")
    async with Toolkit(given, runs_jobs=False) as kit:
        assert [each.event_type for each in await kit.events.read(0)] == ["report.sent"]


async def test_a_queue_is_shared_by_the_toolkits_of_a_server(redis_url: str) -> None:
    """With ``queue_backend = "redis"`` a message that one toolkit adds is taken by another, once, and leaves nothing behind."""
    given = settings(queue_backend="redis", redis_url=redis_url)
    async with Toolkit(given, runs_jobs=False) as here, Toolkit(given, runs_jobs=False) as there:
        await here.injector.run("queue", {"operation": "enqueue", "queue_name": "q", "message": {"report": "daily"}})
        (taken,) = await there.queue.dequeue(DequeueRequest("q"))
        assert json.loads(taken.body) == {"report": "daily"}
        assert await here.queue.dequeue(DequeueRequest("q", timeout=0)) == []
        await there.queue.ack("q", taken.receipt)
        assert (await here.queue.status("q")).counts == Counts()
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        keys = keys_of("q")
        left = {key.split(":")[2] for key in keys if client.exists(key)}
        assert left == {"meta"}


async def test_processes_take_each_message_once(redis_url: str) -> None:
    """Two servers' clients, as two processes have them, at the same time: whoever was quicker has it."""
    servers = [RedisServer(redis_url) for _ in range(2)]
    backends = [RedisQueueBackend(server) for server in servers]
    now = datetime(2030, 1, 1, tzinfo=UTC)
    added = (backends[number % 2].add(QueueMessage(f"m{number}", "q", "1", now, now), None) for number in range(60))
    await asyncio.gather(*added)
    takes = (backends[number % 2].take("q", Lease(f"t{number}"), now) for number in range(80))
    taken = [message.message_id for each in await asyncio.gather(*takes) for message in each.messages]
    for server in servers:
        server.close()
    assert sorted(taken) == sorted(f"m{number}" for number in range(60))


async def test_a_damaged_message_is_described(redis_url: str) -> None:
    """By its queue and its id."""
    server = RedisServer(redis_url)
    backend = RedisQueueBackend(server)
    now = datetime(2030, 1, 1, tzinfo=UTC)
    for message_id in ("good", "bad"):
        await backend.add(QueueMessage(message_id, "q", "1", now, now), None)
    await server.run(lambda client: client.hset(keys_of("q").messages, "bad", "[1]"))
    described = await backend.damaged(9)
    server.close()
    assert [text.partition(":")[0] for text in described] == ["message 'bad' of queue 'q'"]


async def test_one_damaged_message_costs_no_other(redis_url: str) -> None:
    """It is a dead letter that says so, though it stands first; the others are shown and taken, each once."""
    given = settings(queue_backend="redis", redis_url=redis_url)
    async with Toolkit(given, runs_jobs=False) as kit:

        async def ask(operation: str, **fields: Any) -> Any:
            return (await kit.injector.run("queue", {"operation": operation, "queue_name": "q", **fields})).data

        for number in range(5):
            await ask("enqueue", message=number, message_id=f"m{number}")
        with redis.Redis.from_url(redis_url, decode_responses=True) as client:
            for number, text in enumerate(("{", "[1]", client.hget(keys_of("q").messages, "m2").replace('"2"', '"{"'))):
                client.hset(keys_of("q").messages, f"m{number}", text)
        assert [found["message"] for found in (await ask("peek", limit=1))["messages"]] == [3]
        assert [found["message"] for found in (await ask("dequeue", count=5))["messages"]] == [3, 4]
        assert (await ask("get_message", message_id="m2"))["reason"].startswith("its row in the database is damaged")
        assert (await kit.queue.status("q")).counts == Counts(in_flight=2, dead=3)


async def test_a_queue_outlives_its_server(tmp_path: Path) -> None:
    """Killed and started again with ``appendonly yes`` it has every message; while it is away, one sentence says so."""
    port = free_port()
    async with Toolkit(settings(queue_backend="redis", redis_url=f"redis://127.0.0.1:{port}/0"), runs_jobs=False) as kit:

        async def ask(operation: str, **fields: Any) -> Any:
            return (await kit.injector.run("queue", {"operation": operation, "queue_name": "q", **fields})).data

        with redis_running(tmp_path, port, keeps=True):
            for number in range(3):
                await ask("enqueue", message=number)
            waiting = asyncio.create_task(kit.queue.dequeue(DequeueRequest("later", timeout=30)))
        with pytest.raises(RedisUnavailable, match="cannot be used"):
            await ask("peek")
        with redis_running(tmp_path, port, keeps=True):
            assert [found["message"] for found in (await ask("dequeue", count=5))["messages"]] == [0, 1, 2]
            await kit.injector.run("queue", {"operation": "enqueue", "queue_name": "later", "message": "now"})
            waiting.cancel()
            await asyncio.wait({waiting})


async def test_a_server_may_be_used_after_it_was_closed(redis_url: str) -> None:
    """As a toolkit does whose first start has failed."""
    server = RedisServer(redis_url)
    for _ in range(2):
        assert await server.run(lambda client: client.ping())
        server.close()


@pytest.mark.parametrize("name", ["queue_backend", "events_backend"])
def test_redis_without_an_address_is_refused(name: str) -> None:
    """The error says which setting is missing."""
    with pytest.raises(ConfigurationError, match="AGENTOOL_REDIS_URL") as refused:
        Toolkit(settings(**{name: "redis"}))
    assert refused.value.field == name


async def test_all_who_wait_for_a_silent_server_are_told_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes connections and answers nothing: who waited meanwhile does not wait as long again, each after the other."""
    monkeypatch.setattr(redis_server, "SECONDS", 0.2)
    tried = list[str]()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        server = RedisServer(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")

        def work(client: Any) -> None:
            tried.append("tried")
            client.ping()

        ends = await asyncio.gather(*(server.run(work) for _ in range(40)), return_exceptions=True)
        assert {type(end) for end in ends} == {RedisUnavailable}
        assert len(tried) < 10  # those whose turn had come
        server.close()


async def test_who_asks_after_the_others_were_told_tries_anew(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server may answer by now."""
    server = RedisServer(redis_url)

    def silent(client: Any) -> None:
        raise redis.TimeoutError("silent")

    with pytest.raises(RedisUnavailable, match="silent"):
        await server.run(silent)
    assert await server.run(lambda client: client.ping())
    server.close()
