"""The table of refusals at the API: what models and MCP clients are refused, a token that may read and write is refused too."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Any

import httpx2
import pytest
from tests.contracts.refusals import NEW, REFUSALS, Refusal

from agentool.caller import OWN, Caller, acting_as
from agentoolkit.entrypoints.rest import create_app
from agentoolkit.entrypoints.rest.access import AccessRules
from agentoolkit.testing import TestToolkit, toolkit

OTHER_WORDS = {
    "bare duration": "the API says '30m' for 'every 30 minutes', as a task file does, and answers with the reading",
    "ambiguous name": "the API takes whole names and ids",
    "a list that ended elsewhere": "cursors are texts of their own",
    "field of another action": "each action is a path of its own",
    "another operation": "operations are paths",
    "an approval": "a cancelled task needs no approval here: a person's token cancels it",
}
"""What is no refusal here, or cannot be asked, and why."""
FIELDS = {"when": "schedule", "tool": "agentool_name", "input": "input_data"}
TABLE = [refusal for refusal in REFUSALS if refusal.name not in OTHER_WORDS]


def request_of(refusal: Refusal) -> tuple[str, str, dict[str, Any]]:
    """Return the request that asks for what a call of the table asks for."""
    arguments: dict[str, Any] = {FIELDS.get(name, name): value for name, value in refusal.arguments.items()}
    if refusal.tool == "schedule":
        if isinstance(arguments.get("input_data"), Mapping):
            arguments["input_data"] = {"operation": "send", **arguments["input_data"]}
        return "POST", "/tasks", {"json": arguments}
    if refusal.tool == "list_jobs":
        return "GET", "/tasks", {"params": arguments}
    name = arguments.pop("name")
    method = {"cancel_job": "DELETE", "get_job": "GET", "change_job": "POST"}[refusal.tool]
    path = f"/tasks/{name}/pause" if refusal.tool == "change_job" else f"/tasks/{name}"
    arguments.pop("action", None)
    return method, path, {"params": arguments}


@pytest.fixture
async def kit() -> AsyncGenerator[TestToolkit]:
    async with toolkit("2026-11-29T13:02:00+00:00") as opened:
        for owner, name in (("maria", "daily summary"), ("maria", "weekly summary"), ("paul", "secret plan")):
            call = {"agentool_name": NEW["tool"], "input_data": {"operation": "send", "message": name}}
            with acting_as(Caller(owner, "rest", OWN)):
                await opened.injector.run(
                    "scheduler", {"operation": "schedule", "job_name": name, "schedule": "every day at 10:00", **call}
                )
        yield opened


@pytest.mark.parametrize("refusal", TABLE, ids=lambda refusal: refusal.name)
async def test_a_refusal_names_what_is_wrong_and_changes_nothing(kit: TestToolkit, refusal: Refusal) -> None:
    """It is a problem with status 4xx that has what was given, and every job is as it was."""
    _, token = await kit.tokens.create("maria", ["write"])
    before = [(stored.job, stored.state) for stored in await kit.scheduler.lookup.jobs()]
    method, path, more = request_of(refusal)
    app = create_app(kit, access=AccessRules(check_token=kit.tokens.check))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://127.0.0.1/api/scheduler") as client:
        answer = await client.request(method, path, headers={"Authorization": f"Bearer {token}"}, **more)
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert "pydantic" not in answer.text
    said = [FIELDS.get(text, text).strip("'") for text in refusal.says]
    assert "No job" in answer.text or any(text in answer.text for text in said), answer.text
    assert [(stored.job, stored.state) for stored in await kit.scheduler.lookup.jobs()] == before


@pytest.mark.parametrize("task_id", [".", ".."])
async def test_dots_are_no_id(kit: TestToolkit, task_id: str) -> None:
    """Clients take them out of an address, so that another path would be asked."""
    task = {"name": "dotted", "task_id": task_id, "schedule": "1 hour", "agentool_name": "metrics", "input_data": {"operation": "list"}}
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=create_app(kit)), base_url="http://127.0.0.1/api/scheduler") as client:
        refused = await client.post("/tasks", json=task)
        empty = await client.post("/bulk", json={"action": "run", "ids": [""]})
    assert (refused.status_code, refused.json()["field"]) == (422, "task_id")
    assert empty.status_code == 422


async def test_all_that_is_wrong_with_a_task_is_told_at_once(kit: TestToolkit) -> None:
    """A field that there is not, a schedule that cannot be read and a tool that nobody has: in one answer."""
    task = {"name": "x", "schedule": "whenever", "agentool_name": "nobody", "input_data": {}, "pirority": "high"}
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=create_app(kit)), base_url="http://127.0.0.1/api/scheduler") as client:
        refused = (await client.post("/tasks", json=task)).json()
        assert [error["field"] for error in refused["errors"]] == ["pirority", "schedule", "agentool_name"]
        assert all(word in refused["detail"] for word in ("pirority", "whenever", "nobody"))
        del task["pirority"]
        refused = (await client.post("/tasks", json=task)).json()
        assert [error["field"] for error in refused["errors"]] == ["schedule", "agentool_name"]


async def test_all_that_is_wrong_with_a_change_is_told_at_once(kit: TestToolkit) -> None:
    """As with a new task; and nothing of it is changed, which a dry run says as well."""
    changes = {"schedule": "whenever", "gate": {"agentool_name": "nobody", "input_data": {}}, "pirority": "high"}
    app = create_app(kit)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://127.0.0.1/api/scheduler") as client:
        refused = (await client.patch("/tasks/daily-summary", json=changes)).json()
        assert [error["field"] for error in refused["errors"]] == ["pirority", "schedule", "gate"]
        unknown = (await client.patch("/tasks/daily-summary", json={"pirority": "high"})).json()
        assert [error["field"] for error in unknown["errors"]] == ["pirority"]
        before = (await client.get("/tasks/daily-summary")).json()
        would = (await client.patch("/tasks/daily-summary", json={"schedule": "every day at 11:00", "dry_run": True})).json()
        assert (would["words"].startswith("every day at 11:00"), would["changed"]) == (True, True)
        assert (await client.get("/tasks/daily-summary")).json() == before
