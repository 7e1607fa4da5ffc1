"""Clients that send their requests slowly, at a real server."""

from __future__ import annotations

import asyncio
import socket

import pytest
from tests.slow_client import SECONDS, answer_to

from agentoolkit.entrypoints import slow_bodies, slow_clients
from agentoolkit.entrypoints.dashboard import add_pages
from agentoolkit.entrypoints.rest import create_app, server
from agentoolkit.entrypoints.rest.access import AccessRules
from agentoolkit.testing import toolkit

HEAD = b"GET /api/scheduler/health HTTP/1.1\r\nHost: 127.0.0.1\r\n"


async def answers(address: str, *parts: bytes, pause: float = 0.0) -> bytes:
    """See `answer_to`; of the server at an address."""
    return await answer_to(int(address.rpartition(":")[2]), *parts, pause=pause)


@pytest.mark.parametrize(
    "parts", [(b"",), (HEAD,), (HEAD, b"X-A: b\r\n", b"X-B: c\r\n", b"X-C: d\r\n")], ids=["nothing", "half a head", "a header at a time"]
)
async def test_a_head_that_does_not_come_is_cut_off(monkeypatch: pytest.MonkeyPatch, parts: tuple[bytes, ...]) -> None:
    """Whoever sends it byte by byte holds no connection for longer than a head may take."""
    monkeypatch.setattr(slow_clients, "HEAD_SECONDS", 0.3)
    async with toolkit() as kit, server.serving(create_app(kit), "127.0.0.1", 0) as address:
        assert (await answers(address, *parts, pause=0.1)).startswith(b"HTTP/1.1 400")


async def test_a_second_head_that_does_not_come_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that was answered gives no more time to the next one."""
    monkeypatch.setattr(slow_clients, "HEAD_SECONDS", 0.3)
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
    monkeypatch.setattr(slow_clients, "HEAD_SECONDS", 0.3)
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


async def send_for_ever(client: socket.socket) -> None:
    """Send a byte again and again."""
    async with asyncio.timeout(SECONDS):
        while True:
            await asyncio.get_running_loop().sock_sendall(client, b"x")
            await asyncio.sleep(0.1)


LOGIN = b"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9000\r\nConnection: close\r\n\r\n"


async def test_a_body_that_comes_drop_by_drop_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where no token is needed: each part in time does not make the whole one in time."""
    monkeypatch.setattr(slow_bodies, "BODY_SECONDS", 0.3)
    async with toolkit() as kit, server.serving(add_pages(create_app(kit)), "127.0.0.1", 0) as address:
        assert (await answers(address, LOGIN, *[b"a"] * 9, pause=0.1)).startswith(b"HTTP/1.1 408")


async def test_a_large_body_has_more_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes at a fair pace is taken, however long it takes."""
    monkeypatch.setattr(slow_bodies, "BODY_SECONDS", 0.3)
    monkeypatch.setattr(slow_bodies, "BODY_PACE", 1_000)
    async with toolkit() as kit, server.serving(add_pages(create_app(kit)), "127.0.0.1", 0) as address:
        assert (await answers(address, LOGIN, *[b"a" * 1_000] * 9, pause=0.1)).startswith(b"HTTP/1.1 403")  # it keeps no sessions


async def test_who_has_no_token_sends_little() -> None:
    """A token is short: ten megabytes for a login would be memory for strangers."""
    head = LOGIN.replace(b"9000", b"10001")
    async with toolkit() as kit, server.serving(add_pages(create_app(kit)), "127.0.0.1", 0) as address:
        assert (await answers(address, head, b"a" * 10_001)).startswith(b"HTTP/1.1 413")


async def test_the_rest_of_a_refused_body_holds_no_connection(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Nobody reads it any more, and it ends when a head would have to; nothing is logged."""
    monkeypatch.setattr(slow_clients, "HEAD_SECONDS", 0.3)
    head = b"POST /api/scheduler/tasks HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9000\r\n\r\n"
    async with toolkit() as kit, server.serving(create_app(kit, access=AccessRules()), "127.0.0.1", 0) as address:
        assert (await answers(address, head, *[b"a"] * 20, pause=0.1)).startswith(b"HTTP/1.1 401")
    assert not caplog.records


async def test_who_does_not_read_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Public files are enough to fill what the system takes for a client."""
    monkeypatch.setattr(slow_clients, "READ_SECONDS", 0.3)
    asked = b"GET /static/vendor/pico.min.css HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    async with toolkit() as kit, server.serving(add_pages(create_app(kit)), "127.0.0.1", 0) as address:
        host, port = address.removeprefix("http://").split(":")
        with socket.socket() as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            slow.setblocking(False)
            await asyncio.get_running_loop().sock_connect(slow, (host, int(port)))
            await asyncio.get_running_loop().sock_sendall(slow, asked * 200)
            with pytest.raises(ConnectionError):
                await send_for_ever(slow)  # until the server's end of it is gone, and what is sent is refused


async def test_who_leaves_within_a_body_fills_no_log(caplog: pytest.LogCaptureFixture) -> None:
    """Strangers could write a traceback for each of their requests."""
    async with toolkit() as kit, server.serving(add_pages(create_app(kit)), "127.0.0.1", 0) as address:
        host, port = address.removeprefix("http://").split(":")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(LOGIN + b"token=")
        await asyncio.sleep(0.1)
        writer.close()
        await asyncio.sleep(0.1)
    assert not [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")]


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
