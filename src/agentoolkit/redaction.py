"""Secrets told by the names they go under, and kept out of whatever people read: logs and lists.

The work grows with the text and no faster: every expression begins where a run of characters does, or at a literal, and none
takes back what it took.
What references stood for is kept out of an execution's record by `system/scheduler/decisions/secrets_in_records`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any, cast
from urllib.parse import quote, quote_plus

REDACTED = "[redacted]"

_NAMES = (
    *("password", "passwords", "passwd", "passphrase", "pwd", "secret", "secrets", "token", "apikey", "authorization"),
    *("credential", "credentials", "cookie", "cookies"),
    *("api key", "access key", "private key", "secret key", "signing key", "encryption key", "set cookie"),
    *("access tokens", "api tokens", "auth tokens", "refresh tokens"),
)
"""What secrets are called, as words: alone, among others, or at the end of what is written without a gap."""
_ONLY_WHOLE = frozenset({"tokens"})
"""Secret where it is the whole name: ``max_tokens`` and its like are numbers."""
_WORDS = frozenset(name for name in _NAMES if " " not in name)
_PAIRS = frozenset(tuple(name.split()) for name in _NAMES if " " in name)
_ENDINGS = tuple(name.replace(" ", "") for name in _NAMES)
_HEADERS = ("authorization", "cookie")
"""Names whose values go on after a space or a comma."""

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_NAMED = re.compile(r"(?<![\w-])(?P<name>[\w-]++)(?:\\*+['\"])?\s*+(?:=>(?=\s)|[=:])\s*+")
_QUOTED = r"\"(?:[^\"\\]++|\\.)*+(?:\"|$)|'(?:[^'\\]++|\\.)*+(?:'|$)"
_QUOTED_WITHIN_TEXT = (
    r"(?P<escape>\\++)(?P<quote>['\"])"
    r"(?:[^'\"\\]++|(?:(?P=escape)\\(?P=escape)\\)++|(?!(?P=escape)(?P=quote))(?:\\++.|['\"]))*+"
    r"(?:(?P=escape)(?P=quote)|$)"
)
"""As in JSON that is itself a text in JSON: it ends at a quote with as many backslashes as it began with."""
_VALUE = re.compile(rf"{_QUOTED_WITHIN_TEXT}|{_QUOTED}|[^\s,;]+(?:(?i:(?<=\bbearer)|(?<=\bbasic))\s+[^\s,;'\"]+)?")
_PART = rf"(?:(?:{_QUOTED})[^\s,;]*|[^\s,;]+)"
_HEADER = re.compile(
    rf"{_QUOTED_WITHIN_TEXT}|{_QUOTED}|(?:(?:(?i:bearer|basic)\s++|[A-Za-z][\w-]*+[ \t]++)(?=[^\s,;]))?"
    rf"(?:[\w-]++=)?{_PART}(?:[ \t]*+[,;][ \t]*+[\w-]++=(?:{_PART})?)*+"
)
_BEARER = re.compile(r"(?i:\bbearer)\s++(?!\[redacted])(?=[\w~+/=-]{0,400}(?:[\d_~+/=]|\.\w)|[\w-]{20})[\w.~+/=-]{4,}+")
"""A token that stands by itself. What is short and has neither digit nor dot is a word: 'bearer authentication'."""
_OPTION = re.compile(rf"(?<![\w-])(?P<option>--(?P<name>[\w-]++)(?:['\"],\s*+|\s++)(?!-))(?:{_QUOTED}|[^\s,;\"'\]]+)")
"""An option of a command with its value after a space, or as the next text of a list."""
_USER_AND_PASSWORD = re.compile(r"(?P<user>[^\s/:@]*+):(?!\d{1,5}/)(?:[^\s?#\"'<>]+(?=@)|[^\s/@]+(?=@))")
_USER = re.compile(r"[^\s/:@?#]++(?=@)")
_TOKEN_LENGTH = 20
"""Characters from which on a user's name is taken for a token."""

_MAX_IN_URL = 2_000
"""Characters of a secret that is looked for as a part of a URL."""
_SHORTEST_LINE = 16
"""Characters of a line that is looked for by itself."""

_TIME = re.compile(r"[\d:+.TZ-]++")
"""Most of a job's texts with a colon are times, which hide nothing."""
PLAIN = frozenset({bool, int, float, type(None)})
"""What is most of a job's record, and hides nothing where its name does not."""
_MAX_REMEMBERED = 100
"""Characters of a name whose answer is remembered."""


def is_secret(name: str) -> bool:
    """Does a value under this name have to be hidden? ``api_key`` and ``userPassword`` do, ``max_tokens`` does not."""
    return _is_secret_name(name) if len(name) > _MAX_REMEMBERED else _remembered(name)


def _is_secret_name(name: str) -> bool:
    words = [word.lower() for word in _WORD.findall(name)]
    if any(word in _WORDS for word in words) or any(pair in _PAIRS for pair in pairwise(words)):
        return True
    joined = "".join(words)
    return joined.endswith(_ENDINGS) or joined in _ONLY_WHOLE


_remembered = lru_cache(maxsize=2_000)(_is_secret_name)
"""The names of a job's fields are asked for with every change that is noted."""


def redacted(value: Any) -> Any:
    """Return a copy of JSON values with whatever has a secret's name, and secrets within text, replaced."""
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
    """Is the word after this one of a command a secret? ``--token abc``."""
    return isinstance(word, str) and word.startswith("-") and "=" not in word and not word[-1:].isspace() and is_secret(word)


def written_forms(secret: str) -> Iterator[str]:
    """Yield a text in the forms in which programs write it: in JSON, in JSON within JSON, by `repr`, in a URL, line by line."""
    in_json = json.dumps(secret)[1:-1]
    yield from (secret, in_json, json.dumps(secret, ensure_ascii=False)[1:-1], json.dumps(in_json)[1:-1], repr(secret)[1:-1])
    if len(secret) <= _MAX_IN_URL:
        yield from (quote(secret, safe=""), quote(secret), quote_plus(secret))
    yield from (line for part in secret.splitlines() if len(line := part.strip()) >= _SHORTEST_LINE)


def without_texts(text: str, secrets: Sequence[str]) -> str:
    """Return text with each of these replaced; one that is part of another comes after it."""
    for secret in secrets:
        text = text.replace(secret, REDACTED)
    return text


def restored(edited: Any, original: Any) -> Any:
    """Return an edited value with each secret that was hidden from whoever edited it as it was."""
    return _restored(edited, original, redacted(original))


def _restored(edited: Any, original: Any, hidden: Any) -> Any:
    if edited == hidden:
        return original
    result: Any = edited
    if isinstance(edited, dict) and isinstance(original, dict):
        was, seen = cast("dict[str, Any]", original), cast("dict[str, Any]", hidden)
        now = cast("dict[str, Any]", edited)
        result = {name: _restored(item, was[name], seen[name]) if name in was else item for name, item in now.items()}
    elif isinstance(edited, list) and isinstance(original, list):
        pairs = list(zip(cast("list[Any]", original), cast("list[Any]", hidden), strict=True))
        items = cast("list[Any]", edited)
        result = [_restored(item, *pairs[number]) if number < len(pairs) else item for number, item in enumerate(items)]
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
    """Yield the pieces of a text, with what stands after a secret's name replaced."""
    done = 0
    for found in _NAMED.finditer(text):
        # A name within what is hidden counts where its value begins beyond that: 'token error: password: …'.
        if found.end() < done or not is_secret(found["name"]):
            continue
        expected = _HEADER if found["name"].lower().endswith(_HEADERS) else _VALUE
        if value := expected.match(text, found.end()):
            if found.start() >= done:
                yield text[done : found.end()] + REDACTED
            done = value.end()
    yield text[done:]


def _without_user(rest: str, web: bool) -> str:
    """Hide what follows ``://`` up to the ``@``: a password, and a token in place of a user's name."""
    if found := _USER_AND_PASSWORD.match(rest):
        user = REDACTED if len(found["user"]) >= _TOKEN_LENGTH else found["user"]
        return f"{user}:{REDACTED}{rest[found.end() :]}"
    found = _USER.match(rest)
    if found and (web or len(found[0]) >= _TOKEN_LENGTH):
        return REDACTED + rest[found.end() :]
    return rest
