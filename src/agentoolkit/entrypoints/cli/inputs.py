"""An AgenTool's input as it is written on a command line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, cast

from agentool.errors import InvalidInput, excerpt


def read_fields(words: Sequence[str]) -> dict[str, Any]:
    """Read ``key=value`` words. A value is JSON where it can be, else the text itself.

    Raises:
        InvalidInput: A word has no ``=``.
    """
    read: dict[str, Any] = {}
    for word in words:
        key, separator, value = word.partition("=")
        if not (separator and key):
            raise InvalidInput(f"{excerpt(word)} is no field.", field="input", value=word, remedy="Write key=value, or use --input JSON.")
        read[key] = _value(value)
    return read


def read_object(text: str) -> dict[str, Any]:
    """Read a JSON object. Raises `InvalidInput`."""
    try:
        read = json.loads(text)
    except ValueError as error:
        raise InvalidInput(f"{excerpt(text)} is no JSON: {error}.", field="input", value=text) from error
    if not isinstance(read, dict):
        raise InvalidInput(f"{excerpt(text)} is no JSON object.", field="input", value=text, remedy='Write \'{"key": "value"}\'.')
    return cast("dict[str, Any]", read)


def _value(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=str)
    except ValueError:
        return text
