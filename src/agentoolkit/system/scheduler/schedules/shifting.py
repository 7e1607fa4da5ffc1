"""Moves due times on excluded days to the next or previous day that is not excluded."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache

from agentoolkit.system.scheduler.schedules.bounds import FAR, PATIENCE, Shift
from agentoolkit.system.scheduler.schedules.clock_changes import instant_of
from agentoolkit.system.scheduler.schedules.exclusions import Exclusions
from agentoolkit.system.scheduler.schedules.rules import TICK, Rule
from agentoolkit.system.scheduler.schedules.zones import load_zone

MAX_DAYS = 62
"""Maximum days that a due time is moved. One that would be moved further is omitted."""
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Shifted(Rule):
    """Moves due times on excluded days to the same time of a nearby day. Two that meet count as one."""

    rule: Rule
    excluded: Exclusions
    direction: Shift

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first due time strictly later than ``moment``, moved or not."""
        due, best = self.rule.next_after(self._earliest(moment)), None
        for _ in range(PATIENCE):
            if due is None or due - moment > FAR or (best is not None and self._comes_too_late(due, best)):
                break
            moved = self.moved(due)
            if moved is not None and moved > moment and (best is None or moved < best):
                best = moved
            due = self.rule.next_after(due)
        return best

    def count(self, after: datetime, until: datetime) -> int:
        """Count the due times later than ``after`` and not later than ``until``, by a walk over them."""
        number, due = 0, self.next_after(after)
        while due is not None and due <= until:
            number, due = number + 1, self.next_after(due)
        return number

    def moved(self, due: datetime) -> datetime | None:
        """Return the instant to which a due time is moved: unchanged on a day that is not excluded, None if no day is near."""
        wall = self.rule.wall_of(due, load_zone(self.excluded.timezone))
        day = _free_day(self.excluded, wall.date(), self.direction)
        if day == wall.date():
            return due
        return None if day is None else instant_of(self.excluded.timezone, datetime.combine(day, wall.time()))

    def _earliest(self, moment: datetime) -> datetime:
        """Return the instant from which due times may be moved beyond ``moment``: the start of the excluded days before it."""
        if self.direction == "previous":
            return moment
        day = moment.astimezone(load_zone(self.excluded.timezone)).date()
        first = day
        while _is_excluded(self.excluded, first - _DAY) and day - first < timedelta(days=MAX_DAYS):
            first -= _DAY
        if first == day and not _is_excluded(self.excluded, day):
            return moment
        return instant_of(self.excluded.timezone, datetime.combine(first, time())).astimezone(UTC) - TICK

    def _comes_too_late(self, due: datetime, best: datetime) -> bool:
        """Tell whether neither this due time nor a later one can be moved before the best one found."""
        if self.direction == "next":
            return due >= best
        zone = load_zone(self.excluded.timezone)
        day = _free_day(self.excluded, due.astimezone(zone).date(), self.direction)
        return day is not None and day > best.astimezone(zone).date()


@lru_cache(maxsize=65_536)
def _is_excluded(excluded: Exclusions, day: date) -> bool:
    return excluded.name_of(day) is not None


@lru_cache(maxsize=65_536)
def _free_day(excluded: Exclusions, day: date, direction: Shift) -> date | None:
    """Return the nearest day that is not excluded, from this day on in a direction; None if it is too far away."""
    step = _DAY if direction == "next" else -_DAY
    return next((near for ahead in range(MAX_DAYS + 1) if not _is_excluded(excluded, near := day + step * ahead)), None)
