"""What clocks show around changes of a zone, by walking through every minute: no code of the package.

A fixed time of day is due in the first minute whose wall time has reached it, seen from the minute before; a repeating pattern is due in
every minute whose wall time matches.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from .crontab_reference import Crontab, read

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Walk:
    """Every minute from ``start`` to ``end`` (UTC) with the wall time of a zone."""

    zone: str
    start: datetime
    end: datetime

    def minutes(self) -> list[tuple[datetime, datetime]]:
        return _minutes(self)


@lru_cache(maxsize=2)
def _minutes(walk: Walk) -> list[tuple[datetime, datetime]]:
    zone, count = ZoneInfo(walk.zone), int((walk.end - walk.start) / MINUTE)
    instants = [walk.start + MINUTE * index for index in range(count)]
    return [(instant, instant.astimezone(zone).replace(tzinfo=None, fold=0)) for instant in instants]


def repeating(text: str, walk: Walk) -> list[datetime]:
    """Return all minutes whose wall time matches."""
    crontab = read(text)
    return [instant for instant, wall in walk.minutes() if matches(crontab, wall)]


def fixed(text: str, walk: Walk) -> list[datetime]:
    """Return one minute for each wall time that matches, the first one at which clocks show it or have gone past it.

    Several wall times swallowed by one gap give one minute.
    """
    crontab, due, reached = read(text), [], None
    for instant, wall in walk.minutes():
        if reached is None:
            reached = wall
            continue
        if wall > reached:
            skips = wall > reached + MINUTE
            if matches(crontab, wall) or (skips and any(matches(crontab, skipped) for skipped in _minutes_between(reached, wall))):
                due.append(instant)
            reached = wall
    return due


def matches(crontab: Crontab, wall: datetime) -> bool:
    return (wall.hour, wall.minute) in crontab.clocks and crontab.matches_day(wall.date())


def _minutes_between(before: datetime, until: datetime) -> Iterator[datetime]:
    wall = before + MINUTE
    while wall <= until:
        yield wall
        wall += MINUTE


def changes(zone: str, start: datetime, end: datetime) -> list[datetime]:
    """Return the full hours (UTC) within which a zone's offset changes, found hour by hour."""
    place, hours = ZoneInfo(zone), int((end - start) / timedelta(hours=1))
    offsets = [(start + timedelta(hours=hour)).astimezone(place).utcoffset() for hour in range(hours + 1)]
    return [start + timedelta(hours=hour) for hour in range(hours) if offsets[hour] != offsets[hour + 1]]


def utc(year: int, month: int, day: int) -> datetime:
    return datetime(year, month, day, tzinfo=UTC)
