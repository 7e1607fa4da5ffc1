"""The base classes of input and output models."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ConfigDict, ValidationError

Model = TypeVar("Model", bound=BaseModel)


class BaseOperationInput(BaseModel):
    """Input of an AgenTool. A subclass declares ``operation`` as a ``Literal`` and its fields.

    An undeclared field is refused (``extra='forbid'``), so that a misspelt name is never ignored.
    """

    model_config = ConfigDict(extra="forbid")

    operation: Any
    """Redeclared by every subclass as a ``Literal`` of its operations."""


class ReadableOutput(BaseModel):
    """Output with a short text for people and language models, besides the same facts as data."""

    text: str


def read_without(faulty: Collection[str], data: object, model: type[Model]) -> Model | None:
    """Validate data without its faulty fields. Return None if the data lacks one of them, or the rest is invalid too."""
    given = cast("dict[str, object]", data) if isinstance(data, dict) else {}
    if not given.keys() >= set(faulty):
        return None
    try:
        return model.model_validate({name: value for name, value in given.items() if name not in faulty})
    except ValidationError:
        return None
