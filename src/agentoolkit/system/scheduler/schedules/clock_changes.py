"""Maps wall times to instants across clock changes: summer time, and any other shift of a zone's offset.

A *wall time* is a naive datetime as a clock on the wall shows it; an *instant* is a point in time. The zone maps one to the other:
a forward shift leaves a **gap** of wall times that do not exist, a backward shift a **fold** of wall times that come twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache

from agentoolkit.system.scheduler.schedules.zones import load_zone

_PROBE = timedelta(days=7)
"""Distance of the samples of a zone's offset. No zone since 1970 shifted and came back within this span (checked in the tests)."""


@dataclass(frozen=True, slots=True)
class Shift:
    """One change of a zone's offset: at ``at`` (naive UTC) the offset goes from ``before`` to ``after``."""

    at: datetime
    before: timedelta
    after: timedelta

    @property
    def leaves_gap(self) -> bool:
        """True if wall times are skipped (clocks go forward)."""
        return self.after > self.before

    @property
    def edges(self) -> tuple[datetime, datetime]:
        """The first wall time that is skipped or doubled, and the first one after them."""
        old, new = self.at + self.before, self.at + self.after
        return min(old, new), max(old, new)


def offset_at(zone: tzinfo, utc: datetime) -> timedelta:
    """Return the zone's offset at a naive UTC time."""
    return utc.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None) - utc


@lru_cache(maxsize=4096)
def shifts_of_year(name: str, year: int) -> tuple[Shift, ...]:
    """Return the shifts of a zone within one UTC year, in order."""
    zone = load_zone(name)
    start, end = datetime.combine(date(year, 1, 1), time()), datetime.combine(date(year, 12, 31), time(23, 59, 59))
    probes = [*(start - timedelta(seconds=1) + _PROBE * week for week in range(53)), end]
    offsets = [offset_at(zone, probe) for probe in probes]
    spans = zip(probes, probes[1:], offsets, offsets[1:], strict=False)
    return tuple(_pin_down(zone, low, high, before) for low, high, before, after in spans if before != after)


def shifts_between(name: str, after: datetime, until: datetime) -> Iterator[Shift]:
    """Yield the shifts with ``after`` < at ≤ ``until`` (both naive UTC), in order."""
    for year in range(after.year, until.year + 1):
        yield from (shift for shift in shifts_of_year(name, year) if after < shift.at <= until)


def last_shift(name: str, until: datetime) -> Shift:
    """Return the last shift at or before a naive UTC time, which must be within a year."""
    return [*shifts_between(name, until - timedelta(days=366), until)][-1]


def is_in_gap(name: str, wall: datetime) -> bool:
    """Tell whether clocks of this zone skip this wall time."""
    local = wall.replace(tzinfo=load_zone(name), fold=0)
    return local.astimezone(UTC).astimezone(local.tzinfo).replace(tzinfo=None) != wall


def is_in_fold(name: str, wall: datetime) -> bool:
    """Tell whether clocks of this zone show this wall time twice."""
    local = wall.replace(tzinfo=load_zone(name), fold=0)
    return not is_in_gap(name, wall) and local.utcoffset() != local.replace(fold=1).utcoffset()


def instant_of(name: str, wall: datetime) -> datetime:
    """Return the instant (aware UTC) of a wall time: the first of two, or the first instant after a gap."""
    zone = load_zone(name)
    utc = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if utc.astimezone(zone).replace(tzinfo=None) == wall:  # `not is_in_gap(…)`, inline because every due time passes here
        return utc
    return last_shift(name, utc.replace(tzinfo=None)).at.replace(tzinfo=UTC)


def clock_note(name: str, wall: datetime) -> str | None:
    """Return a remark on a wall time that a clock change skips or doubles; None for any other."""
    runs_at = instant_of(name, wall).astimezone(load_zone(name))
    if is_in_gap(name, wall):
        return f"on {wall:%Y-%m-%d} {wall:%H:%M} does not exist in {name}; runs at {clock_with_offset(runs_at)}"
    if is_in_fold(name, wall):
        return f"on {wall:%Y-%m-%d} {wall:%H:%M} comes twice in {name}; runs once, the first time, at {clock_with_offset(runs_at)}"
    return None


def clock_with_offset(moment: datetime) -> str:
    """Write an aware time as ``03:00+02:00``."""
    return moment.isoformat(timespec="minutes")[11:]


def _pin_down(zone: tzinfo, low: datetime, high: datetime, before: timedelta) -> Shift:
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=(high - low) // timedelta(seconds=2))
        low, high = (middle, high) if offset_at(zone, middle) == before else (low, middle)
    return Shift(high, before, offset_at(zone, high))
