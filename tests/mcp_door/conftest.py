"""A toolkit whose time is moved by hand, and clients of both protocols that talk to its MCP server in this process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import mcp_types as types
import pytest
from mcp import Client

from agentool import Injector
from agentool.caller import OWN, Caller
from agentoolkit.entrypoints.mcp_server.host import LoopHost
from agentoolkit.entrypoints.mcp_server.server import create_server
from agentoolkit.settings import Settings
from agentoolkit.testing import ManualTime, TestToolkit

MODES = ("2026-07-28", "legacy")

Said = types.ElicitResult | Callable[[], Awaitable[types.ElicitResult]]
Connect = Callable[..., AbstractAsyncContextManager[Client]]


@pytest.fixture
def settings() -> dict[str, Any]:
    """Settings of the toolkit; a test may change them before it asks for `kit`."""
    return {"timezone": "Europe/Berlin"}


@pytest.fixture
async def kit(settings: dict[str, Any]) -> AsyncIterator[TestToolkit]:
    """A toolkit in memory, on a Sunday afternoon in Berlin, 14:02."""
    async with TestToolkit(Settings.from_values(settings), ManualTime("2026-11-29T13:02:00+00:00"), Injector()) as kit:
        yield kit


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    """Each protocol in turn."""
    return request.param


@pytest.fixture
def connect(kit: TestToolkit, mode: str) -> Connect:
    """Connects a client, as maria by default, that says `answers` to the questions it is asked; None: it cannot be asked.

    An answer may be a function: what happens while a person thinks.
    """

    @asynccontextmanager
    async def connected(
        answers: Sequence[Said] | None = None,
        caller: Caller | None = None,
        *,
        is_local: bool = True,
        **more: Any,
    ) -> AsyncIterator[Client]:
        said = list(answers or ())
        asked: list[str] = []

        async def answer(context: object, params: types.ElicitRequestParams) -> types.ElicitResult:
            asked.append(params.message)
            given = said.pop(0)
            return await given() if callable(given) else given

        server = create_server(LoopHost(kit), lambda: caller or Caller("maria", "mcp", OWN), is_local=is_local)
        async with Client(server, mode=mode, elicitation_callback=None if answers is None else answer, **more) as client:
            client.asked = asked  # type: ignore[attr-defined]
            yield client

    return connected


def text_of(result: types.CallToolResult) -> str:
    """What a person reads of an answer."""
    return "".join(part.text for part in result.content if isinstance(part, types.TextContent))
