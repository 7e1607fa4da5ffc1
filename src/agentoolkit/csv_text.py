"""Write rows as CSV in which no cell is a formula to a spreadsheet."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence

from agentoolkit.text import printable_json

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""First characters of a text that a spreadsheet takes for a formula. Source: OWASP, "CSV Injection"."""

_FORMULA_WITHIN = re.compile(r"(;[ \"]*)(?=[=+@-])")
"""A formula after a semicolon, which separates cells in countries that write decimals with a comma."""


def csv_text(rows: Iterable[Mapping[str, object]], columns: Sequence[str]) -> str:
    """Return a header line and the rows, as `csv_lines` does."""
    return csv_lines([{name: name for name in columns}, *rows], columns)


def csv_lines(rows: Iterable[Mapping[str, object]], columns: Sequence[str]) -> str:
    """Return the rows without a header: None as an empty cell, other values than text as JSON, formulas behind an apostrophe."""
    text = io.StringIO()
    # Lines end in CRLF, as in RFC 4180. Only then Python quotes a carriage return; unquoted, it would begin a row, maybe with a formula.
    csv.writer(text).writerows([_cell(row.get(name)) for name in columns] for row in rows)
    return text.getvalue()


def _cell(value: object) -> str:
    text = value if isinstance(value, str) else "" if value is None else printable_json(value)
    if isinstance(value, str) and text.startswith(_FORMULA):
        text = f"'{text}"
    return _FORMULA_WITHIN.sub(r"\1'", text)
