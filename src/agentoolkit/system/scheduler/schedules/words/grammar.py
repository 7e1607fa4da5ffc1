"""What a text means: crontab, ISO 8601, an interval, or words of a closed grammar that refuses what it does not know.

text    = crontab [ zone ] | ISO-8601 | phrase [ [ "in" ] zone ] | "after" job [ outcome ]
phrase  = "now" | duration | moment | recurring          see durations.py, moments.py, recurring.py
outcome = "succeeded" | "failed" | "ended"               see after.py
zone    = IANA-name | "UTC" | "GMT" | "Z" | ±HH:MM
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time
from fractions import Fraction

from agentoolkit.system.scheduler.errors import InvalidSchedule
from agentoolkit.system.scheduler.schedules.after import Upstream, required_upstream, upstream_in
from agentoolkit.system.scheduler.schedules.cron import normal_cron, odd_steps
from agentoolkit.system.scheduler.schedules.interval import checked_seconds, interval_text, iso_duration
from agentoolkit.system.scheduler.schedules.schedule import Kind
from agentoolkit.system.scheduler.schedules.words.cycles import Cycle, crontab_of_length, cycle, starts_cycle
from agentoolkit.system.scheduler.schedules.words.days import day
from agentoolkit.system.scheduler.schedules.words.durations import Length, duration, starts_quantity
from agentoolkit.system.scheduler.schedules.words.moments import from_now, placed, relative
from agentoolkit.system.scheduler.schedules.words.times_of_day import clocks, starts_clock
from agentoolkit.system.scheduler.schedules.words.tokens import EXAMPLES, Cursor, Token, tokenise
from agentoolkit.system.scheduler.schedules.zones import clock_note, instant_of, is_abbreviation, load_zone, zone_named

_CRON_FIELD = re.compile(r"[0-9?/,LWlw#-]+")
_ZONE_NAME = re.compile(r"[A-Za-z_]+(/[A-Za-z0-9_+-]+)+|UTC|GMT|Z", re.IGNORECASE)
_ISO_START = re.compile(r"\d{4}-?(\d\d-?\d\d|W\d\d)", re.ASCII | re.IGNORECASE)
_ARTICLES = {"cron": "a cron schedule", "interval": "an interval", "once": "a single time", "after": "a time after another job"}


@dataclass(frozen=True, slots=True)
class Phrase:
    """What a text means.

    Attributes:
        kind: The kind of schedule.
        text: Its text, ready for :class:`~.schedule.Schedule`.
        remarks: What was decided on the way.
        zone: IANA name of the zone the text names; None when it names none, or only an offset.
    """

    kind: Kind
    text: str
    remarks: tuple[str, ...] = ()
    zone: str | None = None


def understand(text: str, *, now: datetime, kind: Kind | None, timezone: str) -> Phrase:
    """Read a text of any kind, or of the kind asked for; ``timezone`` holds where the text names no zone.

    Raises:
        InvalidSchedule: when it cannot be read, is of another kind, or names a time in the past.
    """
    phrase = _understand(text, now, kind, timezone)
    if kind is not None and phrase.kind != kind:
        problem = f"{text.strip()[:60]!r} is {_ARTICLES[phrase.kind]}, not {_ARTICLES[kind]}."
        raise InvalidSchedule(problem, field="schedule", value=text, remedy=_remedy_for(kind, phrase.kind))
    return phrase


def _understand(text: str, now: datetime, kind: Kind | None, timezone: str) -> Phrase:
    before = required_upstream(text) if kind == "after" else upstream_in(text)
    if before is not None:
        return _after_phrase(before, text, now, timezone)
    if _looks_like_cron(text):
        return _cron_phrase(text)
    if not text.isascii():
        strange = next(character for character in text if not character.isascii())
        raise InvalidSchedule(f"{strange!r} is not a plain ASCII character.", field="schedule", value=text, remedy=EXAMPLES)
    if _ISO_START.match(text.strip()) and (moment := _iso_moment(text.strip())) is not None:
        return _iso_phrase(moment, text, now, timezone)
    length = iso_duration(text)
    if length is not None:
        return Phrase("interval", interval_text(checked_seconds(length, text)))
    return _worded_phrase(text, now, kind, timezone)


def _after_phrase(before: Upstream, text: str, now: datetime, timezone: str) -> Phrase:
    """Refuse a length of time that is not said to be a job's name: ``after 5 minutes`` may well mean ``in 5 minutes``."""
    length = text.strip()[len("after") :].strip()
    if length == before.job_id and _is_phrase(f"in {length}", now, timezone):
        remedy = f"Write 'in {length}', or 'after {length} succeeded' if that is a job's name."
        raise InvalidSchedule(f"{length!r} may be a length of time or a job.", field="schedule", value=text, remedy=remedy)
    return Phrase("after", before.text)


def _is_phrase(text: str, now: datetime, timezone: str) -> bool:
    try:
        return bool(understand(text, now=now, kind=None, timezone=timezone))
    except InvalidSchedule:
        return False


def _looks_like_cron(text: str) -> bool:
    parts = text.split()
    if parts[0].startswith("@") or "*" in text:
        return True
    return len(parts) > 3 and not _ISO_START.match(parts[0]) and all(_CRON_FIELD.fullmatch(part) for part in parts[:2])


def _cron_phrase(text: str) -> Phrase:
    *fields, last = text.split()
    names_zone = len(fields) > 4 and (_ZONE_NAME.fullmatch(last) or is_abbreviation(last))
    zone = zone_named(last, "schedule") if names_zone else None
    crontab = " ".join(fields) if zone else text
    canonical = normal_cron(crontab)
    remarks = (f"read as cron {canonical!r}",) if crontab.lstrip().startswith("@") else ()
    return Phrase("cron", canonical, (*remarks, *odd_steps(canonical)), zone)


def _iso_moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text.upper())
    except ValueError:
        return None


def _iso_phrase(moment: datetime, text: str, now: datetime, timezone: str) -> Phrase:
    remarks: list[str] = []
    if len(text.strip()) <= len("2026-12-25"):
        remarks.append("no time of day given: 00:00")
    if moment.tzinfo is None:
        note = clock_note(timezone, moment)
        remarks += [note] if note else []
        moment = instant_of(timezone, moment).astimezone(load_zone(timezone))
    return _once_phrase(moment, text, now, tuple(remarks), None)


def _once_phrase(instant: datetime, text: str, now: datetime, remarks: tuple[str, ...], zone: str | None) -> Phrase:
    if instant < now:
        problem = f"{instant.isoformat()} is in the past."
        raise InvalidSchedule(problem, field="schedule", value=text, remedy="Name a time to come, or write 'now'.")
    return Phrase("once", instant.astimezone(UTC).isoformat(), remarks, zone)


def _worded_phrase(text: str, now: datetime, kind: Kind | None, timezone: str) -> Phrase:
    tokens = tokenise(text.strip().rstrip("."))
    zone, offset = _take_zone(tokens, text)
    name = zone or offset or timezone
    cursor = Cursor(text, now.astimezone(load_zone(name)), tokens, [])
    meaning = _meaning(cursor, name)
    if not cursor.at_end():
        raise cursor.unexpected()
    if isinstance(meaning, datetime):
        return _once_phrase(meaning, text, now, tuple(cursor.remarks), zone)
    if offset:
        problem = f"{offset.removeprefix('UTC')} is an offset, and what comes again needs a zone"
        raise cursor.refusal(problem, "Name one, e.g. 'Asia/Kolkata'.")
    return _cycle_phrase(meaning, cursor, kind, zone)


def _take_zone(tokens: list[Token], text: str) -> tuple[str | None, str | None]:
    """Remove a zone from the end; return its name, or ``UTC±HH:MM`` for an offset."""
    last = tokens[-1] if len(tokens) > 1 else Token("end", "")
    if last.kind == "offset":
        tokens.pop()
        return None, f"UTC{last.text[:3]}:{last.text[-2:]}"
    if last.kind != "zone" and last.text not in ("utc", "gmt", "z") and not is_abbreviation(last.text):
        return None, None
    tokens.pop()
    if tokens[-1].text == "in" and len(tokens) > 1:
        tokens.pop()
    return zone_named(last.text, "schedule"), None


def _meaning(cursor: Cursor, timezone: str) -> datetime | Cycle:
    if cursor.take("now"):
        return cursor.now
    if cursor.take("in"):
        return relative(cursor, timezone)
    if starts_cycle(cursor):
        return cycle(cursor, [])
    if cursor.peek().kind == "iso" and "t" in cursor.peek().text:
        return _iso_wall(cursor, timezone)
    chosen = day(cursor)
    if chosen is not None:
        return placed(cursor, chosen, _one_clock(cursor) if starts_clock(cursor) else None, timezone)
    if starts_clock(cursor):
        return _clock_first(cursor, timezone)
    if starts_quantity(cursor):
        return _length_first(cursor, timezone)
    raise cursor.unexpected()


def _clock_first(cursor: Cursor, timezone: str) -> datetime | Cycle:
    times = clocks(cursor)
    if starts_cycle(cursor):
        return cycle(cursor, times)
    return placed(cursor, day(cursor), _only(cursor, times), timezone)


def _length_first(cursor: Cursor, timezone: str) -> datetime | Cycle:
    length = duration(cursor)
    if cursor.take("from", "now"):
        return from_now(cursor, length, timezone)
    if cursor.sees("ago"):
        raise cursor.refusal(f"{cursor.source.strip()!r} is in the past", "Write e.g. 'in 5 minutes'.")
    return Cycle(every=_fixed(cursor, length).seconds, spoken=False)


def _fixed(cursor: Cursor, length: Length) -> Length:
    if length.months:
        raise cursor.refusal("months and years differ in length", "Count in days, e.g. '30 days', or use '@monthly'.")
    return length


def _one_clock(cursor: Cursor) -> time:
    return _only(cursor, clocks(cursor))


def _only(cursor: Cursor, times: list[time]) -> time:
    if len(times) > 1:
        remedy = "Make one schedule for each, or write e.g. 'every day at 9:00 and 17:00'."
        raise cursor.refusal("a single time names one time of day", remedy)
    return times[0]


def _iso_wall(cursor: Cursor, timezone: str) -> datetime:
    said = cursor.next().text
    moment = _iso_moment(said)
    if moment is None:
        raise cursor.refusal(f"{said.upper()!r} is no date and time", "Write e.g. '2026-12-25T09:00:00'.")
    note = clock_note(timezone, moment)
    cursor.remarks += [note] if note else []
    return instant_of(timezone, moment)


def _cycle_phrase(found: Cycle, cursor: Cursor, kind: Kind | None, zone: str | None) -> Phrase:
    crontab, length = found.crontab, found.every
    if kind == "cron" and crontab is None and found.spoken and length is not None:
        crontab = crontab_of_length(length)
    if crontab is not None and not (kind == "interval" and length is not None):
        return Phrase("cron", normal_cron(crontab), (f"read as cron {crontab!r}", *cursor.remarks), zone)
    text = interval_text(checked_seconds(length or Fraction(), cursor.source))
    return Phrase("interval", text, (f"read as an interval of {text}",) if found.spoken else (), zone)


def _remedy_for(kind: Kind, found: Kind) -> str:
    if kind == "cron":
        return f"Write e.g. '0 9 * * 1-5', or make it {_ARTICLES[found]}."
    if kind == "interval":
        return f"Write e.g. '5 minutes', or make it {_ARTICLES[found]}."
    if kind == "after":
        return f"Write e.g. 'after extract', or make it {_ARTICLES[found]}."
    return f"Write e.g. '2026-12-25T09:00:00' or 'in 30 minutes', or make it {_ARTICLES[found]}."
