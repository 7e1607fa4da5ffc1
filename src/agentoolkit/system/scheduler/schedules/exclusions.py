"""Exclusions: dates, ranges of dates, windows of the day and calendars in which nothing runs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache

from agentoolkit.system.scheduler.errors import InvalidSchedule
from agentoolkit.system.scheduler.schedules.calendars import AllBut, CalendarDays, Span, read_calendar
from agentoolkit.system.scheduler.schedules.clock_changes import instant_of, shifts_between
from agentoolkit.system.scheduler.schedules.rules import TICK
from agentoolkit.system.scheduler.schedules.zones import load_zone

MOST = 366
"""Maximum exclusions of one schedule."""
MAX_WINDOWS = 12
"""Maximum windows among them: counting missed due times takes a step for each window and day."""

LISTED = "in 'exclude'"
"""The name of a date that is listed one by one."""
_DAY = timedelta(days=1)
_WINDOW = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-(?:([01][0-9]|2[0-3]):([0-5][0-9])|24:00)")
_DATES = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:/([0-9]{4}-[0-9]{2}-[0-9]{2}))?")
_REMEDY = "Write a date '2026-12-25', dates '2026-12-24/2026-12-26', a window '22:00-06:00', 'weekends', 'holidays:DE' or 'christmas'."


@dataclass(frozen=True, slots=True)
class Dates:
    """Whole days, first and last included."""

    first: date
    last: date

    def end_after(self, wall: datetime) -> datetime | None:
        """Return the wall time at which the exclusion that covers ``wall`` ends; None when it does not cover it."""
        return datetime.combine(self.last + timedelta(days=1), time()) if self.first <= wall.date() <= self.last else None

    def start_after(self, wall: datetime) -> datetime | None:
        """Return the wall time later than ``wall`` at which the exclusion begins; None when it does not any more."""
        start = datetime.combine(self.first, time())
        return start if start > wall else None


@dataclass(frozen=True, slots=True)
class Window:
    """A part of every day, from ``start`` until just before ``end``; it crosses midnight when ``end`` is the earlier one."""

    start: time
    end: time

    def end_after(self, wall: datetime) -> datetime | None:
        """Return the wall time at which the window that covers ``wall`` ends; None when it does not cover it."""
        clock, crosses = wall.time(), self.end <= self.start
        if crosses and clock >= self.start:
            return datetime.combine(wall.date() + timedelta(days=1), self.end)
        if clock < self.end and (crosses or clock >= self.start):
            return datetime.combine(wall.date(), self.end)
        return None

    def start_after(self, wall: datetime) -> datetime:
        """Return the wall time later than ``wall`` at which the window begins next."""
        start = datetime.combine(wall.date(), self.start)
        return start if start > wall else start + timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Exclusions:
    """All exclusions of one schedule, in its zone."""

    timezone: str
    spans: tuple[Span, ...]

    def end_after(self, instant: datetime) -> datetime | None:
        """Return an instant up to which all is excluded from ``instant`` on, which may be longer; None if ``instant`` is free."""
        wall = self._wall(instant)
        ends = [end for span in self.spans if (end := span.end_after(wall)) is not None]
        if not ends:
            return None
        end = instant_of(self.timezone, max(ends)) if max(ends) - wall > _DAY else instant + (max(ends) - wall)
        # No clock change goes back by more than a day, so a later one cannot reach before the exclusion's start.
        return self._change_of_clocks(instant, min(end, instant + _DAY)) or end

    def name_of(self, day: date) -> str | None:
        """Return the name of the exclusion that covers a day; None if none does."""
        noon = datetime.combine(day, time(12))
        for span in self.spans:
            name = span.name_of(day) if isinstance(span, CalendarDays) else LISTED if span.end_after(noon) else None
            if name is not None:
                return name
        return None

    def free_until(self, instant: datetime, until: datetime) -> datetime:
        """Return an instant, at most ``until``, up to which nothing is excluded from ``instant`` on. The free time may be longer."""
        wall = self._wall(instant)
        starts = [start - wall for span in self.spans if (start := span.start_after(wall)) is not None]
        end = min([until + TICK, *(instant + away for away in starts if away <= until - instant)])
        return (self._change_of_clocks(instant, end) or end) - TICK

    def _wall(self, instant: datetime) -> datetime:
        return instant.astimezone(load_zone(self.timezone)).replace(tzinfo=None, fold=0)

    def _change_of_clocks(self, instant: datetime, until: datetime) -> datetime | None:
        """Return the first clock change up to ``until``: after it, wall times outside of the exclusion may come again."""
        span = (moment.astimezone(UTC).replace(tzinfo=None) for moment in (instant, until))
        shift = next(shifts_between(self.timezone, *span), None)
        return None if shift is None else shift.at.replace(tzinfo=UTC)


@lru_cache(maxsize=1024)
def exclusions(texts: tuple[str, ...], timezone: str) -> Exclusions:
    """Read the exclusions of a schedule.

    Raises:
        InvalidSchedule: An exclusion cannot be read. The error names it.
    """
    if len(texts) > MOST:
        problem = f"at most {MOST} exclusions are kept, these are {len(texts)}."
        raise InvalidSchedule(problem, field="exclude", value=len(texts), remedy="Use ranges.")
    spans = tuple(map(_read, texts))
    if (windows := sum(isinstance(span, Window) for span in spans)) > MAX_WINDOWS:
        problem = f"at most {MAX_WINDOWS} windows of the day are kept, these are {windows}."
        raise InvalidSchedule(problem, field="exclude", value=windows, remedy="Join windows, or leave the hours out of a crontab.")
    return Exclusions(timezone, spans)


@lru_cache(maxsize=1024)
def day_exclusions(texts: tuple[str, ...], only: tuple[str, ...], timezone: str) -> Exclusions:
    """Read the exclusions of whole days: those of `exclude` except its windows, and all days that `only` does not name.

    Raises:
        InvalidSchedule: One cannot be read, or `only` has a window. The error names it.
    """
    days = [span for span in exclusions(texts, timezone).spans if not isinstance(span, Window)]
    kept = tuple(_read(text, "only") for text in only)
    if any(isinstance(span, Window) for span in kept):
        raise InvalidSchedule("takes whole days.", field="only", value=", ".join(only), remedy="Leave quiet hours out by 'exclude'.")
    return Exclusions(timezone, (*days, AllBut(kept)) if kept else tuple(days))


@lru_cache(maxsize=1024)
def all_exclusions(texts: tuple[str, ...], only: tuple[str, ...], timezone: str) -> Exclusions:
    """Read the exclusions of days and of times of day."""
    windows = [span for span in exclusions(texts, timezone).spans if isinstance(span, Window)]
    return Exclusions(timezone, (*windows, *day_exclusions(texts, only, timezone).spans))


def window_texts(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Return the exclusions that are windows of the day."""
    return tuple(text for text in texts if _WINDOW.fullmatch(text))


def last_listed_day(texts: tuple[str, ...]) -> tuple[date | None, int]:
    """Return the last day that exclusions list by date, and the number of such exclusions."""
    listed = [date.fromisoformat(shape[2] or shape[1]) for text in texts if (shape := _DATES.fullmatch(text))]
    return max(listed, default=None), len(listed)


def _read(text: str, field: str = "exclude") -> Span:
    try:
        if calendar := read_calendar(text):
            return calendar
        if shape := _DATES.fullmatch(text):
            first, last = shape[1], shape[2] or shape[1]
            if last < first:
                raise ValueError("ends before it starts")
            return Dates(date.fromisoformat(first), date.fromisoformat(last))
        if shape := _WINDOW.fullmatch(text):
            start, end = time(int(shape[1]), int(shape[2])), time(int(shape[3] or 0), int(shape[4] or 0))
            if start == end:
                raise ValueError("is empty")
            return Window(start, end)
    except InvalidSchedule as unknown:
        raise InvalidSchedule(unknown.problem, field=field, value=text, remedy=unknown.remedy) from unknown
    except ValueError as wrong:
        raise _refusal(text, str(wrong), field) from wrong
    raise _refusal(text, "cannot be read", field)


def _refusal(text: str, problem: str, field: str) -> InvalidSchedule:
    return InvalidSchedule(f"{text[:40]!r} {problem}.", field=field, value=text, remedy=_REMEDY)
