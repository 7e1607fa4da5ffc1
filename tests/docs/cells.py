"""What a field takes, as a cell of a table on the pages that are made from the program."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from agentool.describe import FieldDescription

_BOUNDS = {"minimum": "at least", "exclusiveMinimum": "more than", "maximum": "at most", "minLength": "at least", "maxLength": "at most"}


def taken(field: FieldDescription) -> str:
    """Return a field's type and bounds."""
    schema: Mapping[str, Any] = field.schema
    bounds = [f"{words} {schema[key]:,}".removesuffix(".0") for key, words in _BOUNDS.items() if key in schema]
    unit = " characters" if "maxLength" in schema else ""
    return cell(", ".join([field.type_words, *bounds]) + unit)


def default(field: FieldDescription) -> str:
    """Return a field's default as JSON; empty if it has none."""
    return "" if field.default is None else f"`{json.dumps(field.default)}`"


def cell(text: str) -> str:
    """Return a text as a cell may hold it."""
    return text.replace("|", "\\|")
