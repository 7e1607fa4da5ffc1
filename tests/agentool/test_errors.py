"""Errors say what was wrong, where, and the way out; and they are the builtins they claim to be."""

from __future__ import annotations

import difflib
import pickle
from enum import StrEnum
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_core import PydanticCustomError

from agentool import (
    AgenToolError,
    BaseOperationInput,
    ConfigurationError,
    Injector,
    InvalidInput,
    InvalidOutput,
    MissingExtra,
    RunContext,
    UnknownAgenTool,
    create_agentool,
)
from agentool.errors import MOST_NAMED, FieldProblem, did_you_mean, excerpt, sentence


class Colours(BaseModel):
    model_config = ConfigDict(extra="forbid")
    ink: str = "black"


class PrintInput(BaseOperationInput):
    operation: Literal["print"]
    pages: int | None = Field(None, ge=1)
    colours: Colours | None = None

    @field_validator("pages")
    @classmethod
    def _is_not_13(cls, pages: int | None) -> int | None:
        if pages == 13:
            raise PydanticCustomError("unlucky", "")
        return pages


def refusal(**data: object) -> InvalidInput:
    with pytest.raises(ValidationError) as caught:
        PrintInput.model_validate({"operation": "print", **data})
    return InvalidInput.from_validation("printer", caught.value, PrintInput.model_fields)


def test_a_misspelt_choice_is_answered_with_the_nearest() -> None:
    """Where only some words are allowed, a near miss is told which one was probably meant; nothing else is."""
    assert "got 'prnit'. Did you mean 'print'?" in str(refusal(operation="prnit"))
    assert "Did you mean" not in str(refusal(operation="fly"))


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        (UnknownAgenTool, LookupError),
        (InvalidInput, ValueError),
        (InvalidOutput, TypeError),
        (MissingExtra, ImportError),
        (MissingExtra, ConfigurationError),
        (ConfigurationError, AgenToolError),
    ],
)
def test_each_error_is_the_builtin_drawn_in_the_tree(error: type[AgenToolError], builtin: type[Exception]) -> None:
    """Code that catches the builtin of the same meaning catches ours."""
    assert isinstance(error("It went wrong."), (builtin, AgenToolError))
    assert issubclass(error, builtin)


@pytest.mark.parametrize("kind", [AgenToolError, ConfigurationError, MissingExtra, UnknownAgenTool, InvalidInput, InvalidOutput])
def test_an_error_survives_pickling(kind: type[AgenToolError]) -> None:
    """An error that crosses a process keeps its message and data."""
    copy = pickle.loads(pickle.dumps(kind("It is missing.", field="name", value=7, remedy="Give it.")))
    assert (type(copy), str(copy), copy.field, copy.value) == (kind, "name: It is missing. Give it.", "name", 7)


def test_a_message_is_field_problem_and_remedy() -> None:
    """The message names the field, then the problem, then the way out."""
    assert str(AgenToolError("It is too long.", field="title", remedy="Shorten it.")) == "title: It is too long. Shorten it."


def test_a_message_without_field_and_remedy_is_the_problem() -> None:
    """What is not known is left out of the message."""
    assert str(AgenToolError("It is too long.")) == "It is too long."


def test_a_refusal_names_the_agentool() -> None:
    """A refusal of input says whose input it was."""
    assert "AgenTool 'printer'" in str(refusal(pages="x"))


def test_a_refusal_lists_every_problem() -> None:
    """Two wrong fields are two problems of one refusal."""
    assert [problem.field for problem in refusal(pages="x", ink=1).problems] == ["pages", "ink"]


def test_a_refusal_carries_its_first_field() -> None:
    """A program reads the field concerned from the error, not from its text."""
    assert refusal(pages="x").field == "pages"


def test_a_refusal_carries_its_first_value() -> None:
    """A program reads the offending value from the error."""
    assert refusal(pages="x").value == "x"


def test_a_refusal_names_a_field_once() -> None:
    """The field is named by its problem and not again in front of the message."""
    assert str(refusal(pages="x")).count("pages") == 1


def test_a_wrong_value_is_shown() -> None:
    """The message shows the value that was refused."""
    assert "got 'many'" in str(refusal(pages="many"))


def test_a_missing_field_is_called_required() -> None:
    """A field that the model requires and nobody gave is called required and missing."""
    with pytest.raises(ValidationError) as caught:
        PrintInput.model_validate({})
    error = InvalidInput.from_validation("printer", caught.value)
    assert error.problems == (FieldProblem("operation", None, "is required and missing"),)


def test_a_misspelt_field_gets_the_nearest_name() -> None:
    """A field nobody declared is answered with the nearest one that exists."""
    assert "page: is not a field. Did you mean 'pages'?" in str(refusal(page=1))


def test_a_question_ends_without_a_full_stop() -> None:
    """A message never ends in a question mark and a full stop."""
    assert str(refusal(page=1)).endswith("'pages'?")


def test_a_nested_field_is_dotted() -> None:
    """A wrong field inside a field is named with its way there."""
    assert refusal(colours={"ink": 1}).problems[0].field == "colours.ink"


def test_a_misspelt_nested_field_is_not_compared_with_outer_fields() -> None:
    """The fields of the outer model are no advice for a field of an inner one."""
    assert refusal(colours={"page": "red"}).problems[0].problem == "is not a field."


def test_a_finding_without_words_is_reported() -> None:
    """A validator that raises an empty message still leads to a refusal that names the field."""
    assert refusal(pages=13).problems[0].field == "pages"


def test_input_that_is_no_object_is_called_input() -> None:
    """Where the whole input is wrong, the field is called 'input'."""
    with pytest.raises(ValidationError) as caught:
        PrintInput.model_validate([])
    assert InvalidInput.from_validation("printer", caught.value).problems[0].field == "input"


def test_problems_make_one_sentence() -> None:
    """Problems are joined by semicolons and end with one full stop."""
    assert sentence([FieldProblem("a", 1, "is odd."), FieldProblem("b", 2, "is even")]) == "a: is odd; b: is even."


def test_a_near_miss_is_named() -> None:
    """A name with a typing error is answered with the name that was meant."""
    assert did_you_mean("schedular", ["queue", "scheduler"]) == "Did you mean 'scheduler'?"


def test_without_a_near_miss_all_are_named() -> None:
    """Where nothing is near, everything known is listed in order."""
    assert did_you_mean("zzz", ["scheduler", "queue"]) == "Known: queue, scheduler."


class Colour(StrEnum):
    """Names to choose from, as an enumeration has them."""

    GREEN = "green"
    GREY = "grey"


@pytest.mark.parametrize(("word", "said"), [("gren", "Did you mean 'green'?"), ("zzz", "Known: green, grey.")])
def test_a_member_of_an_enumeration_is_called_by_its_value(word: str, said: str) -> None:
    """And not by its class, which nobody can type."""
    assert did_you_mean(word, Colour) == said


def test_very_many_names_are_not_all_listed() -> None:
    """Where nothing is near and very much is known, the first are listed, and how many more there are."""
    said = did_you_mean("zzz", [f"{number:05}" for number in range(2_000)])
    assert said == f"Known: {', '.join(f'{number:05}' for number in range(30))} and 1,970 more."


@pytest.mark.parametrize("count", [2, 31])
def test_how_many_more_is_not_told_where_not_all_are_known(count: int) -> None:
    """Of names that are a part of all there are, nobody can tell how many were left out."""
    names = [f"{number:02}" for number in range(count)]
    assert did_you_mean("zzz", names, is_whole=False) == f"Known: {', '.join(names[:30])} and more."


@pytest.mark.parametrize("length", [20, 200])
def test_among_very_many_names_those_beside_the_word_are_compared(length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many names there are, and however long: comparing thousands of them held up the event loop for a second."""
    names, compared, compare = [f"{number:05}".ljust(length, "x") for number in range(5_000)], list[str](), difflib.get_close_matches

    def counted(word: str, possibilities: list[str], n: int) -> list[str]:
        compared.extend(possibilities)
        return compare(word, possibilities, n)

    monkeypatch.setattr(difflib, "get_close_matches", counted)
    assert did_you_mean("02500".ljust(length - 1, "x"), names) == f"Did you mean {names[2500]!r}?"
    assert sum(map(len, compared)) <= 20_000


@pytest.mark.parametrize("word", ["", "0", "99999", "~"])
def test_beside_the_first_and_the_last_of_very_many_names_are_others(word: str) -> None:
    """A word before all names, or after them, is compared with those at that end."""
    assert did_you_mean(word, [f"{number:09}" for number in range(5_000)]).startswith("Known: 000000000, ")


def test_nothing_known_is_nothing_said() -> None:
    """Where nothing is known, no remedy is made up."""
    assert did_you_mean("zzz", []) == ""


def test_a_short_value_is_shown_whole() -> None:
    """A value with a short repr is shown by its repr."""
    assert excerpt({"a": 1}) == "{'a': 1}"


def test_a_cut_value_tells_its_length() -> None:
    """A cut excerpt says how long the whole was."""
    assert excerpt("x" * 1_000).endswith("… (1,000 characters)")


@given(st.text(max_size=2000) | st.lists(st.integers(), max_size=500) | st.binary(max_size=500))
def test_an_excerpt_is_short(value: object) -> None:
    """However long a value is, its excerpt is a readable line."""
    assert len(excerpt(value)) <= 120 + len("… (10000 characters)")


@given(st.text(), st.lists(st.text(min_size=1), max_size=MOST_NAMED))
def test_a_remedy_names_only_what_is_known(word: str, known: list[str]) -> None:
    """A suggestion is one of the names that exist, or all of them if they are not many, or nothing."""
    said = did_you_mean(word, known)
    everything = f"Known: {', '.join(sorted(known))}." if known else ""
    assert said in {everything, *(f"Did you mean {name!r}?" for name in known)}


class Unshowable:
    def __repr__(self) -> str:
        raise ZeroDivisionError


def nested(depth: int) -> list[Any]:
    held: list[Any] = []
    for _ in range(depth):
        held = [held]
    return held


@pytest.mark.parametrize("value", [Unshowable(), 10**5_000, nested(100_000)], ids=["odd", "huge", "deep"])
async def test_a_value_that_cannot_be_shown_is_refused_all_the_same(injector: Injector, value: object) -> None:
    """Showing it raised an error of its own, which took the place of the refusal."""

    async def print_(ctx: RunContext, pages: int | None = None, colours: Colours | None = None) -> None: ...

    create_agentool("printer", PrintInput, {"print": print_})
    with pytest.raises(InvalidInput, match=r"colours: input should .* which cannot be shown: \w+Error\)") as refused:
        await injector.run("printer", {"operation": "print", "colours": value})
    assert refused.value.value is value
