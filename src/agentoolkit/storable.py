"""Names that every database holds: checked at the edge, so that all stores accept the same."""

from __future__ import annotations


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
