"""What an AgenTool returned, as JSON values."""

from __future__ import annotations

from typing import Any

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
        return from_json(to_json(output, bytes_mode="base64", inf_nan_mode="strings"))
    except Exception as error:  # a model's own code may raise anything
        problem = f"The AgenTool ran, and its result of type {type(output).__name__} cannot be written as JSON: {error}."
        raise UnrecordableResult(problem, remedy="Return a Pydantic model or plain JSON values.") from error
