"""Reads the forms that programs write: crontab text with a zone, ``@every 5m``, ISO 8601 times and durations, Unix times."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import NoReturn

from agentoolkit.system.scheduler.errors import InvalidSchedule
from agentoolkit.system.scheduler.schedules.clock_changes import clock_note, instant_of
from agentoolkit.system.scheduler.schedules.cron_text import normal_cron, odd_steps
from agentoolkit.system.scheduler.schedules.interval import checked_seconds, interval_step, interval_text, is_interval, iso_duration
from agentoolkit.system.scheduler.schedules.words.durations import duration, fixed_length
from agentoolkit.system.scheduler.schedules.words.on_calendar import is_on_calendar, on_calendar_phrase
from agentoolkit.system.scheduler.schedules.words.phrase import Phrase, once_phrase
from agentoolkit.system.scheduler.schedules.words.rrule import is_rrule, rrule_phrase
from agentoolkit.system.scheduler.schedules.words.tokens import Cursor, tokenise
from agentoolkit.system.scheduler.schedules.zones import is_abbreviation, load_zone, zone_named

NOW = "now"
"""The word that most programs write. Beside other words it is read by the grammar, which takes twice as long."""
_CRON_FIELD = re.compile(r"[0-9?/,LWlw#-]+")
_ZONE_NAME = re.compile(r"[A-Za-z_]+(/[A-Za-z0-9_+-]+)+|UTC|GMT|Z", re.IGNORECASE)
_ZONE_SET = re.compile(r"(CRON_TZ|TZ)=(\S*)\s*(.*)", re.IGNORECASE | re.DOTALL)
_ISO_START = re.compile(r"\d{4}-?(\d\d-?\d\d|W\d\d)", re.ASCII | re.IGNORECASE)
_ISO_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?", re.ASCII)
"""The form of `datetime.isoformat`, which is unambiguous."""
_EPOCH = re.compile(r"[1-9]\d{9}(\d{3})?", re.ASCII)


Form = Callable[[str, datetime, str], Phrase]
"""Reads a text of one form, given the present time and the zone of a text that names none."""


def program_phrase(text: str, now: datetime, timezone: str) -> Phrase | None:
    """Read a text in one of the forms that programs write; None if it is in words."""
    form = _form_of(text)
    return None if form is None else form(text, now, timezone)


@lru_cache(maxsize=1024)
def _form_of(text: str) -> Form | None:
    """Return the reader of a text's form; None if it is in words. Cached, because most texts come again."""
    if text == NOW:
        return lambda text, now, timezone: once_phrase(now, text, now, (), needs_zone=False)
    if _ISO_TIME.fullmatch(text) and (moment := iso_moment(text)) is not None:
        return partial(_iso_phrase, moment)
    if text.isascii() and is_interval(text):
        return _always(_interval_phrase(int(interval_step(text).total_seconds())))
    if is_rrule(text):
        return lambda text, now, timezone: rrule_phrase(text, timezone)
    if is_on_calendar(text):
        return _always(on_calendar_phrase(text))
    return _form_of_crontab(text) or _form_of_iso_or_unix(text)


def _always(phrase: Phrase) -> Form:
    """Return the form of a text that means the same at any time and in any zone."""
    return lambda text, now, timezone: phrase


def _form_of_crontab(text: str) -> Form | None:
    if named := _ZONE_SET.match(text.strip()):
        return _always(_in_zone_set(text, *named.groups()))
    if _looks_like_cron(text):
        return _every_phrase if text.strip().casefold().startswith("@every ") else _always(cron_phrase(text))
    return None


def _form_of_iso_or_unix(text: str) -> Form | None:
    if _EPOCH.fullmatch(text.strip()):
        return _refuse_epoch
    if _ISO_START.match(text.strip()) and (moment := iso_moment(text.strip())) is not None:
        return partial(_iso_phrase, moment)
    if text.isascii() and (length := iso_duration(text)) is not None:
        return _always(_interval_phrase(checked_seconds(length, text)))
    return None


def cron_phrase(text: str) -> Phrase:
    """Read crontab text, optionally followed by a zone."""
    *fields, last = text.split()
    names_zone = (len(fields) > 4 or (fields and fields[0].startswith("@"))) and (_ZONE_NAME.fullmatch(last) or is_abbreviation(last))
    zone = zone_named(last, "schedule") if names_zone else None
    crontab = " ".join(fields) if zone else text
    canonical = normal_cron(crontab)
    remarks = (f"read as cron {canonical!r}",) if crontab.lstrip().startswith("@") else ()
    return Phrase("cron", canonical, (*remarks, *odd_steps(canonical)), zone)


def iso_moment(text: str) -> datetime | None:
    """Read an ISO 8601 time, with or without an offset; None for any other text."""
    try:
        return datetime.fromisoformat(text.upper())
    except ValueError:
        return None


def _in_zone_set(text: str, variable: str, zone: str, crontab: str) -> Phrase:
    """Read ``CRON_TZ=Asia/Tokyo 0 9 * * *``. ``TZ`` is refused, because in a crontab it does not move the times."""
    if variable.upper() == "TZ":
        problem = "'TZ=' sets the zone of programs in a crontab, not of their times."
        raise InvalidSchedule(problem, field="schedule", value=text, remedy=f"Write 'CRON_TZ={zone} {crontab}'.")
    if not crontab:
        raise InvalidSchedule(
            f"{text.strip()!r} ends too early.", field="schedule", value=text, remedy="Write 'CRON_TZ=Asia/Tokyo 0 9 * * *'."
        )
    return replace(cron_phrase(crontab), zone=zone_named(zone, "schedule"))


def _looks_like_cron(text: str) -> bool:
    parts = text.split()
    if (parts[0].startswith("@") and (parts[0] != "@" or len(parts) == 1)) or "*" in text:
        return True
    return len(parts) > 3 and not _ISO_START.match(parts[0]) and all(_CRON_FIELD.fullmatch(part) for part in parts[:2])


def _interval_phrase(seconds: int) -> Phrase:
    return Phrase("interval", interval_text(seconds), needs_zone=False)


def _every_phrase(text: str, now: datetime, timezone: str) -> Phrase:
    """Read an interval of Go's cron libraries: ``@every 1h30m``."""
    cursor = Cursor(text, now, tokenise(text.strip()[len("@every") :]), [])
    seconds = fixed_length(cursor, duration(cursor))
    if not cursor.at_end():
        raise cursor.unexpected()
    length = interval_text(checked_seconds(seconds, text))
    return Phrase("interval", length, (f"read as an interval of {length}",), needs_zone=False)


def _iso_phrase(moment: datetime, text: str, now: datetime, timezone: str) -> Phrase:
    remarks: list[str] = []
    if len(text.strip()) <= len("2026-12-25"):
        remarks.append("no time of day given: 00:00")
    if moment.tzinfo is not None:
        return once_phrase(moment, text, now, tuple(remarks), needs_zone=False)
    note = clock_note(timezone, moment)
    remarks += [note] if note else []
    return once_phrase(instant_of(timezone, moment).astimezone(load_zone(timezone)), text, now, tuple(remarks))


def _refuse_epoch(text: str, now: datetime, timezone: str) -> NoReturn:
    """Refuse a Unix time, and name the same time in ISO 8601."""
    number = text.strip()
    moment = datetime.fromtimestamp(int(number[:10]), UTC).astimezone(load_zone(timezone))
    unit = "seconds" if len(number) == 10 else "milliseconds"
    problem = f"{number} may count {unit} since 1970, and a schedule is read by people too."
    raise InvalidSchedule(problem, field="schedule", value=text, remedy=f"Write {moment.isoformat()!r}.")
