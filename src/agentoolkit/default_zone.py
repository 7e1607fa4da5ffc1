"""The habits of reading schedules that the settings name. Their time zone is checked when they are used for the first time."""

from __future__ import annotations

from agentoolkit.setting_sources import InvalidSettings
from agentoolkit.settings import Settings
from agentoolkit.system.scheduler.errors import InvalidSchedule
from agentoolkit.system.scheduler.schedules import ReadingHabits
from agentoolkit.system.scheduler.schedules.words.tokens import DayParts
from agentoolkit.system.scheduler.schedules.zones import zone_named


def reading_habits(settings: Settings) -> ReadingHabits:
    """Return the zone, the day parts and the languages of the settings. Raises as `default_zone`."""
    return ReadingHabits(default_zone(settings), DayParts(**settings.day_parts), settings.languages)


def default_zone(settings: Settings) -> str | None:
    """Return the zone that the settings name; None: the machine's.

    Raises:
        InvalidSettings: There is no such zone. It names the variable: nobody typed a zone.
    """
    if settings.timezone is None:
        return None
    try:
        return zone_named(settings.timezone)
    except InvalidSchedule as error:
        raise InvalidSettings(f"AGENTOOL_TIMEZONE: {error.problem}", value=settings.timezone, remedy=error.remedy) from error
