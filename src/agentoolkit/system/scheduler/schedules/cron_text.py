"""Checks crontab text, its fields and terms, and makes it canonical.

Source: crontab(5) as Debian's cron reads it, with ``L``, ``L-3``, ``LW``, ``15W``, ``5L`` and ``mon#1`` added.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from agentool.errors import did_you_mean, excerpt
from agentoolkit.system.scheduler.errors import InvalidSchedule

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

MAX_WEEKS = 52
"""Maximum number in ``every … weeks``."""

_TERM = re.compile(r"(\*|[0-9a-z]+)(?:-([0-9a-z]+))?(?:/([0-9]+))?")
_WEEKS = re.compile(r"(.+) every (\d{1,4}) weeks")


@dataclass(frozen=True, slots=True)
class Field:
    """One of the five fields: its name, range, named values and special terms."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()
    special: re.Pattern[str] | None = None
    example: str = "*"


FIELDS = (
    Field("minute", 0, 59, example="*/15"),
    Field("hour", 0, 23, example="9-17"),
    Field("day-of-month", 1, 31, special=re.compile(r"LW?|L-([1-9]|[12]\d|30)|([1-9]|[12]\d|3[01])W"), example="1,15' or 'L"),
    Field("month", 1, 12, MONTHS, example="1-6' or 'jan-jun"),
    Field("day-of-week", 0, 7, WEEKDAYS, re.compile(r"([0-7]|sun|mon|tue|wed|thu|fri|sat)(L|#([1-5]|L))"), "1-5' or 'mon-fri"),
)


@lru_cache(maxsize=4096)
def normal_cron(text: str) -> str:
    """Return crontab text in its canonical form, every term checked.

    Raises:
        InvalidSchedule: A cron field is wrong. The error names it.
    """
    if text.lstrip().startswith("@"):
        alias = text.strip().casefold()
        if alias not in ALIASES:
            raise InvalidSchedule(f"{text.strip()[:40]!r} is not known.", field="schedule", value=text, remedy=did_you_mean(alias, ALIASES))
        return ALIASES[alias]
    crontab, weeks = split_weeks(" ".join(text.split()))
    fields = crontab.split()
    if len(fields) != len(FIELDS):
        raise _wrong_count(text, len(fields))
    canonical = " ".join(_normal_field(field, part, text) for field, part in zip(FIELDS, fields, strict=True))
    if weeks == 1:
        return canonical
    # Weeks can be counted only on weekdays: months begin within weeks.
    _, _, day_of_month, month, day_of_week = canonical.split()
    if not 1 < weeks <= MAX_WEEKS:
        problem = f"a number of weeks lies between 2 and {MAX_WEEKS}, this is {weeks}."
        raise InvalidSchedule(problem, field="schedule", value=text, remedy="Write e.g. '0 9 * * 1 every 2 weeks'.")
    if (day_of_month, month) != ("*", "*") or day_of_week == "*" or "L" in day_of_week or "#" in day_of_week:
        problem = f"{excerpt(text)} counts weeks, and only weekdays fit in them."
        raise InvalidSchedule(problem, field="schedule", value=text, remedy="Write e.g. '0 9 * * 1 every 2 weeks'.")
    return f"{canonical} every {weeks} weeks"


def split_weeks(text: str) -> tuple[str, int]:
    """Split ``0 9 * * 1 every 2 weeks`` into the crontab and the number of weeks; 1 if none is given."""
    shape = _WEEKS.fullmatch(text)
    return (shape[1], int(shape[2])) if shape else (text, 1)


def odd_steps(text: str) -> tuple[str, ...]:
    """Return remarks on terms of canonical crontab text that crons read differently, and on steps with a single value."""
    pairs = ((field, term) for field, part in zip(FIELDS, text.split(), strict=False) for term in part.split(","))
    remarks = [remark for field, term in pairs if (remark := _odd_step(field, term))]
    _, _, date, _, weekday = text.split()[:5]
    if "*" not in (date, weekday) and (date.startswith("*") or weekday.startswith("*")):
        both = f"day-of-month {date!r} and day-of-week {weekday!r}"
        remarks.append(f"a day must match {both}, as in Debian's cron; other crons take either")
    return tuple(remarks)


def is_repeating(text: str) -> bool:
    """Tell whether canonical crontab text counts elapsed time: minute or hour begins with ``*``, as in Debian's cron."""
    minute, hour, *_ = text.split()
    return minute.startswith("*") or hour.startswith("*")


def _normal_field(field: Field, part: str, text: str) -> str:
    if not part.isascii():
        raise _bad_field(field, part, text, "has characters other than plain ASCII")
    part = part.upper() if field.name == "day-of-month" else part.lower()
    part = part.replace("l", "L") if field.name == "day-of-week" else part
    return ",".join(_checked_term(field, term, text) for term in part.split(","))


def _checked_term(field: Field, term: str, text: str) -> str:
    if field.special and field.special.fullmatch(term):
        # '5#L', 'fri#L' and 'friL' are the same as '5L'.
        day = term.removesuffix("L").removesuffix("#")
        return f"{WEEKDAYS.index(day)}L" if term.endswith("L") and day in WEEKDAYS else term.replace("#L", "L")
    shape = _TERM.fullmatch(term.lower())
    if shape is None or (shape[1] == "*" and shape[2]):
        raise _bad_field(field, term, text, _hint(field, term))
    first = field.low if shape[1] == "*" else _value(field, shape[1], term, text)
    last = _value(field, shape[2], term, text) if shape[2] else field.high
    if last < first and field.name == "day-of-week" and not shape[3]:
        # Weeks go round: 'fri-mon' is Friday to Monday. Written as values, so that every reader agrees.
        return ",".join(str(day % 7) for day in range(first, last + 8))
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
        raise _bad_field(field, term, text, _hint(field, term))
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


def _hint(field: Field, term: str) -> str:
    if term == "?":
        return "is Quartz's word for any value; write '*'"
    if "#" in term:
        return "is not a weekday of the month; write e.g. 'mon#1' for the first Monday (1 to 5)"
    if "W" in term.upper() and field.name == "day-of-month":
        return "is not the weekday nearest to a day; write e.g. '15W' for the one nearest to the 15th"
    if "L" in term.upper() and term.upper().strip("L0123456789-") == "":
        last = "'L' for the last day of the month, 'L-3' for three days before it, '5L' as day-of-week for its last Friday"
        return f"is not a last day; write {last}"
    return "cannot be read"


def _bad_field(field: Field, term: str, text: str, problem: str) -> InvalidSchedule:
    sentence = f"{field.name} {term[:40]!r} {problem}."
    return InvalidSchedule(sentence, field="schedule", value=text, remedy=f"{field.name} takes e.g. '{field.example}'.")


def _wrong_count(text: str, count: int) -> InvalidSchedule:
    problem = f"cron text has five fields, this has {count}."
    if (others := _of_other_programs(text)) is not None:
        return InvalidSchedule(problem, field="schedule", value=text, remedy=others)
    order = "Write 'minute hour day-of-month month day-of-week', e.g. '0 9 * * 1-5'"
    seconds = "; for seconds use an interval, e.g. '30 seconds'" if count == 6 else ""
    return InvalidSchedule(problem, field="schedule", value=text, remedy=f"{order}{seconds}.")


def _of_other_programs(text: str) -> str | None:
    """Return the remedy for a crontab of Quartz, with seconds first, or of AWS, with a year at the end; None for others."""
    fields = text.strip().removeprefix("cron(").removesuffix(")").split()
    if len(fields) != 6 or "?" not in fields:
        return None
    has_seconds = fields[0] == "0" and "?" in (fields[3], fields[5])
    if not has_seconds and fields[5] != "*":
        return None
    five = ["*" if field == "?" else field for field in (fields[1:] if has_seconds else fields[:5])]
    whose = "Quartz puts seconds first" if has_seconds else "AWS puts a year at the end"
    if any(character.isdigit() for character in five[4]):
        return f"{whose}, and counts weekdays from 1 for Sunday: leave that field out, and write weekdays by their names, e.g. 'mon-fri'."
    return f"{whose}: write {' '.join(five)!r}."
