"""Parses the text of a schedule: crontab, ISO 8601, an interval, or words of a closed grammar that refuses unknown ones.

text    = program-text | phrase [ [ "in" ] zone ] | "after" job [ outcome ] | "@reboot"
phrase  = "now" | duration | moment | recurring          see durations.py, moments.py, cycles.py
outcome = "succeeded" | "failed" | "ended"               see after.py
zone    = IANA-name | "UTC" | "GMT" | "Z" | ±HH:MM
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from fractions import Fraction

from agentoolkit.system.scheduler.errors import InvalidSchedule
from agentoolkit.system.scheduler.schedules.after import REBOOT, required_upstream, upstream_in
from agentoolkit.system.scheduler.schedules.clock_changes import clock_note, instant_of
from agentoolkit.system.scheduler.schedules.cron_text import normal_cron
from agentoolkit.system.scheduler.schedules.interval import checked_seconds, interval_text
from agentoolkit.system.scheduler.schedules.kinds import Kind
from agentoolkit.system.scheduler.schedules.several import SEPARATOR
from agentoolkit.system.scheduler.schedules.words.after_job import after_phrase
from agentoolkit.system.scheduler.schedules.words.calendar_days import Day
from agentoolkit.system.scheduler.schedules.words.cycle_clauses import limit_moment
from agentoolkit.system.scheduler.schedules.words.cycle_times import Cycle, crontab_of_length
from agentoolkit.system.scheduler.schedules.words.cycles import cycle, starts_cycle
from agentoolkit.system.scheduler.schedules.words.days import day
from agentoolkit.system.scheduler.schedules.words.durations import duration, fixed_length, starts_quantity
from agentoolkit.system.scheduler.schedules.words.moments import (
    from_day,
    from_now,
    next_units,
    only,
    only_clock,
    placed,
    relative,
    starts_next_units,
)
from agentoolkit.system.scheduler.schedules.words.periods import period
from agentoolkit.system.scheduler.schedules.words.phrase import Phrase, once_phrase
from agentoolkit.system.scheduler.schedules.words.program_text import iso_moment, program_phrase
from agentoolkit.system.scheduler.schedules.words.suggestions import as_list, fixed_answer, nearest_text, with_at
from agentoolkit.system.scheduler.schedules.words.text_words import words_of
from agentoolkit.system.scheduler.schedules.words.times_of_day import clocks, starts_clock
from agentoolkit.system.scheduler.schedules.words.tokens import EXAMPLES, Cursor, DayParts, tokenise
from agentoolkit.system.scheduler.schedules.words.vocabulary import DAY_PARTS, PARTS_AGAIN
from agentoolkit.system.scheduler.schedules.zones import instead_of_offset, load_zone

_ARTICLES = {
    "cron": "a cron schedule",
    "interval": "an interval",
    "once": "a single time",
    "after": "a time after another job or a start",
    "list": "a list of schedules",
}
_REMEDIES: Mapping[Kind, str] = {
    "cron": "Write e.g. '0 9 * * 1-5'",
    "interval": "Write e.g. '5 minutes'",
    "once": "Write e.g. '2026-12-25T09:00:00' or 'in 30 minutes'",
    "after": "Write e.g. 'after extract'",
    "list": "Write e.g. '0 9 * * 1-5; 0 12 * * 6'",
}
_PLAIN_DAY_PARTS = DayParts()


def understand(text: str, *, now: datetime, kind: Kind | None, timezone: str, parts: DayParts | None = None) -> Phrase:
    """Read a text of any kind, or of the given kind. ``timezone`` applies if the text names no zone.

    Without ``parts`` the day's parts have their usual times.

    Raises:
        InvalidSchedule: It cannot be read, is of another kind, or names a time in the past.
    """
    try:
        phrase = _understand(text, now, kind, timezone, parts or _PLAIN_DAY_PARTS)
    except InvalidSchedule as refused:
        if refused.remedy != EXAMPLES:
            raise

        def reads(other: str) -> bool:
            return _is_phrase(other, now, timezone)

        answer = fixed_answer(text) or with_at(text, reads) or as_list(text, reads) or nearest_text(text, reads)
        if answer is None:
            raise
        raise InvalidSchedule(answer.problem or refused.problem, field="schedule", value=text, remedy=answer.remedy) from None
    if kind not in (None, phrase.kind, "cron" if text.strip().casefold() == REBOOT else None):
        problem = f"{text.strip()[:60]!r} is {_ARTICLES[phrase.kind]}, not {_ARTICLES[kind]}."
        raise InvalidSchedule(problem, field="schedule", value=text, remedy=f"{_REMEDIES[kind]}, or make it {_ARTICLES[phrase.kind]}.")
    return phrase


def moment_in_words(text: str, *, now: datetime, timezone: str, is_end: bool) -> datetime:
    """Read a bound in words: ``next friday``, ``tomorrow at 9am``, ``in 3 weeks``. A day alone means its first or last moment.

    Raises:
        InvalidSchedule: It cannot be read. A word with a typing slip is told, if the text can be read without it.
    """
    try:
        return _moment_in_words(text, now, timezone, is_end=is_end)
    except InvalidSchedule as refused:
        answer = nearest_text(text, lambda other: _is_moment(other, now, timezone, is_end=is_end)) if refused.remedy == EXAMPLES else None
        if answer is None:
            raise
        raise InvalidSchedule(refused.problem, field="schedule", value=text, remedy=answer.remedy) from None


def _is_moment(text: str, now: datetime, timezone: str, *, is_end: bool) -> bool:
    try:
        return bool(_moment_in_words(text, now, timezone, is_end=is_end))
    except InvalidSchedule:
        return False


def _moment_in_words(text: str, now: datetime, timezone: str, *, is_end: bool) -> datetime:
    cursor = Cursor(text, now.astimezone(load_zone(timezone)), tokenise(text), [])
    found = relative(cursor, timezone) if cursor.take("in") else limit_moment(cursor, timezone, is_end=is_end)
    if not cursor.at_end():
        raise cursor.unexpected()
    return found


def _understand(text: str, now: datetime, kind: Kind | None, timezone: str, parts: DayParts) -> Phrase:
    before = required_upstream(text) if kind == "after" else upstream_in(text)
    if before is not None:
        return after_phrase(before, text, lambda other: _is_phrase(other, now, timezone))
    if (phrase := program_phrase(text, now, timezone)) is not None:
        return phrase
    if not text.isascii():
        strange = next(character for character in text if not character.isascii())
        raise InvalidSchedule(f"{strange!r} is not a plain ASCII character.", field="schedule", value=text, remedy=EXAMPLES)
    return _worded_phrase(text, now, kind, timezone, parts)


def _is_phrase(text: str, now: datetime, timezone: str) -> bool:
    try:
        return bool(_understand(text, now, None, timezone, _PLAIN_DAY_PARTS))
    except InvalidSchedule:
        return False


def _worded_phrase(text: str, now: datetime, kind: Kind | None, timezone: str, parts: DayParts) -> Phrase:
    tokens, left_aside, zone, offset = words_of(text)
    name = zone or offset or timezone
    remarks = list(left_aside)
    cursor = Cursor(text, now.astimezone(load_zone(name)), list(tokens), remarks, parts, zone=zone or offset or "")
    meaning = _meaning(cursor, name)
    if not cursor.at_end():
        raise cursor.unexpected()
    for each, said in cursor.bare_times.items():
        if ":" not in said:
            cursor.remark(f"'{said}' without am or pm is read on the 24-hour clock, as {each:%H:%M}")
    if isinstance(meaning, datetime):
        _refuse_parts_again(cursor)
        return once_phrase(meaning, text, now, tuple(cursor.remarks), zone=zone, needs_zone=not (cursor.is_elapsed or offset))
    if offset:
        problem = f"{offset.removeprefix('UTC')} is an offset, and what comes again needs a zone"
        raise cursor.refusal(problem, instead_of_offset(offset))
    return _cycle_phrase(meaning, cursor, kind, zone)


def _refuse_parts_again(cursor: Cursor) -> None:
    """Refuse ``tomorrow mornings``: one day has one morning."""
    part = next((token.text for token in cursor.tokens if token.text in PARTS_AGAIN), None)
    if part is not None:
        one = part.removesuffix("s")
        raise cursor.either(f"{part!r} come again, and that day does not", cursor.words().replace(part, one), f"every {one}")


def _meaning(cursor: Cursor, timezone: str) -> datetime | Cycle:
    if (moment := _from_now_on(cursor, timezone)) is not None:
        return moment
    if starts_cycle(cursor):
        return cycle(cursor, [], timezone)
    if cursor.peek().kind == "iso" and "t" in cursor.peek().text:
        return _iso_wall(cursor, timezone)
    if chosen := day(cursor) or period(cursor, cursor.now.date()):
        return _on_day(cursor, chosen, timezone)
    if starts_clock(cursor):
        times = clocks(cursor)
        if starts_cycle(cursor):
            return cycle(cursor, times, timezone)
        given = only(cursor, times)
        cursor.take(",")
        return placed(cursor, day(cursor), given, timezone)
    if starts_quantity(cursor):
        return _length_first(cursor, timezone)
    raise cursor.unexpected()


def _from_now_on(cursor: Cursor, timezone: str) -> datetime | None:
    """Take ``now``, ``in 5 minutes``, ``now + 5 minutes`` as in at(1), ``in march`` or ``next 2 weeks``; None if none comes next."""
    is_now = cursor.take("now")
    if cursor.sees("+") and cursor.peek(1).kind == "number":
        cursor.next()
        return relative(cursor, timezone)
    if is_now:
        cursor.is_elapsed = True
        return cursor.now
    if chosen := period(cursor, cursor.now.date()) if cursor.sees("in") else None:
        return _on_day(cursor, chosen, timezone)
    if cursor.sees("in") and cursor.peek(2).text not in DAY_PARTS:
        cursor.next()
        return relative(cursor, timezone)
    return next_units(cursor, timezone) if starts_next_units(cursor) else None


def _on_day(cursor: Cursor, chosen: Day, timezone: str) -> datetime:
    cursor.take(",")
    return placed(cursor, chosen, only_clock(cursor) if starts_clock(cursor) else None, timezone)


def _length_first(cursor: Cursor, timezone: str) -> datetime | Cycle:
    length = duration(cursor)
    if cursor.take("from", "now") or cursor.take_one_of("later", "hence", "out"):
        return from_now(cursor, length, timezone)
    if side := cursor.take_one_of("from", "after", "before"):
        return from_day(cursor, length, timezone, -1 if side == "before" else 1)
    if cursor.sees("ago"):
        raise cursor.refusal(f"{cursor.source.strip()!r} is in the past", "Write e.g. 'in 5 minutes'.")
    return Cycle(every=fixed_length(cursor, length), spoken=False)


def _iso_wall(cursor: Cursor, timezone: str) -> datetime:
    said = cursor.next().text
    moment = iso_moment(said)
    if moment is None:
        raise cursor.refusal(f"{said.upper()!r} is no date and time", "Write e.g. '2026-12-25T09:00:00'.")
    note = clock_note(timezone, moment)
    cursor.remarks += [note] if note else []
    return instant_of(timezone, moment)


def _cycle_phrase(found: Cycle, cursor: Cursor, kind: Kind | None, zone: str | None) -> Phrase:
    crontabs, length, limits = found.crontabs, found.every, found.limits
    if kind == "cron" and not crontabs and found.spoken and length is not None and (crontab := crontab_of_length(length)):
        crontabs = [crontab]
    if crontabs and not (kind == "interval" and length is not None):
        texts = [normal_cron(crontab) for crontab in crontabs]
        if len(texts) > 1 and kind in (None, "list"):
            remarks = (f"read as the crontabs {' and '.join(map(repr, texts))}", *cursor.remarks)
            return Phrase("list", SEPARATOR.join(texts), remarks, zone, start_at=limits.start, end_at=limits.end)
        if len(texts) > 1:
            fields = (text.split()[:2] for text in texts)
            times = sorted(f"{int(hour):02}:{int(minute):02}" for minute, hours in fields for hour in hours.split(","))
            raise cursor.refusal(f"{' and '.join(times)} do not fit in one crontab", "Make one schedule for each time.")
        remarks = (f"read as cron {texts[0]!r}", *cursor.remarks)
        return Phrase("cron", texts[0], remarks, zone, start_at=limits.start, end_at=limits.end)
    text = interval_text(checked_seconds(length or Fraction(), cursor.source))
    remarks = (*((f"read as an interval of {text}",) if found.spoken else ()), *cursor.remarks)
    return Phrase("interval", text, remarks, zone, needs_zone=limits != type(limits)(), start_at=limits.start, end_at=limits.end)
