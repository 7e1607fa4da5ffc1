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


@pytest.mark.parametrize("wrong", ["schedul", "when", "datetme"])
async def test_an_argument_that_the_tool_does_not_have_runs_nothing(kit: BackgroundToolkit, wrong: str) -> None:
    """Also on the server that leaves it out: what was meant for later is not done now."""
    ran: list[str] = []

    async def note(name: str) -> str:
        ran.append(name)
        return name

    for order, kind in product(("below", "above"), ("mcp", "fastmcp")):
        with background(Settings.from_values({"timezone": "UTC"})) as own:
            failed, answer = await build(order, kind, copy_of(note), own).call(name="World", **{wrong: "tomorrow at 9 AM"})
        assert failed, (order, kind)
        assert wrong in answer
    assert ran == []


async def test_a_misspelt_argument_is_refused_with_the_nearest(kit: BackgroundToolkit) -> None:
    """Beside right ones too, where the tool asks for its server's context, and by a tool that is not async."""
    from mcp.server.mcpserver import Context

    def with_context(ctx: Context, name: str) -> str:
        return f"hello {name}"

    with_context.__annotations__ = {"ctx": Context, "name": str, "return": str}
    for plain in (with_context, greet_text, greet_model_async):
        failed, answer = await build("below", "mcp", plain, kit).call(name="World", schedul="every day at 9:00")
        assert failed
        assert "schedul: is not an argument of this tool. Did you mean 'schedule'?" in answer
        assert "Nothing was scheduled, and nothing was run." in answer


async def test_a_tool_that_another_calls_is_not_asked_for_that_ones_arguments(kit: BackgroundToolkit) -> None:
    """The request is the outer tool's, whose arguments the inner one does not have."""
    from mcp.server.mcpserver import Context

    server = MCPServer("hello")
    server.tool(name="greet_text")(scheduled_tool(kit=kit)(greet_text))

    async def outer(ctx: Context, whom: str) -> str:
        return str(await server.call_tool("greet_text", {"name": whom}, ctx))

    outer.__annotations__ = {"ctx": Context, "whom": str, "return": str}
    server.tool(name="greet")(outer)
    failed, answer = await Asked(server, "mcp").call(whom="World")
    assert not failed, answer
    assert "hello World" in answer


@pytest.mark.parametrize(
    ("plain", "arguments", "field"),
    [
        (greet_text, {"name": "World", "datetime": "yesterday"}, "datetime"),
        (greet_text, {"name": "World", "schedule": "every 10 seconds"}, "schedule"),
        (greet_text, {"name": 5, "datetime": "tomorrow at 9:00"}, "name"),
    ],
)
def test_a_refusal_names_the_tools_own_argument(kit: BackgroundToolkit, plain: Any, arguments: dict[str, Any], field: str) -> None:
    """Never one of the scheduler, which the tool does not have."""
    with pytest.raises(Exception, match=rf"nothing was run\. {field}: "):
        scheduled_tool(kit=kit)(plain)(**arguments)


@pytest.mark.parametrize("given", [b"\xff\x00", object()])
def test_an_argument_that_cannot_be_kept_is_refused(kit: BackgroundToolkit, given: object) -> None:
    """JSON has neither such bytes nor objects of the program."""

    def take(raw: Any) -> str:
        return str(raw)

    with pytest.raises(Exception, match=r"raw: .* cannot be kept as JSON"):
        scheduled_tool(kit=kit)(take)(given, datetime="tomorrow at 9:00")  # type: ignore[call-arg]


@pytest.mark.parametrize(
    "given",
    [
        "!ref:storage_kv:password",
        "see !ref:storage_kv:password",
        "!ref:nothing",
        "!step:1 !ref:nothing",
        {"deep": ["!ref:storage_kv:password"]},
        "!ref:",
        r"\!ref:storage_kv:password",
        '{"raw": "x"}',
    ],
)
def test_an_argument_that_reads_as_a_reference_is_a_text(kit: BackgroundToolkit, given: object) -> None:
    """A model that is told to write one gets no secret out: scheduled or at once, the tool is handed the same."""
    handed: list[object] = []
    done = Event()

    def take(raw: Any) -> None:
        handed.append(raw)
        done.set()

    kit.run("storage_kv", {"operation": "set", "key": "password", "value": "hunter2"})
    scheduled_tool(kit=kit)(take)(given, datetime="now")  # type: ignore[call-arg]
    assert done.wait(10)
    assert handed == [given]


@pytest.mark.parametrize(
    ("asked", "remark"),
    [
        ({"schedule": "every 30 minutes"}, "note: ends on "),
        ({"schedule": "every day"}, "note: no time of day given"),
    ],
)
def test_the_answer_says_what_the_user_should_know(kit: BackgroundToolkit, asked: dict[str, str], remark: str) -> None:
    """That the job ends by itself, or that the time could be read otherwise; as text, and in the structured answer."""
    answer = scheduled_tool(kit=kit)(greet_text)("World", **asked)
    assert remark in answer
    structured: Any = scheduled_tool(kit=kit)(greet_model)("World", **asked)
    assert any(remark.removeprefix("note: ") in each for each in structured.remarks)


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
