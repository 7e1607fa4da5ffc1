"""What changes something is asked for first, done once, and told."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import httpx2
import pytest

from agentool.caller import Caller
from agentoolkit.entrypoints.dashboard import add_pages
from agentoolkit.entrypoints.dashboard.page import Viewer
from agentoolkit.entrypoints.rest import create_app
from agentoolkit.entrypoints.rest.access import AccessRules
from agentoolkit.entrypoints.rest.batches import Batch, Batches
from agentoolkit.system.scheduler.errors import SchedulerError
from agentoolkit.testing import TestToolkit

from .conftest import Browse, schedule

MISSING = [("/act?do=cancel&job=nosuch", 404), ("/act?do=again&execution=nosuch@1", 404)]
FAILS = {"agentool_name": "function", "input_data": {"operation": "call", "function": "tests.pages.work:fail"}}


def fields_of(page: str) -> list[tuple[str, str]]:
    """Return the hidden fields of the form on a page."""
    return re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', page)


async def confirm(client: httpx2.AsyncClient, address: str, **more: str) -> httpx2.Response:
    """Open a question and send its form."""
    page = (await client.get(address)).text
    body = httpx2.QueryParams([*fields_of(page), *more.items()])
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": "http://127.0.0.1:8000"}
    return await client.post("/act", content=str(body), headers=headers)


async def state_of(kit: TestToolkit, job_id: str) -> dict[str, Any]:
    return (await kit.injector.run("scheduler", {"operation": "get_job", "job_id": job_id})).data["info"]


async def test_asking_changes_nothing(kit: TestToolkit, browse: Browse) -> None:
    """The question says what will be so then."""
    await schedule(kit, "hourly")
    page = await browse("/act?do=pause&job=hourly")
    assert "<h1>Pause job hourly?</h1>" in page
    assert (await state_of(kit, "hourly"))["state"] == "active"


async def test_a_job_is_paused_with_a_reason(kit: TestToolkit, client: httpx2.AsyncClient) -> None:
    """It is kept, and the job's page says that it was done."""
    await schedule(kit, "hourly")
    answer = await confirm(client, "/act?do=pause&job=hourly", reason="the other side is down")
    assert answer.status_code == 303
    info = await state_of(kit, "hourly")
    assert (info["state"], info["reason"]) == ("paused", "the other side is down")
    assert "Paused hourly." in (await client.get(answer.headers["location"])).text


@pytest.mark.parametrize(("do", "state"), [("resume", "active"), ("cancel", "cancelled")])
async def test_a_paused_job_can_be(kit: TestToolkit, client: httpx2.AsyncClient, do: str, state: str) -> None:
    """Resumed, or cancelled for good."""
    await schedule(kit, "hourly", paused=True)
    await confirm(client, f"/act?do={do}&job=hourly")
    assert (await state_of(kit, "hourly"))["state"] == state


async def test_the_same_form_twice_is_done_once(kit: TestToolkit, client: httpx2.AsyncClient) -> None:
    """A run is started, and a second click starts none."""
    await schedule(kit, "hourly")
    page = (await client.get("/act?do=run&job=hourly")).text
    body = str(httpx2.QueryParams(fields_of(page)))
    for _ in range(2):
        await client.post("/act", content=body, headers={"Content-Type": "application/x-www-form-urlencoded"})
    await kit.advance(seconds=1)
    history = await kit.injector.run("scheduler", {"operation": "get_history", "job_id": "hourly"})
    assert [one["trigger"] for one in history.data["history"]] == ["requested"]


async def test_a_query_without_a_term_chooses_nothing(kit: TestToolkit, client: httpx2.AsyncClient) -> None:
    """An address that was cut or badly joined asks for no job, not for all of them."""
    await schedule(kit, "hourly")
    assert "Write job:* for all." in (await client.get("/act?do=cancel&q=%20")).text


async def test_all_that_match_are_paused(kit: TestToolkit, client: httpx2.AsyncClient) -> None:
    """The question gives their number and a sample; each is paused."""
    for number in range(12):
        await schedule(kit, f"job-{number:02}")
    page = (await client.get("/act?do=pause&all_jobs=active")).text
    assert "<h1>Pause 12 jobs?</h1>" in page
    assert "and 2 more" in page
    answer = await confirm(client, "/act?do=pause&all_jobs=active")
    await kit.advance(seconds=1)
    assert "Paused 12 jobs" in (await client.get(answer.headers["location"])).text
    assert len((await kit.injector.run("scheduler", {"operation": "list", "job_status": "paused"})).data["jobs"]) == 12


async def test_what_fails_of_many_is_told(kit: TestToolkit, client: httpx2.AsyncClient) -> None:
    """The others are done."""
    await schedule(kit, "hourly")
    answer = await confirm(client, "/act?do=pause&job=hourly&job=nobody")
    await kit.advance(seconds=1)
    page = (await client.get(answer.headers["location"])).text
    assert "Paused 1 job, 1 failed" in page
    assert "nobody" in page.split("What failed")[1]
    assert (await state_of(kit, "hourly"))["state"] == "paused"


async def test_failed_executions_run_again(kit: TestToolkit, client: httpx2.AsyncClient) -> None:
    """Each of those that match is run once more; the old ones stay."""
    await schedule(kit, "brief", **FAILS)
    await kit.advance(hours=2)
    await confirm(client, "/act?do=again&all_executions=failed")
    await kit.advance(seconds=1)
    history = await kit.injector.run("scheduler", {"operation": "get_history", "job_id": "brief"})
    assert sorted(one["trigger"] for one in history.data["history"]) == ["requested", "requested", "schedule", "schedule"]


async def test_the_scheduler_is_stopped_and_started(kit: TestToolkit, client: httpx2.AsyncClient) -> None:
    """Every page says that it is stopped."""
    await schedule(kit, "hourly")
    await confirm(client, "/act?do=stop")
    assert "Everything is paused" in (await client.get("/jobs")).text
    await confirm(client, "/act?do=start")
    assert "Everything is paused" not in (await client.get("/jobs")).text


async def test_a_job_runs_with_another_input(kit: TestToolkit, client: httpx2.AsyncClient) -> None:
    """Once; its own input stays."""
    await schedule(kit, "hourly")
    body = str(httpx2.QueryParams({"key": "once", "input": '{"operation": "create_queue", "queue_name": "made"}'}))
    await client.post("/jobs/hourly/replay", content=body)
    await kit.advance(seconds=1)
    queues = (await kit.injector.run("queue", {"operation": "list_queues"})).data["queues"]
    assert [queue["queue_name"] for queue in queues] == ["made"]
    assert (await state_of(kit, "hourly"))["input_data"]["operation"] == "list_queues"


@pytest.mark.parametrize(("text", "told"), [("{", "It is not JSON"), ("[1]", "It must be a JSON object")])
async def test_an_input_that_cannot_be_one(kit: TestToolkit, client: httpx2.AsyncClient, text: str, told: str) -> None:
    """The form comes back with what is wrong and with what was typed."""
    await schedule(kit, "hourly")
    answer = await client.post("/jobs/hourly/replay", content=str(httpx2.QueryParams({"key": "k", "input": text})))
    assert answer.status_code == 422
    assert told in answer.text
    assert f">{text}</textarea>" in answer.text


@pytest.mark.parametrize(("path", "status"), [("/act?do=explode&job=a", 404), ("/act?do=pause", 422), ("/act/unknown", 404), *MISSING])
async def test_what_cannot_be_asked_for(browse: Browse, path: str, status: int) -> None:
    """It is refused as a page."""
    assert "Nothing was changed." in await browse(path, status=status)


async def test_a_page_of_another_site_changes_nothing(kit: TestToolkit, client: httpx2.AsyncClient) -> None:
    """Its form is refused, whatever it sends."""
    await schedule(kit, "hourly")
    answer = await client.post("/act", content="do=pause&job=hourly", headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403
    assert (await state_of(kit, "hourly"))["state"] == "active"


async def test_a_reader_sees_no_buttons_and_changes_nothing(kit: TestToolkit) -> None:
    """With a token that has the scope ``read`` alone."""
    await schedule(kit, "hourly")

    async def check(token: str) -> Caller | None:
        return Caller("code", "rest", frozenset({"read"})) if token == "reader" else None

    app = add_pages(create_app(kit, access=AccessRules(check_token=check)))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://127.0.0.1:8000") as reader:
        assert (await reader.get("/jobs")).status_code == 401
        reader.headers["Authorization"] = "Bearer reader"
        assert "/act?" not in (await reader.get("/jobs/hourly")).text
        assert (await reader.post("/act", content="do=pause&job=hourly")).status_code == 403
    assert (await state_of(kit, "hourly"))["state"] == "active"


async def test_a_request_that_is_given_up_ends_no_batch(
    kit: TestToolkit, client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was confirmed is done, also when nobody waits for the answer any longer."""
    await schedule(kit, "hourly")
    body = str(httpx2.QueryParams(fields_of((await client.get("/act?do=pause&job=hourly")).text)))
    begun, go_on, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def wait(*asked: object, **fields: object) -> None:
        begun.set()
        await go_on.wait()
        done.set()

    monkeypatch.setattr(Viewer, "scheduler", wait)
    asking = asyncio.create_task(client.post("/act", content=body, headers={"Content-Type": "application/x-www-form-urlencoded"}))
    await begun.wait()
    asking.cancel()
    await asyncio.wait([asking])
    go_on.set()
    await asyncio.wait_for(done.wait(), 5)


async def test_a_batch_that_is_stopped_begins_no_more() -> None:
    """What was not begun is left."""
    batch = Batch(batch_id="b", owner="me", told="Pause", past="Paused", noun="job", items=[str(number) for number in range(500)])
    batches = Batches()

    async def do(item: str) -> None:
        batch.stopped = True

    batches.start(batch, do)
    assert batch.task is not None
    await batch.task
    assert (batch.done, batch.left) == (1, 499)


async def test_a_batch_names_some_of_many_failures() -> None:
    """It counts all of them."""
    batch = Batch(batch_id="b", owner="me", told="Pause", past="Paused", noun="job", items=[str(number) for number in range(300)])

    async def do(item: str) -> None:
        raise SchedulerError("No.", field="job_id", value=item)

    await batch.work(do)
    assert (batch.failures, len(batch.failed)) == (300, 100)
