"""Keep the newest entries of a dictionary."""

from __future__ import annotations

from typing import TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


def keep_newest(remembered: dict[Key, Value], most: int) -> None:
    """Delete the oldest entries of a dictionary until at most `most` are left."""
    while len(remembered) > most:
        del remembered[next(iter(remembered))]
