"""Hints of an operation for the person who approves a call. A door for language models hands them on; no model sees them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Hints:
    """A title, and four hints. The defaults are the careful ones of the Model Context Protocol."""

    title: str
    reads_only: bool = False
    destroys: bool = True
    """True if it may change or remove something, and not only add."""
    repeats_safely: bool = False
    """True if the same call again changes nothing more."""
    reaches_out: bool = True
    """True if it may have effects outside of this process and its stores."""

    @classmethod
    def looking(cls, title: str) -> Hints:
        """Return the hints of an operation that only reads this process's stores."""
        return cls(title, reads_only=True, destroys=False, repeats_safely=True, reaches_out=False)

    def annotations(self) -> dict[str, str | bool]:
        """Return them under the names of the Model Context Protocol."""
        return {
            "title": self.title,
            "readOnlyHint": self.reads_only,
            "destructiveHint": self.destroys,
            "idempotentHint": self.repeats_safely,
            "openWorldHint": self.reaches_out,
        }


__all__ = ["Hints"]
