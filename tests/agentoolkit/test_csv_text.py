"""CSV in which no cell runs anything, wherever it is opened."""

from __future__ import annotations

import csv
import io

import pytest

from agentoolkit.csv_text import csv_text

FORMULAS = ("=1+1", "+1+1", "-1+1", "@SUM(A1)")


@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize("form", ["{}", "a;{}", "a; {}", 'say ";{}"', ";{}", "a;;{}"])
@pytest.mark.parametrize("separator", [",", ";"])
def test_no_cell_begins_as_a_formula(formula: str, form: str, separator: str) -> None:
    """Neither where a comma separates cells nor where a semicolon does, as in much of Europe."""
    text = csv_text([{"id": 1, "text": form.format(formula), "data": {"of": form.format(formula)}}], ["id", "text", "data"])
    cells = [cell.strip(' "') for row in csv.reader(io.StringIO(text), delimiter=separator) for cell in row]
    assert [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))] == []


@pytest.mark.parametrize("text", ["a;b", "5;6", "x = 1; y = 2", "mail@example.org", "", "a - b"])
def test_other_text_is_as_it_was(text: str) -> None:
    """Read back it is the same."""
    assert list(csv.DictReader(io.StringIO(csv_text([{"text": text}], ["text"])))) == [{"text": text}]
