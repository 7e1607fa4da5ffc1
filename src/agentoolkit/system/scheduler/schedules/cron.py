"""Crontab text: checking it, and its due times in a zone.

Source: crontab(5) as Debian's cron reads it, with ``L``, ``LW``, ``5L`` and ``mon#1`` added. CronSim reads the terms;
which wall times match is found in `matching`, and what a change of clocks does to them is decided here, because the stated rule must
hold in every zone (see ``docs/reference/schedules.md``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache

from cronsim import CronSim, CronSimError

from agentool.errors import did_you_mean
from agentoolkit.system.scheduler.errors import InvalidSchedule
from agentoolkit.system.scheduler.schedules.cron_days import WallTimes
from agentoolkit.system.scheduler.schedules.rules import TICK
from agentoolkit.system.scheduler.schedules.zones import instant_of, last_shift, load_zone, offset_at, shifts_between

ALIASES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
"""The names crontab(5) gives to common expressions."""

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")

_SECOND = timedelta(seconds=1)
_YEAR = timedelta(days=366)
_ENOUGH = timedelta(days=3)
"""More than any two offsets of a zone differ by."""
_ANY_TIME = datetime.combine(date(2000, 1, 1), time())
_TERM = re.compile(r"(\*|[0-9a-z]+)(?:-([0-9a-z]+))?(?:/([0-9]+))?")


@dataclass(frozen=True, slots=True)
class Field:
    """One of the five fields: its name, the values it takes, the names it knows and its special terms."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()
    special: re.Pattern[str] | None = None
    example: str = "*"


FIELDS = (
    Field("minute", 0, 59, example="*/15"),
    Field("hour", 0, 23, example="9-17"),
    Field("day-of-month", 1, 31, special=re.compile(r"LW?"), example="1,15' or 'L"),
    Field("month", 1, 12, MONTHS, example="1-6' or 'jan-jun"),
    Field("day-of-week", 0, 7, WEEKDAYS, re.compile(r"[0-7]L|([0-7]|sun|mon|tue|wed|thu|fri|sat)#[1-5]"), "1-5' or 'mon-fri"),
)


@lru_cache(maxsize=4096)
def normal_cron(text: str) -> str:
    """Return crontab text in its canonical form, every term checked.

    Raises:
        InvalidSchedule: naming the cron field that is wrong.
    """
    if text.lstrip().startswith("@"):
        return _expand_alias(text.strip())
    fields = text.split()
    if len(fields) != len(FIELDS):
        raise _wrong_count(text, len(fields))
    return " ".join(_normal_field(field, part, text) for field, part in zip(FIELDS, fields, strict=True))


def odd_steps(text: str) -> tuple[str, ...]:
    """Say how the steps of canonical crontab text are read that crontab(5) leaves open, or that never come to a second value."""
    pairs = ((field, term) for field, part in zip(FIELDS, text.split(), strict=True) for term in part.split(","))
    return tuple(remark for field, term in pairs if (remark := _odd_step(field, term)))


def is_repeating(text: str) -> bool:
    """Whether canonical crontab text counts elapsed time: its minute or hour starts with ``*`` (Debian's cron draws the same line)."""
    minute, hour, *_ = text.split()
    return minute.startswith("*") or hour.startswith("*")


class FixedTimes:
    """Fixed wall times: one in a gap is due at the first instant after it, one in a fold is due once, the first time."""

    __slots__ = ("_timezone", "_walls", "_zone")

    def __init__(self, walls: WallTimes, timezone: str) -> None:
        self._walls, self._timezone, self._zone = walls, timezone, load_zone(timezone)

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first due time strictly later than ``moment``."""
        local = moment.astimezone(self._zone)
        wall = local.replace(tzinfo=None, fold=0)
        due = self._walls.starting(self._end_of_fold(moment)) if local.fold else self._walls.after(wall)
        return due and instant_of(self._timezone, due)

    def count(self, after: datetime, until: datetime) -> int:
        """Return how many due times are later than ``after`` and not later than ``until``; all in one gap are one."""
        number = self._walls.count(self._reached(after), self._reached(until))
        for shift in shifts_between(self._timezone, _naive(after), _naive(until)):
            if shift.leaves_gap:
                start, end = shift.edges
                number -= max(self._walls.count(start - TICK, end) - 1, 0)
        return number

    def _reached(self, moment: datetime) -> datetime:
        """Return the last wall time that has come by an instant: in a fold, all of it has come the first time."""
        local = moment.astimezone(self._zone)
        return self._end_of_fold(moment) - TICK if local.fold else local.replace(tzinfo=None)

    def _end_of_fold(self, moment: datetime) -> datetime:
        return last_shift(self._timezone, _naive(moment)).edges[1]


class RepeatingTimes:
    """Elapsed time: due at every instant whose wall time matches, so twice in a fold and not at all in a gap."""

    __slots__ = ("_timezone", "_walls", "_zone")

    def __init__(self, walls: WallTimes, timezone: str) -> None:
        self._walls, self._timezone, self._zone = walls, timezone, load_zone(timezone)

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first due time strictly later than ``moment``."""
        utc = _naive(moment)
        wall = moment.astimezone(self._zone).replace(tzinfo=None, fold=0)
        offset, due = wall - utc, self._walls.after(wall)
        while due is not None:
            shift = next(shifts_between(self._timezone, utc, due - offset), None)
            if shift is None:
                return (due - offset).replace(tzinfo=UTC)
            utc, offset = shift.at, shift.after
            if not wall < utc + offset <= due:
                due = self._walls.starting(utc + offset)
            wall = utc + offset - _SECOND
            if due is not None and due - wall > _YEAR:
                utc, offset, wall = self._shortly_before(due, offset)
        return None

    def count(self, after: datetime, until: datetime) -> int:
        """Return how many due times are later than ``after`` and not later than ``until``."""
        start, end = _naive(after), _naive(until)
        offset, number = offset_at(self._zone, start), 0
        for shift in shifts_between(self._timezone, start, end):
            number += self._walls.count(start + offset, shift.at + offset - TICK)
            start, offset = shift.at - TICK, shift.after
        return number + self._walls.count(start + offset, end + offset)

    def _shortly_before(self, due: datetime, offset: timedelta) -> tuple[datetime, timedelta, datetime]:
        """Pass over the years until ``due``: nothing matches until then, so no change of clocks on the way matters."""
        utc = due - offset - _ENOUGH
        offset = offset_at(self._zone, utc)
        return utc, offset, utc + offset


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)


@lru_cache(maxsize=4096)
def cron_rule(text: str, timezone: str) -> FixedTimes | RepeatingTimes:
    """Return the rule of canonical crontab text in a zone."""
    walls = wall_times(text)
    return RepeatingTimes(walls, timezone) if is_repeating(text) else FixedTimes(walls, timezone)


@lru_cache(maxsize=4096)
def wall_times(text: str) -> WallTimes:
    """Return the wall times of canonical crontab text.

    Raises:
        InvalidSchedule: when no date can match.
    """
    try:
        return WallTimes(CronSim(text, _ANY_TIME))
    except CronSimError as wrong:
        raise _never_fires(text) from wrong


def _expand_alias(text: str) -> str:
    alias = text.casefold()
    if alias == "@reboot":
        raise InvalidSchedule(
            "'@reboot' names no time; a schedule needs one.", field="schedule", value=text, remedy="Use 'now' to run once at once."
        )
    if alias not in ALIASES:
        raise InvalidSchedule(f"{text[:40]!r} is not known.", field="schedule", value=text, remedy=did_you_mean(alias, ALIASES))
    return ALIASES[alias]


def _normal_field(field: Field, part: str, text: str) -> str:
    if not part.isascii():
        raise _bad_field(field, part, text, "has characters other than plain ASCII")
    part = part.upper() if field.name == "day-of-month" else part.lower()
    part = part.replace("l", "L") if field.name == "day-of-week" else part
    return ",".join(_checked_term(field, term, text) for term in part.split(","))


def _checked_term(field: Field, term: str, text: str) -> str:
    if field.special and field.special.fullmatch(term):
        return term
    shape = _TERM.fullmatch(term.lower())
    if shape is None or (shape[1] == "*" and shape[2]):
        raise _bad_field(field, term, text, _hint(term))
    first = field.low if shape[1] == "*" else _value(field, shape[1], term, text)
    last = _value(field, shape[2], term, text) if shape[2] else field.high
    if last < first:
        raise _bad_field(field, term, text, "runs backwards; list the values instead")
    if shape[3] and not 1 <= int(shape[3]) <= field.high:
        raise _bad_field(field, term, text, f"steps by {shape[3][:20]}, but a step lies between 1 and {field.high}")
    # CronSim would read '7-7/2' as '7/2', which steps on to the end of the field.
    return shape[1] if shape[2] and first == last else term


def _value(field: Field, word: str, term: str, text: str) -> int:
    if word in field.names:
        return field.names.index(word) + field.low
    if not word.isdigit():
        raise _bad_field(field, term, text, _hint(term))
    if not field.low <= int(word) <= field.high:
        raise _bad_field(field, term, text, f"is outside {field.low}-{field.high}")
    return int(word)


def _odd_step(field: Field, term: str) -> str | None:
    shape = _TERM.fullmatch(term)
    if shape is None or not shape[3] or shape[1] == "*":
        return None
    if not shape[2]:
        return f"{field.name} {term!r} is read as {shape[1]}-{field.high}/{shape[3]}"
    first, last = (_value(field, bound, term, term) for bound in (shape[1], shape[2]))
    if int(shape[3]) > last - first:
        return f"{field.name} {term!r} matches {first} only, because the step is longer than the range"
    return None


def _hint(term: str) -> str:
    if term == "?":
        return "is Quartz's word for any value; write '*'"
    if "#" in term:
        return "is not a weekday of the month; write e.g. 'mon#1' for the first Monday (1 to 5)"
    if "L" in term.upper() and term.upper().strip("L0123456789-") == "":
        return "is not a last day; write 'L' for the last day of the month, '5L' as day-of-week for its last Friday"
    return "cannot be read"


def _bad_field(field: Field, term: str, text: str, problem: str) -> InvalidSchedule:
    sentence = f"{field.name} {term[:40]!r} {problem}."
    return InvalidSchedule(sentence, field="schedule", value=text, remedy=f"{field.name} takes e.g. '{field.example}'.")


def _wrong_count(text: str, count: int) -> InvalidSchedule:
    order = "Write 'minute hour day-of-month month day-of-week', e.g. '0 9 * * 1-5'"
    seconds = "; for seconds use an interval, e.g. '30 seconds'" if count == 6 else ""
    return InvalidSchedule(f"cron text has five fields, this has {count}.", field="schedule", value=text, remedy=f"{order}{seconds}.")


def _never_fires(text: str) -> InvalidSchedule:
    return InvalidSchedule(
        "day-of-month and month never meet, so this never fires.", field="schedule", value=text, remedy="For a month's last day use 'L'."
    )
