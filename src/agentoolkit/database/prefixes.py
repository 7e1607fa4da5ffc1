"""Where the texts that begin with a prefix end, so that an index finds them all."""

from __future__ import annotations


def after_prefix(prefix: str) -> str | None:
    """Return the first text after all that begin with a prefix, in the order of code points; None: there is none."""
    rest = prefix.rstrip("\U0010ffff")
    if not rest:
        return None
    code = ord(rest[-1]) + 1
    return rest[:-1] + chr(0xE000 if 0xD800 <= code <= 0xDFFF else code)
