"""The result of parsing a text, before it becomes a checked schedule."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from agentoolkit.system.scheduler.errors import InvalidSchedule
from agentoolkit.system.scheduler.schedules.kinds import Kind
from agentoolkit.system.scheduler.schedules.words.languages import Language


@dataclass(frozen=True, slots=True)
class Phrase:
    """A parsed text.

    Attributes:
        kind: The kind of schedule.
        text: Its text, ready for :class:`~.schedule.Schedule`.
        remarks: The decisions of the parser.
        zone: IANA name of the zone in the text; None if there is none, or only an offset.
        needs_zone: True if its meaning depends on the zone; that of ``now`` and ``in 5 minutes`` does not.
        start_at: First moment (aware) that the text itself sets: ``… from 1 december``.
        end_at: Last moment (aware) that the text itself sets: ``… until friday``.
        language: The language of the text; None means English.
    """

    kind: Kind
    text: str
    remarks: tuple[str, ...] = ()
    zone: str | None = None
    needs_zone: bool = True
    start_at: datetime | None = None
    end_at: datetime | None = None
    language: Language | None = None


def once_phrase(
    instant: datetime, text: str, now: datetime, remarks: tuple[str, ...], *, zone: str | None = None, needs_zone: bool = True
) -> Phrase:
    """Return the phrase of one instant (aware).

    Raises:
        InvalidSchedule: It is in the past.
    """
    if instant < now:
        problem = f"{instant.isoformat()} is in the past."
        raise InvalidSchedule(problem, field="schedule", value=text, remedy="Name a time to come, or write 'now'.")
    return Phrase("once", instant.astimezone(UTC).isoformat(), remarks, zone, needs_zone)
