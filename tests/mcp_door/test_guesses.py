"""Who guesses tokens at the MCP server is refused for a while."""

from __future__ import annotations

from types import SimpleNamespace

import httpx2
import pytest
from mcp.server.auth.provider import AccessToken
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from agentoolkit.entrypoints import guess_limit
from agentoolkit.entrypoints.mcp_server.tokens_over_http import FoundToken, FromHere, GuessLimit


class OneToken:
    """One token is right."""

    async def verify_token(self, token: str) -> AccessToken | None:
        return AccessToken(token=token, client_id="maria", scopes=[]) if token == "right" else None


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> httpx2.AsyncClient:
    monkeypatch.setattr(guess_limit, "time", SimpleNamespace(monotonic=lambda: 7.0))
    transport = httpx2.ASGITransport(app=GuessLimit(PlainTextResponse("in"), OneToken()))
    return httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1")


async def status(client: httpx2.AsyncClient, token: str) -> int:
    return (await client.post("/mcp", headers={"Authorization": f"bearer {token}"})).status_code


async def test_who_guesses_is_refused(client: httpx2.AsyncClient) -> None:
    """The twenty-first wrong token of a minute is not looked up: 429, with when to come again."""
    assert [await status(client, f"wrong{number}") for number in range(21)] == [200] * 20 + [429]
    answer = await client.post("/mcp", headers={"Authorization": "Bearer right"})
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "60")


async def test_who_was_right_before_goes_on(client: httpx2.AsyncClient) -> None:
    """Somebody else's guesses at the same address do not lock a known token out, nor a request without one."""
    assert await status(client, "right") == 200
    for number in range(30):
        await status(client, f"wrong{number}")
    assert [await status(client, "right"), (await client.post("/mcp")).status_code] == [200, 200]


async def test_a_token_is_looked_up_once() -> None:
    """What was found of it is what the SDK is told, for this request and this token alone."""
    looked_up: list[str] = []
    told: list[str | None] = []

    class Counted(OneToken):
        async def verify_token(self, token: str) -> AccessToken | None:
            looked_up.append(token)
            return await super().verify_token(token)

    async def sdk(scope: Scope, receive: Receive, send: Send) -> None:
        found = [await FoundToken().verify_token(token) for token in ("right", "another")]
        told.extend(None if one is None else one.client_id for one in found)
        await PlainTextResponse("in")(scope, receive, send)

    transport = httpx2.ASGITransport(app=GuessLimit(sdk, Counted()))
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        await status(client, "right")
        await client.post("/mcp")
    assert (looked_up, told) == (["right"], ["maria", None, None, None])


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "Via"])
async def test_who_comes_by_a_proxy_is_refused_without_tokens(header: str) -> None:
    """A server without tokens is for this machine alone, and a proxy's visitors may be anywhere."""
    transport = httpx2.ASGITransport(app=FromHere(PlainTextResponse("in")))
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        assert (await client.post("/mcp")).status_code == 200
        assert (await client.post("/mcp", headers={header: "203.0.113.9"})).status_code == 401
