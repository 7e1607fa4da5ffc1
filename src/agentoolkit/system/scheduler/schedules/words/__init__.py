"""The grammar of schedules in words. It is imported when a text is first read, so that other commands start faster."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING

from agentoolkit.system.scheduler.schedules.kinds import Kind

if TYPE_CHECKING:
    from agentoolkit.system.scheduler.schedules.words.phrase import Phrase
    from agentoolkit.system.scheduler.schedules.words.tokens import DayParts


def understand(text: str, *, now: datetime, kind: Kind | None, timezone: str, parts: DayParts | None = None) -> Phrase:
    """See `grammar.understand`."""
    return _grammar().understand(text, now=now, kind=kind, timezone=timezone, parts=parts)


def moment_in_words(text: str, *, now: datetime, timezone: str, is_end: bool) -> datetime:
    """See `grammar.moment_in_words`."""
    return _grammar().moment_in_words(text, now=now, timezone=timezone, is_end=is_end)


@cache
def _grammar():
    """Return the grammar. Cached, because an import within a function costs as much as reading 'now'."""
    from agentoolkit.system.scheduler.schedules.words import grammar

    return grammar
