"""A thousand hostile requests to a real server, byte for byte: none gets in, none crashes it."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from agentoolkit.entrypoints.rest.server import serving_api
from agentoolkit.settings import Settings
from agentoolkit.wiring import Toolkit

NUMBER = 1_000
AT_ONCE = 20
SECONDS = 60.0
PATIENCE = 5.0
"""Seconds without an answer after which the server is taken to wait for more."""
BODY = b'{"name": "evil", "schedule": "every minute", "agentool_name": "queue", "input_data": {"operation": "list_queues"}}'
PATHS = ("/tasks", "/tasks/secret", "/tasks/secret/run", "/executions", "/events", "/bulk", "/batch/tasks", "/stop", "/queues", "/audit")
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "BREW")


def request(method: str, path: str, *headers: str, host: str = "127.0.0.1", body: bytes = b"") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def chunked(path: str, *chunks: bytes, headers: tuple[str, ...] = ()) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", "Connection: close", "Transfer-Encoding: chunked", *headers, "", ""]
    return "\r\n".join(lines).encode() + b"".join(chunks)


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


def to_sign_in(choice: random.Random) -> bytes:
    tokens = ("", "x", "agt_0_0", "%00", "%F0%28%8C", "x" * 100_000, "&" * 30_000, "token=" * 5_000, "%0d%0aSet-Cookie:%20a=b")
    following = choice.choice(("//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "/%0d%0aX: y"))
    body = f"token={choice.choice(tokens)}&next={following}".encode()
    return request("POST", "/login", "Content-Type: application/x-www-form-urlencoded", body=body)


def with_a_forged_session(choice: random.Random) -> bytes:
    secrets = ("", "x", "0" * 64, "a" * 6_000, '"', "../../x", "agt_0_0", "\xe9", "x; agentool_session=y", "%00")
    path = choice.choice(("/api/scheduler/tasks", "/jobs", "/act?do=stop", "/logs", "/queues", "/new", "/approvals/x"))
    cookie = f"Cookie: {choice.choice(('agentool_session', '__Host-agentool_session'))}={choice.choice(secrets)}"
    return request(choice.choice(METHODS[:5]), path, cookie, body=BODY)


def that_resumes_a_stream(choice: random.Random) -> bytes:
    seen = ("-1", "9" * 30, "1e9", "0x10", "١٢".encode().decode("latin-1"), "1\r\nX-A: b", "' OR 1=1 --", "", "\t1", "null")
    return request("GET", "/api/scheduler/events/stream", f"Last-Event-ID: {choice.choice(seen)}", "Accept: text/event-stream")


def that_changes_the_protocol(choice: random.Random) -> bytes:
    upgrade = choice.choice(("websocket", "h2c", "TLS/1.0", "websocket, h2c"))
    key = choice.choice(("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Key: x", "HTTP2-Settings: AAMAAABkAAQ"))
    path = choice.choice(("/", "/api/scheduler/events/stream", "/api/scheduler/tasks", "/ws"))
    lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1", "Connection: Upgrade", f"Upgrade: {upgrade}", key, "Sec-WebSocket-Version: 13"]
    return "\r\n".join([*lines, "", ""]).encode()


def with_a_seldom_method(choice: random.Random) -> bytes:
    path = choice.choice(
        (*(f"/api/scheduler{path}" for path in PATHS), "/jobs", "/act", "*", "http://evil.example/", "/api/scheduler/openapi.json")
    )
    return request(choice.choice(("HEAD", "OPTIONS", "TRACE", "PROPFIND", "get", "PATCH ")), path, "Origin: https://evil.example")


def with_a_header_twice(choice: random.Random) -> bytes:
    headers = (
        ("Host: evil.example", "Host: 127.0.0.1"),
        ("Authorization: Bearer x", "Authorization: Bearer agt_0_0"),
        ("Origin: http://127.0.0.1", "Origin: https://evil.example"),
        ("Content-Type: application/json", "Content-Type: text/plain"),
        ("Content-Length: 0", "Content-Length: 1"),
        ("Cookie: agentool_session=x", "Cookie: agentool_session=y"),
        ("Transfer-Encoding: identity", "Transfer-Encoding: chunked"),
    )
    return request("POST", f"/api/scheduler{choice.choice(PATHS)}", *choice.choice(headers), body=BODY)


def in_chunks(choice: random.Random) -> bytes:
    headers = ("Content-Type: application/json",)
    bodies = (
        (b"%x\r\n" % len(BODY), BODY, b"\r\n0\r\n\r\n"),
        (b"ffffffffffffffff\r\n", BODY),
        (b"-1\r\n", BODY, b"\r\n0\r\n\r\n"),
        (b"5;ext=\x00\r\nhello\r\n0\r\n\r\n",),
        (b"1\r\n{\r\n" * 5_000, b"0\r\n\r\n"),
        (b"0\r\nAuthorization: Bearer x\r\n\r\n",),
        (b"0\r\n\r\nPOST /api/scheduler/stop HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",),
        (b"zz\r\n",),
    )
    return chunked(f"/api/scheduler{choice.choice(PATHS)}", *choice.choice(bodies), headers=headers)


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
    to_sign_in,
    with_a_forged_session,
    that_resumes_a_stream,
    that_changes_the_protocol,
    with_a_seldom_method,
    with_a_header_twice,
    in_chunks,
)


def requests() -> Iterator[bytes]:
    choice = random.Random(15)
    yield from (with_a_huge_body(choice) for _ in range(5))
    yield from (choice.choice(KINDS)(choice) for _ in range(NUMBER - 5))


async def status_of(host: str, port: int, sent: bytes) -> int:
    """Send a request and return the status of the answer; 0: the connection was closed without one.

    Who waits for more than was sent is told after a moment that there is no more. Not before: a server takes that for a client that left.
    """
    reader, writer = await asyncio.open_connection(host, port)
    try:
        async with asyncio.timeout(SECONDS):
            writer.write(sent)
            answered = asyncio.ensure_future(reader.readline())
            await asyncio.wait([answered], timeout=PATIENCE)
            if not answered.done():
                writer.write_eof()
            line = await answered
            return int(line.split()[1]) if line.startswith(b"HTTP/") else 0
    except OSError:
        return 0
    finally:
        writer.close()


async def statuses_of(address: str, sent: Iterable[bytes]) -> list[int]:
    """Send requests, some at a time, and return the statuses of the answers."""
    host, port = address.removeprefix("http://").split(":")
    room = asyncio.Semaphore(AT_ONCE)

    async def send(one: bytes) -> int:
        async with room:
            return await status_of(host, int(port), one)

    return await asyncio.gather(*map(send, sent))


@asynccontextmanager
async def attacked() -> AsyncGenerator[tuple[Toolkit, str]]:
    """Serve API and pages to those with a token; at the end all has to be as it was."""
    async with Toolkit(Settings.from_values({"timezone": "UTC", "rest_tokens": "always"})) as kit:
        async with serving_api(kit, "127.0.0.1:0") as address:
            yield kit, address
        listed: Any = await kit.injector.run("scheduler", {"operation": "list"})
        status: Any = await kit.injector.run("scheduler", {"operation": "status"})
        assert (listed.data["jobs"], status.data["stopped"]) == ([], False)


async def test_none_gets_in_and_none_crashes_it() -> None:
    """Each is refused or cut off, none is a failure of the server, and all is as it was."""
    async with attacked() as (kit, address):
        sent = list(requests())
        statuses = await statuses_of(address, sent)
        wrong = [(status, one[:200]) for status, one in zip(statuses, sent, strict=True) if status not in (0, *range(400, 500), 501)]
        assert wrong == []
        assert statuses.count(0) < NUMBER / 20  # else it was not the server that refused them
        _, token = await kit.tokens.create("maria", ["admin"])
        after = await statuses_of(address, [request("GET", "/api/scheduler/tasks", f"Authorization: Bearer {token}")])
        assert after[0] in (200, 429)


HOSTILE_BODIES: tuple[Any, ...] = (
    {"tasks": []},
    {"tasks": [{}] * 10_001},
    {"tasks": [{"name": "x" * 300, "schedule": "1 hour", "agentool_name": "queue", "input_data": {}}]},
    {"tasks": [{"name": "x", "schedule": "\u0000", "agentool_name": "queue", "input_data": {"operation": "list_queues"}}]},
    {"tasks": [{"name": "x", "schedule": "1 hour", "agentool_name": "shell", "input_data": {"operation": "run", "command": ["rm"]}}]},
    {"tasks": [{"name": "../../x", "schedule": "1 hour", "function": "os:system", "args": ["id"]}]},
    {"action": "delete", "query": "' OR 1=1 --"},
    {"action": "delete", "query": "job:" + "*" * 400},
    {"action": "retry", "ids": ["\u0000", "x@y", "' OR 1=1 --", "x" * 1_000]},
    {"action": "run", "ids": [".."] * 10_001},
    {"action": "stop", "ids": ["x"]},
    [[[[]]]] * 100,
    "tasks",
)


@pytest.mark.parametrize("scopes", [["read"], ["read", "write"]], ids=["reader", "writer"])
async def test_who_is_let_in_does_no_more_than_its_token_says(scopes: list[Any]) -> None:
    """A token that may read changes nothing; one that may write schedules nothing that it may not, whatever it sends in batches."""
    async with attacked() as (kit, address):
        _, token = await kit.tokens.create("maria", scopes)
        let_in = f"Authorization: Bearer {token}"
        json_type = "Content-Type: application/json"
        bodies = [json.dumps(body).encode() for body in HOSTILE_BODIES]
        paths = ("/batch/tasks", "/bulk", "/tasks", "/tasks/x", "/preview")
        sent = [request("POST", f"/api/scheduler{path}", let_in, json_type, body=body) for path in paths for body in bodies]
        sent += [request(method, "/api/scheduler/stop", let_in, json_type) for method in ("POST", "GET", "PUT", "HEAD")]
        sent += [request(method, "/api/scheduler/tokens", let_in) for method in METHODS[:5]]
        assert set(await statuses_of(address, sent)) <= {200, 202, *range(400, 500)}
        streams = [request("GET", "/api/scheduler/events/stream", let_in, f"Last-Event-ID: {seen}") for seen in ("-1", "9" * 30, "x", "")]
        assert set(await statuses_of(address, streams)) == {200}
