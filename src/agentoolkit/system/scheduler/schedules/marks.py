"""Marks that are no part of a schedule: a model copies Markdown and quotes with the words."""

from __future__ import annotations

import re

from agentool.errors import excerpt
from agentoolkit.system.scheduler.errors import InvalidSchedule

_WITHIN = re.compile(r"\*\*|[`\"]")
_BEFORE = re.compile(r"(?:[#>-]+\s+)+")
"""The begin of a heading, a quotation or an item of a list; a crontab begins with a star too."""
_AROUND = re.compile(r"([*_'])(\S.*\S)\1", re.DOTALL)


def without_marks(text: str) -> str:
    """Return a text without Markdown and quotes; the same text if it has none."""
    bare = _WITHIN.sub("", text).strip()
    if (before := _BEFORE.match(bare)) is not None:
        bare = bare[before.end() :]
    around = _AROUND.fullmatch(bare)
    return around[2] if around else bare


def refuse_marks(text: str, bare: str) -> InvalidSchedule:
    """Return the refusal of a text that can be read without its marks."""
    return InvalidSchedule(f"{excerpt(text)} has marks around its words.", field="schedule", value=text, remedy=f"Write {bare!r}.")
