"""Replaces names of calendars in `exclude` and `only` by their dates and holidays.

The dates are stored with the job, so that all processes agree, and a file that becomes unreadable changes nothing silently.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from agentool.errors import did_you_mean, excerpt
from agentoolkit.system.scheduler.errors import InvalidSchedule
from agentoolkit.system.scheduler.job_fields import JobFields
from agentoolkit.system.scheduler.schedules.calendars import WEEKENDS, dates_of_ics, is_day_name

F = TypeVar("F", bound=JobFields)

Calendars = Mapping[str, Sequence[str]]
"""Calendars by name: dates, ranges of dates, ``weekends``, ``holidays:DE``, or ``ics:PATH`` of an iCalendar file."""

MAX_FILE_SIZE = 1_000_000
"""Maximum bytes of an iCalendar file."""
FILE_PREFIX = "ics:"
"""Beginning of an entry that is the path of an iCalendar file."""


async def with_calendars(asked: F, calendars: Calendars) -> F:
    """Return the fields with names of calendars replaced by their entries.

    Raises:
        InvalidSchedule: No calendar has this name, or its file cannot be read.
    """
    if not asked.exclude and not asked.only:
        return asked
    texts_of: dict[str, list[str]] = {"exclude": asked.exclude or [], "only": asked.only or []}
    named = {field: texts for field, texts in texts_of.items() if any(_is_named(text, calendars) for text in texts)}
    if not named:
        return asked
    return asked.model_copy(update={field: await asyncio.to_thread(expanded, texts, calendars, field) for field, texts in named.items()})


def expanded(texts: Sequence[str], calendars: Calendars, field: str) -> list[str]:
    """Replace names of calendars by their entries, which may read files. Raises `InvalidSchedule`."""
    found: list[str] = []
    for text in texts:
        if text in calendars:
            found += [
                day for entry in calendars[text] for day in (_days_of_file(entry, text) if entry.startswith(FILE_PREFIX) else [entry])
            ]
        elif _is_named(text, calendars):
            remedy = did_you_mean(text, calendars)
            raise InvalidSchedule(f"no calendar is called {excerpt(text)}.", field=field, value=text, remedy=remedy)
        else:
            found.append(text)
    return found


def _is_named(text: str, calendars: Calendars) -> bool:
    """Tell whether a text is the name of a calendar, or a word that can only mean one."""
    is_known = text == WEEKENDS or is_day_name(text)
    return text in calendars or (bool(calendars) and text[:1].isalpha() and ":" not in text and not is_known)


def _days_of_file(entry: str, name: str) -> list[str]:
    path = Path(entry.removeprefix(FILE_PREFIX)).expanduser()
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_SIZE + 1)
        if len(content) > MAX_FILE_SIZE:
            raise ValueError(f"it is larger than {MAX_FILE_SIZE:,} bytes")
        return dates_of_ics(content.decode())
    except (OSError, ValueError) as error:
        if isinstance(error, InvalidSchedule):
            raise
        problem = f"its file {path} cannot be read: {getattr(error, 'strerror', None) or error}."
        raise InvalidSchedule(problem, field="calendars", value=name, remedy="Give the path of an iCalendar file.") from error
