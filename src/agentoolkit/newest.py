"""What is remembered of much: the newest of it."""

from __future__ import annotations

from typing import TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


def keep_newest(remembered: dict[Key, Value], most: int) -> None:
    """Forget of a dictionary what was put in first, until no more is left than `most`."""
    while len(remembered) > most:
        del remembered[next(iter(remembered))]
