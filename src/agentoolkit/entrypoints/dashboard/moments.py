"""Write times for people: relative to now, and exactly in a zone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


class PageClock(NamedTuple):
    """The present time of a page, and the zone in which it writes times."""

    now: datetime
    zone: str | None = None
    """The viewer's zone, if the viewer chose it; None: each job's own zone."""

    def of(self, zone: str) -> PageClock:
        """Return a clock for a job's zone, unless the viewer chose a zone."""
        return self if self.zone else PageClock(self.now, known_zone(zone))

    def local(self, moment: datetime) -> datetime:
        """Return a time in the zone of this page."""
        return moment.astimezone(ZoneInfo(self.zone) if self.zone else UTC)

    def exactly(self, moment: datetime) -> str:
        """Write ``Wed 2 Jan 2030 10:24:00, UTC+01:00``."""
        local = self.local(moment)
        return f"{local:%a} {local.day} {local:%b} {local.year} {local:%H:%M:%S}, {local:%Z}"

    def exactly_of(self, iso: str) -> str:
        """Write an ISO 8601 time exactly."""
        return self.exactly(datetime.fromisoformat(iso))

    def away(self, moment: datetime) -> str:
        """Write ``in 6 min`` or ``2 h ago``."""
        seconds = (moment - self.now).total_seconds()
        told = span(abs(seconds))
        if abs(seconds) < 1:
            return "now"
        return f"in {told}" if seconds > 0 else f"{told} ago"


def span(seconds: float) -> str:
    """Write a time span with its two largest units at most: ``1 h 5 min``, ``38 s``, ``12 ms``."""
    if seconds < 0.001:
        return f"{seconds * 1_000:.1f} ms".replace(".0 ", " ")
    if seconds < 1:
        return f"{seconds * 1_000:.0f} ms"
    if seconds < 10:
        return f"{seconds:.1f} s".replace(".0 ", " ")
    left, told = round(seconds), list[str]()
    for size, name in _UNITS:
        number, rest = divmod(left, size)
        if number:
            told.append(f"{number} {name}")
            if len(told) == 2 or number >= 10 or size == 1:
                break
        elif told:
            break
        left = rest
    return " ".join(told)


def known_zone(name: str | None) -> str | None:
    """Return the name of a zone if there is such a zone."""
    try:
        return ZoneInfo(name).key if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def read_moment(text: str | None) -> datetime | None:
    """Read an aware ISO 8601 time."""
    return datetime.fromisoformat(text) if text else None
