"""A browser signs in with a token where one is needed: what it keeps, and what it is not let in by."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from agentoolkit.entrypoints import guess_limit
from agentoolkit.entrypoints.dashboard import add_pages
from agentoolkit.entrypoints.rest import create_app
from agentoolkit.entrypoints.rest.access import AccessRules
from agentoolkit.entrypoints.rest.server import serving
from agentoolkit.settings import Settings
from agentoolkit.testing import TestToolkit

HTML = {"Accept": "text/html"}
HOST = "http://jobs.example.org"
MAX_FAILURES = 20


@pytest.fixture
async def client(kit: TestToolkit) -> AsyncGenerator[httpx2.AsyncClient]:
    """A browser of a server that needs tokens."""
    app = add_pages(create_app(kit, access=AccessRules(hosts=["jobs.example.org"], check_token=kit.tokens.check, sessions=kit.sessions)))
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
    """A cookie that no script reads stands for it; pages and API know its holder, until the session ends."""
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


async def test_who_guesses_is_refused(client: httpx2.AsyncClient, kit: TestToolkit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wrong tokens are counted, whether they come by the form or as a cookie; the page says when to come again."""
    monkeypatch.setattr(guess_limit, "time", SimpleNamespace(monotonic=lambda: 7.0))
    for number in range(MAX_FAILURES - 1):
        assert (await sign_in(client, f"agt_wrong{number}")).status_code == 401
    await client.get("/api/scheduler/tasks", headers={"Cookie": "agentool_session=wrong"})
    _, token = await kit.tokens.create("maria", ["read"])
    refused = await sign_in(client, token)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "60")
    assert 'type="password"' in refused.text


async def test_guesses_that_come_together_are_counted_too(client: httpx2.AsyncClient) -> None:
    """Each is counted before it is looked at."""
    answers = await asyncio.gather(*(sign_in(client, f"agt_wrong{number}") for number in range(100)))
    assert sum(answer.status_code == 401 for answer in answers) == MAX_FAILURES


async def test_a_session_that_has_ended_locks_nobody_out(client: httpx2.AsyncClient, kit: TestToolkit) -> None:
    """However often a page of it is loaded: it counts once, and the browser is told to forget it."""
    created, token = await kit.tokens.create("maria", ["read"])
    stale = (await sign_in(client, token)).headers["set-cookie"].partition(";")[0]
    await kit.tokens.revoke(created.token_id)
    client.cookies.clear()
    for path in ("/jobs", "/api/scheduler/tasks") * MAX_FAILURES:
        refused = await client.get(path, headers={"Cookie": stale})
        assert refused.status_code in (303, 401)
        assert "max-age=0" in refused.headers["set-cookie"].lower()
    _, good = await kit.tokens.create("maria", ["read"])
    assert (await sign_in(client, good)).status_code == 303


async def test_the_cookie_is_not_the_token(client: httpx2.AsyncClient, kit: TestToolkit) -> None:
    """Who copies it has a session, which signing out ends and which is no bearer token."""
    _, token = await kit.tokens.create("maria", ["read"])
    signed = await sign_in(client, token)
    assert token not in signed.headers["set-cookie"]
    copied = signed.headers["set-cookie"].partition(";")[0]
    client.cookies.clear()
    assert (await client.get("/jobs", headers={"Cookie": copied})).status_code == 200
    bearer = {"Authorization": f"Bearer {copied.partition('=')[2]}"}
    assert (await client.get("/api/scheduler/tasks", headers=bearer)).status_code == 401
    await client.post("/logout", headers={"Cookie": copied})
    assert (await client.get("/jobs", headers={"Cookie": copied})).status_code == 303


async def test_a_session_ends_by_itself_and_with_its_token(client: httpx2.AsyncClient, kit: TestToolkit) -> None:
    """After the days that a setting says, or when the token is revoked."""
    created, token = await kit.tokens.create("maria", ["read"])
    await sign_in(client, token)
    assert (await client.get("/jobs")).status_code == 200
    await kit.tokens.revoke(created.token_id)
    assert (await client.get("/jobs")).status_code == 303
    await sign_in(client, (await kit.tokens.create("maria", ["read"]))[1])
    await kit.advance(days=kit.settings.rest.session_days)
    assert (await client.get("/jobs")).status_code == 303


async def test_who_has_no_good_session_signs_out_too(client: httpx2.AsyncClient, kit: TestToolkit) -> None:
    """The browser forgets what it has."""
    left = await client.post("/logout", headers={"Cookie": "agentool_session=wrong"})
    assert (left.status_code, left.headers["location"]) == (303, "/login")
    assert "max-age=0" in left.headers["set-cookie"].lower()


async def test_basic_credentials_are_the_proxys(client: httpx2.AsyncClient, kit: TestToolkit) -> None:
    """A proxy that asks for a password sends them along; the session counts."""
    _, token = await kit.tokens.create("maria", ["read"])
    await sign_in(client, token)
    assert (await client.get("/jobs", headers={"Authorization": "Basic eDp5"})).status_code == 200


async def test_a_cookie_over_https_is_this_hosts(client: httpx2.AsyncClient, kit: TestToolkit) -> None:
    """Its name begins with ``__Host-``, so that no other host of the domain can set it; one without is not looked at."""
    _, token = await kit.tokens.create("maria", ["read"])
    signed = await client.post("https://jobs.example.org/login", content=f"token={token}")
    assert signed.headers["set-cookie"].startswith("__Host-agentool_session=")
    assert "path=/" in signed.headers["set-cookie"].lower()
    assert (await client.get("https://jobs.example.org/jobs")).status_code == 200
    tossed = {"Cookie": signed.headers["set-cookie"].partition(";")[0].removeprefix("__Host-")}
    client.cookies.clear()
    assert (await client.get("https://jobs.example.org/jobs", headers=tossed)).status_code == 303


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


@pytest.mark.parametrize(("proxies", "name"), [(("127.0.0.0/8",), "__Host-agentool_session="), ((), "agentool_session=")])
async def test_a_proxy_that_is_believed_says_what_came_by_https(kit: TestToolkit, proxies: tuple[str, ...], name: str) -> None:
    """Any other says so in vain."""
    app = add_pages(create_app(kit, access=AccessRules(check_token=kit.tokens.check, sessions=kit.sessions)))
    _, token = await kit.tokens.create("maria", ["read"])
    async with serving(app, "127.0.0.1", 0, proxies) as address, httpx2.AsyncClient(base_url=address) as client:
        signed = await client.post("/login", content=f"token={token}", headers={"X-Forwarded-Proto": "https"})
    assert signed.headers["set-cookie"].startswith(name)


@pytest.mark.parametrize("proxy", ["proxy.example.org", "10.0.0.0/33", "*", ""])
def test_a_proxy_is_an_address_or_a_network(proxy: str) -> None:
    """A name would be believed of nobody, in silence."""
    with pytest.raises(ValueError, match=r"rest\.proxies\.0"):
        Settings.from_values({"rest": {"proxies": (proxy,)}})
