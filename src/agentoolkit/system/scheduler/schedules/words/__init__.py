"""The grammar of schedules in words. It is imported when a text is first read, so that other commands start faster."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from agentoolkit.system.scheduler.schedules.kinds import Kind

if TYPE_CHECKING:
    from agentoolkit.system.scheduler.schedules.words.phrase import Phrase
    from agentoolkit.system.scheduler.schedules.words.tokens import DayParts


def understand(text: str, *, now: datetime, kind: Kind | None, timezone: str, parts: DayParts | None = None) -> Phrase:
    """See `grammar.understand`."""
    from agentoolkit.system.scheduler.schedules.words import grammar

    return grammar.understand(text, now=now, kind=kind, timezone=timezone, **({} if parts is None else {"parts": parts}))


def moment_in_words(text: str, *, now: datetime, timezone: str, is_end: bool) -> datetime:
    """See `grammar.moment_in_words`."""
    from agentoolkit.system.scheduler.schedules.words import grammar

    return grammar.moment_in_words(text, now=now, timezone=timezone, is_end=is_end)
