"""Many who keep one page open have it drawn once a second for all of them."""

from __future__ import annotations

from types import SimpleNamespace

import httpx2
import pytest

from agentool.caller import OWN, Caller, acting_as
from agentoolkit.entrypoints.dashboard import add_pages, shared_pages
from agentoolkit.entrypoints.dashboard import page as page_module
from agentoolkit.entrypoints.rest import create_app
from agentoolkit.entrypoints.rest.access import AccessRules
from agentoolkit.testing import TestToolkit

REFRESH = {"Agentool-Refresh": "1"}


class Drawing:
    """Counts the pages that are drawn, and moves the time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pages = 0
        self.now = 100.0
        monkeypatch.setattr(shared_pages, "time", SimpleNamespace(monotonic=lambda: self.now))
        render = page_module.render

        def counted(*given: object, **values: object) -> str:
            self.pages += 1
            return render(*given, **values)

        monkeypatch.setattr(page_module, "render", counted)


@pytest.fixture
def drawing(monkeypatch: pytest.MonkeyPatch) -> Drawing:
    return Drawing(monkeypatch)


async def test_refreshes_share_a_page(client: httpx2.AsyncClient, drawing: Drawing) -> None:
    """Fifty within a second are given what was drawn for the first; the next second it is drawn anew."""
    answers = [await client.get("/jobs", headers=REFRESH) for _ in range(50)]
    assert ({answer.text for answer in answers}, drawing.pages) == ({answers[0].text}, 1)
    assert [answers[-1].headers[name] for name in ("cache-control", "content-type")] == ["no-store", "text/html; charset=utf-8"]
    drawing.now += 1.0
    await client.get("/jobs", headers=REFRESH)
    assert drawing.pages == 2


async def test_who_asks_for_a_page_sees_it_as_it_is(client: httpx2.AsyncClient, kit: TestToolkit, drawing: Drawing) -> None:
    """Only a refresh may be a moment old: what somebody has just done is on the next page that he opens."""
    await client.get("/jobs", headers=REFRESH)
    fields = {"operation": "schedule", "job_id": "brand-new", "schedule": "1 hour", "agentool_name": "queue"}
    await kit.injector.run("scheduler", {**fields, "input_data": {"operation": "list_queues"}})
    assert "brand-new" in (await client.get("/jobs")).text
    assert ("brand-new" in (await client.get("/jobs", headers=REFRESH)).text, drawing.pages) == (True, 2)


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/executions", {}),
        ("/jobs?q=tag:ops", {}),
        ("/jobs", {"Cookie": "agentool_zone=Asia/Tokyo; agentool_times=mine"}),
        ("/jobs", {"Accept-Encoding": "identity"}),
    ],
)
async def test_another_page_is_another(client: httpx2.AsyncClient, drawing: Drawing, path: str, headers: dict[str, str]) -> None:
    """Another address, another zone, and another packing are drawn for themselves."""
    await client.get("/jobs", headers=REFRESH)
    await client.get(path, headers={**REFRESH, **headers})
    assert drawing.pages == 2


async def test_refusals_are_not_shared(client: httpx2.AsyncClient, kit: TestToolkit, drawing: Drawing) -> None:
    """A job that comes to be is seen at once by who waits at its address."""
    assert (await client.get("/jobs/late", headers=REFRESH)).status_code == 404
    fields = {"operation": "schedule", "job_id": "late", "schedule": "1 hour", "agentool_name": "queue"}
    await kit.injector.run("scheduler", {**fields, "input_data": {"operation": "list_queues"}})
    assert (await client.get("/jobs/late", headers=REFRESH)).status_code == 200


async def test_nobody_is_given_another_s_page(kit: TestToolkit, drawing: Drawing) -> None:
    """Two who may see different jobs at one address have pages of their own."""

    async def check(token: str) -> Caller | None:
        return await kit.tokens.check(token, "page")

    with acting_as(Caller("maria", scopes=OWN)):
        fields = {"operation": "schedule", "job_id": "hers", "schedule": "1 hour", "agentool_name": "queue"}
        await kit.injector.run("scheduler", {**fields, "input_data": {"operation": "list_queues"}})
    app = add_pages(create_app(kit, access=AccessRules(check_token=check)))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://127.0.0.1:8000") as client:
        seen = []
        for name in ("maria", "paul", "maria"):
            _, token = await kit.tokens.create(name, ["read"])
            seen.append("hers" in (await client.get("/jobs", headers={**REFRESH, "Authorization": f"Bearer {token}"})).text)
    assert (seen, drawing.pages) == ([True, False, True], 2)
