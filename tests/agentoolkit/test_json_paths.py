"""Paths into JSON values."""

from __future__ import annotations

import pytest

from agentoolkit.json_values import NothingThere, value_at


@pytest.mark.parametrize("place", ["4", "9" * 5_000, "-1", "1.0", ""], ids=["beyond", "digits", "negative", "fraction", "empty"])
def test_a_place_that_a_list_does_not_have_is_told(place: str) -> None:
    """However it is written: Python reads no number of 4,301 digits, and its error would name nothing."""
    with pytest.raises(NothingThere, match="It is a list of 4, numbered from 0") as refused:
        value_at({"a": [1, 2, 3, 4]}, ["a", place])
    assert refused.value.value == place


def test_a_place_is_counted_from_zero() -> None:
    """Keys and places lead to the value."""
    assert value_at({"a": [{"b": 1}, {"b": 2}]}, ["a", "1", "b"]) == 2
