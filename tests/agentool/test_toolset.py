"""AgenTools as the tools of a pydantic-ai agent."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field, ValidationError
from pydantic_ai import Agent, BinaryContent, DeferredToolRequests, ModelRetry, ToolFailed, UserError
from pydantic_ai.models.test import TestModel
from tests.agents.scripts import scripted, told

from agentool import AgenTool, BaseOperationInput, ConfigurationError, Injector, InvalidInput, RunContext, create_agentool
from agentool.caller import OWN, Caller, acting_as, get_caller
from agentool.errors import AgenToolError
from agentool.flat_calls import MAX_ANSWER, MAX_REFUSAL
from agentool.hints import Hints
from agentool.toolset import AgenToolset, answer, refusal


class DeskInput(BaseOperationInput):
    operation: Literal["write", "whose", "fail", "misuse", "fill"]
    text: str | None = Field(None, description="What to write", examples=["Hello"])
    copies: int | None = Field(None, ge=1, description="How many")


async def desk_write(ctx: RunContext[list[str]], text: str, copies: int = 1) -> str:
    """Write a text."""
    ctx.deps.extend([text] * copies)
    return f"written {copies} times"


async def desk_whose(ctx: RunContext[list[str]]) -> str:
    """Tell who asks."""
    caller = get_caller()
    return f"{caller.name} {caller.door} {sorted(caller.scopes)} {caller.depth}"


async def desk_fail(ctx: RunContext[list[str]]) -> str:
    """Fail for good."""
    raise AgenToolError("The desk is broken.", remedy="Call a carpenter.")


async def desk_misuse(ctx: RunContext[list[str]]) -> str:
    """Show a mistake of the application."""
    raise ConfigurationError("The desk has no legs.")


async def desk_fill(ctx: RunContext[list[str]], copies: int) -> str:
    """Answer at length."""
    return "x" * copies


class OddInput(BaseOperationInput):
    operation: Literal["fail"]


HANDLERS = {"write": desk_write, "whose": desk_whose, "fail": desk_fail, "misuse": desk_misuse, "fill": desk_fill}


@pytest.fixture
def desk(injector: Injector) -> AgenTool[list[str]]:
    """An AgenTool whose deps are what was written."""
    return create_agentool("desk", DeskInput, HANDLERS, deps=[], description="A desk.")


async def conversation(*steps: Any, toolset: AgenToolset | None = None) -> list[str]:
    """Run an agent whose model follows a script; return what its tools answered."""
    agent = Agent(scripted(*steps, "done"), toolsets=[toolset or AgenToolset("desk")])
    return told((await agent.run("go")).all_messages())


async def test_each_operation_is_a_flat_tool(desk: AgenTool[list[str]]) -> None:
    """A model sees one tool for each operation, with the fields of that operation alone."""
    model = TestModel(call_tools=[])
    await Agent(model, toolsets=[AgenToolset("desk")]).run("go")
    assert model.last_model_request_parameters is not None
    tools = {tool.name: tool for tool in model.last_model_request_parameters.function_tools}
    assert set(tools) == {"desk_write", "desk_whose", "desk_fail", "desk_misuse", "desk_fill"}
    assert list(tools["desk_write"].parameters_json_schema["properties"]) == ["text", "copies"]
    assert tools["desk_write"].description == "Write a text."


async def test_chosen_operations_only(desk: AgenTool[list[str]]) -> None:
    """Of an AgenTool, only the operations that were chosen are offered."""
    assert list(AgenToolset("desk", operations={"desk": ["write"]}).flat_tools()) == ["desk_write"]


@pytest.mark.parametrize("chosen", ["dest", "shelf"])
def test_operations_of_another_agentool_are_a_developers_mistake(desk: AgenTool[list[str]], chosen: str) -> None:
    """A misspelt name would offer every operation, those that were left out too."""
    with pytest.raises(UserError, match=rf"Operations are chosen for '{chosen}', which is not an AgenTool of this toolset. (Did|Known)"):
        AgenToolset("desk", operations={chosen: ["write"]}).flat_tools()


@pytest.mark.parametrize("given", [5, None, {"desk": ["write"]}], ids=type)
def test_what_is_neither_agentool_nor_name_is_a_developers_mistake(desk: AgenTool[list[str]], given: Any) -> None:
    """It is told when the tools are made."""
    with pytest.raises(UserError, match="An AgenTool is called by its name, not by"):
        AgenToolset(given).flat_tools()


@pytest.mark.parametrize("given", ["maria", None, {"name": "maria"}], ids=type)
async def test_a_caller_of_another_kind_is_a_developers_mistake(desk: AgenTool[list[str]], given: Any) -> None:
    """It ends the run before anything is done in nobody's name."""
    with pytest.raises(UserError, match=r"is not a Caller. Write Caller"):
        await conversation(("desk_write", {"text": "a"}), toolset=AgenToolset("desk", caller=lambda ctx: given))
    assert desk.deps == []


async def test_names_can_be_chosen(desk: AgenTool[list[str]]) -> None:
    """A tool is called what the application says."""
    toolset = AgenToolset("desk", operations={"desk": ["write"]}, names=lambda operation: operation.name)
    assert await conversation(("write", {"text": "a"}), toolset=toolset) == ["written 1 times"]


async def test_a_call_reaches_the_handler(desk: AgenTool[list[str]]) -> None:
    """What the model gives, the handler takes."""
    assert await conversation(("desk_write", {"text": "a", "copies": 2})) == ["written 2 times"]
    assert desk.deps == ["a", "a"]


async def test_null_means_not_given(desk: AgenTool[list[str]]) -> None:
    """A model that fills every argument it does not need with null is understood."""
    assert await conversation(("desk_write", {"text": "a", "copies": None})) == ["written 1 times"]


async def test_a_refusal_is_repaired_by_another_try(desk: AgenTool[list[str]]) -> None:
    """A bad value is told with a call that works, and the run goes on."""
    refused, done = await conversation(("desk_write", {"text": "a", "copies": 0}), ("desk_write", {"text": "a"}))
    assert "copies: input should be greater than or equal to 1, got 0" in refused
    assert 'Right: desk_write({"text": "Hello"}).' in refused
    assert done == "written 1 times"


async def test_an_unknown_argument_is_refused_with_the_nearest_name(desk: AgenTool[list[str]]) -> None:
    """A misspelt argument is never ignored."""
    refused, _ = await conversation(("desk_write", {"text": "a", "copeis": 2}), ("desk_write", {"text": "a"}))
    assert "copeis: is not an argument of this tool. Did you mean 'copies'?" in refused
    assert desk.deps == ["a"]


async def test_a_field_of_another_operation_is_refused(desk: AgenTool[list[str]]) -> None:
    """What only another operation takes is an unknown argument of this one."""
    refused, _ = await conversation(("desk_whose", {"text": "a"}), ("desk_whose", {}))
    assert "text: is not an argument of this tool." in refused


async def test_the_operation_is_not_an_argument(desk: AgenTool[list[str]]) -> None:
    """A model cannot reach another operation through the tool of one."""
    refused, _ = await conversation(("desk_whose", {"operation": "write", "text": "a"}), ("desk_whose", {}))
    assert "operation: is not an argument of this tool" in refused
    assert desk.deps == []


async def test_arguments_that_are_no_object_are_refused(desk: AgenTool[list[str]]) -> None:
    """A list in the place of arguments is refused in our words, not in a library's."""
    refused, _ = await conversation(("desk_write", '["a"]'), ("desk_write", {"text": "a"}))
    assert "The arguments must be one JSON object." in refused
    assert "pydantic" not in refused


async def test_a_refusal_is_short_however_much_is_wrong(desk: AgenTool[list[str]]) -> None:
    """A model that gives a hundred thousand unknown arguments, or one whose name is a book, is not told all of it."""
    many = {f"k{number}": 1 for number in range(100_000)}
    for wrong in (many, {"x" * 1_000_000: 1}):
        (refused,) = await conversation(("desk_write", wrong))
        assert len(refused) <= MAX_REFUSAL + 200
    with pytest.raises(ValidationError) as found:
        DeskInput.model_validate({"operation": "write", **many})
    assert "and 99,980 more" in str(InvalidInput.from_validation("desk", found.value))


@pytest.mark.parametrize("text", ['{"text": ', '{"text": "\\ud800"}', '{"text": ' + "[" * 5_000], ids=["cut", "surrogate", "deep"])
async def test_arguments_that_are_no_json_are_refused_in_our_words(desk: AgenTool[list[str]], text: str) -> None:
    """And without repeating all of them."""
    (refused,) = await conversation(("desk_write", text))
    assert refused.startswith("The arguments must be one JSON object. Right: desk_write(")


async def test_no_refusal_links_to_a_library(desk: AgenTool[list[str]]) -> None:
    """Refusals hold no library's text and no address."""
    refused, _ = await conversation(("desk_write", {"copies": "many"}), ("desk_write", {"text": "a"}))
    assert "http" not in refused
    assert "pydantic" not in refused


async def test_what_no_retry_cures_is_told_as_a_failure(desk: AgenTool[list[str]]) -> None:
    """A failure that other input cannot help is told once, with the way out, and asks for no other try."""
    (failed,) = await conversation(("desk_fail", {}))
    assert "The desk is broken. Call a carpenter." in failed
    assert "Right:" not in failed


async def test_an_error_without_a_text_is_told_as_a_failure(injector: Injector) -> None:
    """Its own code fails where it is told; that does not end the run."""

    class Unspeakable(AgenToolError):
        def __str__(self) -> str:
            raise ZeroDivisionError

    async def fail(ctx: RunContext[list[str]]) -> str:
        raise Unspeakable("never told")

    create_agentool("odd", OddInput, {"fail": fail})
    assert await conversation(("odd_fail", {}), toolset=AgenToolset("odd")) == ["(its text cannot be written: ZeroDivisionError)"]


async def test_a_developers_mistake_ends_the_run(desk: AgenTool[list[str]]) -> None:
    """A model cannot repair how the application is put together, so it is not asked to."""
    with pytest.raises(UserError, match="no legs"):
        await conversation(("desk_misuse", {}))


async def test_an_agentool_that_does_not_exist_is_a_developers_mistake(desk: AgenTool[list[str]]) -> None:
    """A toolset over an unknown name fails at once, with the nearest name."""
    with pytest.raises(UserError, match="Did you mean 'desk'"):
        await conversation(toolset=AgenToolset("dsek"))


async def test_an_operation_that_does_not_exist_is_a_developers_mistake(desk: AgenTool[list[str]]) -> None:
    """A toolset of an unknown operation fails at once, with the nearest name."""
    with pytest.raises(UserError, match="Did you mean 'write'"):
        await conversation(toolset=AgenToolset("desk", operations={"desk": ["wriet"]}))


async def test_two_tools_of_one_name_are_a_developers_mistake(desk: AgenTool[list[str]]) -> None:
    """Names that collide are refused when the agent runs, not resolved by chance."""
    with pytest.raises(UserError, match="Two tools are named"):
        await conversation(toolset=AgenToolset("desk", names=lambda operation: "same"))


async def test_approval_for_an_unknown_tool_is_a_developers_mistake(desk: AgenTool[list[str]]) -> None:
    """A misspelt name must not leave a tool without its approval."""
    with pytest.raises(UserError, match="Did you mean 'desk_write'"):
        await conversation(toolset=AgenToolset("desk", approve=["desk_wriet"]))


async def test_a_tool_can_need_approval(desk: AgenTool[list[str]]) -> None:
    """A call that needs a person's approval ends the run and does nothing."""
    toolset = AgenToolset("desk", approve=["desk_write"])
    agent = Agent(scripted(("desk_write", {"text": "a"})), toolsets=[toolset], output_type=[str, DeferredToolRequests])
    output = (await agent.run("go")).output
    assert isinstance(output, DeferredToolRequests)
    assert [call.tool_name for call in output.approvals] == ["desk_write"]
    assert desk.deps == []


async def test_the_model_acts_for_whoever_runs_the_agent(desk: AgenTool[list[str]]) -> None:
    """Without a caller of its own a toolset acts for the current one, with a model's scopes."""
    with acting_as(Caller("maria", "rest")):
        assert await conversation(("desk_whose", {})) == ["maria agent ['read', 'write'] 0"]


async def test_the_caller_can_come_from_the_run(desk: AgenTool[list[str]]) -> None:
    """An application with many users tells them apart by the run's context."""
    toolset = AgenToolset("desk", caller=lambda ctx: Caller(f"user-{ctx.prompt}", "agent", OWN))
    assert await conversation(("desk_whose", {}), toolset=toolset) == ["user-go agent ['read', 'write'] 0"]


async def test_inside_a_scheduled_run_the_jobs_owner_asks(desk: AgenTool[list[str]]) -> None:
    """A run that was due acts for its job's owner, whatever caller the toolset names."""
    toolset = AgenToolset("desk", caller=Caller("root", "agent"))
    with acting_as(Caller("maria", "agent", OWN).inside("job@1")):
        assert await conversation(("desk_whose", {}), toolset=toolset) == ["maria agent ['read', 'write'] 1"]


async def test_a_long_answer_is_cut_and_says_so(desk: AgenTool[list[str]]) -> None:
    """A model never gets more than the limit, and learns that it did not get all."""
    (answer,) = await conversation(("desk_fill", {"copies": MAX_ANSWER + 5}))
    assert answer.endswith("(cut: 5 of 32,005 characters left out; ask for less)")


class Said(BaseModel):
    said: Any


@pytest.mark.parametrize(
    ("output", "shown"),
    [
        (Said(said="a\ud800"), r'{"said": "a\ud800"}'),
        (Said(said=b"\xff"), r"""{"said": "b'\\xff'"}"""),
        ("a\ud800", r"a\ud800"),
        ({"a\ud800": 1}, r'{"a\ud800": 1}'),
        (["\ud800"], r'["\ud800"]'),
        (InvalidInput("It has '\ud800'."), r"It has '\ud800'."),
    ],
    ids=["model", "bytes", "text", "key", "list", "refusal"],
)
async def test_what_no_message_can_hold_is_an_escape(injector: Injector, output: Any, shown: str) -> None:
    """A lone surrogate, as a file's name may have, does not end the run of an agent."""

    async def fail(ctx: RunContext[list[str]]) -> Any:
        if isinstance(output, Exception):
            raise output
        return output

    create_agentool("odd", OddInput, {"fail": fail})
    (answered,) = await conversation(("odd_fail", {}), toolset=AgenToolset("odd"))
    assert answered.removesuffix(" Right: odd_fail({}).").split("\n")[0] == shown


@pytest.mark.parametrize("output", [{"said": "x" * MAX_ANSWER}, ["x" * MAX_ANSWER], Said(said="x" * MAX_ANSWER)], ids=type)
async def test_a_long_answer_of_any_kind_is_cut(output: Any) -> None:
    """The JSON text of a dict or a list too, not only that of a model."""
    assert re.fullmatch(r'(\{"said": ?|\[)"x{31000,}… \(cut: [\d,]+ of 32,\d+ characters left out; ask for less\)', answer(output))


@pytest.mark.parametrize(
    "output", [{"a": [1, None]}, ["a"], 3, None, {"image": BinaryContent(b"\xff" * MAX_ANSWER, media_type="image/png")}]
)
async def test_a_short_answer_and_an_image_stay_what_they_are(output: Any) -> None:
    """pydantic-ai writes them."""
    assert answer(output) is output


async def test_every_registered_agentool_by_default(desk: AgenTool[list[str]]) -> None:
    """A toolset without names offers all there is."""
    assert len(AgenToolset().flat_tools()) == len(HANDLERS)


async def test_tools_can_be_loaded_late(desk: AgenTool[list[str]]) -> None:
    """With `defer_loading` a model finds the tools by searching."""
    assert all(tool.definition.defer_loading for tool in AgenToolset("desk", defer_loading=True).flat_tools().values())


async def test_a_model_that_cannot_make_a_call_ends_its_run_all_the_same(desk: AgenTool[list[str]]) -> None:
    """After three corrections the refusal is the tool's failure, and the model can say that it did not succeed."""
    wrong = ("desk_write", {"txt": "a"})
    agent = Agent(scripted(*[wrong] * 4, "I could not write it."), toolsets=[AgenToolset(desk)])
    result = await agent.run("go")
    assert result.output == "I could not write it."
    assert desk.deps == []


async def test_a_tool_has_a_title_and_four_hints(injector: Injector) -> None:
    """The AgenTool's own, else careful ones; applications find them where those of MCP tools are."""
    hints = {"whose": Hints.looking("Who asks"), "write": Hints("Write", destroys=False, reaches_out=False)}
    made = create_agentool("desk", DeskInput, HANDLERS, deps=[], hints=hints, injector=injector)
    shown = {name: tool.definition.metadata["annotations"] for name, tool in AgenToolset(made).flat_tools().items()}
    names = ("title", "readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint")
    assert [shown["desk_whose"][name] for name in names] == ["Who asks", True, False, True, False]
    assert [shown["desk_write"][name] for name in names] == ["Write", False, False, False, False]
    assert [shown["desk_fill"][name] for name in names] == ["Desk fill", False, True, False, True]


def test_hints_for_an_operation_that_does_not_exist_are_refused(injector: Injector) -> None:
    """The nearest name is told."""
    with pytest.raises(ConfigurationError, match="'write'"):
        create_agentool("desk", DeskInput, HANDLERS, deps=[], hints={"wrte": Hints("Write")}, injector=injector)


def test_a_handler_as_an_agent_s_tool_says_what_to_write() -> None:
    """pydantic-ai would take its context for an argument; one sentence names `for_agents`."""
    with pytest.raises(ConfigurationError, match="for_agents"):
        Agent("test", tools=[desk_write])


def test_permission_is_no_matter_of_trying_again() -> None:
    """What the caller may not do is a failure, though its class is one of wrong input."""

    class NotYours(InvalidInput, PermissionError):
        pass

    assert isinstance(refusal(NotYours("No."), "t", None), ToolFailed)
    assert isinstance(refusal(InvalidInput("No."), "t", None), ModelRetry)


def test_the_framework_is_imported_without_the_toolset() -> None:
    """Who asks for no toolset does not wait for pydantic-ai."""
    code = "import sys, agentool.describe, agentool.caller; sys.exit('pydantic_ai' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
