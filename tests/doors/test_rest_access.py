"""Who may come in: tokens and scopes, Host and Origin, sizes and media types; every refusal is a problem."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest

from agentoolkit.entrypoints import guess_limit, slow_bodies
from agentoolkit.entrypoints.guess_limit import Guesses
from agentoolkit.entrypoints.rest import access, create_app, idempotency
from agentoolkit.entrypoints.rest.access import AccessRules
from agentoolkit.testing import TestToolkit
from agentoolkit.tokens import TokenNotFound

from .conftest import LIST

LOCAL = "http://127.0.0.1/api/scheduler"
TASK = {"name": "daily", "schedule": "0 9 * * *", **LIST}


@pytest.fixture
async def client(kit: TestToolkit) -> AsyncGenerator[httpx2.AsyncClient]:
    """A client of a server that needs tokens."""
    rules = AccessRules(hosts=["jobs.example.org"], origins=["https://panel.example.org"], check_token=kit.tokens.check)
    transport = httpx2.ASGITransport(app=create_app(kit, access=rules))
    async with httpx2.AsyncClient(transport=transport, base_url="http://jobs.example.org/api/scheduler") as opened:
        yield opened


async def bearer(kit: TestToolkit, name: str, *scopes: Any, lifetime: timedelta | None = None) -> dict[str, str]:
    """Return the header of a new token."""
    _, text = await kit.tokens.create(name, scopes, lifetime)
    return {"Authorization": f"Bearer {text}"}


async def test_without_a_token_nothing_is_answered(client: httpx2.AsyncClient) -> None:
    """401 with a challenge, and the way out."""
    answer = await client.get("/tasks")
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer realm="agentool"')
    assert "agentool token create" in answer.json()["detail"]


@pytest.mark.parametrize("header", ["Bearer x", "Bearer agt_0_0", "Basic eDp5", "Bearer", "agt_1"])
async def test_a_wrong_token_is_refused(client: httpx2.AsyncClient, header: str) -> None:
    """Whatever it looks like."""
    assert (await client.get("/tasks", headers={"Authorization": header})).status_code == 401


async def test_who_guesses_is_refused(client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """After twenty wrong tokens of one address in a minute: 429, with when to come again."""
    monkeypatch.setattr(guess_limit, "time", SimpleNamespace(monotonic=lambda: 7.0))
    answers = [await client.get("/tasks", headers={"Authorization": f"Bearer {number}"}) for number in range(21)]
    assert [answer.status_code for answer in answers] == [401] * 20 + [429]
    assert answers[-1].headers["retry-after"] == "60"


async def test_guesses_that_come_together_are_counted(kit: TestToolkit) -> None:
    """Each before it is looked at: of a hundred at once, twenty are."""
    looked_at: list[str] = []

    async def check(token: str) -> None:
        looked_at.append(token)
        await asyncio.sleep(0)

    transport = httpx2.ASGITransport(app=create_app(kit, access=AccessRules(check_token=check)))
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1/api/scheduler") as client:
        asked = (client.get("/tasks", headers={"Authorization": f"Bearer {number}"}) for number in range(100))
        statuses = [answer.status_code for answer in await asyncio.gather(*asked)]
    assert (len(looked_at), statuses.count(401), statuses.count(429)) == (20, 20, 80)


async def test_a_token_that_goes_on_being_sent_is_one_guess(client: httpx2.AsyncClient, kit: TestToolkit) -> None:
    """A program whose token has expired locks nobody else at its address out."""
    for _ in range(50):
        assert (await client.get("/tasks", headers={"Authorization": "Bearer expired"})).status_code == 401
    assert (await client.get("/tasks", headers=await bearer(kit, "maria", "read"))).status_code == 200


async def test_who_was_let_in_before_is_not_locked_out(client: httpx2.AsyncClient, kit: TestToolkit) -> None:
    """By somebody who guesses behind the same proxy; who comes for the first time is."""
    known, other = await bearer(kit, "maria", "read"), await bearer(kit, "paul", "read")
    assert (await client.get("/tasks", headers=known)).status_code == 200
    for number in range(20):
        await client.get("/tasks", headers={"Authorization": f"Bearer {number}"})
    assert (await client.get("/tasks", headers=known)).status_code == 200
    assert (await client.get("/tasks", headers=other)).status_code == 429


async def test_a_check_that_fails_is_no_guess(kit: TestToolkit) -> None:
    """Nobody is locked out since the database could not be read."""
    guesses = Guesses(access.too_many_guesses)

    async def fail(_: str) -> None:
        raise OSError

    for number in range(100):
        with pytest.raises(OSError):
            await guesses.check({"client": ("10.0.0.1", 1)}, str(number), fail)


async def test_scopes_hold(client: httpx2.AsyncClient, kit: TestToolkit) -> None:
    """Who may read does not write, and who may write does not administer."""
    reader, writer = await bearer(kit, "maria", "read"), await bearer(kit, "maria", "write")
    assert (await client.get("/tasks", headers=reader)).status_code == 200
    assert (await client.post("/tasks", headers=reader, json=TASK)).status_code == 403
    assert (await client.post("/tasks", headers=writer, json=TASK)).status_code == 201
    assert (await client.post("/stop", headers=writer)).status_code == 403
    assert (await client.get("/queues", headers=writer)).status_code == 403


async def test_a_token_acts_as_its_owner(client: httpx2.AsyncClient, kit: TestToolkit) -> None:
    """Another's task is not there, at whatever path, and cannot be made either."""
    maria, paul = await bearer(kit, "maria", "write"), await bearer(kit, "paul", "write")
    await client.post("/tasks", headers=maria, json=TASK)
    assert (await client.get("/tasks/daily", headers=maria)).json()["agent_name"] == "maria"
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/pause"), ("POST", "/run"), ("POST", "/enable")):
        answer = await client.request(method, f"/tasks/daily{path}", headers=paul)
        assert answer.status_code == 404
    assert (await client.get("/tasks", headers=paul)).json()["tasks"] == []
    foreign = await client.post("/tasks", headers=paul, json={**TASK, "name": "other", "agent_name": "maria"})
    assert (foreign.status_code, foreign.json()["field"]) == (403, "agent_name")


async def test_a_token_ends(client: httpx2.AsyncClient, kit: TestToolkit) -> None:
    """When its time is over, and when it is revoked."""
    short = await bearer(kit, "maria", "read", lifetime=timedelta(minutes=5))
    assert (await client.get("/tasks", headers=short)).status_code == 200
    await kit.advance(minutes=5)
    assert (await client.get("/tasks", headers=short)).status_code == 401
    token, text = await kit.tokens.create("maria")
    await kit.tokens.revoke(token.token_id)
    assert (await client.get("/tasks", headers={"Authorization": f"Bearer {text}"})).status_code == 401


async def test_only_a_digest_is_kept(kit: TestToolkit) -> None:
    """What is kept of a token does not have its secret."""
    token, text = await kit.tokens.create("maria")
    assert text.rpartition("_")[2] not in repr((token, await kit.tokens.list()))
    with pytest.raises(TokenNotFound):
        await kit.tokens.revoke("nobody")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "jobs.example.org.evil", "[::1"])
async def test_a_foreign_host_is_refused(client: httpx2.AsyncClient, kit: TestToolkit, host: str) -> None:
    """421, whatever token comes with it: its page may have been sent here by its own name."""
    answer = await client.get("/tasks", headers={"Host": host, **await bearer(kit, "maria", "admin")})
    assert answer.status_code == 421


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "https://panel.example.org"}, 201),
        ({"Origin": "http://jobs.example.org"}, 201),
        ({"Sec-Fetch-Site": "same-origin"}, 201),
    ],
)
async def test_pages_of_other_sites_are_refused(client: httpx2.AsyncClient, kit: TestToolkit, headers: dict[str, str], status: int) -> None:
    """Unless their origin is a known one."""
    answer = await client.post("/tasks", headers={**headers, **await bearer(kit, "maria", "admin")}, json=TASK)
    assert answer.status_code == status


@pytest.mark.parametrize(
    ("content", "media_type", "status"),
    [
        (b"{", "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b"name=x", "application/x-www-form-urlencoded", 415),
        (b"{}", "text/plain", 415),
        (b"[]", "application/json", 422),
        (b'"' + b"x" * 2_100_000 + b'"', "application/json", 413),
    ],
)
async def test_bodies_that_cannot_be(client: httpx2.AsyncClient, kit: TestToolkit, content: bytes, media_type: str, status: int) -> None:
    """Each is a problem with a status that says what is wrong."""
    headers = {"Content-Type": media_type, **await bearer(kit, "maria", "admin")}
    answer = await client.post("/tasks", headers=headers, content=content)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


async def test_a_body_without_a_length_is_bounded(client: httpx2.AsyncClient, kit: TestToolkit) -> None:
    """It is refused as soon as it is too large."""

    async def endless() -> AsyncGenerator[bytes]:
        for _ in range(100):
            yield b" " * 100_000

    headers = {"Content-Type": "application/json", **await bearer(kit, "maria", "admin")}
    assert (await client.post("/tasks", headers=headers, content=endless())).status_code == 413


async def test_a_method_that_a_path_does_not_take(client: httpx2.AsyncClient, kit: TestToolkit) -> None:
    """405 with all of those that it takes."""
    answer = await client.put("/tasks/daily", headers=await bearer(kit, "maria", "admin"))
    assert (answer.status_code, answer.headers["allow"]) == (405, "DELETE, GET, PATCH")
    assert answer.json()["remedy"] == "Its methods are DELETE, GET, PATCH."


async def test_a_key_belongs_to_one_request(client: httpx2.AsyncClient, kit: TestToolkit) -> None:
    """The same request again is answered as before; another one is refused; another caller's key is another key."""
    maria, paul = await bearer(kit, "maria", "write"), await bearer(kit, "paul", "write")
    key = {"Idempotency-Key": "k"}
    answers = [await client.post("/tasks", headers={**maria, **key}, json=TASK) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    other = await client.post("/tasks", headers={**maria, **key}, json={**TASK, "name": "other"})
    assert (other.status_code, other.json()["type"]) == (422, "urn:agentool:key-reused")
    assert (await client.post("/tasks", headers={**paul, **key}, json={**TASK, "name": "other"})).status_code == 201


async def test_remembered_answers_are_bounded_for_each_caller(
    client: httpx2.AsyncClient, kit: TestToolkit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By their size too: large ones would fill the memory. No caller's push out another's, which would then be done twice."""
    monkeypatch.setattr(idempotency, "MAX_BYTES", 5_000)
    maria, paul = await bearer(kit, "maria", "read", "write"), await bearer(kit, "paul", "read", "write")
    first = await client.post("/tasks", headers={**paul, "Idempotency-Key": "p"}, json=TASK)
    large = {"schedule": "every 20 minutes", "count": 50}
    for number in range(20):
        assert (await client.post("/preview", headers={**maria, "Idempotency-Key": f"{number}"}, json=large)).status_code == 200
    held = client._transport.app.state.answered  # type: ignore[attr-defined]  what it keeps is not told
    assert sum(answered.size for answered in held["maria"].values()) <= 5_000
    assert "19" in held["maria"]
    again = await client.post("/tasks", headers={**paul, "Idempotency-Key": "p"}, json=TASK)
    assert (again.status_code, again.content) == (201, first.content)


async def test_the_newest_answer_is_remembered_whatever_its_size(
    client: httpx2.AsyncClient, kit: TestToolkit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its request may be the one that is sent again."""
    monkeypatch.setattr(idempotency, "MAX_BYTES", 10)
    headers = {**await bearer(kit, "maria", "read", "write"), "Idempotency-Key": "m"}
    statuses = [(await client.post("/tasks", headers=headers, json=TASK)).status_code for _ in range(2)]
    assert statuses == [201, 201]


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "null", "http://evil.example.org", "http://jobs.example.org@evil.org"])
async def test_an_origin_of_any_form_is_refused(client: httpx2.AsyncClient, kit: TestToolkit, origin: str) -> None:
    """Also one that cannot be read as an address."""
    answer = await client.get("/tasks", headers={**await bearer(kit, "maria", "read"), "Origin": origin})
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:agentool:foreign-origin")


async def test_a_body_that_does_not_end_is_refused(kit: TestToolkit, monkeypatch: pytest.MonkeyPatch) -> None:
    """With 408 after a while: a slow client holds no connection for ever."""
    monkeypatch.setattr(slow_bodies, "BODY_SECONDS", 0.01)
    answers = await _called(create_app(kit), {"type": "http", "method": "POST", "path": "/api/scheduler/tasks"})
    assert [answer["status"] for answer in answers if "status" in answer] == [408]


async def test_a_web_socket_is_refused(kit: TestToolkit) -> None:
    """There is none here, and whoever asks is told so."""
    assert await _called(create_app(kit), {"type": "websocket", "path": "/"}) == [{"type": "websocket.close", "code": 1008}]


async def _called(app: Any, asked: dict[str, Any]) -> list[Any]:
    """Call an application with a body of which only the beginning comes, and return what it sends."""
    headers = [(b"host", b"127.0.0.1"), (b"content-type", b"application/json"), (b"content-length", b"100")]
    scope = {"raw_path": b"/", "query_string": b"", "scheme": "http", "http_version": "1.1", "client": ("127.0.0.1", 1)}
    sent: list[Any] = []
    begun = iter([{"type": "http.request", "body": b"{", "more_body": True}])

    async def receive() -> Any:
        return next(begun, None) or await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    async with asyncio.timeout(20):
        await app({**scope, **asked, "headers": headers, "server": ("127.0.0.1", 80), "asgi": {"version": "3.0"}}, receive, send)
    return sent


@pytest.mark.parametrize("by", ["X-Forwarded-For: 203.0.113.9", "Forwarded: for=203.0.113.9", "X-Real-IP: 203.0.113.9", "Via: 1.1 proxy"])
async def test_who_comes_by_a_proxy_of_this_machine_needs_a_token(kit: TestToolkit, by: str) -> None:
    """On a loopback address too: the proxy's visitors are strangers, and would be administrators."""
    name, _, value = by.partition(": ")
    rules = AccessRules(token_needed=False, check_token=kit.tokens.check)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=create_app(kit, access=rules)), base_url=LOCAL) as client:
        assert (await client.get("/tasks")).status_code == 200
        assert (await client.get("/tasks", headers={name: value})).status_code == 401
        assert (await client.get("/tasks", headers={name: value, **await bearer(kit, "maria", "read")})).status_code == 200


async def test_who_comes_from_elsewhere_needs_a_token(kit: TestToolkit) -> None:
    """Also if an application that expects callers of this machine listens on every address, and whatever Host is named."""
    transport = httpx2.ASGITransport(app=create_app(kit), client=("203.0.113.9", 1234))
    async with httpx2.AsyncClient(transport=transport, base_url=LOCAL) as client:
        assert (await client.get("/tasks")).status_code == 401
