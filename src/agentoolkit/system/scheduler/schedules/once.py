"""Schedules that are due once, at one instant."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from agentoolkit.system.scheduler.errors import InvalidSchedule
from agentoolkit.system.scheduler.schedules.rules import Rule
from agentoolkit.system.scheduler.schedules.zones import load_zone, within_the_calendar


@dataclass(frozen=True, slots=True)
class OnceRule(Rule):
    """Due at one instant (aware UTC)."""

    at: datetime

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the instant if it is later than ``moment``, else None."""
        return self.at if self.at > moment else None

    def count(self, after: datetime, until: datetime) -> int:
        """Return 1 if the instant lies in between, else 0."""
        return int(after < self.at <= until)


def once_text(instant: datetime, timezone: str) -> str:
    """Write an instant in canonical form: ISO 8601 in the schedule's zone, with offset.

    Raises:
        InvalidSchedule: The instant is outside the calendar of that zone.
    """
    with within_the_calendar("schedule", instant):
        return instant.astimezone(load_zone(timezone)).isoformat()


@lru_cache(maxsize=4096)
def once_rule(text: str) -> OnceRule:
    """Read a canonical text.

    Raises:
        InvalidSchedule: It is not ISO 8601 with an offset.
    """
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is None:
            raise ValueError("no offset")
        return OnceRule(at.astimezone(UTC))
    except (ValueError, OverflowError) as wrong:
        raise InvalidSchedule(
            "is not a time with an offset.", field="schedule", value=text, remedy="Write e.g. '2026-12-25T09:00:00+01:00'."
        ) from wrong
