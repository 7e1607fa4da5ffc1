"""The root of every input model."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict


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
