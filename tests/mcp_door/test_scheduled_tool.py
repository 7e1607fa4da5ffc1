"""`scheduled_tool`: in both orders, on both servers, for text and models, sync and async; and what it refuses."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from threading import Event
from typing import Any

import fastmcp
import pytest
from mcp import Client
from mcp.server import MCPServer
from pydantic import BaseModel
from pydantic_ai import Agent, RunContext
from pydantic_ai.messages import ModelMessage, ToolReturnPart
from tests.agents.scripts import scripted
from tests.mcp_door.conftest import text_of

from agentool.errors import ConfigurationError
from agentoolkit import scheduled_tool
from agentoolkit.entrypoints.background import BackgroundToolkit, background
from agentoolkit.settings import Settings

CASES = list(product(("below", "above"), ("mcp", "fastmcp"), ("text", "model"), ("sync", "async")))


class Greeting(BaseModel):
    """What a structured tool answers."""

    text: str


def greet_text(name: str) -> str:
    """Generate a greeting message for the given name.

    Args:
        name: The name to include in the greeting
    """
    return f"hello {name}"


async def greet_text_async(name: str) -> str:
    """Generate a greeting message for the given name."""
    return f"hello {name}"


def greet_model(name: str) -> Greeting:
    """Generate a greeting message for the given name."""
    return Greeting(text=f"hello {name}")


async def greet_model_async(name: str) -> Greeting:
    """Generate a greeting message for the given name."""
    return Greeting(text=f"hello {name}")


FUNCTIONS: dict[tuple[str, str], Callable[..., Any]] = {
    ("text", "sync"): greet_text,
    ("text", "async"): greet_text_async,
    ("model", "sync"): greet_model,
    ("model", "async"): greet_model_async,
}


@pytest.fixture
def kit() -> Iterator[BackgroundToolkit]:
    with background(Settings.from_values({"timezone": "Europe/Berlin"})) as kit:
        yield kit


class Asked:
    """A server with the tool, and a client of it that says what each call was answered."""

    def __init__(self, server: Any, kind: str) -> None:
        self._server = server
        self._kind = kind

    async def tools(self) -> list[Any]:
        async with self._client() as client:
            found = await client.list_tools()
        return list(getattr(found, "tools", found))

    async def call(self, **arguments: Any) -> tuple[bool, str]:
        """Return whether it failed, and what was answered."""
        async with self._client() as client:
            if self._kind == "mcp":
                result = await client.call_tool("greet", arguments)
                return bool(result.is_error), text_of(result)
            result = await client.call_tool("greet", arguments, raise_on_error=False)
            return result.is_error, "".join(part.text for part in result.content)

    def _client(self) -> Any:
        return Client(self._server) if self._kind == "mcp" else fastmcp.Client(self._server)


def build(order: str, kind: str, plain: Callable[..., Any], kit: BackgroundToolkit, **options: Any) -> Asked:
    """Put the decorators on in this order."""
    server: Any = MCPServer("hello") if kind == "mcp" else fastmcp.FastMCP("hello")
    later = scheduled_tool(kit=kit, task_name=f"task {plain.__name__}", **options)
    tool = server.tool(name="greet", title="Greet")
    if order == "below":
        tool(later(plain))
    else:
        scheduled_tool(kit=kit, task_name=f"task {plain.__name__}", **options)(tool(copy_of(plain)))
    return Asked(server, kind)


def copy_of(plain: Callable[..., Any]) -> Callable[..., Any]:
    """A function that no other server has."""
    import types

    made = types.FunctionType(plain.__code__, plain.__globals__, plain.__name__, plain.__defaults__, plain.__closure__)
    made.__annotations__, made.__doc__, made.__module__ = plain.__annotations__, plain.__doc__, plain.__module__
    return made


@pytest.fixture(params=CASES, ids="-".join)
def asked(request: pytest.FixtureRequest, kit: BackgroundToolkit) -> Asked:
    order, kind, answer, way = request.param
    return build(order, kind, FUNCTIONS[answer, way], kit)


async def test_it_runs_at_once_where_no_time_is_given(asked: Asked) -> None:
    """As if it were not decorated."""
    failed, answer = await asked.call(name="World")
    assert not failed
    assert "hello World" in answer


@pytest.mark.parametrize(
    ("arguments", "reading"),
    [
        ({"datetime": "2030-12-31T09:00:00"}, "2030-12-31"),
        ({"datetime": "tomorrow at 9 AM"}, "09:00"),
        ({"schedule": "every weekday at 9:00"}, "every weekday"),
        ({"schedule": "0 9 * * 1-5"}, "09:00"),
    ],
)
async def test_it_schedules_itself(asked: Asked, kit: BackgroundToolkit, arguments: dict[str, str], reading: str) -> None:
    """The answer names the job and how the time was read, and the job runs the tool with its arguments."""
    failed, answer = await asked.call(name="World", **arguments)
    assert not failed, answer
    assert reading in answer
    (job,) = kit.run("scheduler", {"operation": "list"}).data["jobs"]
    assert job["job_id"] in answer
    ran = kit.run("scheduler", {"operation": "run_now", "job_id": job["job_id"]}).data["result"]
    assert ran in ("hello World", {"text": "hello World"})


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"datetime": "whenever"}, "whenever"),
        ({"datetime": "2020-01-01T09:00:00"}, "2020-01-01"),
        ({"schedule": "whenever"}, "whenever"),
        ({"schedule": "tomorrow at 9 AM"}, "Use datetime"),
        ({"datetime": "tomorrow at 9 AM", "schedule": "every day at 9:00"}, "Leave one of them out"),
    ],
)
async def test_what_cannot_be_read_schedules_nothing(asked: Asked, kit: BackgroundToolkit, arguments: dict[str, str], told: str) -> None:
    """The model is told what was wrong, and neither a job nor a run is left."""
    failed, answer = await asked.call(name="World", **arguments)
    assert failed
    assert told in answer
    assert "Nothing was scheduled" in answer
    assert kit.run("scheduler", {"operation": "list"}).data["jobs"] == []


async def test_the_tool_keeps_its_description_title_and_arguments(asked: Asked) -> None:
    """Two arguments are added, and nothing else changes."""
    (tool,) = await asked.tools()
    assert (tool.name, tool.title) == ("greet", "Greet")
    assert tool.description.startswith("Generate a greeting message for the given name.")
    properties = tool.input_schema["properties"]
    assert list(properties) == ["name", "datetime", "schedule"]
    assert properties["name"]["type"] == "string"
    assert tool.input_schema["required"] == ["name"]


@pytest.mark.parametrize("order", ["below", "above"])
async def test_the_same_call_again_is_scheduled_already(kit: BackgroundToolkit, order: str) -> None:
    """A model that repeats itself makes no second job."""
    asked = build(order, "mcp", greet_text, kit)
    await asked.call(name="World", datetime="2030-12-31T09:00:00")
    _, answer = await asked.call(name="World", datetime="2030-12-31T09:00:00")
    assert answer.startswith("Already scheduled")
    assert kit.run("scheduler", {"operation": "list"}).data["count"] == 1


def test_a_sync_tool_stays_sync_and_an_async_one_async(kit: BackgroundToolkit) -> None:
    """A direct caller notices nothing."""
    decorate = scheduled_tool(kit=kit)
    assert decorate(greet_text)("you") == "hello you"
    assert not inspect.iscoroutinefunction(scheduled_tool(kit=kit, task_name="b")(greet_text))
    assert inspect.iscoroutinefunction(decorate(greet_text_async))


def test_a_tool_that_fails_is_tried_again_as_declared(kit: BackgroundToolkit) -> None:
    """Three further attempts without a pause between them, and then it succeeds."""
    tries: list[int] = []
    done = Event()

    @scheduled_tool(kit=kit, max_retries=3, retry_backoff=False)
    def fragile() -> str:
        tries.append(1)
        if len(tries) < 4:
            raise ConnectionError("not yet")
        done.set()
        return "well"

    fragile(datetime="now")  # type: ignore[call-arg]
    assert done.wait(10)
    assert len(tries) == 4


def test_the_options_of_the_source_are_those_of_the_job(kit: BackgroundToolkit) -> None:
    """``max_retries=3, retry_backoff=True``: three times, after a second, doubled each time."""
    scheduled_tool(kit=kit, task_name="custom_greeting_task", max_retries=3, retry_backoff=True)(greet_text)(
        "World",
        datetime="2030-12-31T09:00:00",  # type: ignore[call-arg]
    )
    (job,) = kit.run("scheduler", {"operation": "list"}).data["jobs"]
    info = kit.run("scheduler", {"operation": "get_job", "job_id": job["job_id"]}).data["info"]
    assert (info["agentool_name"], info["max_retries"], info["retry_backoff"]) == ("custom_greeting_task", 3, 1.0)


@pytest.mark.parametrize("name", ["datetime", "schedule"])
def test_a_tool_with_such_an_argument_of_its_own_is_refused(kit: BackgroundToolkit, name: str) -> None:
    """At once, where the decorator is written."""
    made: dict[str, Any] = {}
    exec(f"def tool({name}: str) -> str:\n    return {name}", made)
    with pytest.raises(ConfigurationError, match="of its own"):
        scheduled_tool(kit=kit)(made["tool"])


def test_two_tools_of_one_name_are_refused(kit: BackgroundToolkit) -> None:
    """Their jobs could not be told apart."""
    scheduled_tool(kit=kit, task_name="same")(greet_text)
    other = copy_of(greet_model)
    other.__module__ = "another"
    with pytest.raises(ConfigurationError, match="registered already"):
        scheduled_tool(kit=kit, task_name="same")(other)


def returns(messages: Sequence[ModelMessage]) -> list[str]:
    """What the model was told by its tools, in turn."""
    return [str(part.content) for message in messages for part in message.parts if isinstance(part, ToolReturnPart)]


async def test_a_tool_of_an_agent(kit: BackgroundToolkit) -> None:
    """Below pydantic-ai's own decorator it is scheduled by the model, and a refusal asks the model to try again."""
    steps = [("greet", {"name": "World", "datetime": "whenever"}), ("greet", {"name": "World", "datetime": "2030-12-31T09:00:00"}), "done"]
    agent = Agent(scripted(*steps))
    agent.tool_plain(name="greet")(scheduled_tool(kit=kit)(greet_text))
    refused, scheduled = returns((await agent.run("go")).all_messages())
    assert "'whenever' is not understood" in refused
    assert scheduled.startswith("Scheduled 'greet_text'")


async def test_an_agent_s_tool_with_a_context_runs_and_is_not_scheduled(kit: BackgroundToolkit) -> None:
    """A run's context is not there later."""
    steps = [("greet", {"name": "World"}), ("greet", {"name": "World", "datetime": "2030-12-31T09:00:00"}), "done"]
    agent = Agent(scripted(*steps))
    agent.tool(name="greet")(scheduled_tool(kit=kit)(greet_with_context))
    greeted, refused = returns((await agent.run("go")).all_messages())
    assert greeted == "hello World"
    assert "context" in refused


def greet_with_context(ctx: RunContext[None], name: str) -> str:
    """Generate a greeting message for the given name."""
    return f"hello {name}"


async def test_a_tool_that_needs_its_server_s_context_runs_and_is_not_scheduled(kit: BackgroundToolkit) -> None:
    """Nobody could give it one later; it is said before anything is scheduled."""
    from mcp.server.mcpserver import Context

    async def with_context(ctx: Context, name: str) -> str:
        return f"hello {name}"

    with_context.__annotations__ = {"ctx": Context, "name": str, "return": str}
    server = MCPServer("hello")
    server.tool(name="greet")(scheduled_tool(kit=kit)(with_context))
    asked = Asked(server, "mcp")
    assert await asked.call(name="World") == (False, "hello World")
    failed, answer = await asked.call(name="World", datetime="2030-12-31T09:00:00")
    assert failed
    assert "context" in answer


def test_a_server_that_does_not_have_the_tool_is_refused(kit: BackgroundToolkit) -> None:
    """An explicit server is never silently passed over."""
    with pytest.raises(ConfigurationError, match="does not have 'greet_text' as a tool"):
        scheduled_tool(kit=kit, server=MCPServer("hello"))(greet_text)
