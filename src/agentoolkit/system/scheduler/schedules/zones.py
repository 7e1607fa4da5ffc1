"""Time zones: their names, and what a change of clocks does to a wall time.

A *wall time* is a naive datetime as a clock on the wall shows it; an *instant* is a point in time. Between the two stands the zone,
which now and then shifts: a forward shift leaves a **gap** of wall times that do not exist, a backward one a **fold** that comes twice.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from datetime import timezone as fixed_offset
from functools import lru_cache
from importlib import resources
from zoneinfo import ZoneInfo

from agentoolkit.system.scheduler.errors import InvalidSchedule

_PROBE = timedelta(days=7)
"""How far apart a zone's offset is sampled. No zone since 1970 shifted twice within this span and came back (checked in the tests)."""

_SHORT_NAMES = """
    est edt cst cdt mst mdt pst pdt akst akdt hst cet cest eet eest wet west met mest bst ist jst kst msk aest aedt acst awst nzst nzdt
    sgt hkt et ct mt pt"""

_ABBREVIATIONS = frozenset(_SHORT_NAMES.split())
"""People mean different places by these, even where IANA keeps a zone of that name."""

_CONTINENTS = ("Africa", "America", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")
_OFFSET_SAID = re.compile(r"(?:utc|gmt)?\s*([+-])(\d{1,2})(?::?([0-5]\d))?")
_OFFSET = re.compile(r"UTC([+-])(\d\d):(\d\d)")


@dataclass(frozen=True, slots=True)
class Shift:
    """One change of a zone's offset: at ``at`` (naive UTC) the offset goes from ``before`` to ``after``."""

    at: datetime
    before: timedelta
    after: timedelta

    @property
    def leaves_gap(self) -> bool:
        """Whether wall times are skipped (clocks go forward)."""
        return self.after > self.before

    @property
    def edges(self) -> tuple[datetime, datetime]:
        """First wall time skipped or doubled, and the first one after those."""
        old, new = self.at + self.before, self.at + self.after
        return min(old, new), max(old, new)


def zone_named(name: str, field: str = "timezone") -> str:
    """Return the IANA spelling of a zone's name, whatever its case; ``Z`` is UTC.

    Raises:
        InvalidSchedule: naming ``field``, when there is no such zone or the name is an abbreviation that several places share.
    """
    wanted = name.strip().casefold()
    if wanted == "z":
        return "UTC"
    if is_abbreviation(wanted):
        raise InvalidSchedule(f"{name!r} is an abbreviation, not a zone.", field=field, value=name, remedy=_BY_PLACE)
    known = _known_zones().get(wanted)
    if _OFFSET_SAID.fullmatch(wanted):
        raise InvalidSchedule(f"{name[:60]!r} is an offset, not a zone.", field=field, value=name, remedy=instead_of_offset(wanted))
    if known is None:
        raise InvalidSchedule(f"there is no time zone {name[:60]!r}.", field=field, value=name, remedy=_nearest_zone(name))
    return known


def zone_of_city(word: str) -> str | None:
    """Return the zone whose city a word is: ``Europe/London`` for ``london``; None if it is none's, or several zones'."""
    return _cities().get(word.casefold())


def is_abbreviation(word: str) -> bool:
    """Whether a word is a zone's abbreviation that several places share, such as ``EST``."""
    return word.casefold() in _ABBREVIATIONS


@contextmanager
def within_the_calendar(field: str, value: object) -> Generator[None]:
    """Turn a time before year 1 or after year 9999 into a refusal of ``field``."""
    try:
        yield
    except OverflowError as beyond:
        raise InvalidSchedule("lies beyond the calendar.", field=field, value=value, remedy="Use the years 1 to 9999.") from beyond


@lru_cache(maxsize=1024)
def load_zone(name: str) -> tzinfo:
    """Load a zone's rules by its exact IANA name, or ``UTC+05:30`` for a mere offset.

    Raises:
        InvalidSchedule: when there is no such zone.
    """
    try:
        offset = _OFFSET.fullmatch(name)
        if offset is None:
            return ZoneInfo(name)
        size = timedelta(hours=int(offset[2]), minutes=int(offset[3]))
        return fixed_offset(size if offset[1] == "+" else -size)
    except (LookupError, ValueError, OSError) as absent:
        raise InvalidSchedule(f"there is no time zone {name[:60]!r}.", field="timezone", value=name, remedy=_nearest_zone(name)) from absent


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
    """Return the last shift at or before a naive UTC time that is known to follow one within a year."""
    return [*shifts_between(name, until - timedelta(days=366), until)][-1]


def is_in_gap(name: str, wall: datetime) -> bool:
    """Whether clocks of this zone never show this wall time."""
    local = wall.replace(tzinfo=load_zone(name), fold=0)
    return local.astimezone(UTC).astimezone(local.tzinfo).replace(tzinfo=None) != wall


def is_in_fold(name: str, wall: datetime) -> bool:
    """Whether clocks of this zone show this wall time twice."""
    local = wall.replace(tzinfo=load_zone(name), fold=0)
    return not is_in_gap(name, wall) and local.utcoffset() != local.replace(fold=1).utcoffset()


def instant_of(name: str, wall: datetime) -> datetime:
    """Return the instant (aware UTC) of a wall time: the first of two, or the first instant after a gap."""
    utc = wall.replace(tzinfo=load_zone(name), fold=0).astimezone(UTC)
    if not is_in_gap(name, wall):
        return utc
    return last_shift(name, utc.replace(tzinfo=None)).at.replace(tzinfo=UTC)


def clock_note(name: str, wall: datetime) -> str | None:
    """Say what happens to a wall time that a change of clocks swallows or doubles; None for an ordinary one."""
    runs_at = instant_of(name, wall).astimezone(load_zone(name))
    if is_in_gap(name, wall):
        return f"on {wall:%Y-%m-%d} {wall:%H:%M} does not exist in {name}; runs at {clock_with_offset(runs_at)}"
    if is_in_fold(name, wall):
        return f"on {wall:%Y-%m-%d} {wall:%H:%M} comes twice in {name}; runs once, the first time, at {clock_with_offset(runs_at)}"
    return None


def clock_with_offset(moment: datetime) -> str:
    """Write an aware time as ``03:00+02:00``."""
    return moment.isoformat(timespec="minutes")[11:]


def instead_of_offset(said: str) -> str:
    """Say how a fixed offset such as ``UTC+2`` is written: its sign is the other way round in the names of the zone database."""
    offset = _OFFSET_SAID.fullmatch(said.casefold())
    if offset is not None and offset[3] in (None, "00") and 0 < int(offset[2]) <= 12:
        fixed = f"Etc/GMT{'-' if offset[1] == '+' else '+'}{int(offset[2])}"
        return f"Name the place, e.g. 'Asia/Kolkata', or write {fixed!r} for UTC{offset[1]}{int(offset[2]):02}:00 all year."
    return "Name the place, e.g. 'Asia/Kolkata'."


_BY_PLACE = "Name the place, e.g. 'America/New_York', or use UTC."


def _nearest_zone(name: str) -> str:
    """Suggest a name only if it is very near: another place is another time."""
    near = difflib.get_close_matches(name[:60].casefold(), _known_zones(), n=1, cutoff=0.85)
    return f"Did you mean {_known_zones()[near[0]]!r}?" if near else "Use an IANA name, e.g. 'Europe/Berlin', 'America/New_York' or 'UTC'."


@lru_cache(maxsize=1)
def _cities() -> dict[str, str]:
    """Return zones by their last part, ``london``, where that is one zone's only."""
    found: dict[str, set[str]] = {}
    for name in _known_zones().values():
        area, _, city = name.rpartition("/")
        if area.partition("/")[0] in _CONTINENTS:
            found.setdefault(city.casefold().replace("_", " "), set()).add(name)
    return {city: min(names) for city, names in found.items() if len(names) == 1}


@lru_cache(maxsize=1)
def _known_zones() -> dict[str, str]:
    names = resources.files("tzdata").joinpath("zones").read_text("utf-8").split()
    return {name.casefold(): name for name in names if name != "Factory"}


def _pin_down(zone: tzinfo, low: datetime, high: datetime, before: timedelta) -> Shift:
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=(high - low) // timedelta(seconds=2))
        low, high = (middle, high) if offset_at(zone, middle) == before else (low, middle)
    return Shift(high, before, offset_at(zone, high))
