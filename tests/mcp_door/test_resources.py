"""Jobs and executions as resources, and their change as it is told to clients of both protocols."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import mcp_types as types
import pytest
from mcp import Client
from mcp.client.subscriptions import ResourceUpdated
from mcp.shared.exceptions import MCPError
from tests.mcp_door.conftest import Connect
from tests.mcp_door.test_tools import STAND_UP

from agentool.caller import OWN, Caller
from agentoolkit.entrypoints.mcp_server.host import LoopHost
from agentoolkit.entrypoints.mcp_server.server import create_server
from agentoolkit.testing import TestToolkit

URI = "agentool://jobs/stand%20up"


@pytest.fixture(autouse=True)
def look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentoolkit.entrypoints.mcp_server.resources.WATCH_SECONDS", 0.01)


async def test_jobs_are_listed_and_read(connect: Connect) -> None:
    """A job's text is its definition and its latest executions, as JSON."""
    async with connect() as client:
        await client.call_tool("scheduler_add_task", {**STAND_UP, "when": "every day at 9:00"})
        listed = (await client.list_resources()).resources
        assert [resource.uri for resource in listed] == [URI]
        read = json.loads((await client.read_resource(URI)).contents[0].text)
        assert read["job_name"] == "stand up"
        templates = (await client.list_resource_templates()).resource_templates
    assert [template.uri_template for template in templates] == ["agentool://jobs/{job_id}", "agentool://executions/{execution_id}"]


async def test_an_execution_is_read(connect: Connect, kit: TestToolkit) -> None:
    """By the id that the history shows."""
    async with connect() as client:
        await client.call_tool("scheduler_add_task", STAND_UP)
        await kit.advance(seconds=1)
        (run,) = (await client.call_tool("scheduler_history", {})).structured_content["runs"]
        read = await client.read_resource(f"agentool://executions/{run['execution_id']}")
    assert json.loads(read.contents[0].text)["status"] == "success"


@pytest.mark.parametrize("uri", ["agentool://jobs/nothing", "agentool://jobs/", "agentool://executions/x", "file:///etc/passwd"])
async def test_what_is_not_there_cannot_be_read(connect: Connect, uri: str) -> None:
    """An error of the protocol that names it."""
    async with connect() as client:
        with pytest.raises(MCPError) as refused:
            await client.read_resource(uri)
    assert refused.value.error.code == types.INVALID_PARAMS


async def test_what_belongs_to_another_owner_cannot_be_read(connect: Connect) -> None:
    """Nor is it listed."""
    async with connect() as client:
        await client.call_tool("scheduler_add_task", {**STAND_UP, "when": "every day at 9:00"})
    async with connect(caller=Caller("paul", "mcp", OWN)) as client:
        assert (await client.list_resources()).resources == []
        with pytest.raises(MCPError):
            await client.read_resource(URI)


@pytest.mark.filterwarnings("ignore:resources/.*subscribe is removed")
async def test_a_change_of_a_job_is_told(connect: Connect, kit: TestToolkit, mode: str) -> None:
    """A subscriber hears of a run of the job, whichever protocol it speaks, and of nothing before."""
    told: asyncio.Queue[str] = asyncio.Queue()

    async def hear(message: object) -> None:
        if isinstance(message, types.ResourceUpdatedNotification):
            await told.put(str(message.params.uri))

    async with connect(message_handler=hear) as client:
        await client.call_tool("scheduler_add_task", {**STAND_UP, "when": "every day at 9:00"})
        if mode == "legacy":
            await client.subscribe_resource(URI)
            await kit.advance(days=1)
            assert await asyncio.wait_for(told.get(), 5) == URI
            await client.unsubscribe_resource(URI)
            return
        async with client.listen(resource_subscriptions=[URI]) as events:
            await kit.advance(days=1)
            async for event in events:
                assert event == ResourceUpdated(uri=URI)
                break


@pytest.mark.filterwarnings("ignore:resources/.*subscribe is removed")
async def test_a_client_that_leaves_or_unsubscribes_is_not_watched_for(kit: TestToolkit) -> None:
    """Neither takes another client's subscription away, and nothing is looked at once nobody listens."""
    told: asyncio.Queue[str] = asyncio.Queue()

    async def hear(message: object) -> None:
        if isinstance(message, types.ResourceUpdatedNotification):
            await told.put(str(message.params.uri))

    server = create_server(LoopHost(kit), lambda: Caller("maria", "mcp", OWN))
    resources = server.get_request_handler("resources/read").handler.__self__
    async with Client(server, mode="legacy", message_handler=hear) as stays:
        await stays.call_tool("scheduler_add_task", {**STAND_UP, "when": "every day at 9:00"})
        await stays.subscribe_resource(URI)
        async with Client(server, mode="legacy") as leaves:
            await leaves.subscribe_resource(URI)
        async with Client(server, mode="legacy") as unsubscribes:
            await unsubscribes.subscribe_resource(URI)
            await unsubscribes.unsubscribe_resource(URI)
        await kit.advance(days=1)
        assert await asyncio.wait_for(told.get(), 5) == URI
    assert not resources._watched
    assert not resources._sessions


async def test_a_client_that_asks_for_what_is_not_there_leaves_nothing_watched(kit: TestToolkit) -> None:
    """Also for those of its resources that are there."""
    server = create_server(LoopHost(kit), lambda: Caller("maria", "mcp", OWN))
    resources = server.get_request_handler("resources/read").handler.__self__
    async with Client(server, mode="2026-07-28") as client:
        await client.call_tool("scheduler_add_task", {**STAND_UP, "when": "every day at 9:00"})
        with pytest.raises(MCPError):
            async with client.listen(resource_subscriptions=[URI, "agentool://jobs/nothing"]):
                pass
    assert not resources._watched


class Shaky(LoopHost):
    """A host whose next call fails once."""

    fails: Exception | None = None

    def __init__(self, kit: TestToolkit) -> None:
        super().__init__(kit)
        self.failed = asyncio.Event()

    async def call(self, work: Any) -> Any:
        if self.fails is not None:
            failure, self.fails = self.fails, None
            self.failed.set()
            raise failure
        return await super().call(work)


@pytest.mark.filterwarnings("ignore:resources/.*subscribe is removed")
@pytest.mark.parametrize("failure", [ConnectionResetError("away"), RuntimeError("a defect"), KeyError("x")])
async def test_a_look_that_fails_ends_no_other(kit: TestToolkit, failure: Exception) -> None:
    """The database may be away for a moment; subscribers hear of what changes after it."""
    told: asyncio.Queue[str] = asyncio.Queue()

    async def hear(message: object) -> None:
        if isinstance(message, types.ResourceUpdatedNotification):
            await told.put(str(message.params.uri))

    host = Shaky(kit)
    server = create_server(host, lambda: Caller("maria", "mcp", OWN))
    async with Client(server, mode="legacy", message_handler=hear) as client:
        await client.call_tool("scheduler_add_task", {**STAND_UP, "when": "every day at 9:00"})
        await client.subscribe_resource(URI)
        host.fails = failure
        await asyncio.wait_for(host.failed.wait(), 5)
        await kit.advance(days=1)
        assert await asyncio.wait_for(told.get(), 5) == URI


@pytest.mark.filterwarnings("ignore:resources/.*subscribe is removed")
async def test_a_subscription_to_what_is_not_there_leaves_nothing(kit: TestToolkit) -> None:
    """However many a client tries."""
    server = create_server(LoopHost(kit), lambda: Caller("maria", "mcp", OWN))
    resources = server.get_request_handler("resources/read").handler.__self__
    async with Client(server, mode="legacy") as client:
        for number in range(5):
            with pytest.raises(MCPError):
                await client.subscribe_resource(f"agentool://jobs/nothing-{number}")
    assert not resources._sessions


async def test_a_foreign_cursor_is_a_wrong_argument(connect: Connect) -> None:
    """The client is told which; it is no failure of the server."""
    async with connect() as client:
        with pytest.raises(MCPError, match="cursor") as refused:
            await client.list_resources(cursor="nonsense")
    assert refused.value.error.code == types.INVALID_PARAMS


@pytest.mark.filterwarnings("ignore:resources/.*subscribe is removed")
async def test_one_caller_leaves_room_for_the_others(kit: TestToolkit, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is watched is read every second: one token can neither use that up nor keep the server busy with it."""
    monkeypatch.setattr("agentoolkit.entrypoints.mcp_server.resources.MAX_CALLER_WATCHED", 2)
    host, names = LoopHost(kit), ["maria"]
    async with Client(create_server(host, lambda: Caller(names[0], "mcp", OWN)), mode="legacy") as client:
        for name in ("a", "b", "c"):
            await client.call_tool("scheduler_add_task", {**STAND_UP, "task_id": name, "when": "every day at 9:00"})
        await client.subscribe_resource("agentool://jobs/a")
        await client.subscribe_resource("agentool://jobs/b")
        with pytest.raises(MCPError, match="of yours"):
            await client.subscribe_resource("agentool://jobs/c")
        names[0] = "paul"
        await client.call_tool("scheduler_add_task", {**STAND_UP, "task_id": "paul's", "when": "every day at 9:00"})
        await client.subscribe_resource("agentool://jobs/paul's")
