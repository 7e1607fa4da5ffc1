"""Clients that send their requests to the MCP server slowly, over HTTP."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext

import pytest
import uvicorn
from tests.slow_client import SECONDS, answer_to

from agentool.caller import OWN, Caller
from agentoolkit.entrypoints import slow_bodies, slow_clients
from agentoolkit.entrypoints.mcp_server.host import LoopHost
from agentoolkit.entrypoints.mcp_server.server import create_server
from agentoolkit.entrypoints.mcp_server.serving import ServeOptions, _serve_http
from agentoolkit.testing import toolkit

POST = b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
WHOLE = POST + b"Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\nContent-Length: 9000\r\n\r\n"


@asynccontextmanager
async def served(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, token: bool) -> AsyncGenerator[int]:
    """Serve a toolkit, as ``agentool mcp --http`` does; give the port."""
    servers: list[uvicorn.Server] = []

    class Listed(uvicorn.Server):
        def __init__(self, config: uvicorn.Config) -> None:
            super().__init__(config)
            servers.append(self)

        def capture_signals(self) -> AbstractContextManager[None]:
            return nullcontext()

    monkeypatch.setattr(uvicorn, "Server", Listed)
    async with toolkit() as kit:
        host = LoopHost(kit)
        server = create_server(host, lambda: Caller("maria", "mcp", OWN), is_local=not token)
        serving = asyncio.create_task(_serve_http(server, host, ServeOptions("maria", http=True, port=0, token=token)))
        told = ""
        async with asyncio.timeout(SECONDS):
            while not (found := re.search(r":(\d+)/mcp", told)):
                await asyncio.sleep(0.01)
                told += capsys.readouterr().err
        try:
            yield int(found[1])
        finally:
            servers[0].should_exit = True
            await serving


@pytest.mark.parametrize("token", [True, False])
async def test_a_head_that_does_not_come_is_cut_off(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], token: bool
) -> None:
    """Whoever sends it a header at a time holds no connection for longer than a head may take, with a token or without."""
    monkeypatch.setattr(slow_clients, "HEAD_SECONDS", 0.3)
    async with served(monkeypatch, capsys, token=token) as port:
        assert (await answer_to(port, POST, *[b"X-A: b\r\n"] * 5, pause=0.1)).startswith(b"HTTP/1.1 400")


async def test_a_body_that_comes_drop_by_drop_is_cut_off(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Each part in time does not make the whole one in time."""
    monkeypatch.setattr(slow_bodies, "BODY_SECONDS", 0.3)
    async with served(monkeypatch, capsys, token=False) as port:
        assert (await answer_to(port, WHOLE, *[b"{"] * 5, pause=0.1)).startswith(b"HTTP/1.1 408")


async def test_a_server_without_tokens_refuses_what_a_proxy_hands_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As it is served, and before anything of the request is read."""
    async with served(monkeypatch, capsys, token=False) as port:
        assert (await answer_to(port, POST + b"X-Forwarded-For: 203.0.113.9\r\n\r\n")).startswith(b"HTTP/1.1 401")
