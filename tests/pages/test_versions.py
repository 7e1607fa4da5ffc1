"""Versions of a job, the way back to one, and what comes before and after jobs and runs."""

from __future__ import annotations

from typing import Any

import httpx2

from agentool.caller import Caller, acting_as
from agentoolkit.entrypoints.job_versions import Difference, differences
from agentoolkit.testing import TestToolkit

from .conftest import Browse, schedule

SECRET = {
    "operation": "request",
    "method": "POST",
    "url": "https://hooks.example.com",
    "headers": {"Authorization": "Bearer first-secret-1234"},
}


async def ask(kit: TestToolkit, operation: str, **fields: Any) -> dict[str, Any]:
    return (await kit.injector.run("scheduler", {"operation": operation, **fields})).data


async def times_of(kit: TestToolkit, job_id: str) -> list[str]:
    """When each change was made, the newest first."""
    return [entry["at"] for entry in (await ask(kit, "audit", job_id=job_id))["entries"]]


async def restore(client: httpx2.AsyncClient, job_id: str, at: str) -> httpx2.Response:
    return await client.post(f"/jobs/{job_id}/versions/{at}", headers={"Origin": "http://127.0.0.1:8000"})


async def test_versions_say_who_changed_what(kit: TestToolkit, browse: Browse) -> None:
    """Field by field, also within the input."""
    await schedule(kit, "nightly", "every day at 02:00", timeout=60)
    await kit.advance(minutes=5)
    with acting_as(Caller("maria", door="cli", scopes=frozenset({"admin"}))):
        await ask(kit, "update", job_id="nightly", timeout=30, input_data={"operation": "list_queues", "limit": 5})
    page = await browse("/jobs/nightly/versions")
    assert "<code>timeout</code></dt><dd><del>60.0</del> → <ins>30.0</ins>" in page
    assert '<code>input_data.limit</code></dt><dd><span class="note">nothing</span> → <ins>5</ins>' in page
    assert "by maria, cli" in page


async def test_a_job_is_made_what_it_was(kit: TestToolkit, client: httpx2.AsyncClient, browse: Browse) -> None:
    """All of its fields, those that were not given then too; it keeps its history and its owner."""
    await schedule(kit, "hourly", "every hour")
    await kit.advance(hours=1)
    await ask(kit, "update", job_id="hourly", schedule="every day at 02:00", timeout=30, tags=["late"])
    first = (await times_of(kit, "hourly"))[-1]
    assert "timeout" in await browse(f"/jobs/hourly/versions/{first}")
    answer = await restore(client, "hourly", first)
    info = (await ask(kit, "get_job", job_id="hourly"))["info"]
    assert answer.headers["location"] == "/jobs/hourly"
    assert (info["schedule"], info["timeout"], info["tags"]) == ("1 hour", None, [])
    assert (await ask(kit, "list_executions", job_id="hourly"))["count"] == 1


async def test_a_secret_stays_as_it_is_now(kit: TestToolkit, client: httpx2.AsyncClient) -> None:
    """The list of changes has none, so what is hidden there is taken from the job."""
    await schedule(kit, "hook", "every hour", agentool_name="http", input_data=SECRET)
    await kit.advance(minutes=1)
    now = {**SECRET, "headers": {"Authorization": "Bearer second-secret-9876"}}
    await ask(kit, "update", job_id="hook", schedule="every day at 02:00", input_data=now)
    await restore(client, "hook", (await times_of(kit, "hook"))[-1])
    info = (await ask(kit, "get_job", job_id="hook"))["info"]
    assert (info["schedule"], info["input_data"]) == ("1 hour", now)


async def test_a_secret_that_is_gone_is_asked_for(kit: TestToolkit, client: httpx2.AsyncClient) -> None:
    """A job is not made one that has the word 'redacted' for a secret."""
    await schedule(kit, "hook", "every hour", agentool_name="http", input_data=SECRET)
    await kit.advance(minutes=1)
    await ask(kit, "update", job_id="hook", agentool_name="queue", input_data={"operation": "list_queues"})
    answer = await restore(client, "hook", (await times_of(kit, "hook"))[-1])
    assert answer.status_code == 422
    assert "keeps no secrets" in answer.text
    assert (await ask(kit, "get_job", job_id="hook"))["info"]["agentool_name"] == "queue"


async def test_a_version_that_is_not_there(client: httpx2.AsyncClient, kit: TestToolkit) -> None:
    """Is a page that says so."""
    await schedule(kit, "hourly")
    assert (await restore(client, "hourly", "2029-01-01T00:00:00+00:00")).status_code == 404


def test_differences_have_both_sides() -> None:
    """What was taken away and what was added, within objects by their path."""
    found = list(differences({"a": 1, "b": {"c": 1}}, {"b": {"c": 2}, "d": 3}))
    assert found == [Difference("a", 1, None), Difference("b.c", 1, 2), Difference("d", None, 3)]


async def test_a_run_leads_to_those_before_and_after(kit: TestToolkit, browse: Browse) -> None:
    """As its job leads to the jobs."""
    await schedule(kit, "extract", "every day at 11:00")
    await schedule(kit, "load", "after extract")
    await kit.advance(hours=1)
    assert 'Starts</dt><dd><a href="/jobs/load">' in await browse("/jobs/extract")
    assert 'Comes after</dt><dd><a href="/jobs/extract">' in await browse("/jobs/load")
    first = "extract@2030-01-02T11:00:00+00:00"
    assert f'Started</dt><dd><a href="/executions/load@after-{first}">load</a>' in await browse(f"/executions/{first}")
    assert f'<a href="/executions/{first}">the run before it</a>' in await browse(f"/executions/load@after-{first}")


async def test_usage_without_a_run(browse: Browse) -> None:
    """One sentence says so."""
    assert "No agent ran in 30 days" in await browse("/usage")


async def test_usage_is_beside_its_budget(kit: TestToolkit, browse: Browse) -> None:
    """By owner today, and by job and day."""
    from decimal import Decimal

    from pydantic_ai import Agent
    from pydantic_ai.models.test import TestModel

    from agentoolkit.actions.agent import register_agent
    from agentoolkit.agent_settings import AgentRules, Budget
    from agentoolkit.agents.ledger import RunEntry

    register_agent("assistant", Agent(TestModel()), injector=kit.injector)
    service = kit.injector.get("agent").deps
    await service.ledger.book(RunEntry("r", "assistant", "maria", "digest", "2030-01-02", 4_000, Decimal("1.25")))
    page = await browse("/usage")
    assert "Agents cost $1.25 today" in page
    assert '<a href="/jobs/digest">digest</a>' in page
    assert "no limit" in page
    limited = service.registry.get("assistant")
    service.registry._made["assistant"] = type(limited)(limited.name, limited.runner, AgentRules(per_day=Budget(cost=Decimal(5))))
    assert "$1.25 of $5.00" in await browse("/usage")


async def test_an_agents_run_shows_what_was_said(kit: TestToolkit, browse: Browse) -> None:
    """Its answer, messages, tokens and cost; secrets are hidden there too."""
    from pydantic_ai import Agent
    from pydantic_ai.models.test import TestModel

    from agentoolkit.actions.agent import register_agent

    register_agent("assistant", Agent(TestModel(custom_output_text="All quiet.")), injector=kit.injector)
    prompt = {"operation": "run", "agent": "assistant", "prompt": "Look, password=hunter2-hunter2"}
    await schedule(kit, "digest", "every day at 11:00", agentool_name="agent", input_data=prompt)
    await kit.advance(hours=1)
    page = await browse("/executions/digest@2030-01-02T11:00:00+00:00")
    assert "What was said" in page
    assert "All quiet." in page
    assert "hunter2" not in page
