"""Reads the forms that programs write: crontab text with a zone, ``@every 5m``, ISO 8601 times and durations, Unix times."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime

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

_CRON_FIELD = re.compile(r"[0-9?/,LWlw#-]+")
_ZONE_NAME = re.compile(r"[A-Za-z_]+(/[A-Za-z0-9_+-]+)+|UTC|GMT|Z", re.IGNORECASE)
_ZONE_SET = re.compile(r"(CRON_TZ|TZ)=(\S*)\s*(.*)", re.IGNORECASE | re.DOTALL)
_ISO_START = re.compile(r"\d{4}-?(\d\d-?\d\d|W\d\d)", re.ASCII | re.IGNORECASE)
_ISO_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?", re.ASCII)
"""The form of `datetime.isoformat`, which is unambiguous."""
_EPOCH = re.compile(r"[1-9]\d{9}(\d{3})?", re.ASCII)


def program_phrase(text: str, now: datetime, timezone: str) -> Phrase | None:
    """Read a text in one of the forms that programs write; None if it is in words."""
    if _ISO_TIME.fullmatch(text) and (moment := iso_moment(text)) is not None:
        return _iso_phrase(moment, text, now, timezone)
    if text.isascii() and is_interval(text):
        return Phrase("interval", interval_text(int(interval_step(text).total_seconds())), needs_zone=False)
    if is_rrule(text):
        return rrule_phrase(text, timezone)
    if is_on_calendar(text):
        return on_calendar_phrase(text)
    if named := _ZONE_SET.match(text.strip()):
        return _in_zone_set(text, *named.groups())
    if _looks_like_cron(text):
        return _every_phrase(text, now) if text.strip().casefold().startswith("@every ") else cron_phrase(text)
    if _EPOCH.fullmatch(text.strip()):
        raise _epoch_refusal(text, timezone)
    if _ISO_START.match(text.strip()) and (moment := iso_moment(text.strip())) is not None:
        return _iso_phrase(moment, text, now, timezone)
    if text.isascii() and (length := iso_duration(text)) is not None:
        return Phrase("interval", interval_text(checked_seconds(length, text)), needs_zone=False)
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


def _every_phrase(text: str, now: datetime) -> Phrase:
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


def _epoch_refusal(text: str, timezone: str) -> InvalidSchedule:
    """Return the refusal of a Unix time, with the same time in ISO 8601."""
    number = text.strip()
    moment = datetime.fromtimestamp(int(number[:10]), UTC).astimezone(load_zone(timezone))
    unit = "seconds" if len(number) == 10 else "milliseconds"
    problem = f"{number} may count {unit} since 1970, and a schedule is read by people too."
    return InvalidSchedule(problem, field="schedule", value=text, remedy=f"Write {moment.isoformat()!r}.")
