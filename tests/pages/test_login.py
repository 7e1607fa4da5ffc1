"""A browser signs in with a token where one is needed: what it keeps, and what it is not let in by."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from agentoolkit.entrypoints.dashboard import add_pages
from agentoolkit.entrypoints.rest import create_app
from agentoolkit.entrypoints.rest.access import COOKIE, MAX_FAILURES, AccessRules
from agentoolkit.testing import TestToolkit

HTML = {"Accept": "text/html"}
HOST = "http://jobs.example.org"


@pytest.fixture
async def client(kit: TestToolkit) -> AsyncGenerator[httpx2.AsyncClient]:
    """A browser of a server that needs tokens."""
    app = add_pages(create_app(kit, access=AccessRules(hosts=["jobs.example.org"], check_token=kit.tokens.check)))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url=HOST, headers=HTML) as opened:
        yield opened


async def sign_in(client: httpx2.AsyncClient, token: str, following: str = "/") -> httpx2.Response:
    return await client.post("/login", content=f"token={token}&next={following}")


async def test_who_has_no_token_is_asked_for_one(client: httpx2.AsyncClient) -> None:
    """And goes on to the page that was wanted, its query included."""
    sent = await client.get("/jobs?q=tag:ops")
    where = urlsplit(sent.headers["location"])
    assert (sent.status_code, where.path, parse_qs(where.query)["next"]) == (303, "/login", ["/jobs?q=tag:ops"])
    page = (await client.get(sent.headers["location"])).text
    assert 'type="password"' in page
    assert 'value="/jobs?q=tag:ops"' in page


async def test_a_token_signs_in_and_out(client: httpx2.AsyncClient, kit: TestToolkit) -> None:
    """It is in a cookie that no script reads; pages and API know its holder, until the browser forgets it."""
    _, token = await kit.tokens.create("maria", ["write"])
    signed = await sign_in(client, token, "/jobs")
    assert (signed.status_code, signed.headers["location"]) == (303, "/jobs")
    kept = signed.headers["set-cookie"].lower()
    assert "httponly" in kept
    assert "samesite=lax" in kept
    assert "Sign out maria" in (await client.get("/jobs")).text
    assert (await client.get("/api/scheduler/tasks")).status_code == 200
    await client.post("/logout")
    assert (await client.get("/jobs")).status_code == 303


async def test_a_cookie_is_secure_over_https(client: httpx2.AsyncClient, kit: TestToolkit) -> None:
    """So that it never travels in the clear."""
    _, token = await kit.tokens.create("maria", ["read"])
    signed = await client.post("https://jobs.example.org/login", content=f"token={token}")
    assert "secure" in signed.headers["set-cookie"].lower()


@pytest.mark.parametrize("following", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)"])
async def test_nobody_is_sent_elsewhere(client: httpx2.AsyncClient, kit: TestToolkit, following: str) -> None:
    """What is no address of this server leads home."""
    _, token = await kit.tokens.create("maria", ["read"])
    assert (await sign_in(client, token, following)).headers["location"] == "/"


async def test_who_guesses_is_refused(client: httpx2.AsyncClient) -> None:
    """Wrong tokens are counted, whether they come by the form or as a cookie."""
    for _ in range(MAX_FAILURES - 1):
        assert (await sign_in(client, "agt_wrong")).status_code == 401
    client.cookies.set(COOKIE, "agt_wrong", domain="jobs.example.org")
    await client.get("/api/scheduler/tasks")
    assert (await sign_in(client, "agt_wrong")).status_code == 429


async def test_a_foreign_page_cannot_use_the_cookie(client: httpx2.AsyncClient, kit: TestToolkit) -> None:
    """Neither by a form nor by a script: its origin is told."""
    _, token = await kit.tokens.create("maria", ["admin"])
    await sign_in(client, token)
    for path in ("/act", "/logout", "/login", "/api/scheduler/stop"):
        assert (await client.post(path, headers={"Origin": "https://evil.example"})).status_code == 403


async def test_programs_are_told_by_a_problem(client: httpx2.AsyncClient) -> None:
    """The API sends nobody to a page, and a foreign name is refused at the form too."""
    assert (await client.get("/api/scheduler/tasks")).status_code == 401
    assert (await client.get("/jobs", headers={"Accept": "application/json"})).status_code == 401
    assert (await client.get("/login", headers={"Host": "evil.example"})).status_code == 421
