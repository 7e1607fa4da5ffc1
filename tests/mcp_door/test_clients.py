"""Clients that others wrote, against the server in a process of its own: over standard input and output, and over HTTP."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fastmcp
import httpx2
import pytest
from fastmcp.client.transports import StdioTransport
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from pydantic_ai import Agent
from pydantic_ai.mcp import MCPToolset
from pydantic_ai.messages import ToolReturnPart
from tests.agents.scripts import scripted
from tests.mcp_door.conftest import MODES, text_of
from tests.mcp_door.processes import SECONDS, environment, http_server, stdio
from tests.mcp_door.test_tools import STAND_UP

from agentoolkit.entrypoints.background import background
from agentoolkit.settings import Settings
from agentoolkit.wiring import Toolkit

ADD = {**STAND_UP, "when": "every weekday at 9:00"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def tokens(home: Path) -> dict[str, str]:
    """A token of maria's, and one of an administrator's."""
    with background(Settings.from_values({"database": str(home / "agentool.db")}), runs_jobs=False) as kit:
        made = {name: kit.run_work(make(name, scopes))[1] for name, scopes in (("maria", ["read", "write"]), ("root", ["admin"]))}
    return {**made, "nobody": "agt_000000000000_wrong"}


def make(name: str, scopes: Any) -> Callable[[Toolkit], Any]:
    return lambda kit: kit.tokens.create(name, scopes)


@pytest.fixture(scope="module")
def address(home: Path, tokens: dict[str, str]) -> Iterator[str]:
    """A server over HTTP that asks for a token."""
    with http_server(home, "--token") as address:
        yield address


def authorized(token: str) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"})


@pytest.mark.parametrize("mode", MODES)
async def test_the_official_client_over_standard_input_and_output(tmp_path: Path, mode: str) -> None:
    """It lists, calls, is refused, and when it leaves the server has ended."""
    async with Client(stdio(tmp_path), mode=mode) as client:
        assert len((await client.list_tools()).tools) == 12
        added = await client.call_tool("scheduler_add_task", ADD)
        refused = await client.call_tool("scheduler_add_task", {**ADD, "timezon": "UTC"})
        pid = (await client.call_tool("scheduler_daemon_status", {})).structured_content["pid"]
    assert added.structured_content["job_name"] == "stand up"
    assert "Did you mean 'timezone'?" in text_of(refused)
    await asyncio.to_thread(ended, pid)


@pytest.mark.parametrize("mode", MODES)
async def test_the_official_client_over_http(address: str, tokens: dict[str, str], mode: str) -> None:
    """With the token of an owner."""
    async with (
        authorized(tokens["maria"]) as http,
        Client(streamable_http_client(address, http_client=http), mode=mode) as client,
    ):
        assert len((await client.list_tools()).tools) == 12
        await client.call_tool("scheduler_add_task", ADD)
        listed = await client.call_tool("scheduler_list_tasks", {})
    assert [task["job_name"] for task in listed.structured_content["tasks"]] == ["stand up"]


@pytest.mark.parametrize("mode", MODES)
async def test_a_token_reaches_its_owners_tasks_only(address: str, tokens: dict[str, str], mode: str) -> None:
    """An administrator's stops the scheduler, and an owner's does not."""
    async with authorized(tokens["maria"]) as http, Client(streamable_http_client(address, http_client=http), mode=mode) as client:
        refused = await client.call_tool("scheduler_stop_daemon", {})
    async with authorized(tokens["root"]) as http, Client(streamable_http_client(address, http_client=http), mode=mode) as client:
        restarted = await client.call_tool("scheduler_restart_daemon", {})
    assert refused.is_error
    assert "administrator" in text_of(refused)
    assert restarted.structured_content["running"] is True


@pytest.mark.parametrize(
    ("token", "headers", "status"),
    [
        (None, {}, 401),
        ("nobody", {}, 401),
        ("maria", {"Host": "evil.example"}, 421),
        ("maria", {"Origin": "https://evil.example"}, 403),
    ],
)
async def test_strangers_are_not_let_in(
    address: str, tokens: dict[str, str], token: str | None, headers: dict[str, str], status: int
) -> None:
    """Without a token, with a wrong one, by another name, and from another site."""
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    accepted = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
    shown = {} if token is None else {"Authorization": f"Bearer {tokens[token]}"}
    async with httpx2.AsyncClient() as http:
        answer = await http.post(address, json=message, headers={**accepted, **shown, **headers})
    assert answer.status_code == status
    if status == 401:
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


async def test_a_token_that_was_revoked_lets_nobody_in(home: Path, address: str) -> None:
    """From the next request on."""

    def revoke() -> str:
        with background(Settings.from_values({"database": str(home / "agentool.db")}), runs_jobs=False) as kit:
            token, text = kit.run_work(make("paul", ["read"]))
            kit.run_work(lambda there: there.tokens.revoke(token.token_id))
        return text

    headers = {"Authorization": f"Bearer {await asyncio.to_thread(revoke)}", "Accept": "application/json, text/event-stream"}
    async with httpx2.AsyncClient() as http:
        answer = await http.post(address, json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, headers=headers)
    assert answer.status_code == 401


@pytest.mark.parametrize("mode", MODES)
async def test_another_project_s_client_over_standard_input_and_output(tmp_path: Path, mode: str) -> None:
    """fastmcp's: it lists, calls and reads a resource."""
    started = stdio(tmp_path)
    transport = StdioTransport(command=started.command, args=started.args, env=environment(tmp_path), keep_alive=False)
    async with fastmcp.Client(transport, mode=mode) as client:
        assert len(await client.list_tools()) == 12
        added = await client.call_tool("scheduler_add_task", ADD)
        assert added.structured_content["job_name"] == "stand up"
        assert "stand up" in (await client.read_resource("agentool://jobs/stand%20up"))[0].text


@pytest.mark.parametrize("mode", MODES)
async def test_another_project_s_client_over_http(address: str, tokens: dict[str, str], mode: str) -> None:
    """fastmcp's, with a token."""
    async with fastmcp.Client(address, auth=tokens["maria"], mode=mode) as client:
        assert len(await client.list_tools()) == 12
        assert not (await client.call_tool("scheduler_daemon_status", {})).is_error


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    """The newer protocol, and the older one."""
    return request.param


@pytest.fixture(params=["stdio", "http"])
def toolset(request: pytest.FixtureRequest, tmp_path: Path, address: str, tokens: dict[str, str], mode: str) -> MCPToolset:
    """Pydantic-ai's own toolset for MCP servers, over each transport and in each protocol."""
    if request.param == "http":
        return MCPToolset(fastmcp.Client(address, auth=tokens["maria"], mode=mode))
    started = stdio(tmp_path)
    transport = StdioTransport(command=started.command, args=started.args, env=environment(tmp_path), keep_alive=False)
    return MCPToolset(fastmcp.Client(transport, mode=mode, init_timeout=SECONDS))


async def test_an_agent_schedules_through_pydantic_ai_s_toolset(toolset: MCPToolset) -> None:
    """The model's call reaches the scheduler, and the answer reaches the model."""
    agent = Agent(scripted(("scheduler_preview", {"when": "every weekday at 9:00"}), "done"), toolsets=[toolset])
    async with agent:
        result = await agent.run("When would that be?")
    returned = [part for message in result.all_messages() for part in message.parts if isinstance(part, ToolReturnPart)]
    assert "every weekday" in str(returned[0].content)


def ended(pid: int) -> None:
    """Wait until a process is no more, for five seconds."""
    deadline = time.monotonic() + 5
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize(("headers", "status"), [({"Host": "evil.example"}, 421), ({"Origin": "https://evil.example"}, 403)])
@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2"])
async def test_no_loopback_address_answers_to_a_foreign_name(tmp_path: Path, host: str, headers: dict[str, str], status: int) -> None:
    """Without a token a page of another site would otherwise reach it through the browser."""
    accepted = {"Accept": "application/json, text/event-stream"}
    with http_server(tmp_path, "--host", host) as address:
        async with httpx2.AsyncClient() as http:
            answer = await http.post(address, json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, headers={**accepted, **headers})
    assert answer.status_code == status
