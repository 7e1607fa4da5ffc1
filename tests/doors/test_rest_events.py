"""Events over HTTP, by a real server: as they happen, after a disconnect, and with subscribers that never read."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from agentool.caller import OWN, Caller
from agentoolkit.entrypoints.rest import create_app, events
from agentoolkit.entrypoints.rest.problems import ApiError
from agentoolkit.entrypoints.rest.server import serving_api
from agentoolkit.settings import Settings
from agentoolkit.testing import TestToolkit
from agentoolkit.wiring import Toolkit

SECONDS = 60.0


@asynccontextmanager
async def served(path: Path) -> AsyncGenerator[tuple[Toolkit, str]]:
    """Serve a toolkit with a database, and give where."""
    async with Toolkit(Settings.from_values({"timezone": "UTC", "database": str(path)})) as kit, serving_api(kit, "127.0.0.1:0") as address:
        yield kit, f"{address}/api/scheduler/events"


async def told(address: str, number: int, **more: Any) -> list[tuple[int, str]]:
    """Return the ids and types of so many events of a stream."""
    found: list[tuple[int, str]] = []
    client = httpx2.AsyncClient(timeout=SECONDS)
    async with asyncio.timeout(SECONDS), client, client.stream("GET", f"{address}/stream", **more) as answer:
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        async for line in answer.aiter_lines():
            if line.startswith("data: "):
                event = json.loads(line.removeprefix("data: "))
                found.append((event["event_id"], event["event_type"]))
                if len(found) == number:
                    return found
    return found


async def publish(address: str, *types: str) -> None:
    async with httpx2.AsyncClient(timeout=SECONDS) as client:
        for event_type in types:
            answer = await client.post(address, json={"event_type": event_type})
            assert answer.status_code == 202


async def test_a_stream_goes_on_after_a_restart(tmp_path: Path) -> None:
    """With the id of the last event that was seen nothing is lost and nothing comes twice, though the server was restarted."""
    async with served(tmp_path / "jobs.db") as (_, address):
        await publish(address, "a.1", "a.2")
        first = await told(address, 1, params={"event_type": "a.*", "after": 0})
    async with served(tmp_path / "jobs.db") as (_, address):
        await publish(address, "a.3")
        rest = await told(address, 2, params={"event_type": "a.*"}, headers={"Last-Event-ID": str(first[0][0])})
    assert [event_type for _, event_type in first + rest] == ["a.1", "a.2", "a.3"]


async def test_a_stream_tells_what_happens_from_now_on(tmp_path: Path) -> None:
    """What was before is not told."""
    async with served(tmp_path / "jobs.db") as (kit, address):
        await publish(address, "a.1")
        await kit.events.wait_idle()
        telling = asyncio.create_task(told(address, 1, params={"event_type": "a.*"}))
        while not kit.events.listeners:  # noqa: ASYNC110  another process would ask the same way
            await asyncio.sleep(0.01)
        await publish(address, "a.2")
        assert [event_type for _, event_type in await telling] == ["a.2"]


async def test_two_hundred_who_never_read_hold_up_nobody(tmp_path: Path) -> None:
    """One who reads is told of each event while they are connected, the API answers, and the server ends in time."""
    async with served(tmp_path / "jobs.db") as (kit, address):
        host, port = address.removeprefix("http://").partition("/")[0].split(":")
        request = f"GET /api/scheduler/events/stream HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
        connected = [await asyncio.open_connection(host, int(port)) for _ in range(200)]
        for _, writer in connected:
            writer.write(request)
        async with asyncio.timeout(SECONDS):
            while kit.events.listeners < 200:  # noqa: ASYNC110  another process would ask the same way
                await asyncio.sleep(0.01)
        payload = {"text": "x" * 10_000}
        for number in range(200):
            kit.events.publish(f"a.{number}", "test", payload)
        found = await told(address, 200, params={"event_type": "a.*", "after": 0})
        async with httpx2.AsyncClient(timeout=SECONDS) as client:
            assert (await client.get(address.replace("/events", "/health"))).status_code == 200
        loop = asyncio.get_running_loop()
        ending = loop.time()
    assert [event_type for _, event_type in found] == [f"a.{number}" for number in range(200)]
    assert loop.time() - ending < 10
    for _, writer in connected:
        writer.close()


async def test_more_streams_than_possible_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """429, with when to come again."""
    monkeypatch.setattr(events, "MAX_STREAMS", 0)
    async with served(tmp_path / "jobs.db") as (_, address), httpx2.AsyncClient(timeout=SECONDS) as client:
        answer = await client.get(f"{address}/stream")
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "30")


async def test_who_leaves_before_the_first_event_leaves_nothing_behind(kit: TestToolkit) -> None:
    """Its place is free again, so that nobody takes all of them by asking and leaving."""
    app = create_app(kit)
    path = "/api/scheduler/events/stream"
    scope = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b"", "scheme": "http"}
    scope |= {"http_version": "1.1", "headers": [(b"host", b"127.0.0.1")], "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80)}
    scope |= {"asgi": {"version": "3.0", "spec_version": "2.3"}}
    service = kit.injector.get("events").deps
    before = service.listeners

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        await asyncio.sleep(0)

    for _ in range(3):
        await app(dict(scope), receive, send)
    assert (len(app.state.streams), service.listeners) == (0, before)


async def test_one_caller_leaves_room_for_others(kit: TestToolkit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has as many streams as one may have is refused a further one, with 429; others are not."""
    monkeypatch.setattr(events, "MAX_CALLER_STREAMS", 1)
    maria, paul, root = Caller("maria", "rest", OWN), Caller("paul", "rest", OWN), Caller("root", "rest")
    held: dict[Any, str] = {"a": "maria", "b": "root"}
    with pytest.raises(ApiError) as refused:
        events._check_room(held, maria)
    assert refused.value.status_code == 429
    for caller in (paul, root):
        events._check_room(held, caller)


async def test_a_revoked_token_ends_its_stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What happens afterwards is not told to whoever had it."""
    monkeypatch.setattr(events, "KEEP_ALIVE_SECONDS", 0.05)
    settings = Settings.from_values({"timezone": "UTC", "database": str(tmp_path / "jobs.db"), "rest_tokens": "always"})
    async with Toolkit(settings) as kit, serving_api(kit, "127.0.0.1:0") as address:
        token, text = await kit.tokens.create("maria", ["read"])
        client, lines = httpx2.AsyncClient(timeout=SECONDS, headers={"Authorization": f"Bearer {text}"}), 0
        async with asyncio.timeout(SECONDS), client, client.stream("GET", f"{address}/api/scheduler/events/stream") as answer:
            async for line in answer.aiter_lines():
                lines += line.startswith(": still here")
                if lines == 2:
                    await kit.tokens.revoke(token.token_id)
        assert (answer.status_code, lines >= 2) == (200, True)
