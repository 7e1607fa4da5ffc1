"""Reads calendar events of systemd (``OnCalendar``): ``Mon..Fri 09:00``, ``*-*-01 04:30:00``, ``weekly``, if a crontab equals them.

event    = [ weekdays ] [ date ] [ time ] [ zone ] | shorthand
weekdays = weekday { ("," | "..") weekday }
date     = [ "*-" ] month "-" ( day | "~" day )            a year that is not * is refused
time     = hour ":" minute [ ":00" ]
"""

from __future__ import annotations

import re

from agentoolkit.system.scheduler.errors import InvalidSchedule
from agentoolkit.system.scheduler.schedules.cron_text import normal_cron
from agentoolkit.system.scheduler.schedules.words.phrase import Phrase
from agentoolkit.system.scheduler.schedules.zones import zone_named

_NAMED = {
    "minutely": "* * * * *", "quarterly": "0 0 1 1,4,7,10 *", "semiannually": "0 0 1 1,7 *", "biannually": "0 0 1 1,7 *",
    "hourly": "0 * * * *", "daily": "0 0 * * *", "weekly": "0 0 * * 1", "monthly": "0 0 1 * *",
    "yearly": "0 0 1 1 *", "annually": "0 0 1 1 *",
}  # fmt: skip
"""Read after ``OnCalendar=`` only: as a word, ``weekly`` is crontab's, on Sunday."""
_ITS_OWN = ("minutely", "semiannually")
"""Words of systemd that are nobody else's."""
_PREFIX = re.compile(r"\s*OnCalendar=\s*", re.IGNORECASE)
_DAY = r"(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*"
_DAYS = re.compile(rf"{_DAY}(?:(?:,|\.\.){_DAY})*", re.IGNORECASE)
_SHORT_DAYS = re.compile(r"(?:mon|tue|wed|thu|fri|sat|sun)(?:,(?:mon|tue|wed|thu|fri|sat|sun))+", re.IGNORECASE)
_DATE = re.compile(r"(?:(\*|\d{4})-)?([\d*,./]+)([-~])([\d*,./]+)")
_TIME = re.compile(r"([\d*,./]+):([\d*,./]+)(?::0?0)?")
_ZONE = re.compile(r"[A-Za-z_]+(?:/[A-Za-z0-9_+-]+)*")
_TERM = re.compile(r"\*|\d+|\*/\d+|\d+/\d+|\d+\.\.\d+(?:/\d+)?")
_MAX_WORDS = 4
"""Weekdays, date, time and zone; a crontab has more."""
_REMEDY = "Write e.g. 'Mon..Fri *-*-* 09:00:00', or a crontab, e.g. '0 9 * * 1-5'."


def is_on_calendar(text: str) -> bool:
    """Tell whether a text is a calendar event of systemd, and no other kind of schedule."""
    said = text.strip()
    if _PREFIX.match(said) or said.casefold() in _ITS_OWN:
        return True
    words = said.split()
    if len(words) > _MAX_WORDS:
        return False
    if _DAYS.fullmatch(words[0].rstrip(",")) is not None and ".." in words[0]:
        return True
    if _SHORT_DAYS.fullmatch(words[0]) is not None and any(_TIME.fullmatch(word) for word in words[1:]):
        return True
    return any("*" in word and (_DATE.fullmatch(word) or _TIME.fullmatch(word)) for word in words)


def on_calendar_phrase(text: str) -> Phrase:
    """Read a calendar event as a crontab.

    Raises:
        InvalidSchedule: A part of it has no crontab.
    """
    said = _PREFIX.sub("", text.strip())
    words = said.split()
    names_zone = len(words) > 1 and _ZONE.fullmatch(words[-1]) and not _DAYS.fullmatch(words[-1])
    zone = zone_named(words.pop(), "schedule") if names_zone else None
    crontab = _NAMED.get(" ".join(words).casefold()) or _crontab(words, text)
    canonical = normal_cron(crontab)
    return Phrase("cron", canonical, (f"read as cron {canonical!r}",), zone)


def _crontab(words: list[str], text: str) -> str:
    weekdays, date, clock = "*", "* *", "0 0"
    for place, word in enumerate(words):
        if _DAYS.fullmatch(word.rstrip(",")) and place == 0:
            spans = (span.partition("..") for span in word.rstrip(",").casefold().split(","))
            weekdays = ",".join(f"{first[:3]}-{last[:3]}" if last else first[:3] for first, _, last in spans)
        elif shape := _DATE.fullmatch(word):
            date = _date(shape, text)
        elif (shape := _TIME.fullmatch(word)) and place == len(words) - 1:
            clock = f"{_field(shape[2], text)} {_field(shape[1], text)}"
        else:
            raise _refusal(text, word, "has no crontab")
    if weekdays != "*" and not date.startswith("* "):
        raise _refusal(text, words[0], "beside a day of the month has no crontab: both would have to match")
    return f"{clock} {date} {weekdays}"


def _date(shape: re.Match[str], text: str) -> str:
    year, month, sign, day = shape.groups()
    if year not in (None, "*"):
        raise _refusal(text, year, "is a year, and a crontab has none")
    if sign == "-":
        return f"{_field(day, text)} {_field(month, text)}"
    if not day.isdigit() or not 1 <= int(day) <= 28:
        raise _refusal(text, f"~{day}", "has no crontab")
    return f"{'L' if int(day) == 1 else f'L-{int(day) - 1}'} {_field(month, text)}"


def _field(said: str, text: str) -> str:
    """Write a component as a crontab field: ``9..17/2`` as ``9-17/2``, without leading zeros."""
    terms = said.split(",")
    if not all(_TERM.fullmatch(term) for term in terms):
        raise _refusal(text, said, "cannot be read")
    return re.sub(r"\b0+(?=\d)", "", said.replace("..", "-"))


def _refusal(text: str, part: str, problem: str) -> InvalidSchedule:
    return InvalidSchedule(f"{part[:60]!r} {problem}.", field="schedule", value=text, remedy=_REMEDY)
