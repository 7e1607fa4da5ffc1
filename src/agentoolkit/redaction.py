"""Find secrets by their names and keep them out of texts for people: logs and lists.

The running time is linear in the text: every expression begins at a literal or at the start of a run of characters, and none
backtracks. `system/scheduler/decisions/secrets_in_records` keeps the values of references out of an execution's record.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import pairwise
from typing import Any, cast
from urllib.parse import quote, quote_plus

from agentool.secrets_here import REDACTED

_NAMES = (
    *("password", "passwords", "passwd", "passphrase", "pwd", "secret", "secrets", "token", "apikey", "authorization"),
    *("credential", "credentials", "cookie", "cookies"),
    *("api key", "access key", "private key", "secret key", "signing key", "encryption key", "set cookie"),
    *("access tokens", "api tokens", "auth tokens", "refresh tokens"),
)
"""Words in the names of secrets: alone, among other words, or at the end of a name written without gaps."""
_ONLY_WHOLE = frozenset({"tokens"})
"""Words that mark a secret only as the whole name: ``max_tokens`` is a number."""
_WORDS = frozenset(name for name in _NAMES if " " not in name)
_PAIRS = frozenset(tuple(name.split()) for name in _NAMES if " " in name)
_ENDINGS = tuple(name.replace(" ", "") for name in _NAMES)
_HEADERS = ("authorization", "cookie")
"""Names of headers, whose values may contain spaces and commas."""

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_NAMED = re.compile(r"(?<![\w-])(?P<name>[\w-]++)(?:\\*+['\"])?\s*+(?:=>(?=\s)|[=:])\s*+")
_QUOTED = r"\"(?:[^\"\\]++|\\.)*+(?:\"|$)|'(?:[^'\\]++|\\.)*+(?:'|$)"
_QUOTED_WITHIN_TEXT = (
    r"(?P<escape>\\++)(?P<quote>['\"])"
    r"(?:[^'\"\\]++|(?:(?P=escape)\\(?P=escape)\\)++|(?!(?P=escape)(?P=quote))(?:\\++.|['\"]))*+"
    r"(?:(?P=escape)(?P=quote)|$)"
)
"""A quoted text inside quoted text, as JSON inside JSON: the closing quote has as many backslashes as the opening one."""
_VALUE = re.compile(rf"{_QUOTED_WITHIN_TEXT}|{_QUOTED}|[^\s,;]+(?:(?i:(?<=\bbearer)|(?<=\bbasic))\s+[^\s,;'\"]+)?")
_PART = rf"(?:(?:{_QUOTED})[^\s,;]*|[^\s,;]+)"
_HEADER = re.compile(
    rf"{_QUOTED_WITHIN_TEXT}|{_QUOTED}|(?:(?:(?i:bearer|basic)\s++|[A-Za-z][\w-]*+[ \t]++)(?=[^\s,;]))?"
    rf"(?:[\w-]++=)?{_PART}(?:[ \t]*+[,;][ \t]*+[\w-]++=(?:{_PART})?)*+"
)
_BEARER = re.compile(r"(?i:\bbearer)\s++(?!\[redacted])(?=[\w~+/=-]{0,400}(?:[\d_~+/=]|\.\w)|[\w-]{20})[\w.~+/=-]{4,}+")
"""A bearer token without a name before it. A short text without digit and dot is a word: 'bearer authentication'."""
_OPTION = re.compile(rf"(?<![\w-])(?P<option>--(?P<name>[\w-]++)(?:['\"],\s*+|\s++)(?!-))(?:{_QUOTED}|[^\s,;\"'\]]+)")
"""A command's option with its value after a space, or as the next item of a list."""
_USER_AND_PASSWORD = re.compile(r"(?P<user>[^\s/:@]*+):(?!\d{1,5}/)(?:[^\s?#\"'<>]+(?=@)|[^\s/@]+(?=@))")
_USER = re.compile(r"[^\s/:@?#]++(?=@)")
_TOKEN_LENGTH = 20
"""Shortest user name in a URL that is taken for a token, in characters."""

_MAX_IN_URL = 2_000
"""Longest secret that is also searched in its URL-quoted forms, in characters."""
_SHORTEST_LINE = 16
"""Shortest line of a secret that is searched alone, in characters."""

_TIME = re.compile(r"[\d:+.TZ-]++")
"""A time. Most texts with a colon in a job are times, and hold no secret."""
PLAIN = frozenset({bool, int, float, type(None)})
"""Types of values that hold no secret unless their name says so: the most frequent ones in a job's record."""
_MAX_REMEMBERED = 100
"""Longest name whose answer is cached, in characters."""


def is_secret(name: str) -> bool:
    """Tell whether a value with this name must be hidden: ``api_key`` and ``userPassword``, but not ``max_tokens``."""
    return _is_secret_name(name) if len(name) > _MAX_REMEMBERED else _is_secret_cached(name)


def _is_secret_name(name: str) -> bool:
    words = [word.lower() for word in _WORD.findall(name)]
    if any(word in _WORDS for word in words) or any(pair in _PAIRS for pair in pairwise(words)):
        return True
    joined = "".join(words)
    return joined.endswith(_ENDINGS) or joined in _ONLY_WHOLE


_is_secret_cached = lru_cache(maxsize=2_000)(_is_secret_name)
"""Cached, because every recorded change of a job checks the names of the job's fields."""


def redacted(value: Any) -> Any:
    """Return a copy of JSON values in which values with a secret's name, and secrets within text, are replaced."""
    if isinstance(value, str):
        return redacted_text(value)
    if isinstance(value, (list, tuple)):
        items = cast("list[Any]", value)
        before = ("", *items[:-1])
        return [REDACTED if is_secret_option(word) else redacted(item) for word, item in zip(before, items, strict=True)] if items else []
    if isinstance(value, dict) or isinstance(value, Mapping):  # noqa: SIM101  the second takes ten times as long
        fields = cast("Mapping[Any, Any]", value).items()
        return {key: REDACTED if is_secret(str(key)) else item if type(item) in PLAIN else redacted(item) for key, item in fields}
    return value


def is_secret_option(word: object) -> bool:
    """Tell whether the next word of a command is a secret, as after ``--token``."""
    return isinstance(word, str) and word.startswith("-") and "=" not in word and not word[-1:].isspace() and is_secret(word)


def written_forms(secret: str) -> Iterator[str]:
    """Yield the forms in which programs write a text: in JSON, in JSON within JSON, by `repr`, in a URL, line by line."""
    in_json = json.dumps(secret)[1:-1]
    yield from (secret, in_json, json.dumps(secret, ensure_ascii=False)[1:-1], json.dumps(in_json)[1:-1], repr(secret)[1:-1])
    if len(secret) <= _MAX_IN_URL:
        yield from (quote(secret, safe=""), quote(secret), quote_plus(secret))
    yield from (line for part in secret.splitlines() if len(line := part.strip()) >= _SHORTEST_LINE)


def restored(edited: Any, original: Any) -> Any:
    """Return an edited value in which each secret that its editor saw redacted has its original text again."""
    return _restore(edited, original, redacted(original))


def _restore(edited: Any, original: Any, hidden: Any) -> Any:
    if edited == hidden:
        return original
    result: Any = edited
    if isinstance(edited, dict) and isinstance(original, dict):
        before, shown = cast("dict[str, Any]", original), cast("dict[str, Any]", hidden)
        after = cast("dict[str, Any]", edited)
        result = {name: _restore(item, before[name], shown[name]) if name in before else item for name, item in after.items()}
    elif isinstance(edited, list) and isinstance(original, list):
        pairs = list(zip(cast("list[Any]", original), cast("list[Any]", hidden), strict=True))
        items = cast("list[Any]", edited)
        result = [_restore(item, *pairs[number]) if number < len(pairs) else item for number, item in enumerate(items)]
    return result


def redacted_text(text: str) -> str:
    """Return text with ``password=…``, ``--token …``, ``Authorization: …`` and passwords and tokens in URLs replaced."""
    if ":" not in text and "=" not in text and "--" not in text and "bearer" not in text.lower():
        return text
    if _TIME.fullmatch(text):
        return text
    first, *others = _BEARER.sub(f"Bearer {REDACTED}", "".join(_without_named(_OPTION.sub(_without_option, text)))).split("://")
    hidden, before = [first], first
    for part in others:
        hidden.append(_without_user(part, web=before.endswith(("http", "https"))))
        before = part
    return "://".join(hidden)


def _without_option(found: re.Match[str]) -> str:
    return found["option"] + REDACTED if is_secret(found["name"]) else found[0]


def _without_named(text: str) -> Iterator[str]:
    """Yield the pieces of a text, with the value after each secret's name replaced."""
    done = 0
    for found in _NAMED.finditer(text):
        # A name inside a hidden value counts only if its own value begins after it: 'token error: password: …'.
        if found.end() < done or not is_secret(found["name"]):
            continue
        expected = _HEADER if found["name"].lower().endswith(_HEADERS) else _VALUE
        if value := expected.match(text, found.end()):
            if found.start() >= done:
                yield text[done : found.end()] + REDACTED
            done = value.end()
    yield text[done:]


def _without_user(rest: str, web: bool) -> str:
    """Hide a password, or a token in place of a user's name, in the text after ``://``."""
    if found := _USER_AND_PASSWORD.match(rest):
        user = REDACTED if len(found["user"]) >= _TOKEN_LENGTH else found["user"]
        return f"{user}:{REDACTED}{rest[found.end() :]}"
    found = _USER.match(rest)
    if found and (web or len(found[0]) >= _TOKEN_LENGTH):
        return REDACTED + rest[found.end() :]
    return rest
