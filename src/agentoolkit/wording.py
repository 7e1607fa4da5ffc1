"""How answers to people and models put things."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """Return a number and its noun, as in '1 job' and '1,200 jobs'. For nouns that take an s."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
