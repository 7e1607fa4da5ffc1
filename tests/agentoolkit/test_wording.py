"""Texts of others are shown in one line, and as what they are: text."""

from __future__ import annotations

import json

import pytest

from agentoolkit.text import in_one_line, printable_json

ORDERS = "\x1b[2J\x07\x0b\x7f\x85\x9b31m\u2028\u202e\ud800\U000e0001\n"


def test_what_prints_is_shown_as_it_is():
    """Letters, signs and spaces of all kinds stay."""
    assert in_one_line("Grüße, 世界 \\n\u3000'\"\u00a0€ 🎉") == "Grüße, 世界 \\n\u3000'\"\u00a0€ 🎉"


def test_what_does_not_print_is_an_escape():
    """Line breaks, orders to a terminal, and what changes the direction of writing."""
    shown = in_one_line(ORDERS)
    assert shown == "\\x1b[2J\\x07\\x0b\\x7f\\x85\\x9b31m\\u2028\\u202e\\ud800\\U000e0001\\n"


def test_what_is_to_be_kept_is_kept():
    """A text of several lines may keep them."""
    assert in_one_line("a\tb\nc\x1b", keep="\n\t") == "a\tb\nc\\x1b"


@pytest.mark.parametrize("indent", [None, 2])
def test_json_prints_and_means_the_same(indent: int | None):
    """Escapes in JSON are read back as what they stand for; letters stay letters."""
    told = printable_json({ORDERS: ["é", ORDERS]}, indent)
    assert (json.loads(told), told.replace("\n", "").isprintable(), "é" in told) == ({ORDERS: ["é", ORDERS]}, True, True)
