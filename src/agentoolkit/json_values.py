"""JSON values: turn outputs into them, check and copy them, and follow paths into them."""

from __future__ import annotations

import base64
import json
import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Annotated, Any, cast

from pydantic import BaseModel, JsonValue, PlainSerializer
from pydantic_core import PydanticSerializationError, from_json, to_json

from agentool.errors import AgenToolError, did_you_mean, encodable, excerpt
from agentoolkit.text import whole

_SURELY_WRITTEN = 2_000
"""Bits of an integer that Python writes as text, however low its limit of digits is set (`sys.set_int_max_str_digits`)."""


class UnrecordableResult(AgenToolError, RuntimeError):
    """The AgenTool succeeded, but its output cannot be written as JSON, or is too large."""


def recordable(output: object, largest: int | None = None) -> Any:
    """Turn an AgenTool's output into JSON values with the same meaning.

    Models become objects, times ISO 8601 text, and numbers that JSON lacks (NaN, infinity) text. Bytes become text if they
    are UTF-8, else ``{"encoding": "base64", "data": …}``.

    Raises:
        UnrecordableResult: The output has no such form, or its JSON has more than `largest` bytes.
    """
    if output is None:
        return None
    try:
        # Through text, because only text reveals NaN, lone surrogates and endless nesting.
        text = _json_text(output)
        if largest is None or len(text) <= largest:
            return from_json(text)
    except Exception as error:  # a model's own code may raise anything
        problem = f"The AgenTool ran, and its result of type {type(output).__name__} cannot be written as JSON: {error}."
        raise UnrecordableResult(problem, remedy="Return a Pydantic model or plain JSON values.") from error
    problem = f"The AgenTool ran, and its result has {len(text):,} bytes of JSON; at most {largest:,} are stored."
    raise UnrecordableResult(
        problem, remedy="Return less, or write it to a file and return its path; the setting 'result_size' is the limit."
    )


class NotJson(AgenToolError, ValueError):
    """A value is not JSON; ``field`` is the path to it."""


def checked_json(value: Any, where: str, *, sort_keys: bool = False) -> str:
    """Return JSON values as JSON text in ASCII.

    Raises:
        NotJson: A value is not JSON; ``field`` is the path to it.
    """
    try:
        return json.dumps(value, allow_nan=False, sort_keys=sort_keys, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError):
        return json.dumps(json_copy(value, where), sort_keys=sort_keys, separators=(",", ":"))


def json_copy(value: Any, where: str, depth: int = 100) -> Any:
    """Return a deep copy of JSON values.

    Raises:
        NotJson: A value is not JSON, or the values are nested more than `depth` deep.
    """
    if isinstance(value, str):
        return _check_text(value, where)
    if value is None or isinstance(value, int):
        return _check_digits(value, where) if value and value.bit_length() > _SURELY_WRITTEN else value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if depth == 0:
        raise NotJson("It is nested too deeply.", field=where.partition(".")[0], value=value)
    if isinstance(value, dict):
        held = cast("dict[object, Any]", value).items()
        return {_check_key(key, where): json_copy(item, f"{where}.{key}", depth - 1) for key, item in held}
    if isinstance(value, (list, tuple)):
        return [json_copy(item, f"{where}.{place}", depth - 1) for place, item in enumerate(cast("list[Any]", value))]
    raise NotJson(f"{excerpt(value)} is not JSON.", field=where, value=value)


def _check_digits(number: int, where: str) -> int:
    try:
        str(number)
    except ValueError:
        raise NotJson("An integer has more digits than Python writes.", field=where, value=number) from None
    return number


def _check_key(key: object, where: str) -> str:
    if not isinstance(key, str):
        raise NotJson(f"The key {excerpt(key)} is not text.", field=where, value=key)
    return _check_text(key, where)


def _check_text(text: str, where: str) -> str:
    try:
        return whole(text)
    except ValueError as error:
        raise NotJson(f"{excerpt(text)} has {error}.", field=where, value=text) from None


def answerable(value: Any) -> Any:
    """Return JSON values as an answer can hold them: lone surrogates, which code may have stored, are escapes such as ``\\ud800``."""
    try:
        to_json(value)
    except PydanticSerializationError:
        return _with_escapes(value)
    return value


def _with_escapes(value: Any) -> Any:
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, dict):
        return {_with_escapes(key): _with_escapes(item) for key, item in cast("dict[Any, Any]", value).items()}
    return [_with_escapes(item) for item in cast("list[Any]", value)] if isinstance(value, list) else value


AnswerValue = Annotated[JsonValue, PlainSerializer(answerable, when_used="json")]
"""A stored JSON value in an output model: Python gets it as it is, JSON text with `answerable`."""
AnswerData = Annotated[dict[str, Any], PlainSerializer(answerable, return_type=dict[str, Any], when_used="json")]
"""An object of such values."""


def is_json(text: str) -> bool:
    """Tell whether a text is JSON. NaN and infinity, which Python accepts, are not."""
    try:
        json.loads(text, parse_constant=int)  # int("NaN") raises ValueError
    except (ValueError, RecursionError):
        return False
    return True


_LONGEST_PLACE = 18
"""Digits of a position in a list; Python reads no number of 4,301."""


class NothingThere(AgenToolError, LookupError):
    """A path leads nowhere. ``value`` is the missing part; the remedy names the existing ones."""


def value_at(values: Any, path: Sequence[str], called: str = "it") -> Any:
    """Follow a path into JSON values: keys of objects, and positions in lists, from 0.

    Args:
        values: The JSON values.
        path: Keys and positions.
        called: Name of the values in the error's message.

    Raises:
        NothingThere: A part of the path does not exist.
    """
    held = values
    for place, name in enumerate(path):
        if isinstance(held, Mapping) and name in held:
            held = cast("Mapping[str, Any]", held)[name]
        elif isinstance(held, list) and name.isdecimal() and len(name) <= _LONGEST_PLACE and int(name) < len(cast("list[Any]", held)):
            held = cast("list[Any]", held)[int(name)]
        else:
            where = repr(".".join(path[:place])) if place else called
            raise NothingThere(f"There is no {excerpt(name)} in {where}.", value=name, remedy=_what_is_there(held, name))
    return held


def _what_is_there(held: Any, name: str) -> str:
    if isinstance(held, Mapping):
        return did_you_mean(name, map(str, cast("Mapping[object, Any]", held))) or "It is empty."
    if isinstance(held, list):
        return f"It is a list of {len(cast('list[Any]', held))}, numbered from 0."
    return f"It is {excerpt(held)}."


def _json_text(output: object) -> bytes:
    try:
        text = to_json(output, inf_nan_mode="strings")
    except PydanticSerializationError as error:
        try:
            return to_json(_plain(output), inf_nan_mode="strings")  # bytes that are not UTF-8 may be the cause
        except Exception:
            raise error from None  # the cause is something else, which the first error names
    # A model's own configuration, by default null, overrides the mode passed here.
    # As a key, NaN or infinity becomes "None".
    if (b"null" in text or b'"None"' in text) and _has_other_numbers(plain := _plain(output)):
        return to_json(plain, inf_nan_mode="strings")
    return text


def _plain(value: Any) -> Any:
    """Return models and dataclasses as mappings, and bytes that are not UTF-8 as Base64, at any depth."""
    if isinstance(value, BaseModel):
        return _plain(value.model_dump())
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Enum):
        return _plain(value.value)
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, (list, tuple, set, frozenset, deque)):
        return [_plain(item) for item in cast("list[Any]", value)]
    return _text_of(bytes(cast("bytes", value))) if isinstance(value, (bytes, bytearray, memoryview)) else value


def _text_of(content: bytes) -> str | dict[str, str]:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return {"encoding": "base64", "data": base64.b64encode(content).decode()}


def _has_other_numbers(value: Any) -> bool:
    """Tell whether a value holds NaN or infinity, at any depth."""
    if isinstance(value, float):
        return not math.isfinite(value)
    if isinstance(value, Mapping):
        return any(_has_other_numbers(item) for pair in cast("Mapping[Any, Any]", value).items() for item in pair)
    return isinstance(value, (list, tuple)) and any(_has_other_numbers(item) for item in cast("list[Any]", value))
