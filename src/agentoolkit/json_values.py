"""What an AgenTool returned, as JSON values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, cast

from pydantic import BaseModel
from pydantic_core import from_json, to_json

from agentool.errors import AgenToolError


class UnrecordableResult(AgenToolError, RuntimeError):
    """The AgenTool ended well, and what it returned cannot be written as JSON."""


def recordable(output: object) -> Any:
    """Turn what an AgenTool returned into JSON values that mean the same.

    Models become objects, times ISO 8601 text, bytes Base64 text, and numbers that JSON does not have (NaN, infinity) text.

    Raises:
        UnrecordableResult: There is no such form.
    """
    if output is None:
        return None
    try:
        # Through text, because only text gives NaN, lone surrogates and bottomless nesting away.
        text = to_json(output, bytes_mode="base64", inf_nan_mode="strings")
        if b"null" in text and _has_other_numbers(plain := _without_models(output)):
            # A model's own configuration, by default null, counts before the mode that is asked for.
            text = to_json(plain, bytes_mode="base64", inf_nan_mode="strings")
        return from_json(text)
    except Exception as error:  # a model's own code may raise anything
        problem = f"The AgenTool ran, and its result of type {type(output).__name__} cannot be written as JSON: {error}."
        raise UnrecordableResult(problem, remedy="Return a Pydantic model or plain JSON values.") from error


def _without_models(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump()
    if isinstance(value, Mapping):
        return {key: _without_models(item) for key, item in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, (list, tuple)):
        return [_without_models(item) for item in cast("list[Any]", value)]
    return value


def _has_other_numbers(value: Any) -> bool:
    """Is there a number that JSON does not have, at any depth?"""
    if isinstance(value, float):
        return not math.isfinite(value)
    if isinstance(value, Mapping):
        return any(_has_other_numbers(item) for item in cast("Mapping[Any, Any]", value).values())
    return isinstance(value, (list, tuple)) and any(_has_other_numbers(item) for item in cast("list[Any]", value))
