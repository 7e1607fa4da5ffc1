"""The secrets given to the running call, and functions that cut text without leaving part of a secret.

Whole secrets are hidden wherever output is recorded. Half a secret could not be recognised there, so it is removed at the cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar
from typing import Any, cast

REDACTED = "[redacted]"

_SHORTEST_PART = 4
"""Fewest characters of a secret, left at a cut, that are taken for a part of it."""
_HALF_A_CHARACTER = "\ufffd"
"""What decoding makes of a character that was cut."""

secrets_here: ContextVar[Sequence[str]] = ContextVar("agentool_secrets", default=())
"""Texts that what runs in this context may write and nobody may see, the longest first. Threads and programs inherit it."""


def without_texts(text: str, secrets: Sequence[str]) -> str:
    """Return text with each of these replaced; one that is part of another comes after it."""
    for secret in secrets:
        text = text.replace(secret, REDACTED)
    return text


def without_texts_in(value: Any, secrets: Sequence[str]) -> Any:
    """Return a JSON value with each of these replaced in all of its texts and keys."""
    if isinstance(value, str):
        return without_texts(value, secrets)
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value).items()
        return {without_texts(key, secrets): without_texts_in(item, secrets) for key, item in items}
    return [without_texts_in(item, secrets) for item in cast("list[Any]", value)] if isinstance(value, list) else value


def beginning_of(text: str, most: int) -> str:
    """Return the first characters of a text, without a part of a secret at the cut."""
    return text if len(text) <= most else without_cut_end(text[:most])


def end_of(text: str, most: int) -> str:
    """Return the last characters of a text, without a part of a secret at the cut."""
    return text if len(text) <= most else without_cut_beginning(text[-most:])


def without_cut_end(text: str, secrets: Sequence[str] | None = None) -> str:
    """Return a text whose rest was cut off, without the beginning of a secret at its end; by default of those that are here."""
    secrets = secrets_here.get() if secrets is None else secrets
    whole = text.rstrip(_HALF_A_CHARACTER) if secrets else text
    overlap = max((_overlap(whole, secret) for secret in secrets), default=0)
    return whole[:-overlap] + REDACTED if overlap else text


def without_cut_beginning(text: str, secrets: Sequence[str] | None = None) -> str:
    """Return a text whose beginning was cut off, without the end of a secret there; by default of those that are here."""
    secrets = secrets_here.get() if secrets is None else secrets
    whole = text.lstrip(_HALF_A_CHARACTER) if secrets else text
    overlap = max((_overlap(whole[: len(secret)][::-1], secret[::-1]) for secret in secrets), default=0)
    return REDACTED + whole[overlap:] if overlap else text


def _overlap(text: str, secret: str) -> int:
    """Count the characters at the end of a text that are the beginning of a secret, but not all of it."""
    place = text.find(secret[:_SHORTEST_PART], max(0, len(text) - len(secret) + 1))
    while place >= 0:
        if secret.startswith(text[place:]):
            return len(text) - place
        place = text.find(secret[:_SHORTEST_PART], place + 1)
    return 0
