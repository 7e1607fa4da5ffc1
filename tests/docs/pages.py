"""The pages of the documentation and the blocks of code in them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md")))

_BLOCK = re.compile(r"^(?P<fence> *`{3,})(?P<language>\w*)[^\n`]*\n(?P<text>.*?)^(?P=fence) *$", re.MULTILINE | re.DOTALL)
_FENCE = re.compile(r"^ *```", re.MULTILINE)
_NOT_RUN = re.compile(r"<!-- not run: \S.*? -->\s*\Z")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page, and the number of its first line there."""

    language: str
    text: str
    line: int
    run: bool = True


def blocks(page: str, *languages: str) -> Sequence[Block]:
    """Return a page's blocks in these languages, in order.

    Raises:
        ValueError: A fence is not closed, so that what is code cannot be told.
    """
    if _FENCE.search(_BLOCK.sub("", page)):
        raise ValueError("A fence of three backticks has no end.")
    return [_block(page, found) for found in _BLOCK.finditer(page) if found["language"] in languages]


def _block(page: str, found: re.Match[str]) -> Block:
    line = page.count("\n", 0, found.start("text")) + 1
    return Block(found["language"], dedent(found["text"]), line, run=not _NOT_RUN.search(page[: found.start()]))
