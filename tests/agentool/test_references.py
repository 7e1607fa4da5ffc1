"""A reference in input stands for a value that another AgenTool holds."""

from __future__ import annotations

import asyncio
import json
import pickle
import traceback
from copy import deepcopy
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from agentool import BaseOperationInput, Injector, InvalidInput, RunContext, UnknownAgenTool, create_agentool
from agentool.errors import excerpt
from agentool.references import MAX_DEPTH, MAX_FILLED, PREFIX, Resolved, SizeBudget, check_references, has_references, resolve_references


class ShelfInput(BaseOperationInput):
    operation: Literal["get"]
    key: str | None = None


class TakerInput(BaseOperationInput):
    operation: Literal["take", "pass_on"]
    number: int = 0
    when: date | None = None
    kind: Literal["a", "b"] | None = None
    data: dict[str, Any] | None = None


async def taker_take(ctx: RunContext[None], number: int = 0, data: dict[str, Any] | None = None) -> None:
    raise InvalidInput(f"{excerpt(data)} is not liked.", field="data", value=data)


async def taker_pass_on(ctx: RunContext[None], data: dict[str, Any]) -> None:
    await ctx.injector.run("taker", data)


class Held(BaseModel):
    value: Any


class Answered(BaseModel):
    operation: str
    data: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Slotted:
    value: Any


ANSWERS: dict[str, Any] = {
    "dict": {"value": 7},
    "model": Held(value=7),
    "data": Answered(operation="get", data={"value": 7}),
    "slots": Slotted(7),
    "null": {"value": None},
    "list": Held(value=[1, 2]),
    "nested": Held(value="!ref:shelf:dict"),
    "empty": {},
    "text": "value",
    "none": None,
    "without": Answered(operation="get", data=None),
    "other": Answered(operation="get", data={"size": 7}),
    "long": {"value": "x" * (MAX_FILLED // 10)},
    "secret": {"value": "S3CRET"},
    "secrets": {"value": {"number": "S3CRET"}},
    "number": {"value": 7},
    "wide": {"value": [[]] * (MAX_FILLED // 100)},
}


async def shelf_get(ctx: RunContext[dict[str, Any]], key: str) -> Any:
    return ctx.deps[key]


def shelved() -> Injector:
    injector = Injector()
    create_agentool("shelf", ShelfInput, {"get": shelf_get}, deps=ANSWERS, injector=injector)
    return injector


async def refusal(data: dict[str, Any]) -> InvalidInput:
    """Return what an AgenTool says that is called with input whose references are resolved."""
    injector = shelved()
    create_agentool("taker", TakerInput, {"take": taker_take, "pass_on": taker_pass_on}, injector=injector)
    with pytest.raises(InvalidInput) as caught:
        await injector.run("taker", await resolve_references(data, injector))
    return caught.value


async def resolved(data: Any) -> Any:
    return await resolve_references(data, shelved())


@pytest.mark.parametrize("key", ["dict", "model", "data", "slots"])
async def test_the_value_is_found_in_every_kind_of_answer(key: str) -> None:
    """A dict, a model, a model's `data` and a dataclass with slots can each hold the value."""
    assert await resolved(f"!ref:shelf:{key}") == 7


async def test_null_is_a_value() -> None:
    """A reference to null becomes null."""
    assert await resolved("!ref:shelf:null") is None


async def test_references_are_resolved_at_any_depth() -> None:
    """References inside dicts and lists are replaced where they stand."""
    assert await resolved({"a": ["!ref:shelf:dict", {"b": "!ref:shelf:list"}], "c": 1}) == {"a": [7, {"b": [1, 2]}], "c": 1}


async def test_what_a_reference_gives_is_no_reference() -> None:
    """A value that looks like a reference stays what it is, also where the data is resolved once more."""
    once = await resolved({"a": "!ref:shelf:nested"})
    assert (once, has_references(once)) == ({"a": "!ref:shelf:dict"}, False)
    assert await resolved(once) == once


async def test_references_inside_tuples_are_resolved() -> None:
    """A tuple is taken as the list that it is in JSON."""
    assert await resolved(("!ref:shelf:dict", 1)) == [7, 1]


async def test_references_inside_any_mapping_are_resolved() -> None:
    """A mapping that is no dict is taken as the object that it is in JSON."""
    assert await resolved(MappingProxyType({"a": "!ref:shelf:dict"})) == {"a": 7}


async def test_a_resolved_value_is_not_resolved_again() -> None:
    """What a reference leads to is data, even if it looks like a reference."""
    assert await resolved("!ref:shelf:nested") == "!ref:shelf:dict"


async def test_a_key_may_hold_colons() -> None:
    """Only the first colon separates, so a key may have colons of its own."""
    injector = Injector()
    create_agentool("shelf", ShelfInput, {"get": shelf_get}, deps={"a:b": {"value": 1}}, injector=injector)
    assert await resolve_references("!ref:shelf:a:b", injector) == 1


@pytest.mark.parametrize("key", ["long", "wide"])
async def test_what_references_give_is_bounded_in_total(key: str) -> None:
    """A large value that is referred to over and over is refused, as soon as it is too much, whether it is one text or many parts."""
    with pytest.raises(InvalidInput, match=r"more than 10,000,000 characters.*at most") as caught:
        await resolved({"all": [f"!ref:shelf:{key}"] * 1_000_000})
    assert caught.value.remedy


async def test_a_large_value_may_be_referred_to() -> None:
    """What stays within the bound is filled in, several times too."""
    assert len(await resolved(["!ref:shelf:long"] * 9)) == 9


def test_data_of_ones_own_takes_nothing_of_the_budget() -> None:
    """What was there before is not counted, only what comes in its place."""
    given = ["x" * MAX_FILLED]
    assert asyncio.run(resolved([given, "!ref:shelf:dict"])) == [given, 7]


@pytest.mark.parametrize(
    ("value", "size"), [("", 8), ("abc", 11), (b"abc", 11), (7, 8), (None, 8), ([], 32), (["a", "b"], 50), ({"ab": "c"}, 43), (("a",), 41)]
)
def test_a_value_is_counted_with_all_that_it_holds(value: object, size: int) -> None:
    """Each text counts its characters, each list or object 32, and any other value eight."""
    SizeBudget(size).spend(value)
    with pytest.raises(InvalidInput):
        SizeBudget(size - 1).spend(value)


@pytest.mark.parametrize(
    "data",
    [
        {"operation": "take", "number": "!ref:shelf:secret"},
        {"operation": "take", "when": "!ref:shelf:secret"},
        {"operation": "take", "kind": "!ref:shelf:secret"},
        {"operation": "!ref:shelf:secret"},
        {"operation": "take", "other": "!ref:shelf:secret"},
        {"operation": "take", "data": {"a": "!ref:shelf:secret"}},
        {"operation": "pass_on", "data": {"operation": "take", "number": "!ref:shelf:secret"}},
        {"operation": "pass_on", "data": "!ref:shelf:secrets"},
    ],
)
async def test_no_error_shows_what_a_reference_gave(data: dict[str, Any]) -> None:
    """What came by reference may be a secret: neither the error nor its traceback has it, in calls within the call either."""
    error = await refusal(data)
    assert "S3CRET" not in "".join(traceback.format_exception(error)) + repr(error.value)


@pytest.mark.parametrize(
    "data", [{"operation": "take", "number": "S3CRET"}, {"operation": "pass_on", "kind": "S3CRET"}, {"S3CRET": "S3CRET"}]
)
async def test_no_problem_of_an_error_holds_what_a_reference_gave(data: dict[str, Any]) -> None:
    """Neither what the model refuses nor what the operation does."""
    injector = Injector()
    create_agentool("taker", TakerInput, {"take": taker_take, "pass_on": taker_pass_on}, injector=injector)
    with pytest.raises(InvalidInput) as refused:
        await injector.run("taker", Resolved(data))
    errors = (refused.value, *refused.value.also)
    assert not any(problem.value == "S3CRET" for error in errors for problem in getattr(error, "problems", ()))


async def test_an_error_without_the_value_names_the_field_and_the_reason() -> None:
    """What is wrong is still told, and why the value is not."""
    said = (
        "AgenTool 'taker' refused its input: number: is not accepted (int_parsing); its value is not shown, as the input held references."
    )
    assert str(await refusal({"operation": "take", "number": "!ref:shelf:secret"})) == said


async def test_input_without_references_is_shown_in_errors() -> None:
    """Where nothing came by reference, an error shows the value, before and after a call in which it was not shown."""
    for _ in range(2):
        assert "got 'plain'" in str(await refusal({"operation": "take", "number": "plain"}))
        await refusal({"operation": "take", "number": "!ref:shelf:secret"})


async def test_the_given_data_stays_as_it_is() -> None:
    """Resolving makes a copy; the references stay in the original."""
    data = {"a": ["!ref:shelf:dict"]}
    await resolved(data)
    assert data == {"a": ["!ref:shelf:dict"]}


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        ("Bearer !ref:shelf:secret", "Bearer S3CRET"),
        ("https://host/?token=!ref:shelf:secret&number=!ref:shelf:number", "https://host/?token=S3CRET&number=7"),
        ("!ref:shelf:secret:!ref:shelf:secret", "S3CRET:S3CRET"),
        ("It is !ref:shelf:null. They are !ref:shelf:secrets!", 'It is null. They are {"number": "S3CRET"}!'),
        ("see !ref:shelf:nested", "see !ref:shelf:dict"),
    ],
)
async def test_references_within_a_text_become_text(text: str, becomes: str) -> None:
    """Text as it is, other values as JSON, each once: what a value looks like counts for nothing."""
    once = await resolved({"a": text})
    assert (once, await resolved(once), has_references(once)) == ({"a": becomes}, {"a": becomes}, False)


async def test_a_filled_text_can_be_copied() -> None:
    """Handlers copy their input, and hand it to other processes."""
    text = await resolved("Bearer !ref:shelf:secret")
    assert (deepcopy(text), pickle.loads(pickle.dumps(text)), json.dumps(text)) == (text, text, '"Bearer S3CRET"')


async def test_what_is_put_into_a_text_is_bounded() -> None:
    """A large value that a text refers to over and over is refused before it is written out."""
    with pytest.raises(InvalidInput, match="more than 10,000,000 characters"):
        await resolved(" !ref:shelf:long" * 100_000)


async def test_a_text_takes_values_of_one_kind() -> None:
    """What a reference gave may look like that of a step, so such a text is left to the steps, and refused in a new job."""
    text = "!step:sum.result of !ref:shelf:number"
    assert type(await resolved(text)) is str
    assert await resolved(text) == text
    with pytest.raises(InvalidInput, match="not from both"):
        check_references({"deep": [text]})


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        ("write !ref: before a key", "write !ref: before a key"),
        ("see !ref:shelf", "see !ref:shelf"),
        ("a !ref:shelf:number !ref:d", "a 7 !ref:d"),
    ],
)
async def test_a_text_may_mention_the_notation(text: str, becomes: str) -> None:
    """Within a text only well-formed references are filled in; what else is there stays, and is refused in a new job."""
    assert await resolved({"a": text}) == {"a": becomes}
    with pytest.raises(InvalidInput, match="!ref:storage_kv:my_key") as caught:
        check_references({"a": text})
    assert caught.value.value == text


@pytest.mark.parametrize("wrong", ["!ref:", "!ref:shelf", "!ref:shelf:", "!ref::dict"])
async def test_a_wrongly_written_reference_is_refused(wrong: str) -> None:
    """A reference that names no AgenTool or no key is refused with the notation."""
    with pytest.raises(InvalidInput, match="!ref:storage_kv:my_key") as caught:
        await resolved(wrong)
    assert caught.value.value == wrong


@pytest.mark.parametrize("key", ["empty", "text", "none", "without", "other"])
async def test_an_answer_without_a_value_is_refused(key: str) -> None:
    """An AgenTool that answers without a value cannot be referred to."""
    with pytest.raises(InvalidInput, match="'shelf' answered 'get' without a value") as caught:
        await resolved(f"!ref:shelf:{key}")
    assert caught.value.value == f"!ref:shelf:{key}"


async def test_what_the_agentool_raises_comes_unchanged() -> None:
    """A missing key is reported by the AgenTool that was asked, in its own words."""
    with pytest.raises(KeyError, match="nowhere"):
        await resolved("!ref:shelf:nowhere")


async def test_a_reference_to_an_unknown_agentool_is_refused() -> None:
    """A reference to what is not registered names what was meant."""
    with pytest.raises(UnknownAgenTool, match="Did you mean 'shelf'"):
        await resolved("!ref:shelv:dict")


@pytest.mark.parametrize("data", ["!ref:a:b", ["x", "!ref:a:b"], {"k": {"l": ("!ref:a:b",)}}, MappingProxyType({"k": "!ref:a:b"})])
def test_a_reference_is_seen_at_any_depth(data: object) -> None:
    """Data with a reference anywhere is data with references."""
    assert has_references(data)


def test_a_key_is_no_reference() -> None:
    """Only values are references, never the names of fields."""
    assert not has_references({"!ref:a:b": 1})


def without_references(text: str) -> bool:
    return PREFIX not in text


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text().filter(without_references),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(PLAIN)
def test_data_without_references_stays_the_same(data: Any) -> None:
    """Resolving data without references changes nothing."""
    assert asyncio.run(resolve_references(data, Injector())) == data


@given(PLAIN)
def test_plain_data_has_no_references(data: Any) -> None:
    """No reference is seen where there is none."""
    assert not has_references(data)


@given(PLAIN, st.sampled_from([lambda inner: [inner], lambda inner: {"k": inner}, lambda inner: [1, {"k": [inner]}]]))
def test_a_reference_beside_any_data_is_resolved(data: Any, wrap: Any) -> None:
    """Whatever stands beside a reference, the reference is replaced and the rest stays."""
    assert asyncio.run(resolved([data, wrap("!ref:shelf:dict")])) == [data, wrap(7)]


JOB = {"schedule": "1 day", "agentool_name": "http", "input_data": {"token": "!ref:storage_kv:token"}}


@pytest.mark.parametrize(
    "data",
    [
        {"operation": "schedule", **JOB},
        {"steps": [{"agentool_name": "scheduler", "input_data": {"operation": "schedule", **JOB}}]},
        {"operation": "schedule", **JOB, "gate": {"agentool_name": "http", "input_data": {"token": ["!ref:storage_kv:token"]}}},
        {"operation": "update", "job_id": "a", "input_data": {"token": "!ref:storage_kv:token"}},
    ],
)
async def test_references_of_a_job_that_is_scheduled_are_its_own(data: dict[str, Any]) -> None:
    """A job that is written in the data looks its references up itself, when it runs."""
    assert await resolve_references(data, Injector()) == data


def itself() -> dict[str, Any]:
    """Return an object that is its own part."""
    whole: dict[str, Any] = {"name": "circle"}
    whole["part"] = [whole]
    return whole


def nested(levels: int, inmost: Any) -> Any:
    """Return a value within as many lists."""
    held = inmost
    for _ in range(levels):
        held = [held]
    return held


@pytest.mark.parametrize("data", [itself(), nested(MAX_DEPTH + 1, 1), nested(100_000, 1)], ids=["circle", "a level too deep", "very deep"])
async def test_input_that_has_no_end_is_refused(data: Any) -> None:
    """Python's own error for it would name nothing."""
    with pytest.raises(InvalidInput, match="nested more than 100 deep, or holds itself"):
        await resolve_references(data, Injector())


@pytest.mark.parametrize("data", [itself(), nested(100_000, 1)], ids=["circle", "very deep"])
async def test_a_value_that_has_no_end_is_refused(data: Any) -> None:
    """Whether it is nested too deeply or is too large, as what holds itself is."""
    injector = Injector()
    create_agentool("shelf", ShelfInput, {"get": shelf_get}, deps={"endless": {"value": data}}, injector=injector)
    with pytest.raises(InvalidInput, match=r"or holds itself|more than 10,000,000 characters"):
        await resolve_references(["!ref:shelf:endless"], injector)


async def test_a_reference_is_replaced_as_deep_as_input_goes() -> None:
    """The deepest text is filled in, with a value that is as deep itself."""
    injector = Injector()
    create_agentool("shelf", ShelfInput, {"get": shelf_get}, deps={"a:b": {"value": nested(MAX_DEPTH, 1)}}, injector=injector)
    filled = await resolve_references(nested(MAX_DEPTH, "!ref:shelf:a:b"), injector)
    assert str(filled) == str(nested(2 * MAX_DEPTH, 1))
