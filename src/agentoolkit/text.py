"""How answers to people and models put things, and how texts of others are shown to people."""

from __future__ import annotations

import json
from typing import Any
from unicodedata import category


def counted(number: int, noun: str) -> str:
    """Return a number and its noun, as in '1 job' and '1,200 jobs'. For nouns that take an s."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def in_one_line(text: str, keep: str = "") -> str:
    """Show line breaks, and whatever else does not print, as escapes; except the characters to `keep`.

    A text must neither look like further lines of a log nor give orders to the terminal on which somebody reads it.
    """
    if text.isprintable():
        return text
    return "".join(character if character in keep or _prints(character) else repr(character)[1:-1] for character in text)


def printable_json(value: Any, indent: int | None = None) -> str:
    """Write JSON with letters of all alphabets as they are, and what does not print as escapes, which mean the same."""
    text = json.dumps(value, ensure_ascii=False, indent=indent, default=str)
    if text.isprintable():
        return text
    return "".join(character if character == "\n" or _prints(character) else json.dumps(character)[1:-1] for character in text)


def whole(text: str) -> str:
    """Return a text that can be written as UTF-8. Raises `ValueError`, which says where a lone surrogate is."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"a lone surrogate at position {error.start}") from None
    return text


def storable(text: str) -> str:
    """Return a text that every store and every file can hold as it is. Raises `ValueError`, which says what cannot be held."""
    if (place := text.find("\0")) >= 0:
        raise ValueError(f"a NUL character at position {place}")
    return whole(text)


def check_storable(text: str, max_bytes: int) -> str:
    """Return a name.

    Raises:
        ValueError: It has the character zero or a lone surrogate, or more bytes as UTF-8 than an index takes.
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
