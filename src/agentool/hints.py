"""What a person may be told of an operation before it is called. A door for language models hands it on; no model sees it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Hints:
    """A title, and four hints. The defaults are the careful ones of the Model Context Protocol."""

    title: str
    reads_only: bool = False
    destroys: bool = True
    """May it change or remove what is there, rather than add to it?"""
    repeats_safely: bool = False
    """Does the same call again change nothing more?"""
    reaches_out: bool = True
    """May it have effects outside of what this process keeps?"""

    @classmethod
    def looking(cls, title: str) -> Hints:
        """Hints of an operation that only looks at what is kept."""
        return cls(title, reads_only=True, destroys=False, repeats_safely=True, reaches_out=False)

    def annotations(self) -> dict[str, str | bool]:
        """Write them as the Model Context Protocol names them."""
        return {
            "title": self.title,
            "readOnlyHint": self.reads_only,
            "destructiveHint": self.destroys,
            "idempotentHint": self.repeats_safely,
            "openWorldHint": self.reaches_out,
        }


__all__ = ["Hints"]
