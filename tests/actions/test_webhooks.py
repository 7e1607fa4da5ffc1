"""Outcomes delivered to a web address in the place of a queue, by the ``http`` AgenTool, to a real server."""

from __future__ import annotations

import asyncio
import json
import logging

import pytest

from agentool import Injector
from agentoolkit.settings import Settings
from agentoolkit.system.scheduler import InvalidJob, SchedulerService, UnknownTarget, create_scheduler_agent
from agentoolkit.system.scheduler.engine.parts import Parts
from agentoolkit.system.scheduler.events import EventPublisher
from agentoolkit.system.scheduler.stores.memory import MemoryJobStore
from agentoolkit.testing import toolkit
from agentoolkit.time_source import SystemTime

from .conftest import START, create_note
from .servers import Answer, HttpServer, listening
from .waiting import history


@pytest.fixture
async def kit():
    """A toolkit that may reach this machine, and signs what it sends there."""
    settings = Settings(timezone="UTC", http_allow=("127.0.0.1",), http_signing={"127.0.0.1": "key"})
    async with toolkit(START, settings) as kit:
        create_note(kit.injector)
        yield kit


@pytest.fixture
async def server():
    async with listening(HttpServer()) as server:
        yield server


async def schedule(kit, operation="take", **fields):
    target = {"agentool_name": "note", "input_data": {"operation": operation, "value": 1}}
    asked = {"operation": "schedule", "job_id": "job", "schedule": "in 1 hour", **target, **fields}
    return await kit.injector.run("scheduler", asked)


async def test_a_result_is_posted(kit, server):
    """A success is posted as JSON, signed, with the execution's id as the key that tells a repetition."""
    await schedule(kit, result_queue=f"{server.url}/hook")
    await kit.advance(hours=1)
    (sent,) = server.requests
    (execution,) = await history(kit, "job")
    assert (sent.method, sent.path, json.loads(sent.body)["result"]["value"]) == ("POST", "/hook", 1)
    assert sent.headers["idempotency-key"] == execution["execution_id"] == "job@2030-01-01T01:00:00+00:00"
    assert (sent.headers["x-signature-256"][:7], execution["delivery"]) == ("sha256=", "delivered")


async def test_an_error_is_posted(kit, server):
    """A failure goes to the address of the error queue."""
    await schedule(kit, "fail", result_queue="results", error_queue=f"{server.url}/alarm")
    await kit.advance(hours=1)
    assert json.loads(server.requests[0].body)["error"] == {"type": "RuntimeError", "message": "failed on 1"}


async def test_a_delivery_that_is_refused_is_tried_again_with_the_same_key(kit, server):
    """A server in trouble gets the same delivery again, a bounded number of times."""
    server.answer = lambda request: Answer(503 if len(server.requests) < 3 else 200)
    await schedule(kit, result_queue=server.url)
    await kit.advance(hours=1)
    for _ in range(5):
        await kit.advance(seconds=30)
    assert len({sent.headers["idempotency-key"] for sent in server.requests}) == 1
    assert (len(server.requests), (await history(kit, "job"))[0]["delivery"]) == (3, "delivered")


async def test_a_delivery_that_never_succeeds_is_given_up(kit, server, caplog):
    """After five tries the history says failed; the log names the host and not the path, which may be a secret."""
    server.answer = lambda request: Answer(500)
    await schedule(kit, result_queue=f"{server.url}/s3cret")
    with caplog.at_level(logging.WARNING):
        await kit.advance(hours=1)
        for _ in range(8):
            await kit.advance(seconds=30)
    assert (len(server.requests), (await history(kit, "job"))[0]["delivery"]) == (5, "failed")
    assert "127.0.0.1" in caplog.text
    assert "s3cret" not in caplog.text


async def test_queues_do_not_wait_for_a_slow_address(kit):
    """While an address does not answer, results still reach their queues."""
    came = asyncio.Event()

    async def silent(reader, writer):
        came.set()
        await reader.read()
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as slow:
        await schedule(kit, result_queue=f"http://127.0.0.1:{slow.sockets[0].getsockname()[1]}/")
        await schedule(kit, job_id="other", result_queue="results", schedule="in 2 hours")
        await kit.clock.advance(hours=1)
        await asyncio.wait_for(came.wait(), 5)
        await kit.clock.advance(hours=1)
        sizes = await kit.injector.run("queue", {"operation": "size", "queue_name": "results"})
        assert sizes.data["size"] == 1
        await kit.scheduler.lifecycle.close()


@pytest.mark.parametrize("address", ["http://10.0.0.1/", "https://localhost/", "http://a:b@example.com/", "https://"])
async def test_an_address_that_cannot_be_is_refused_when_scheduled(kit, address):
    """A private address, and one that is none, is refused under the name of its field."""
    with pytest.raises(InvalidJob, match="error_queue"):
        await schedule(kit, error_queue=address)


async def test_without_the_http_agentool_an_address_is_refused():
    """An outcome cannot be posted by what is not there."""
    injector = Injector()
    service = SchedulerService(Parts(MemoryJobStore(), injector, SystemTime(), EventPublisher()))
    create_scheduler_agent(service, injector=injector)
    create_note(injector)
    asked = {"operation": "schedule", "schedule": "in 1 hour", "agentool_name": "note", "input_data": {"operation": "take"}}
    with pytest.raises(UnknownTarget, match="'http'"):
        await injector.run("scheduler", {**asked, "result_queue": "https://example.com/"})
    await injector.get("scheduler").deps.lifecycle.close()
