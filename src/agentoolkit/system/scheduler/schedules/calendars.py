"""Calendars: whole days that a schedule excludes or is limited to: weekends, public holidays, named days, complements.

Holidays come from the package `holidays` (the extra ``calendars``), a year at a time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import MAXYEAR, date, datetime, time, timedelta
from functools import lru_cache
from typing import Protocol

from agentool.errors import did_you_mean
from agentoolkit.system.scheduler.errors import InvalidSchedule
from agentoolkit.system.scheduler.schedules.words.day_names import DAY_NAMES
from agentoolkit.system.scheduler.schedules.words.yearly_days import YearlyDay

HOLIDAYS = re.compile(r"holidays:([A-Za-z]{2})(?:-([A-Za-z0-9]{1,5}))?")
"""``holidays:DE`` or ``holidays:DE-BY``: a country and optionally its subdivision."""
WEEKENDS = "weekends"

_DAY = timedelta(days=1)
_FAR = 800
"""Days that are searched for the next day of a calendar."""
_NO_MORE = datetime.combine(date(9999, 12, 30), time())


class Span(Protocol):
    """Times that are excluded, as wall times."""

    def end_after(self, wall: datetime) -> datetime | None:
        """Return the wall time at which the exclusion that covers ``wall`` ends; None when it does not cover it."""
        ...

    def start_after(self, wall: datetime) -> datetime | None:
        """Return the wall time later than ``wall`` at which the exclusion begins next; None when it does not."""
        ...


class CalendarDays:
    """A calendar of whole days."""

    def name_of(self, day: date) -> str | None:
        """Return the name of a day in this calendar; None for any other day."""
        raise NotImplementedError

    def end_after(self, wall: datetime) -> datetime | None:
        """Return the midnight after ``wall`` if its day is in this calendar."""
        return datetime.combine(wall.date() + _DAY, time()) if self.name_of(wall.date()) else None

    def start_after(self, wall: datetime) -> datetime | None:
        """Return the first midnight later than ``wall`` at which a day of this calendar begins, within two years."""
        days = (wall.date() + _DAY * ahead for ahead in range(1, _FAR))
        return next((datetime.combine(day, time()) for day in days if self.name_of(day)), None)


@dataclass(frozen=True, slots=True)
class Weekends(CalendarDays):
    """Saturdays and Sundays."""

    def name_of(self, day: date) -> str | None:
        """Return ``weekend``."""
        return "weekend" if day.weekday() > 4 else None


@dataclass(frozen=True, slots=True)
class Holidays(CalendarDays):
    """The public holidays of a country or of one of its subdivisions."""

    country: str
    subdivision: str | None

    def name_of(self, day: date) -> str | None:
        """Return the holiday's name, in English if the package has it."""
        return holidays_of(self.country, self.subdivision, day.year).get(day)


@dataclass(frozen=True, slots=True)
class NamedDay(CalendarDays):
    """A named day of each year: ``christmas``, ``good friday``."""

    name: str
    rule: YearlyDay

    def name_of(self, day: date) -> str | None:
        """Return its name on that day."""
        return self.name if self.rule.in_year(day.year) == day else None

    def start_after(self, wall: datetime) -> datetime | None:
        """Return the first midnight later than ``wall`` at which the day begins."""
        years = range(wall.year, min(wall.year + 3, MAXYEAR))
        return next((start for year in years if (start := datetime.combine(self.rule.in_year(year), time())) > wall), None)


@dataclass(frozen=True, slots=True)
class AllBut(CalendarDays):
    """All days that none of the spans covers."""

    spans: tuple[Span, ...]

    def name_of(self, day: date) -> str | None:
        """Return ``not one of its days``."""
        noon = datetime.combine(day, time(12))
        return None if any(span.end_after(noon) for span in self.spans) else "not one of its days"

    def end_after(self, wall: datetime) -> datetime | None:
        """Return the midnight at which the next day covered by a span begins."""
        if self.name_of(wall.date()) is None:
            return None
        starts = [start for span in self.spans if (start := span.start_after(wall)) is not None]
        return min(starts, default=_NO_MORE)


@lru_cache(maxsize=4096)
def holidays_of(country: str, subdivision: str | None, year: int) -> Mapping[date, str]:
    """Return a year's holidays by date.

    Raises:
        InvalidSchedule: The package is not installed, or does not know the country or the subdivision.
    """
    try:
        import holidays
    except ImportError as absent:
        value, remedy = f"holidays:{country}", "Install 'agentool[calendars]'."
        raise InvalidSchedule("needs the package 'holidays'.", field="exclude", value=value, remedy=remedy) from absent
    supported = holidays.list_supported_countries()
    name = f"holidays:{country}-{subdivision}" if subdivision else f"holidays:{country}"
    if country not in supported:
        problem = f"no holidays are known of country {country!r}."
        raise InvalidSchedule(problem, field="exclude", value=name, remedy="Write its two letters, e.g. 'holidays:DE'.")
    if subdivision is not None and subdivision not in supported[country]:
        problem = f"no holidays are known of subdivision {subdivision!r} of {country}."
        raise InvalidSchedule(problem, field="exclude", value=name, remedy=did_you_mean(subdivision, supported[country]))
    found = holidays.country_holidays(country, subdiv=subdivision, years=year, language="en_US")
    return {day: str(named) for day, named in found.items() if day.year == year}


def is_day_name(text: str) -> bool:
    """Tell whether a text is the name of a day, such as ``christmas`` or ``new year's eve``."""
    return _plain_name(text) in DAY_NAMES


def _plain_name(text: str) -> str:
    return text.casefold().replace("'", "")


def read_calendar(text: str) -> CalendarDays | None:
    """Read ``weekends``, ``holidays:DE-BY`` or the name of a day; None when the text is none of these."""
    if text == WEEKENDS:
        return Weekends()
    if (rule := DAY_NAMES.get(_plain_name(text))) is not None:
        return NamedDay(text, rule)
    if shape := HOLIDAYS.fullmatch(text):
        country, subdivision = shape[1].upper(), shape[2] and shape[2].upper()
        holidays_of(country, subdivision, 2026)
        return Holidays(country, subdivision)
    return None


def dates_of_ics(content: str) -> list[str]:
    """Return the whole days of an iCalendar file (RFC 5545), each as ``2026-12-24/2026-12-26``; recurring events are refused.

    Raises:
        InvalidSchedule: An event recurs, or has no date.
    """
    events = re.findall(r"BEGIN:VEVENT(.*?)END:VEVENT", re.sub(r"\r?\n[ \t]", "", content), re.DOTALL)
    return [_event_days(event) for event in events]


def _event_days(event: str) -> str:
    if re.search(r"^RRULE|^RDATE", event, re.MULTILINE):
        raise InvalidSchedule("an event of the ICS file recurs.", field="calendars", value=event.strip()[:60], remedy="List each date.")
    start, end = (re.search(rf"^{name}[^:\n]*:(\d{{8}})", event, re.MULTILINE) for name in ("DTSTART", "DTEND"))
    if start is None:
        raise InvalidSchedule("an event of the ICS file has no date.", field="calendars", value=event.strip()[:60], remedy="Give DTSTART.")
    first = date.fromisoformat(start[1])
    last = date.fromisoformat(end[1]) - _DAY if end is not None else first
    return first.isoformat() if last <= first else f"{first}/{last}"
