"""The root of every input model."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ConfigDict, ValidationError

Model = TypeVar("Model", bound=BaseModel)


class BaseOperationInput(BaseModel):
    """Input of an AgenTool. A subclass declares ``operation`` as a ``Literal`` and its fields.

    A field nobody declared is refused (``extra='forbid'``): a misspelt name must never be ignored.
    """

    model_config = ConfigDict(extra="forbid")

    operation: Any
    """Redeclared by every subclass as a ``Literal`` of its operations."""


class ReadableOutput(BaseModel):
    """Output that says in a few words, for people and for language models, what its other fields say as data."""

    text: str


def read_without(faulty: Collection[str], data: object, model: type[Model]) -> Model | None:
    """Read what is left of data without its fields at fault; None where it has not all of them, or the rest is at fault too."""
    given = cast("dict[str, object]", data) if isinstance(data, dict) else {}
    if not given.keys() >= set(faulty):
        return None
    try:
        return model.model_validate({name: value for name, value in given.items() if name not in faulty})
    except ValidationError:
        return None
