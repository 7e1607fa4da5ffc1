"""Secrets told by the names they go under, and kept out of whatever people read: logs and lists."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, cast

REDACTED = "[redacted]"

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_SECRET_WORDS = frozenset(
    {"password", "passwd", "passphrase", "pwd", "secret", "secrets", "token", "apikey", "authorization", "credential", "credentials"}
)
_SECRET_PAIRS = frozenset({("api", "key"), ("access", "key"), ("private", "key"), ("secret", "key"), ("set", "cookie")})
_SAID = re.compile(
    r"(?i)(?P<name>\b[\w-]*(?:password|passwd|passphrase|secret|token|api[_-]?key|authorization)['\"]?\s*[=:]\s*)"
    r"(?P<value>(?:bearer|basic)\s+[^\s,;'\"]+|\"[^\"]*\"|'[^']*'|[^\s,;]+)"
)
_IN_URL = re.compile(r"(?P<before>\w+://[^\s/:@]*:)[^\s/@]+(?=@)")


def is_secret(name: str) -> bool:
    """Does a value under this name have to be hidden? ``api_key`` and ``userPassword`` do, ``max_tokens`` does not."""
    words = [word.lower() for word in _WORD.findall(name)]
    return any(word in _SECRET_WORDS for word in words) or any(pair in _SECRET_PAIRS for pair in pairwise(words))


def redacted(value: Any) -> Any:
    """Return a copy of JSON values with whatever has a secret's name, and secrets within text, replaced."""
    if isinstance(value, str):
        return redacted_text(value)
    if isinstance(value, Mapping):
        items = cast("Mapping[Any, Any]", value).items()
        return {key: REDACTED if is_secret(str(key)) else redacted(item) for key, item in items}
    if isinstance(value, (list, tuple)):
        return [redacted(item) for item in cast("list[Any]", value)]
    return value


def redacted_text(text: str) -> str:
    """Return text with ``password=…``, ``Authorization: …`` and the password of a URL replaced."""
    return _IN_URL.sub(rf"\g<before>{REDACTED}", _SAID.sub(rf"\g<name>{REDACTED}", text))
