"""What goes into the key-value storage and what comes out."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import BaseModel, Field, JsonValue, field_validator
from typing_extensions import TypedDict

from agentool.base import BaseOperationInput
from agentoolkit.json_values import AnswerValue
from agentoolkit.text import check_storable

NAMESPACE = "default"
MAX_KEY_LENGTH = 500
"""Characters of a key or a namespace."""
MAX_NAME_BYTES = 1_200
"""Of a key or a namespace as UTF-8: both have to fit into an entry of a database's index."""
MAX_TTL = 10 * 366 * 86_400.0
"""Seconds."""
MAX_PAGE_SIZE = 10_000
PAGE = 1_000
"""Keys in a list, unless a limit is given."""


class KvInput(BaseOperationInput):
    """Input of the AgenTool ``storage_kv``. Which fields an operation takes, and needs, is said by its handler."""

    operation: Literal["get", "set", "delete", "exists", "keys", "increment", "compare_and_set"]
    key: str | None = Field(None, min_length=1, max_length=MAX_KEY_LENGTH, description="Printable characters, none of them special")
    namespace: str | None = Field(NAMESPACE, min_length=1, max_length=MAX_KEY_LENGTH, description="Keeps keys of different users apart")
    value: JsonValue | None = Field(None, description="Any JSON value but null")
    default: JsonValue | None = Field(None, description="For get: the answer where there is no such key")
    expected: JsonValue | None = Field(None, description="For compare_and_set: the value that must be there; left out, there must be none")
    ttl: float | None = Field(None, gt=0, le=MAX_TTL, description="Seconds from now that the value is kept; for ever by default")
    by: int | float | None = Field(1, description="For increment: what is added; negative to subtract")
    prefix: str | None = Field("", max_length=MAX_KEY_LENGTH, description="For keys: how they begin")
    limit: int | None = Field(PAGE, ge=1, le=MAX_PAGE_SIZE, description="For keys: how many at most")

    @field_validator("by")
    @classmethod
    def _check_finite(cls, by: float | None) -> float | None:
        if isinstance(by, float) and not math.isfinite(by):  # an integer always is, and may be too large to ask
            raise ValueError("is not a finite number")
        return by

    @field_validator("key", "namespace")
    @classmethod
    def _check_storable(cls, text: str | None) -> str | None:
        return None if text is None else check_storable(text, MAX_NAME_BYTES)


class Lifetime(TypedDict, total=False):
    """What all that writes takes besides key and value."""

    namespace: str
    ttl: float


class KvValue(BaseModel):
    """Answer to ``get``."""

    key: str
    namespace: str
    value: AnswerValue
    found: bool = Field(description="False where `value` is the default")
    expires_at: str | None = Field(description="ISO 8601; None: never")


class KvWritten(BaseModel):
    """Answer to ``set`` and ``increment``."""

    key: str
    namespace: str
    value: AnswerValue = Field(description="What is there now")
    created: bool = Field(description="There was nothing before")
    expires_at: str | None = Field(description="ISO 8601; None: never")


class KvCompared(BaseModel):
    """Answer to ``compare_and_set``."""

    key: str
    namespace: str
    changed: bool
    value: AnswerValue | None = Field(description="What is there now; null where there is nothing")


class KvDeleted(BaseModel):
    """Answer to ``delete``."""

    key: str
    namespace: str
    deleted: bool = Field(description="False if there was nothing")


class KvExists(BaseModel):
    """Answer to ``exists``."""

    key: str
    namespace: str
    exists: bool


class KvKeys(BaseModel):
    """Answer to ``keys``."""

    namespace: str
    prefix: str
    keys: list[str]
    count: int
    more: bool = Field(description="There are further keys beyond the limit")
