"""Which parameters take the values of a field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, NewType, Protocol

import pytest
from pydantic import Field
from typing_extensions import TypeAliasType, TypedDict

from agentool.annotations import classes, fits


class Sized(Protocol):
    def __len__(self) -> int: ...


class Size(TypedDict):
    width: int


UserId = NewType("UserId", str)
Names = TypeAliasType("Names", list[str])
Positive = Annotated[int, Field(gt=0)]


@pytest.mark.parametrize(
    ("field", "parameter"),
    [
        (str, str),
        (str | None, str),
        (str | None, str | None),
        (str, str | int),
        (bool, int),
        (int, float),
        (list[str], Sequence[str]),
        (dict[str, Any], Mapping[str, Any]),
        (dict[str, Any], dict),
        (list[str], Sized),
        (Names, list[str]),
        (Names | None, Names),
        (list[str], Sequence[str] | Names),
        (Literal["a", "b"], Literal["b", "a", "c"]),
        (Literal["a", "b"], str),
        (Literal["a", 1], str | int),
        (Positive, int),
        (int, Positive),
        (UserId, UserId),
        (Size, Size),
        (Size, dict),
        (Any, int),
        (int, Any),
        (list[int] | None, object),
    ],
    ids=str,
)
def test_a_parameter_that_takes_every_value_fits(field: Any, parameter: Any) -> None:
    """Where every value of the field other than null can be passed, the parameter fits."""
    assert fits(field, parameter)


@pytest.mark.parametrize(
    ("field", "parameter"),
    [
        (str, int),
        (str | int, str),
        (float, int),
        (str, None),
        (list[str], list[int]),
        (list, list[str]),
        (Sequence[str], list[str]),
        (Literal["a", "b"], Literal["a"]),
        (Literal["a", 1], str),
        (str, Literal["a"]),
        (int, Literal[1]),
        (UserId, int),
        (Size, int),
    ],
    ids=str,
)
def test_a_parameter_that_does_not_take_some_value_does_not_fit(field: Any, parameter: Any) -> None:
    """Where some value of the field cannot be passed, the parameter does not fit."""
    assert not fits(field, parameter)


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (int, {int}),
        (None, {type(None)}),
        (int | None, {int, type(None)}),
        (dict[str, int], {dict}),
        (Positive, {int}),
        (float, {float, int}),
        (Literal["a", "b", 1], {str, int}),
        (Size, {dict}),
        (Any, {object}),
        (Sized, {object}),
        (UserId, {object}),
    ],
    ids=str,
)
def test_an_annotation_tells_the_classes_of_its_values(annotation: Any, expected: set[type]) -> None:
    """Every value of the annotation is an instance of one of the classes; where that cannot be told, of object."""
    assert set(classes(annotation)) == expected
