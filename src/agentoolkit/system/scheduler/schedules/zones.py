"""Time zones: finds their names, suggests near ones, and loads their rules."""

from __future__ import annotations

import difflib
import re
from datetime import timedelta, tzinfo
from datetime import timezone as fixed_offset
from functools import lru_cache
from importlib import resources
from zoneinfo import ZoneInfo

from agentoolkit.system.scheduler.errors import InvalidSchedule

_SHORT_NAMES = """
    est edt cst cdt mst mdt pst pdt akst akdt hst cet cest eet eest wet west met mest bst ist jst kst msk aest aedt acst awst nzst nzdt
    sgt hkt et ct mt pt"""

_ABBREVIATIONS = frozenset(_SHORT_NAMES.split())
"""Abbreviations that mean different places to different people, even if IANA has a zone of that name."""

_CONTINENTS = ("Africa", "America", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")
_OFFSET_SAID = re.compile(r"(?:utc|gmt)?\s*([+-])(\d{1,2})(?::?([0-5]\d))?")
_OFFSET = re.compile(r"UTC([+-])(\d\d):(\d\d)")


@lru_cache(maxsize=1024)
def zone_named(name: str, field: str = "timezone") -> str:
    """Return the IANA spelling of a zone's name, ignoring case; ``Z`` is UTC.

    Raises:
        InvalidSchedule: There is no such zone, or the name is an abbreviation that several places share. It names ``field``.
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
    """Return the zone of a city: ``Europe/London`` for ``london``; None if no zone or several zones have that name."""
    return _cities().get(word.casefold())


def is_abbreviation(word: str) -> bool:
    """Tell whether a word is an abbreviation that several zones share, such as ``EST``."""
    return word.casefold() in _ABBREVIATIONS


class within_the_calendar:  # noqa: N801  used as a function; a generator would take four times as long
    """A ``with`` block that turns a time before year 1 or after year 9999 into a refusal of ``field``."""

    __slots__ = ("_field", "_value")

    def __init__(self, field: str, value: object) -> None:
        self._field = field
        self._value = value

    def __enter__(self) -> None:
        """Enter the block."""

    def __exit__(self, kind: object, error: BaseException | None, where: object) -> None:
        if isinstance(error, OverflowError):
            problem, remedy = "lies beyond the calendar.", "Use the years 1 to 9999."
            raise InvalidSchedule(problem, field=self._field, value=self._value, remedy=remedy) from error


@lru_cache(maxsize=1024)
def load_zone(name: str) -> tzinfo:
    """Load a zone's rules by its exact IANA name, or by a fixed offset such as ``UTC+05:30``.

    Raises:
        InvalidSchedule: There is no such zone.
    """
    try:
        offset = _OFFSET.fullmatch(name)
        if offset is None:
            return ZoneInfo(name)
        size = timedelta(hours=int(offset[2]), minutes=int(offset[3]))
        return fixed_offset(size if offset[1] == "+" else -size)
    except (LookupError, ValueError, OSError) as absent:
        raise InvalidSchedule(f"there is no time zone {name[:60]!r}.", field="timezone", value=name, remedy=_nearest_zone(name)) from absent


def instead_of_offset(said: str) -> str:
    """Return how to write a fixed offset such as ``UTC+2``: the names of the zone database have the opposite sign."""
    offset = _OFFSET_SAID.fullmatch(said.casefold())
    if offset is not None and offset[3] in (None, "00") and 0 < int(offset[2]) <= 12:
        fixed = f"Etc/GMT{'-' if offset[1] == '+' else '+'}{int(offset[2])}"
        return f"Name the place, e.g. 'Asia/Kolkata', or write {fixed!r} for UTC{offset[1]}{int(offset[2]):02}:00 all year."
    return "Name the place, e.g. 'Asia/Kolkata'."


_BY_PLACE = "Name the place, e.g. 'America/New_York', or use UTC."


def _nearest_zone(name: str) -> str:
    """Suggest a name only if it is very similar: another place has another time."""
    near = difflib.get_close_matches(name[:60].casefold(), _known_zones(), n=1, cutoff=0.85)
    return f"Did you mean {_known_zones()[near[0]]!r}?" if near else "Use an IANA name, e.g. 'Europe/Berlin', 'America/New_York' or 'UTC'."


@lru_cache(maxsize=1)
def _cities() -> dict[str, str]:
    """Return zones by their last part, such as ``london``, if it is unique."""
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
