"""What an AgenTool takes, described for every door."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field

from agentool import AgenTool, BaseOperationInput, ConfigurationError, Injector, InvalidInput, RunContext, create_agentool
from agentool.describe import OperationDescription, describe, describe_operation, type_words
from agentoolkit.wiring import Toolkit


class Place(BaseModel):
    name: str
    within: Place | None = None


class Address(BaseModel):
    street: str
    zip_code: str | None = None


class PostInput(BaseOperationInput):
    operation: Literal["send", "track"]
    text: str | None = Field(None, description="What to send", examples=["Hello"])
    to: Address | None = Field(None, description="Where to")
    place: Place | None = None
    code: int | str | None = None
    urgent: bool = False


async def post_send(ctx: RunContext[None], text: str, to: Address | None = None, urgent: bool = False) -> str:
    """Send  a
    ``text``.

    This is said elsewhere.
    """
    return text


async def post_track(ctx: RunContext[None], code: int | str, place: Place | None = None) -> str:
    """Track it."""
    return str(code)


@pytest.fixture
def post(injector: Injector) -> AgenTool[None]:
    """An AgenTool with nested, recursive and united fields."""
    handlers = {"send": post_send, "track": post_track}
    examples = ({"operation": "send", "text": "Hi"},)
    return create_agentool("post", PostInput, handlers, description="Sends\n things.", examples=examples)


def test_an_operation_takes_its_handlers_fields_and_no_others(post: AgenTool[None]) -> None:
    """The schema of an operation has the fields of its handler, what is required first."""
    assert list(describe_operation(post, "send").schema["properties"]) == ["text", "to", "urgent"]


def test_what_a_handler_requires_the_schema_requires(post: AgenTool[None]) -> None:
    """A field that the input model leaves optional is required where its handler has no default for it."""
    assert describe_operation(post, "track").schema["required"] == ["code"]


def test_unknown_fields_are_refused_by_the_schema(post: AgenTool[None]) -> None:
    """A door that checks schemas refuses a misspelt field before anything is called."""
    assert describe_operation(post, "send").schema["additionalProperties"] is False


def test_no_null_is_offered(post: AgenTool[None]) -> None:
    """A field that may be left out is shown by its type alone, in nested models too."""
    assert "null" not in json.dumps([operation.schema for operation in describe(post).operations])


def test_a_union_without_null_stays(post: AgenTool[None]) -> None:
    """Where a field has two types, both are told."""
    assert type_words(describe_operation(post, "track").schema["properties"]["code"]) == "integer or string"


def test_a_nested_model_is_written_where_it_is_used(post: AgenTool[None]) -> None:
    """Nested models need no definitions, and keep the description of the field."""
    to = describe_operation(post, "send").schema["properties"]["to"]
    assert (to["description"], list(to["properties"]), to["required"]) == ("Where to", ["street", "zip_code"], ["street"])


def test_a_model_that_holds_itself_keeps_its_definition(post: AgenTool[None]) -> None:
    """A recursive model cannot be written out, so its definition comes along."""
    schema = describe_operation(post, "track").schema
    assert schema["properties"]["place"]["$ref"] == "#/$defs/Place"
    assert schema["$defs"]["Place"]["properties"]["within"]["$ref"] == "#/$defs/Place"


def test_other_operations_carry_no_foreign_definitions(post: AgenTool[None]) -> None:
    """Only the definitions that an operation needs are part of its schema."""
    assert "$defs" not in describe_operation(post, "send").schema


def test_a_description_is_the_first_paragraph_in_one_line(post: AgenTool[None]) -> None:
    """Docstrings become one line, without markup."""
    assert (describe(post).description, describe_operation(post, "send").description) == ("Sends things.", "Send a text.")


def test_an_example_is_the_agentools_own(post: AgenTool[None]) -> None:
    """An operation's example is that of the AgenTool, without the operation's name."""
    assert describe_operation(post, "send").example == {"text": "Hi"}


def test_an_example_is_put_together_from_those_of_the_fields(injector: Injector) -> None:
    """Where the AgenTool has none, the examples of the required fields make one that works."""
    tool = create_agentool("post", PostInput, {"send": post_send, "track": post_track}, injector=injector)
    assert describe_operation(tool, "send").example == {"text": "Hello"}


def test_no_example_is_invented(post: AgenTool[None]) -> None:
    """Where a required field has no example, none is made up."""
    assert describe_operation(post, "track").example is None


async def test_a_call_made_from_a_description_works(injector: Injector, post: AgenTool[None]) -> None:
    """The example, as a call, is accepted by the injector."""
    send = describe_operation(post, "send")
    assert await injector.run("post", send.call(send.example or {})) == "Hi"


def test_the_operation_cannot_be_changed_by_a_field(post: AgenTool[None]) -> None:
    """Whoever calls one operation cannot reach another of the same AgenTool."""
    with pytest.raises(InvalidInput, match="always does 'send'"):
        describe_operation(post, "send").call({"operation": "track"})


def test_an_unknown_operation_names_the_nearest(post: AgenTool[None]) -> None:
    """A misspelt operation is refused with the nearest name."""
    with pytest.raises(InvalidInput, match="Did you mean 'send'"):
        describe_operation(post, "sned")


class Door:
    """A whole door: names every operation of every AgenTool by what `describe` says, and calls it."""

    def __init__(self, injector: Injector) -> None:
        self.injector = injector
        self.tools: dict[str, OperationDescription] = {
            operation.tool_name: operation for agentool in injector.catalog() for operation in describe(agentool).operations
        }

    def listing(self) -> list[dict[str, Any]]:
        return [{"name": name, "description": tool.description, "schema": tool.schema} for name, tool in self.tools.items()]

    async def call(self, name: str, arguments: dict[str, Any]) -> Any:
        tool = self.tools[name]
        return await self.injector.run(tool.agentool_name, tool.call(arguments))


async def test_a_door_needs_thirty_lines() -> None:
    """A door of thirty lines offers every operation of every AgenTool, with its schema, and can call it."""
    async with Toolkit() as kit:
        door = Door(kit.injector)
        offered = {tool["name"] for tool in door.listing() if tool["schema"]["additionalProperties"] is False and tool["description"]}
        accepted = {f"{tool.name}_{operation}" for tool in kit.injector.catalog() for operation in tool.operations}
        assert offered == accepted
        assert (await door.call("storage_kv_set", {"key": "a", "value": 1})).key == "a"
        with pytest.raises(InvalidInput, match="Did you mean 'key'"):
            await door.call("storage_kv_get", {"kye": "a"})


class Sent(BaseOperationInput):
    """Fields whose values look like schemas."""

    operation: Literal["run"]
    link: dict[str, Any] | None = Field(None, examples=[{"$ref": "#/x"}])
    kind: Literal["$ref"] = "$ref"


class Named(BaseModel):
    """A field with a keyword's name."""

    examples: Inner | None = None


class Inner(BaseModel):
    """Holds itself, under the name of a keyword."""

    default: Inner | None = None


class Nested(BaseOperationInput):
    """A field whose schema has properties that are called as keywords are."""

    operation: Literal["run"]
    named: Named


def test_a_value_that_looks_like_a_reference_is_a_value(injector: Injector) -> None:
    """An example may hold anything."""

    async def run(ctx: object, link: dict[str, Any] | None = None, kind: Literal["$ref"] = "$ref") -> None: ...

    schema = describe(create_agentool("sent", Sent, {"run": run}, injector=injector)).operations[0].schema
    assert schema["properties"]["link"]["examples"] == [{"$ref": "#/x"}]
    assert "$defs" not in schema


class Odd(BaseOperationInput):
    """A default that pydantic takes for a reference."""

    operation: Literal["run"]
    where: dict[str, Any] = Field(default={"$ref": "#/$defs/nowhere"})


class Called(BaseOperationInput):
    """A type that JSON does not have."""

    operation: Literal["run"]
    where: Callable[[], None] | None = None


@pytest.mark.parametrize("input_type", [Odd, Called])
def test_an_input_without_a_schema_is_named(injector: Injector, input_type: type[BaseOperationInput]) -> None:
    """Of many AgenTools it is told which one cannot be described."""

    async def run(ctx: object, where: Any) -> None: ...

    made = create_agentool("odd", input_type, {"run": run}, injector=injector)
    with pytest.raises(ConfigurationError, match="The input of AgenTool 'odd' has no JSON schema"):
        describe(made)


class Boundless(BaseOperationInput):
    operation: Literal["wait"]
    seconds: float = math.inf
    least: float = -math.inf
    share: float = 0.5


def test_a_default_that_json_lacks_is_not_shown(injector: Injector) -> None:
    """With infinity in its tools, no request of an agent could be sent."""

    async def wait(ctx: object, seconds: float = math.inf, least: float = -math.inf, share: float = 0.5) -> None: ...

    schema = describe(create_agentool("clock", Boundless, {"wait": wait}, injector=injector)).operations[0].schema
    assert json.dumps(schema, allow_nan=False)
    assert {name: about.get("default") for name, about in schema["properties"].items()} == {"seconds": None, "least": None, "share": 0.5}


def test_a_property_with_a_keywords_name_is_a_property(injector: Injector) -> None:
    """What it refers to is kept."""

    async def run(ctx: object, named: Named) -> None: ...

    schema = describe(create_agentool("nested", Nested, {"run": run}, injector=injector)).operations[0].schema
    assert schema["$defs"].keys() == {"Inner"}
