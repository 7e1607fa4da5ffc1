"""A thousand hostile requests to a real server, byte for byte: none gets in, none crashes it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from typing import Any

from agentoolkit.entrypoints.rest.app import create_app
from agentoolkit.entrypoints.rest.server import access_rules, serving
from agentoolkit.settings import Settings
from agentoolkit.wiring import Toolkit

NUMBER = 1_000
AT_ONCE = 20
SECONDS = 20.0
BODY = b'{"name": "evil", "schedule": "every minute", "agentool_name": "queue", "input_data": {"operation": "list_queues"}}'
PATHS = ("/tasks", "/tasks/secret", "/tasks/secret/run", "/executions", "/events", "/bulk", "/batch/tasks", "/stop", "/queues", "/audit")
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "BREW")


def request(method: str, path: str, *headers: str, host: str = "127.0.0.1", body: bytes = b"") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def with_bad_token(choice: random.Random) -> bytes:
    tokens = ("", "x", "agt_0_0", "agt__", "null", "../../etc/passwd", "' OR 1=1 --", "x" * 4_000, "agt_" + "é" * 20, "\\u0000")
    scheme = choice.choice(("Bearer", "bearer", "Basic", "Digest", ""))
    return request(
        choice.choice(METHODS[:5]), f"/api/scheduler{choice.choice(PATHS)}", f"Authorization: {scheme} {choice.choice(tokens)}", body=BODY
    )


def with_foreign_host(choice: random.Random) -> bytes:
    hosts = ("evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "evil.example:80", "[::1", "", "0.0.0.0", "a@127.0.0.1@b")
    return request("POST", "/api/scheduler/tasks", "Content-Type: application/json", host=choice.choice(hosts), body=BODY)


def from_a_foreign_page(choice: random.Random) -> bytes:
    origins = ("https://evil.example", "null", "http://127.0.0.1.evil.example", "file://", "http://127.0.0.1:1", "javascript:alert(1)")
    media_type = choice.choice(("application/json", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"))
    return request(
        "POST", "/api/scheduler/tasks", f"Origin: {choice.choice(origins)}", f"Content-Type: {media_type}", "Cookie: a=b", body=BODY
    )


def with_a_path_trick(choice: random.Random) -> bytes:
    tricks = ("/..", "/%2e%2e", "/%2e%2e%2f", "/..%5c", "//", "/.", "/%00", "/%0d%0aX: y", "/;", "/%c0%ae%c0%ae", "/~", "/%uff0e")
    path = (
        "/api/scheduler"
        + "".join(choice.choice(tricks) for _ in range(choice.randint(1, 6)))
        + choice.choice(("", "/etc/passwd", "/tasks"))
    )
    return request(choice.choice(METHODS), path)


def with_injected_headers(choice: random.Random) -> bytes:
    headers = (
        "X-A: b\r\nAuthorization: Bearer x",
        "Transfer-Encoding: chunked",
        "Content-Length: 5",
        "Host: evil.example",
        "X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Host: localhost",
        ": empty",
        "A" * 70_000 + ": b",
        "Idempotency-Key: " + "k" * 300,
        "Last-Event-ID: 1' OR 1=1",
        " folded: x",
    )
    return request("POST", f"/api/scheduler{choice.choice(PATHS)}", choice.choice(headers), "Content-Type: application/json", body=BODY)


def with_a_wrong_body(choice: random.Random) -> bytes:
    bodies = (b"[" * 200_000, b"\xff" * 1_000, b'{"a":' * 50_000, b"{}" * 1_000, b'{"name": "\\ud800"}', b"1e999999", b'"' + b"x" * 100_000)
    return request("POST", "/api/scheduler/tasks", "Content-Type: application/json", body=choice.choice(bodies))


def with_a_huge_body(choice: random.Random) -> bytes:
    return request("POST", "/api/scheduler/tasks", "Content-Type: application/json", body=b" " * 10_000_001)


def that_is_no_http(choice: random.Random) -> bytes:
    return choice.choice(
        (b"\x16\x03\x01\x02\x00", b"GET\r\n\r\n", b"\r\n" * 100, choice.randbytes(500), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    )


KINDS: tuple[Callable[[random.Random], bytes], ...] = (
    with_bad_token,
    with_foreign_host,
    from_a_foreign_page,
    with_a_path_trick,
    with_injected_headers,
    with_a_wrong_body,
    that_is_no_http,
)


def requests() -> Iterator[bytes]:
    choice = random.Random(15)
    yield from (with_a_huge_body(choice) for _ in range(5))
    yield from (choice.choice(KINDS)(choice) for _ in range(NUMBER - 5))


async def status_of(host: str, port: int, sent: bytes) -> int:
    """Send a request and return the status of the answer; 0: the connection was closed without one."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        async with asyncio.timeout(SECONDS):
            writer.write(sent)
            writer.write_eof()
            line = await reader.readline()
            return int(line.split()[1]) if line.startswith(b"HTTP/") else 0
    except OSError:
        return 0
    finally:
        writer.close()


async def test_none_gets_in_and_none_crashes_it() -> None:
    """Each is refused or cut off, none is a failure of the server, and all is as it was."""
    async with Toolkit(Settings.from_values({"timezone": "UTC", "rest_tokens": "always"})) as kit:
        app = create_app(kit, access=access_rules(kit, "127.0.0.1"))
        async with serving(app, "127.0.0.1", 0) as address:
            host, port = address.removeprefix("http://").split(":")
            room = asyncio.Semaphore(AT_ONCE)

            async def send(sent: bytes) -> int:
                async with room:
                    return await status_of(host, int(port), sent)

            statuses = await asyncio.gather(*(send(sent) for sent in requests()))
            assert [status for status in statuses if status not in (0, *range(400, 500), 501)] == []
            _, token = await kit.tokens.create("maria", ["admin"])
            assert await status_of(host, int(port), request("GET", "/api/scheduler/tasks", f"Authorization: Bearer {token}")) in (200, 429)
            listed: Any = await kit.injector.run("scheduler", {"operation": "list"})
            assert listed.data["jobs"] == []
