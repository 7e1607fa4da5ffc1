"""Reads a moment that bounds a schedule: a time, ISO 8601 text or words."""

from __future__ import annotations

from datetime import datetime, timedelta

from agentool.errors import excerpt
from agentoolkit.system.scheduler.errors import InvalidSchedule
from agentoolkit.system.scheduler.schedules.clock_changes import instant_of
from agentoolkit.system.scheduler.schedules.rules import TICK
from agentoolkit.system.scheduler.schedules.words import moment_in_words
from agentoolkit.system.scheduler.schedules.words.tokens import plain
from agentoolkit.system.scheduler.schedules.zones import within_the_calendar

MAX_TEXT_LENGTH = 200
"""Maximum characters of a schedule or a moment."""


def moment_of(value: datetime | str | None, name: str, zone: str, now: datetime) -> datetime | None:
    """Return a bound as an aware time. Without an offset it is in the zone. A date alone as an end is the end of that day.

    Args:
        value: The time, ISO 8601 text, or words such as ``next friday at 18:00``; None for no bound.
        name: The field: ``end_at``, or ``start_at`` and others, which are read as a start.
        zone: IANA name.
        now: The current time (aware).

    Raises:
        InvalidSchedule: The text is not a time. The error names the field.
    """
    moment = _moment(value[:MAX_TEXT_LENGTH], name, zone, now) if isinstance(value, str) else value
    if moment is None or moment.tzinfo is not None:
        return moment
    with within_the_calendar(name, value):
        if name == "end_at" and isinstance(value, str) and ":" not in value and "T" not in value.upper():
            # A date alone as an end means the end of that day, as in RFC 5545.
            return instant_of(zone, moment + timedelta(days=1)) - TICK
        return instant_of(zone, moment)


def _moment(text: str, name: str, zone: str, now: datetime) -> datetime:
    """Read a bound in ISO 8601 or in words."""
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError:
        pass
    try:
        return moment_in_words(plain(text), now=now, timezone=zone, is_end=name == "end_at")
    except InvalidSchedule as refused:
        if (refused.remedy or "").startswith("Did you mean"):
            raise InvalidSchedule(refused.problem, field=name, value=text, remedy=refused.remedy) from refused
        remedy = "Write ISO 8601, e.g. '2026-12-25T09:00:00', or e.g. 'next friday at 18:00'."
        problem = f"{excerpt(text)} is not a time to come: {refused.problem}"
        raise InvalidSchedule(problem, field=name, value=text, remedy=remedy) from refused
