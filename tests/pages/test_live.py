"""What a page shows of an execution while it runs, and which executions repeat one another."""

from __future__ import annotations

import asyncio
import logging
import re
import sys
from collections.abc import AsyncGenerator
from html import unescape

import httpx2
import pytest

from agentoolkit.entrypoints.dashboard import add_pages
from agentoolkit.entrypoints.rest import create_app
from agentoolkit.settings import Settings
from agentoolkit.wiring import Toolkit

FAILS = {"agentool_name": "function", "input_data": {"operation": "call", "function": "tests.pages.work:fail"}}
TALKS = "import sys, time; print('half of it', flush=True); sys.stdin.read(); time.sleep(60)"


@pytest.fixture
async def kit() -> AsyncGenerator[Toolkit]:
    settings = Settings(timezone="UTC", functions=("tests.pages",), programs=(sys.executable,), http_allow=("127.0.0.1",))
    async with Toolkit(settings) as opened:
        yield opened


@pytest.fixture
async def client(kit: Toolkit) -> AsyncGenerator[httpx2.AsyncClient]:
    app = add_pages(create_app(kit))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://127.0.0.1") as opened:
        yield opened


async def schedule(client: httpx2.AsyncClient, **task: object) -> str:
    made = await client.post("/api/scheduler/tasks", json={"schedule": "every day at 9:00", **task})
    return str(made.json()["task_id"])


async def heard(client: httpx2.AsyncClient, execution_id: str, words: str) -> str:
    """Wait until an execution has written some words, and return what it has written."""
    async with asyncio.timeout(10):
        while True:
            found = (await client.get(f"/api/scheduler/executions/{execution_id}")).json()
            if words in found["output"]:
                return str(found["output"])
            await asyncio.sleep(0.01)


async def test_output_is_seen_while_it_is_written(client: httpx2.AsyncClient) -> None:
    """What a command has written so far is on the page of its execution and in the API, and is asked for every second."""
    command = {"operation": "run", "command": [sys.executable, "-c", TALKS]}
    job = await schedule(client, name="talker", agentool_name="shell", input_data=command)
    started = (await client.post(f"/api/scheduler/tasks/{job}/run")).json()["execution_id"]
    await heard(client, started, "half of it")
    page = unescape((await client.get(f"/executions/{started}")).text)
    assert "Output so far" in page
    assert "half of it" in page
    assert 'data-pace="fast"' in page
    await client.post(f"/api/scheduler/executions/{started}/cancel")


async def test_what_a_function_logs_is_seen(client: httpx2.AsyncClient) -> None:
    """Also one that runs in a thread; nothing of it is kept for another execution that runs beside it."""
    call = {"operation": "call", "function": "tests.pages.work:log_and_wait"}
    logger = await schedule(client, name="logger", agentool_name="function", input_data=call)
    command = {"operation": "run", "command": [sys.executable, "-c", TALKS]}
    talker = await schedule(client, name="talker", agentool_name="shell", input_data=command)
    started = [(await client.post(f"/api/scheduler/tasks/{job}/run")).json()["execution_id"] for job in (talker, logger)]
    said = await heard(client, started[1], "one third")
    assert said[8:] == " WARNING one third is done\n"
    assert "one third" not in await heard(client, started[0], "half of it")
    await client.post(f"/api/scheduler/executions/{started[0]}/cancel")


async def test_an_applications_own_log_is_left_alone(client: httpx2.AsyncClient) -> None:
    """No handler is added, so that its `basicConfig` works; records are made as before when the toolkit has closed."""
    before, made = list(logging.getLogger().handlers), logging.getLogRecordFactory()
    async with Toolkit(Settings(timezone="UTC")):
        assert logging.getLogger().handlers == before
    assert logging.getLogRecordFactory() is made


@pytest.mark.parametrize("kind", ["retry", "replay"])
async def test_repeats_are_linked_both_ways(client: httpx2.AsyncClient, kind: str) -> None:
    """The page of an execution names those that repeat it, as a retry or with another input, and theirs name it."""
    job = await schedule(client, name="broken", **FAILS)
    first = (await client.post(f"/api/scheduler/tasks/{job}/run", json={"wait": True})).json()["execution_id"]
    body = {"input_data": FAILS["input_data"]} if kind == "replay" else None
    second = (await client.post(f"/api/scheduler/executions/{first}/{kind}", json=body)).json()
    assert second["retry_of"] == first
    here, there = [unescape((await client.get(f"/executions/{one}")).text) for one in (first, second["execution_id"])]
    assert f"/executions/{second['execution_id']}" in here
    assert f"/executions/{first}" in there


async def test_health_tells_how_late_and_what_waits(client: httpx2.AsyncClient) -> None:
    """Median, 99th percentile and worst of the lateness, once something was due, and how many outcomes are in the outbox."""
    before = (await client.get("/health")).text
    assert ("nothing ran yet" in before, "0 outcomes wait for their queue" in before) == (True, True)
    nowhere = {**FAILS, "schedule": "now", "error_queue": "http://127.0.0.1:9/closed"}
    job = await schedule(client, name="broken", **nowhere)
    async with asyncio.timeout(10):
        while "1 outcome waits for its queue" not in (page := (await client.get("/health")).text):
            await client.get(f"/api/scheduler/tasks/{job}")  # a turn of the event loop
    late = re.search(r"<dt>Late by</dt><dd>(.+) at the median, (.+) at the 99th percentile of .+; (.+) at most", page)
    assert late is not None, page
    assert all(re.fullmatch(r"[\d.]+ m?s", figure) for figure in late.groups()), late.groups()
