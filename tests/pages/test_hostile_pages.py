"""Pages that somebody attacks: with less than all scopes, and with forms that no browser sends."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import httpx2
import pytest

from agentoolkit.entrypoints.dashboard import add_pages
from agentoolkit.entrypoints.rest import create_app
from agentoolkit.entrypoints.rest.access import AccessRules
from agentoolkit.testing import TestToolkit

from .conftest import schedule

DEEP = "[" * 100_000


@pytest.fixture
async def guarded(kit: TestToolkit) -> AsyncGenerator[httpx2.AsyncClient]:
    """A client of pages that need tokens."""
    app = add_pages(create_app(kit, access=AccessRules(check_token=kit.tokens.check)))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://127.0.0.1:8000") as opened:
        yield opened


async def bearer(kit: TestToolkit, name: str, *scopes: Any) -> dict[str, str]:
    """Return the header of a new token."""
    _, text = await kit.tokens.create(name, scopes, None)
    return {"Authorization": f"Bearer {text}"}


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/queues"), ("GET", "/queues/mail"), ("GET", "/queues/mail/requeue?message=x"), ("POST", "/queues/mail/requeue")],
)
async def test_queues_are_for_administrators(guarded: httpx2.AsyncClient, kit: TestToolkit, method: str, path: str) -> None:
    """Queues belong to nobody, so their pages need what their part of the API needs."""
    await kit.injector.run("queue", {"operation": "enqueue", "queue_name": "mail", "message": "for paul alone"})
    answer = await guarded.request(method, path, headers=await bearer(kit, "maria", "read", "write", "approve"))
    assert answer.status_code == 403
    assert "for paul alone" not in answer.text
    assert (await guarded.get("/queues/mail", headers=await bearer(kit, "root", "admin"))).status_code == 200


@pytest.mark.parametrize("path", ["/act?do=cancel&job=hourly", "/new", "/new?like=hourly", "/jobs/hourly/edit", "/jobs/hourly/replay"])
async def test_who_may_only_read_is_asked_nothing(guarded: httpx2.AsyncClient, kit: TestToolkit, path: str) -> None:
    """A question or a form that could only be refused is refused at once."""
    await schedule(kit, "hourly")
    assert (await guarded.get(path, headers=await bearer(kit, "maria", "read"))).status_code == 403
    assert (await guarded.get(path, headers=await bearer(kit, "root", "admin"))).status_code == 200


async def test_who_may_not_stop_the_scheduler_is_not_asked(guarded: httpx2.AsyncClient, kit: TestToolkit) -> None:
    """It is for administrators."""
    answers = [await guarded.get("/act?do=stop", headers=await bearer(kit, name, name)) for name in ("write", "admin")]
    assert [answer.status_code for answer in answers] == [403, 200]


async def test_the_page_on_health_names_queues_to_administrators_only(guarded: httpx2.AsyncClient, kit: TestToolkit) -> None:
    """It is there for everybody."""
    await kit.injector.run("queue", {"operation": "enqueue", "queue_name": "payroll", "message": 1})
    seen = await guarded.get("/health", headers=await bearer(kit, "maria", "read"))
    assert (seen.status_code, "payroll" in seen.text) == (200, False)
    assert "payroll" in (await guarded.get("/health", headers=await bearer(kit, "root", "admin"))).text


@pytest.mark.parametrize("path", ["/jobs/hourly/replay", "/new", "/jobs/hourly/edit"])
async def test_an_input_without_end_is_refused(kit: TestToolkit, guarded: httpx2.AsyncClient, path: str) -> None:
    """As any other that is no JSON object, on the page itself."""
    await schedule(kit, "hourly")
    admin = await bearer(kit, "root", "admin")
    given = {"input": DEEP, "schedule": "every hour", "agentool_name": "queue", "job_name": "x"}
    answer = await guarded.post(path, headers=admin, data=given)
    assert answer.status_code == 422


async def test_a_form_of_too_many_fields_is_refused(guarded: httpx2.AsyncClient, kit: TestToolkit) -> None:
    """By what is wrong with it, not as a failure of the server."""
    answer = await guarded.post("/act", headers=await bearer(kit, "root", "admin"), content="&".join(["job=x"] * 20_001))
    assert answer.status_code == 422
