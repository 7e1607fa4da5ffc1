"""Mistakes of one who makes an AgenTool: he is told when he makes it, with the way out."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from pydantic import BaseModel, create_model

from agentool import BaseOperationInput, ConfigurationError, Injector, RunContext, create_agentool
from agentool.handlers import read_operations

from .test_operations import ShelfInput, complaint, look, put, shelf


def made(input_type: Any = ShelfInput, handlers: Any = None, name: Any = "shelf", **more: Any) -> str:
    """Return how the definition of an AgenTool is refused."""
    with pytest.raises(ConfigurationError) as caught:
        create_agentool(name, input_type, {"put": put, "look": look} if handlers is None else handlers, injector=Injector(), **more)
    assert caught.value.remedy
    return str(caught.value)


@pytest.mark.parametrize("handlers", [[put, look], put, "put"], ids=type)
def test_handlers_that_are_no_dict_are_refused(handlers: Any) -> None:
    """With how they are written."""
    assert "The handlers must be a dict by operation" in made(handlers=handlers)


class Loose(BaseModel):
    operation: Literal["put", "look"]


@pytest.mark.parametrize("input_type", [Loose, shelf("look"), "ShelfInput", dict], ids=["model", "instance", "text", "dict"])
def test_an_input_model_without_our_base_is_refused(input_type: Any) -> None:
    """Another model would ignore a misspelt field."""
    assert "The input model must be a subclass of BaseOperationInput" in made(input_type)


@pytest.mark.parametrize("name", ["", "a b", "a:b", "a/b", "line\n", 5, None], ids=repr)
def test_a_name_that_cannot_be_written_is_refused(name: Any) -> None:
    """A reference ends at a colon, the command line at a blank, and a model's tool takes neither."""
    assert "name: An AgenTool's name has letters, digits" in made(name=name)


@pytest.mark.parametrize("operation", ["", "go there", "a:b", 1, None, True], ids=repr)
def test_an_operation_that_cannot_be_written_is_refused(operation: Any) -> None:
    """No model's tool could have its name."""
    odd = create_model("Odd", __base__=BaseOperationInput, operation=(Literal[operation], ...))
    assert "operation: Odd has the operation" in made(odd, {operation: look})


@pytest.mark.parametrize("name", ["stock", "storage_kv", "a-b", "a.b", "lager_größe", "7"])
def test_an_ordinary_name_is_taken(name: str) -> None:
    """Letters of all alphabets too."""
    assert create_agentool(name, ShelfInput, {"put": put, "look": look}, injector=Injector()).name == name


@pytest.mark.parametrize("examples", [{"operation": "look"}, '{"operation": "look"}'], ids=type)
def test_one_example_in_place_of_a_list_is_refused(examples: Any) -> None:
    """Its keys, or letters, are no inputs."""
    assert "Write examples=[{…}]." in made(examples=examples)


def test_a_forgotten_context_is_refused() -> None:
    """The first field would be taken for the context, and then refused to every caller."""

    async def forgetful(title: str, copies: int = 1) -> None: ...

    assert complaint(put=forgetful) == (
        "title: The handler of operation 'put' takes 'title' first, which is a field of ShelfInput. "
        "Begin with the context: (ctx: RunContext, title, …)."
    )


class Pages(BaseOperationInput):
    operation: Literal["turn"]
    page: int | None = None


async def turn(page: RunContext) -> None: ...


def test_a_context_may_be_called_as_a_field() -> None:
    """Its annotation tells."""
    assert read_operations(Pages, {"turn": turn})["turn"].fields == frozenset()


def test_the_operation_is_not_handed_over() -> None:
    """A handler that asks for it would refuse every call."""

    async def curious(ctx: RunContext, operation: str, title: str) -> None: ...

    assert "'operation', which chooses the handler and is not handed to it. Leave it out; `functools.partial`" in complaint(put=curious)


class Strict(BaseOperationInput):
    operation: Literal["put", "look"]
    title: str


def test_a_field_that_all_must_give_and_some_refuse_is_refused() -> None:
    """No call of that operation could be right: without the field the model refuses it, with the field the operation."""

    async def taking(ctx: RunContext, title: str) -> None: ...

    async def other(ctx: RunContext) -> None: ...

    with pytest.raises(ConfigurationError, match=r"'title', and the handler of operation 'look' does not .* `title: … \| None = None`"):
        read_operations(Strict, {"put": taking, "look": other})
    assert read_operations(Strict, {"put": taking, "look": taking})["look"].required == {"title"}


def test_null_beside_another_default_is_refused() -> None:
    """The schema says 1, and the handler would get nothing."""

    async def careless(ctx: RunContext, title: str, copies: int | None = None) -> None: ...

    assert "'copies' of the handler of operation 'put' defaults to None, and the field to 1." in complaint(put=careless)


@pytest.mark.parametrize("kind", ["lambda", "generator", "object"])
def test_what_is_like_an_async_function_is_refused_with_the_way_out(kind: str) -> None:
    """A function that returns what is awaited, one that yields, and an object with an async `__call__`."""

    async def yielding(ctx: RunContext) -> Any:
        yield 1

    class Callable:
        async def __call__(self, ctx: RunContext) -> None: ...

    handler: Any = {"lambda": lambda ctx: look(ctx), "generator": yielding, "object": Callable()}[kind]
    said = complaint(look=handler)
    assert "must be an async function" in said
    assert "Write `async def`, and let it return its output" in said


class Unfinished(BaseOperationInput):
    operation: Literal["weigh"]
    weight: Later | None = None


class Lost(BaseOperationInput):
    operation: Literal["weigh"]
    weight: NowhereDefined | None = None  # type: ignore[name-defined]  # noqa: F821


Later = int


async def weigh(ctx: RunContext, weight: Any) -> Any:
    return weight


async def test_a_type_that_is_defined_after_the_model_is_found() -> None:
    """Pydantic looks for it again when the AgenTool is made."""
    injector = Injector()
    create_agentool("scales", Unfinished, {"weigh": weigh}, injector=injector)
    assert await injector.run("scales", {"operation": "weigh", "weight": "7"}) == 7


def test_a_type_that_is_not_known_is_refused() -> None:
    """As one that is imported under `if TYPE_CHECKING`: it was pydantic's error, at every call."""
    said = made(Lost, {"weigh": weigh})
    assert "Lost has a field whose type 'NowhereDefined' is not known. Import it outside of `if TYPE_CHECKING`" in said
