"""YAML of task files and configuration: one sentence for what is wrong, wherever it is."""

from __future__ import annotations

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
