"""Rows as CSV that a spreadsheet opens without running what somebody wrote into them."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence

from agentoolkit.text import printable_json

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a text begins that a spreadsheet takes for a formula. Source: OWASP, "CSV Injection"."""

_FORMULA_WITHIN = re.compile(r"(;[ \"]*)(?=[=+@-])")
"""Where a spreadsheet of a country that writes decimals with a comma begins another cell: it takes a semicolon for the separator."""


def csv_text(rows: Iterable[Mapping[str, object]], columns: Sequence[str]) -> str:
    """Write rows below a line of their columns, as `csv_lines` does."""
    return csv_lines([{name: name for name in columns}, *rows], columns)


def csv_lines(rows: Iterable[Mapping[str, object]], columns: Sequence[str]) -> str:
    """Write rows alone: nothing as an empty cell, what is no text as JSON, formulas behind an apostrophe."""
    text = io.StringIO()
    # Lines end as RFC 4180 has it. Python quotes a carriage return only then: unquoted, what follows it begins a row, and may be a formula.
    csv.writer(text).writerows([_cell(row.get(name)) for name in columns] for row in rows)
    return text.getvalue()


def _cell(value: object) -> str:
    text = value if isinstance(value, str) else "" if value is None else printable_json(value)
    if isinstance(value, str) and text.startswith(_FORMULA):
        text = f"'{text}"
    return _FORMULA_WITHIN.sub(r"\1'", text)
