"""The signature of a handler is its route, its required fields and its schema."""

import gc
import inspect
import typing
import weakref
from collections.abc import Sequence
from functools import partial, update_wrapper, wraps
from typing import Annotated, Any, Literal, NewType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, PrivateAttr
from typing_extensions import TypedDict, Unpack

from agentool import BaseOperationInput, ConfigurationError, InvalidInput, RunContext, create_agentool
from agentool.core.injector import Injector
from agentool.handlers import read_operations
from agentool.operations import Needs, Operation

Copies = Annotated[int, Field(ge=0)]


class ShelfInput(BaseOperationInput):
    operation: Literal["put", "look"]
    title: str | None = None
    copies: Copies = 1
    kind: Literal["book", "map"] | None = None
    tags: list[str] = Field(default_factory=list)
    notes: dict[str, Any] | None = None


class Options(TypedDict, total=False):
    copies: int
    tags: list[str]


class Foreign(TypedDict, total=False):
    colour: str


async def put(ctx: RunContext, title: str, copies: int = 1, **options: Unpack[Options]) -> dict[str, Any]:
    """Put a title on the shelf.

    A second paragraph, which is not for catalogues.
    """
    return {}


async def look(ctx: RunContext, kind: Literal["book", "map"] | None = None) -> list[str]:
    return []


def read(**handlers: Any) -> dict[str, Operation]:
    return read_operations(ShelfInput, {"put": put, "look": look} | handlers)


def shelf(operation: str, **fields: Any) -> ShelfInput:
    return ShelfInput.model_validate({"operation": operation, **fields})


def complaint(**handlers: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        read(**handlers)
    return str(caught.value)


def refusal(operation: str, **fields: Any) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        read()[operation].arguments(shelf(operation, **fields))
    return caught.value


# How often a signature is read


def test_a_function_is_read_once_for_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another AgenTool of the same handlers, also of such as wrap them, costs no second reading."""

    async def found(ctx: RunContext, kind: Literal["book", "map"] | None = None) -> list[str]:
        return []

    @wraps(found)
    async def wrapping(ctx: RunContext, **fields: Any) -> list[str]:
        return await found(ctx, **fields)

    first = read(look=found)["look"]
    monkeypatch.setattr(inspect, "signature", None)
    again = read_operations(ShelfInput, {"put": put, "look": wrapping})["look"]
    assert (again.handler, again.fields, again.output_type) == (wrapping, first.fields, first.output_type)


def test_what_partials_dressed_as_their_function_fix_is_each_ones_own() -> None:
    """Two partials of one function that fix different fields keep their own, also where `update_wrapper` makes them look alike."""

    async def found(ctx: RunContext, title: str, kind: Literal["book", "map"]) -> None: ...

    by_title = update_wrapper(partial(found, title="Atlas"), found)
    by_kind = update_wrapper(partial(found, kind="map"), found)
    assert [read(look=dressed)["look"].fields for dressed in (by_title, by_kind)] == [{"kind"}, {"title"}]


def test_a_bound_method_is_not_taken_for_the_function_it_wraps() -> None:
    """Of a bound method the first parameter is given, so the second is the context; the function by itself takes one field more."""

    async def found(ctx: Any, title: str, kind: Literal["book", "map"]) -> None: ...

    class Holder:
        @wraps(found)
        async def look(self, *given: Any) -> None: ...

    handlers = (found, Holder().look)
    assert [read(look=handler)["look"].fields for handler in handlers] == [{"title", "kind"}, {"kind"}]


def test_a_function_is_read_anew_for_another_model() -> None:
    """What fits one input model is checked against the next."""

    class BareInput(BaseOperationInput):
        operation: Literal["put", "look"]

    read()
    with pytest.raises(ConfigurationError, match="not a field of BareInput"):
        read_operations(BareInput, {"put": put, "look": look})


def test_what_was_read_keeps_no_function() -> None:
    """A handler that was made for one AgenTool goes with it."""

    async def found(ctx: RunContext, kind: Literal["book", "map"] | None = None) -> list[str]:
        return []

    read(look=found)
    left = weakref.ref(found)
    del found
    gc.collect()
    assert left() is None


# What is checked when an AgenTool is made


def test_every_operation_has_a_route() -> None:
    """Each accepted operation leads to the handler given for it."""
    assert {name: operation.handler for name, operation in read().items()} == {"put": put, "look": look}


def test_an_operation_without_a_handler_is_refused() -> None:
    """An accepted but unrouted operation cannot exist."""
    with pytest.raises(ConfigurationError, match="'look'"):
        read_operations(ShelfInput, {"put": put})


def test_a_handler_without_an_operation_is_refused() -> None:
    """A handler that no input could reach is a mistake."""
    assert "'burn'" in complaint(burn=look)


def test_an_operation_that_is_no_literal_is_refused() -> None:
    """A model that accepts any text as operation cannot be routed."""
    with pytest.raises(ConfigurationError, match="must be a Literal"):
        read_operations(BaseOperationInput, {})


@pytest.mark.parametrize(
    "field",
    [Field(None, alias="from"), Field(None, validation_alias="from"), Field(None, validation_alias=AliasChoices("from", "sender"))],
)
def test_a_field_with_an_alias_is_refused(field: Any) -> None:
    """No schema and no refusal would name it as its callers must."""

    class Letter(BaseOperationInput):
        operation: Literal["run"]
        from_: str | None = field

    async def run(ctx: RunContext[None], from_: str | None = None) -> None: ...

    with pytest.raises(ConfigurationError, match="'from_' of Letter has the alias"):
        read_operations(Letter, {"run": run})


def test_a_sync_handler_is_refused() -> None:
    """A handler is an async function."""

    def sync(ctx: RunContext) -> None: ...

    assert "'look' must be an async function" in complaint(look=sync)


def test_a_parameter_that_is_no_field_is_refused_with_the_nearest_field() -> None:
    """A misspelt parameter is answered with the field that was meant."""

    async def misspelt(ctx: RunContext, titel: str) -> None: ...

    assert "Did you mean 'title'?" in complaint(look=misspelt)


def test_a_parameter_of_another_type_is_refused() -> None:
    """A parameter that cannot take the field's values is refused, and both types are named."""

    async def typed(ctx: RunContext, title: int) -> None: ...

    assert "int" in (said := complaint(look=typed))
    assert "str" in said


def test_differing_defaults_are_refused() -> None:
    """Two defaults for one field are a fact written twice and differently."""

    async def doubled(ctx: RunContext, copies: int = 2) -> None: ...

    assert "defaults to 2, and the field to 1" in complaint(look=doubled)


def test_a_default_beside_a_default_factory_is_allowed() -> None:
    """A field whose default is made by a factory has no default to compare with."""

    async def tagged(ctx: RunContext, tags: Sequence[str] = ()) -> None: ...

    assert read(look=tagged)["look"].fields == {"tags"}


def test_an_unknown_name_in_an_annotation_is_refused() -> None:
    """An annotation that was imported for type checkers only is named, with the remedy."""

    async def unresolvable(ctx: RunContext, title: "Titel") -> None: ...  # type: ignore[name-defined]  # noqa: F821

    assert "Import the name outside" in complaint(look=unresolvable)


def test_an_unknown_attribute_in_an_annotation_is_refused() -> None:
    """An annotation that names nothing in its module is a configuration error too."""

    async def unresolvable(ctx: RunContext, title: "pytest.Titel") -> None: ...  # type: ignore[name-defined]

    assert "'pytest.Titel'" in complaint(look=unresolvable)


def test_plain_keyword_arguments_are_refused() -> None:
    """``**kwargs`` without ``Unpack`` would take fields that nobody declared."""

    async def greedy(ctx: RunContext, **kwargs: Any) -> None: ...

    assert "Unpack" in complaint(look=greedy)


def test_an_unpacked_key_that_is_no_field_is_refused() -> None:
    """Each key of an unpacked TypedDict is a field of the input model."""

    async def foreign(ctx: RunContext, **options: Unpack[Foreign]) -> None: ...

    assert "'colour'" in complaint(look=foreign)


def test_a_handler_without_context_is_refused() -> None:
    """A handler takes the context first."""

    async def alone() -> None: ...

    assert "context" in complaint(look=alone)


def test_a_positional_only_field_is_refused() -> None:
    """Fields are passed by name, so a handler must take them by name."""

    async def positional(ctx: RunContext, title: str, /) -> None: ...

    assert "by name" in complaint(look=positional)


def test_star_arguments_are_refused() -> None:
    """``*args`` cannot be filled from named fields, even if a field has that name."""

    async def starred(ctx: RunContext, *tags: str) -> None: ...

    assert "by name" in complaint(look=starred)


# What a handler's signature says


def test_fields_are_taken_by_keyword_too() -> None:
    """A handler may take its fields by keyword only."""

    async def named(ctx: RunContext, *, title: str) -> None: ...

    assert read(look=named)["look"].required == {"title"}


def test_annotations_may_be_text() -> None:
    """An annotation written as text means what it means in the handler's module."""

    async def quoted(ctx: RunContext, copies: "Copies" = 1) -> "ShelfInput": ...  # type: ignore[empty-body]

    assert read(look=quoted)["look"].output_type is ShelfInput


def test_a_parameter_without_default_is_required() -> None:
    """Required for an operation is what its handler has no default for."""
    assert read()["put"].required == {"title"}


def test_unpacked_keys_are_fields() -> None:
    """A handler takes the keys of the TypedDict that it unpacks."""
    assert read()["put"].fields == {"title", "copies", "tags"}


def test_the_description_is_the_first_paragraph() -> None:
    """An operation is described by the first paragraph of its handler's docstring."""
    assert read()["put"].description == "Put a title on the shelf."


@pytest.mark.parametrize(
    "section",
    ["Args:\n    kind: What.", "Returns: a list", ":param kind: what", "@param kind what", "Parameters\n----------\nkind : str", ""],
    ids=["google", "returns", "sphinx", "epydoc", "numpy", "none"],
)
def test_sections_of_a_docstring_are_no_description(section: str) -> None:
    """Whatever style it is in, and though no blank line stands before it."""

    async def found(ctx: RunContext, kind: Literal["book", "map"] | None = None) -> None: ...

    found.__doc__ = f"Look for it. Returns\n    what is there: all.\n{section}"
    assert read(look=found)["look"].description.split() == ["Look", "for", "it.", "Returns", "what", "is", "there:", "all."]


def test_without_docstring_there_is_no_description() -> None:
    """An undocumented handler leads to an empty description."""
    assert read()["look"].description == ""


def test_the_output_type_is_the_return_annotation() -> None:
    """An operation's output type is what its handler declares to return."""
    assert read()["look"].output_type == list[str]


# What a handler is passed


def test_fields_left_out_are_not_passed() -> None:
    """What the caller left out is left to the handler's own default."""
    assert read()["put"].arguments(shelf("put", title="Atlas")) == {"title": "Atlas"}


def test_a_null_counts_as_left_out() -> None:
    """An explicit null for an optional field is not passed."""
    assert read()["look"].arguments(shelf("look", kind=None)) == {}


def test_a_missing_required_field_is_refused() -> None:
    """A field that the operation needs and did not get is named with the operation."""
    assert "title: is required for operation 'put'" in str(refusal("put"))


def test_a_null_for_a_required_field_is_refused() -> None:
    """Null is no value for a field that the operation needs."""
    assert refusal("put", title=None).field == "title"


def test_a_field_of_another_operation_is_refused() -> None:
    """A field that the operation does not take is refused, and what it takes is listed."""
    assert "title: is not used by operation 'look', which takes kind" in str(refusal("look", title="Atlas"))


def test_an_operation_without_fields_says_so() -> None:
    """Where an operation takes nothing, the refusal says that it takes no fields."""

    async def bare(ctx: RunContext) -> None: ...

    with pytest.raises(InvalidInput, match="which takes no fields"):
        read(look=bare)["look"].arguments(shelf("look", title="Atlas"))


def test_a_foreign_field_at_its_default_is_left_out() -> None:
    """Callers that send every field with its default are not refused."""
    assert read()["look"].arguments(shelf("look", copies=1)) == {}


def test_a_foreign_field_at_its_made_default_is_left_out() -> None:
    """A default made by a factory is a default too."""
    assert read()["look"].arguments(shelf("look", tags=[])) == {}


def test_all_problems_are_told_at_once() -> None:
    """A missing and a foreign field are one refusal with two problems."""
    assert [problem.field for problem in refusal("put", kind="map").problems] == ["title", "kind"]


def test_the_refusal_of_a_field_carries_its_value() -> None:
    """A program finds the foreign value on the error."""
    assert refusal("look", title="Atlas").value == "Atlas"


GIVEN = st.fixed_dictionaries(
    {"title": st.text()},
    optional={"copies": st.integers(min_value=0), "tags": st.lists(st.text(), max_size=3)},
)


@given(GIVEN)
def test_exactly_the_given_fields_are_passed(fields: dict[str, Any]) -> None:
    """A handler is passed the fields that were given, all of them, with their values, and nothing else."""
    assert read()["put"].arguments(shelf("put", **fields)) == fields


# A parameter that takes a base of the input model


class PlantFields(BaseModel):
    name: str | None = None
    height: Annotated[int, Field(ge=0)] | None = 10
    pot: str | None = None


class PlantInput(PlantFields, BaseOperationInput):
    operation: Literal["plant", "water"]
    litres: int | None = None


async def plant(ctx: RunContext, fields: Annotated[PlantFields, Needs("name")], litres: int = 1) -> str:
    return f"{fields.name} {fields.height} {sorted(fields.model_fields_set)} {litres}"


async def water(ctx: RunContext, litres: int) -> None: ...


def garden(**handlers: Any) -> dict[str, Operation]:
    return read_operations(PlantInput, {"plant": plant, "water": water} | handlers)


def test_parameter_of_a_base_takes_the_fields_of_that_base() -> None:
    """A parameter annotated with a base of the input model stands for all fields of the base; `Needs` names the required ones."""
    operation = garden()["plant"]
    assert (operation.fields, operation.required) == ({"name", "height", "pot", "litres"}, {"name"})


async def test_handler_gets_an_instance_of_the_base_with_what_was_given() -> None:
    """The instance has the fields that were given; null is not given, and the others have their defaults."""
    data = PlantInput.model_validate({"operation": "plant", "name": "fern", "pot": None, "litres": 2})
    arguments = garden()["plant"].arguments(data)
    assert await plant(RunContext(None, Injector(), "garden"), **arguments) == "fern 10 ['name'] 2"


class MeasuredFields(BaseModel):
    width: int = 1
    seen: tuple[list[int], ...] = ([],)
    _area: int = PrivateAttr(0)
    _notes: list[int] = PrivateAttr(default_factory=list[int])

    def model_post_init(self, context: Any, /) -> None:
        self._area = self.width * self.width

    def note(self) -> tuple[int, list[int]]:
        self._notes.append(self.width)
        return self._area, self._notes


class SeenFields(BaseModel):
    height: int = 1
    seen: tuple[list[int], ...] = ([],)


class MeasuredInput(MeasuredFields, BaseOperationInput):
    operation: Literal["measure"]


class SeenInput(SeenFields, BaseOperationInput):
    operation: Literal["see"]


async def measure(ctx: RunContext, fields: MeasuredFields) -> tuple[int, list[int]]:
    return fields.note()


async def see(ctx: RunContext, fields: SeenFields) -> list[int]:
    fields.seen[0].append(fields.height)
    return fields.seen[0]


async def test_instance_of_a_base_computes_its_private_attributes_from_what_was_given() -> None:
    """`model_post_init` sees the fields of the call, and the private attributes of one call are not those of another."""
    operation = read_operations(MeasuredInput, {"measure": measure})["measure"]
    context = RunContext(None, Injector(), "garden")
    inputs = [MeasuredInput(operation="measure", width=width) for width in (3, 5)]
    assert [await measure(context, **operation.arguments(data)) for data in inputs] == [(9, [3]), (25, [5])]


async def test_list_in_a_default_of_a_base_belongs_to_one_call() -> None:
    """A tuple cannot change, and what it holds can: a list in a default is made anew for each call."""
    operation = read_operations(SeenInput, {"see": see})["see"]
    context = RunContext(None, Injector(), "garden")
    inputs = [SeenInput(operation="see", height=height) for height in (3, 5)]
    assert [await see(context, **operation.arguments(data)) for data in inputs] == [[3], [5]]


def test_required_field_of_a_base_is_required() -> None:
    """A field named by `Needs` must be given; null is not given."""
    with pytest.raises(InvalidInput, match="name: is required for operation 'plant'"):
        garden()["plant"].arguments(PlantInput.model_validate({"operation": "plant", "name": None}))


def test_field_of_a_base_is_foreign_to_other_operations() -> None:
    """An operation that does not take the base refuses its fields."""
    with pytest.raises(InvalidInput, match="pot: is not used by operation 'water'"):
        garden()["water"].arguments(PlantInput.model_validate({"operation": "water", "litres": 1, "pot": "clay"}))


def test_needed_field_that_the_base_lacks_is_refused() -> None:
    """`Needs` can name fields of its base only; the nearest one is told."""

    async def misspelt(ctx: RunContext, fields: Annotated[PlantFields, Needs("nme")]) -> None: ...

    with pytest.raises(ConfigurationError, match="Did you mean 'name'"):
        garden(plant=misspelt)


def test_field_by_two_parameters_is_refused() -> None:
    """A field goes to one parameter: either its own, or the base's."""

    async def twice(ctx: RunContext, fields: PlantFields, pot: str = "clay") -> None: ...

    with pytest.raises(ConfigurationError, match="takes 'pot' by two parameters"):
        garden(plant=twice)


def test_model_that_is_no_base_is_an_ordinary_annotation() -> None:
    """A model from elsewhere does not stand for fields: its parameter must be a field, as any other."""

    class Stranger(BaseModel):
        name: str

    async def strange(ctx: RunContext, stranger: Stranger) -> None: ...

    strange.__globals__["Stranger"] = Stranger
    try:
        with pytest.raises(ConfigurationError, match="'stranger'"):
            garden(plant=strange)
    finally:
        del strange.__globals__["Stranger"]


def test_own_class_of_refusal_is_raised() -> None:
    """An AgenTool may name the class that all refusals of its input have."""

    class Wilted(InvalidInput): ...

    agentool = create_agentool("garden", PlantInput, {"plant": plant, "water": water}, refusal=Wilted, injector=Injector())
    for wrong in ({"operation": "dig"}, {"operation": "plant"}, {"operation": "water", "litres": "many"}):
        with pytest.raises(Wilted):
            agentool.check(wrong)


# What fits

Uid = NewType("Uid", str)


class FitInput(BaseOperationInput):
    operation: Literal["go"]
    numbers: list[int] | None = None
    uid: Uid | None = None
    table: dict[str, list[int]] | None = None


async def any_list(ctx: RunContext[None], numbers: list[Any]) -> str:
    return str(numbers)


async def plain_text(ctx: RunContext[None], uid: str) -> str:
    return uid


async def new_type(ctx: RunContext[None], uid: Annotated[Uid, "documented"]) -> str:
    return uid


async def any_table(ctx: RunContext[None], table: dict[str, list[Any]]) -> str:
    return str(table)


class Fields(typing.TypedDict, total=False):
    uid: Uid


async def standard_unpack(ctx: RunContext[None], **fields: typing.Unpack[Fields]) -> str:
    return fields.get("uid", "")


@pytest.mark.parametrize("handler", [any_list, plain_text, new_type, any_table, standard_unpack])
def test_what_takes_all_values_of_a_field_fits(handler: Any) -> None:
    """`list[Any]` takes a list of numbers, a NewType is what it is made of, and the standard library's Unpack is one."""
    create_agentool("fit", FitInput, {"go": handler}, injector=Injector())


async def text_list(ctx: RunContext[None], numbers: list[str]) -> str:
    return str(numbers)


def test_what_takes_other_values_does_not_fit() -> None:
    """Numbers are no texts, also in a list."""
    with pytest.raises(ConfigurationError, match="numbers"):
        create_agentool("fit", FitInput, {"go": text_list}, injector=Injector())


class OpenInput(BaseOperationInput):
    model_config = ConfigDict(extra="allow")
    operation: Literal["go"]


async def go(ctx: RunContext[None]) -> str:
    return "went"


async def test_a_field_that_only_the_model_allows_is_refused_by_name() -> None:
    """A model with extra="allow" does not make a handler take it."""
    injector = Injector()
    create_agentool("open", OpenInput, {"go": go}, injector=injector)
    with pytest.raises(InvalidInput, match="other: is not used by operation 'go'"):
        await injector.run("open", {"operation": "go", "other": 1})


async def test_a_model_without_an_operation_is_refused() -> None:
    """One that was made without validation may have none."""
    injector = Injector()
    create_agentool("open", OpenInput, {"go": go}, injector=injector)
    with pytest.raises(InvalidInput, match="has no operation None"):
        await injector.run("open", OpenInput.model_construct())


async def _greet(ctx: RunContext, name: str, times: int = 1, *, greeting: str = "hello") -> str:
    """Greet somebody."""
    return f"{greeting} {name} {times}"


class _GreetInput(BaseOperationInput):
    operation: Literal["greet"]
    name: str | None = None
    times: int | None = None


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        (partial(_greet, greeting="ciao"), "ciao Ada 1"),
        (partial(_greet, times=3, greeting="hi"), "hi Ada 3"),
        (partial(partial(_greet, greeting="ciao"), times=3), "ciao Ada 3"),
    ],
)
async def test_what_a_partial_has_fixed_is_no_field(handler: Any, expected: str):
    """A partial's keywords are the application's; the other parameters are the fields, and the description is the function's."""
    injector = Injector()
    agentool = create_agentool("greeter", _GreetInput, {"greet": handler}, injector=injector)
    assert (await injector.run("greeter", {"operation": "greet", "name": "Ada"}), agentool.operations["greet"].description) == (
        expected,
        "Greet somebody.",
    )


def test_a_field_that_a_partial_has_fixed_is_refused():
    """Nobody overrides it by giving the field."""
    agentool = create_agentool("greeter", _GreetInput, {"greet": partial(_greet, times=3, greeting="a")}, injector=Injector())
    with pytest.raises(InvalidInput, match="times: is not used by operation 'greet', which takes name"):
        agentool.check({"operation": "greet", "name": "Ada", "times": 5})
