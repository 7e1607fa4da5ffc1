"""Rows as CSV that a spreadsheet opens without running what somebody wrote into them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

from agentoolkit.text import printable_json

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a text begins that a spreadsheet takes for a formula. Source: OWASP, "CSV Injection"."""


def csv_text(rows: Iterable[Mapping[str, object]], columns: Sequence[str]) -> str:
    """Write rows below a line of their columns: nothing as an empty cell, lists and objects as JSON, formulas behind an apostrophe."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(row.get(name)) for name in columns] for row in rows)
    return text.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA) else value
    return "" if value is None else value if isinstance(value, (int, float)) else printable_json(value)
