"""Clients that send their requests slowly, at a real server."""

from __future__ import annotations

import asyncio

import pytest

from agentoolkit.entrypoints.rest import create_app, server
from agentoolkit.testing import toolkit

SECONDS = 20.0
HEAD = b"GET /api/scheduler/health HTTP/1.1\r\nHost: 127.0.0.1\r\n"


async def answers(address: str, *parts: bytes, pause: float = 0.0) -> bytes:
    """Send parts of requests, with pauses between, and return all that is answered until the connection is closed."""
    host, port = address.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        async with asyncio.timeout(SECONDS):
            for part in parts:
                writer.write(part)
                await asyncio.sleep(pause)
            return await reader.read()
    finally:
        writer.close()


@pytest.mark.parametrize(
    "parts", [(b"",), (HEAD,), (HEAD, b"X-A: b\r\n", b"X-B: c\r\n", b"X-C: d\r\n")], ids=["nothing", "half a head", "a header at a time"]
)
async def test_a_head_that_does_not_come_is_cut_off(monkeypatch: pytest.MonkeyPatch, parts: tuple[bytes, ...]) -> None:
    """Whoever sends it byte by byte holds no connection for longer than a head may take."""
    monkeypatch.setattr(server, "HEAD_SECONDS", 0.3)
    async with toolkit() as kit, server.serving(create_app(kit), "127.0.0.1", 0) as address:
        assert (await answers(address, *parts, pause=0.1)).startswith(b"HTTP/1.1 400")


async def test_a_second_head_that_does_not_come_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that was answered gives no more time to the next one."""
    monkeypatch.setattr(server, "HEAD_SECONDS", 0.3)
    async with toolkit() as kit, server.serving(create_app(kit), "127.0.0.1", 0) as address:
        host, port = address.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        async with asyncio.timeout(SECONDS):
            writer.write(HEAD + b"\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].split()[0]))
            writer.write(HEAD)
            assert (head[9:12], (await reader.read())[9:12]) == (b"200", b"400")
        writer.close()


async def test_a_head_in_time_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many parts it comes in; and a request that takes longer to be answered is not cut off."""
    monkeypatch.setattr(server, "HEAD_SECONDS", 0.3)
    async with toolkit() as kit, server.serving(create_app(kit), "127.0.0.1", 0) as address:
        told = await answers(address, HEAD[:10], HEAD[10:], b"Connection: close\r\n\r\n", pause=0.02)
        event = b"GET /api/scheduler/events/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
        host, port = address.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(event)
        await asyncio.sleep(0.6)
        kit.events.publish("a.b", "test")
        async with asyncio.timeout(SECONDS):
            assert b"a.b" in await reader.readuntil(b"event: a.b")
        writer.close()
    assert told.startswith(b"HTTP/1.1 200")


async def test_a_server_that_does_not_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """After its time of grace, and without an error: what is closed after it would else stay open."""

    async def never(*given: object, **more: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(server, "GRACE_SECONDS", -1.9)
    monkeypatch.setattr(server._Server, "main_loop", never)
    async with toolkit() as kit:
        async with server.serving(create_app(kit), "127.0.0.1", 0):
            (serving,) = (task for task in asyncio.all_tasks() if task.get_name() == "agentool-http")
        assert serving.cancelled()
