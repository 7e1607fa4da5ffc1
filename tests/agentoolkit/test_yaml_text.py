"""YAML of task files and configuration: one sentence for what is wrong, wherever it is."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from agentoolkit import yaml_text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a:\n  - {b: 1, c: 2, b: 3}", "duplicate key 'b'"),
        ("a: &x {b: 1, b: 2}\nc: *x", "duplicate key 'b'"),
        ("{k: !!map [a]}", "a sequence cannot be read as map"),
        ("!!map a", "a scalar cannot be read as map"),
        ("{k: !!set [a]}", "a sequence cannot be read as set"),
    ],
)
def test_what_is_wrong_is_one_sentence(text: str, said: str) -> None:
    """A key given twice, and a tag that does not fit, at any depth, with the line."""
    node = yaml_text.compose(text)
    assert node is not None
    with pytest.raises(yaml.YAMLError) as refused:
        yaml_text.construct(node)
    assert yaml_text.one_line(refused.value).startswith(f'"{said}" in line' if "'" in said else f"'{said}' in line")


def read(text: str) -> Any:
    node = yaml_text.compose(text)
    assert node is not None
    return yaml_text.construct(node)


TEXTS = [
    "1e3",
    "-1E-5",
    "0x1F",
    "012",
    "1_000",
    "12:30",
    "on",
    "No",
    "~",
    "null",
    "=",
    "<<",
    "2026-01-01",
    ".5",
    ".inf",
    "0o14",
    "true",
    "",
]
BREAKS = [
    "a\x85b",
    "\x85",
    "a\u2028 b",
    "\u2029",
    "\x85\x85",
    "a\n\x85",
    "\ufeff",
    "\t",
    " a ",
    "a\r\nb",
    "é → 😀",
    "- a",
    "a: b",
    "!ref:x",
    "*a",
]


@pytest.mark.parametrize("ascii_only", [False, True])
@pytest.mark.parametrize("text", [*TEXTS, *BREAKS])
def test_a_text_that_was_written_is_read_as_this_text(text: str, ascii_only: bool) -> None:
    """No text becomes a number, a truth value or nothing, and none loses a line break of another alphabet; as a value and as a key."""
    assert read(yaml_text.dump({"a": [text, {text: text}]}, ascii_only=ascii_only)) == {"a": [text, {text: text}]}


@pytest.mark.parametrize("value", [1, -7, 1000.0, 1e20, 2.5e-9, True, False, None, [], {}, 10**30])
def test_a_value_that_was_written_is_read_as_this_value(value: object) -> None:
    """Numbers, truth values and nothing stay what they are, and keep their type."""
    found = read(yaml_text.dump({"a": value}))["a"]
    assert (found, type(found)) == (value, type(value))


def test_a_written_text_means_the_same_to_readers_of_yaml_1_1() -> None:
    """Others read our files too."""
    assert yaml.safe_load(yaml_text.dump(TEXTS)) == TEXTS
