"""The upper bound of texts with a prefix, for range queries on an index."""

from __future__ import annotations


def after_prefix(prefix: str) -> str | None:
    """Return the first text, in code point order, after all texts with this prefix; None if there is no such text."""
    rest = prefix.rstrip("\U0010ffff")
    if not rest:
        return None
    code = ord(rest[-1]) + 1
    return rest[:-1] + chr(0xE000 if 0xD800 <= code <= 0xDFFF else code)
