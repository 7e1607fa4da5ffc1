"""Servers on 127.0.0.1 that note what they are sent: HTTP and SMTP, a few lines each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple


class Request(NamedTuple):
    method: str
    path: str
    headers: dict[str, str]
    """Their names in lower case."""
    body: bytes


class Answer(NamedTuple):
    status: int = 200
    headers: Mapping[str, str] = MappingProxyType({})
    body: bytes = b"{}"


@dataclass
class HttpServer:
    """Answers each request as `answer` says, and closes the connection."""

    port: int = 0
    requests: list[Request] = field(default_factory=list)
    answer: Callable[[Request], Answer] = lambda request: Answer()

    lines_of: list[str] = field(default_factory=list)
    """The last request's lines of headers."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def lines(self, name: str) -> list[str]:
        """Return every value that the last request had for a header."""
        return [value for said, _, value in (line.partition(": ") for line in self.lines_of) if said.lower() == name]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        self.lines_of = head[1:]
        method, path, _ = head[0].split(" ")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        request = Request(method, path, headers, await reader.readexactly(int(headers.get("content-length", "0"))))
        self.requests.append(request)
        answer = self.answer(request)
        lines = [f"HTTP/1.1 {answer.status} Said", f"Content-Length: {len(answer.body)}", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in answer.headers.items()]
        await finish(writer, "\r\n".join([*lines, "", ""]).encode() + answer.body)


@dataclass
class SmtpServer:
    """Takes every mail."""

    port: int = 0
    mails: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 ready\r\n")
        while line := (await reader.readline()).decode():
            command = line[:4].upper().strip()
            if command == "DATA":
                writer.write(b"354 go on\r\n")
                self.mails.append((await reader.readuntil(b"\r\n.\r\n")).decode())
            writer.write(b"221 bye\r\n" if command == "QUIT" else b"250 fine\r\n")
            if command == "QUIT":
                break
        await finish(writer)


async def finish(writer: asyncio.StreamWriter, last: bytes = b"") -> None:
    try:
        writer.write(last)
        await writer.drain()
        writer.close()
        await writer.wait_closed()
    except ConnectionError:
        pass  # the client had enough


@asynccontextmanager
async def listening(server: HttpServer | SmtpServer) -> AsyncIterator[HttpServer | SmtpServer]:
    """Let a server listen on a free port."""
    async with await asyncio.start_server(server.serve, "127.0.0.1", 0) as listener:
        server.port = listener.sockets[0].getsockname()[1]
        yield server
