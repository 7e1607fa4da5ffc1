"""Text for people: counted nouns, and foreign text made safe to show and to store."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from unicodedata import category

from agentool.errors import encodable

_CALL = re.compile(r"Correct input_data so that injector\.run\('([^']+)', input_data\) accepts it\.")
_OPERATION = re.compile(r"\b[Oo]peration '(\w+)'")


def counted(number: int, noun: str) -> str:
    """Return a number and its noun, such as '1 job' and '1,200 jobs', for nouns with a plural in s."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def in_one_line(text: str, keep: str = "") -> str:
    """Replace line breaks and other unprintable characters with escapes, except the characters in `keep`.

    A text must neither look like further lines of a log nor send control codes to its reader's terminal.
    """
    if text.isprintable():
        return text
    return "".join(character if character in keep or _prints(character) else repr(character)[1:-1] for character in text)


def name_operations(text: str, names: Mapping[str, str]) -> str:
    """Replace ``operation 'update'``, as errors of the scheduler call it, by the name that a door has for the operation."""
    return _OPERATION.sub(lambda found: names.get(found[1], found[0]), text)


def name_call(text: str, instead: str) -> str:
    """Replace the remedy of a wrong input for Python code by that of a door, where ``{0}`` is the AgenTool's name."""
    return _CALL.sub(lambda found: instead.format(found[1]), text)


def printable_json(value: Any, indent: int | None = None) -> str:
    """Return JSON that keeps letters of all alphabets and escapes unprintable characters."""
    text = json.dumps(value, ensure_ascii=False, indent=indent, default=str)
    if text.isprintable():
        return text
    return "".join(character if character == "\n" or _prints(character) else json.dumps(character)[1:-1] for character in text)


def whole(text: str) -> str:
    """Return the text if it can be written as UTF-8. Raises `ValueError` with the position of a lone surrogate."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"a lone surrogate at position {error.start}") from None
    return text


def storable(text: str) -> str:
    """Return the text if every store and file can hold it. Raises `ValueError` with the position of a character that cannot be stored."""
    if (place := text.find("\0")) >= 0:
        raise ValueError(f"a NUL character at position {place}")
    return whole(text)


def with_escapes(text: str) -> str:
    """Escape characters that stores refuse: lone surrogates, and, for PostgreSQL, the character zero."""
    return encodable(text).replace("\0", "\\x00")


def check_storable(text: str, max_bytes: int) -> str:
    """Return the name if every store can hold it.

    Raises:
        ValueError: It has the character zero or a lone surrogate, or more than `max_bytes` bytes as UTF-8.
    """
    if "\0" in text:
        raise ValueError(f"has the character zero at position {text.index(chr(0))}; leave it out")
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise ValueError(f"has a lone surrogate at position {error.start}; leave it out") from None
    if size > max_bytes:
        raise ValueError(f"has {size:,} bytes as UTF-8; at most {max_bytes:,} are allowed")
    return text


def _prints(character: str) -> bool:
    return character.isprintable() or category(character) == "Zs"  # spaces of other widths
