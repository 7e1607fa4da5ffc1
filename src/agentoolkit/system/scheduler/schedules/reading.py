"""Reads text into schedules: every form that a person, a program or a language model may write."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from typing_extensions import Unpack

from agentool.errors import excerpt
from agentoolkit.system.scheduler.errors import InvalidSchedule
from agentoolkit.system.scheduler.schedules.after import MAX_AFTER, is_after
from agentoolkit.system.scheduler.schedules.any_language import ReadingHabits, read_in_any_language
from agentoolkit.system.scheduler.schedules.bounds import Bounds
from agentoolkit.system.scheduler.schedules.cron import cron_rule
from agentoolkit.system.scheduler.schedules.cron_text import split_weeks
from agentoolkit.system.scheduler.schedules.describe import describe
from agentoolkit.system.scheduler.schedules.interval import interval_step, is_interval
from agentoolkit.system.scheduler.schedules.kinds import Kind, part_kind
from agentoolkit.system.scheduler.schedules.machine_zone import machine_zone, machine_zone_doubt
from agentoolkit.system.scheduler.schedules.marks import refuse_marks, without_marks
from agentoolkit.system.scheduler.schedules.moments import MAX_TEXT_LENGTH, moment_of
from agentoolkit.system.scheduler.schedules.rules import TICK
from agentoolkit.system.scheduler.schedules.schedule import Schedule
from agentoolkit.system.scheduler.schedules.several import MAX_PARTS, SEPARATOR, split_parts
from agentoolkit.system.scheduler.schedules.spread import has_spread, spread
from agentoolkit.system.scheduler.schedules.words import understand
from agentoolkit.system.scheduler.schedules.words.languages import answered_in
from agentoolkit.system.scheduler.schedules.words.phrase import Phrase
from agentoolkit.system.scheduler.schedules.words.rrule import is_rrule
from agentoolkit.system.scheduler.schedules.words.tokens import plain
from agentoolkit.system.scheduler.schedules.zones import within_the_calendar, zone_named


@dataclass(frozen=True, slots=True)
class Reading:
    """The result of reading a text.

    Attributes:
        schedule: The schedule, checked.
        words: The schedule in plain English, or in the language of the text.
        remarks: The reader's decisions, one sentence each: the crontab it became, a day it moved to, a clock change.
    """

    schedule: Schedule
    words: str
    remarks: tuple[str, ...]


_PLAIN_HABITS = ReadingHabits()
_OUTERMOST_ZONES = ("Etc/GMT+12", "Etc/GMT-14")
"""The zones in which a day begins last and first."""


def read_schedule(
    text: str,
    *,
    now: datetime,
    kind: Kind | None = None,
    timezone: str | None = None,
    anchor: datetime | None = None,
    jitter_key: str = "",
    habits: ReadingHabits = _PLAIN_HABITS,
    **bounds: Unpack[Bounds],
) -> Reading:
    """Read a schedule as a person, a program or a language model writes it.

    Args:
        text: Crontab text, an interval, an ISO 8601 time or words, at most 200 characters (300 after ``after``); or several of
            them, separated by ``;``.
        now: The current time (aware).
        kind: The kind that the text must be; None lets the text decide.
        timezone: IANA name, for a text that names no zone; None means the zone of `habits`, or this machine's.
        anchor: Instant that an interval counts from; None means ``now``, or one step before ``start_at``.
        jitter_key: Distinguishes the delays of this schedule from those of others.
        habits: The defaults for the text.
        **bounds: See `Bounds`; none by default.

    Raises:
        InvalidSchedule: A value cannot be read, is ambiguous, lies in the past, or makes a schedule that never fires.
        ValueError: ``now`` is naive.
    """
    _check(text, now)
    given, assumed, phrase = _understood(text, now, kind, habits.timezone if timezone is None else timezone, jitter_key, habits)
    zone, zone_remarks = _settle_zone(phrase, given, assumed)
    schedule = _bounded(phrase, zone, now, anchor, jitter_key, bounds)
    _check_it_fires(schedule, now, text)
    words = describe(schedule)
    return Reading(schedule, answered_in(phrase.language, words) if phrase.language else words, (*phrase.remarks, *zone_remarks))


def _understood(
    text: str, now: datetime, kind: Kind | None, timezone: str | None, jitter_key: str, habits: ReadingHabits
) -> tuple[str | None, str, Phrase]:
    """Return the zone that was given, the one that is assumed without it, and the phrase of a text.

    Raises:
        InvalidSchedule: With what is wrong with the text besides, if the zone is unknown; or with the text without marks around it.
    """
    read = text if text.isascii() or is_after(text) else plain(text)
    try:
        given = zone_named(timezone) if timezone is not None else None
    except InvalidSchedule as refused:
        refused.also = _faults_in_every_zone(read, now, kind, jitter_key, habits)
        raise
    assumed = given or machine_zone()
    try:
        return given, assumed, _phrase(read, now, kind, assumed, jitter_key, habits)
    except InvalidSchedule as refused:
        bare = without_marks(read)
        if bare in ("", read) or _faults_in_every_zone(bare, now, kind, jitter_key, habits):
            raise
        raise refuse_marks(text, bare) from refused


def _faults_in_every_zone(
    text: str, now: datetime, kind: Kind | None, jitter_key: str, habits: ReadingHabits
) -> tuple[InvalidSchedule, ...]:
    """Return what is wrong with a text whatever its zone is: what has passed in one zone may be to come in another."""
    faults: list[InvalidSchedule] = []
    for zone in ("UTC", *_OUTERMOST_ZONES):
        try:
            _phrase(text, now, kind, zone, jitter_key, habits)
        except InvalidSchedule as fault:
            faults.append(fault)
        else:
            return ()
    return tuple(faults[:1])


def _phrase(text: str, now: datetime, kind: Kind | None, timezone: str, jitter_key: str, habits: ReadingHabits) -> Phrase:
    with within_the_calendar("schedule", text):
        if has_spread(text):  # each 'H' becomes a value that is always the same for a job
            phrase = understand(spread(text, jitter_key), now=now, kind=kind, timezone=timezone)
            whose = "this job's" if jitter_key else "a job's; another job has others"
            return replace(phrase, remarks=(f"'H' stands for {whose} own values: {phrase.text}", *phrase.remarks))
        if (";" not in text and kind != "list") or is_after(text) or is_rrule(text):
            return read_in_any_language(text, now, kind, timezone, habits)
        return _list_phrase(text, now, kind, timezone, habits)


def _bounded(phrase: Phrase, zone: str, now: datetime, anchor: datetime | None, jitter_key: str, bounds: Bounds) -> Schedule:
    start = phrase.start_at or moment_of(bounds.get("start_at"), "start_at", zone, now)
    return Schedule(
        kind=phrase.kind,
        text=phrase.text,
        timezone=zone,
        anchor=_anchor(phrase, anchor, start, now, zone),
        start_at=start,
        end_at=phrase.end_at or moment_of(bounds.get("end_at"), "end_at", zone, now),
        jitter=bounds.get("jitter", 0.0),
        jitter_key=jitter_key,
        exclude=tuple(bounds.get("exclude", ())),
        only=tuple(bounds.get("only", ())),
        shift=bounds.get("shift"),
    )


def _list_phrase(text: str, now: datetime, kind: Kind | None, timezone: str, habits: ReadingHabits) -> Phrase:
    """Read each schedule of a list; all are in one zone.

    Raises:
        InvalidSchedule: A schedule cannot be read or has bounds of its own, or they name different zones.
    """
    if kind not in (None, "list"):
        problem = f"{excerpt(text)} is a list of schedules, and not of kind {kind!r}."
        raise InvalidSchedule(problem, field="schedule", value=text, remedy="Leave the kind out.")
    phrases: list[Phrase] = []
    for part in split_parts(text):
        try:
            if kind == "list" and part_kind(part) == "once" and _is_instant(part):
                # A stored list that is read again may contain a single time that has passed.
                phrases.append(Phrase("once", part, needs_zone=False))
                continue
            phrases.append(read_in_any_language(part, now, None, timezone, habits))
        except InvalidSchedule as refused:
            raise InvalidSchedule(refused.problem, field="schedule", value=text, remedy=refused.remedy) from refused
    if any(phrase.kind == "after" or phrase.start_at or phrase.end_at for phrase in phrases):
        remedy = "Give start_at and end_at for the whole list, and make a job of its own for 'after JOB'."
        raise InvalidSchedule(f"{excerpt(text)} lists more than due times.", field="schedule", value=text, remedy=remedy)
    zones = {phrase.zone for phrase in phrases if phrase.needs_zone}
    if len(zones) > 1:
        problem = f"{excerpt(text)} names more than one zone, or names it for some of its schedules only."
        raise InvalidSchedule(problem, field="schedule", value=text, remedy="Give one timezone for the whole list.")
    remarks = dict.fromkeys(remark for phrase in phrases for remark in phrase.remarks)
    texts = dict.fromkeys(phrase.text for phrase in phrases)
    needs_zone = any(phrase.needs_zone for phrase in phrases)
    return Phrase("list", SEPARATOR.join(texts), tuple(remarks), next(iter(zones), None), needs_zone)


def _is_instant(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _check(text: object, now: datetime) -> None:
    if now.tzinfo is None:
        raise ValueError("now must be an aware datetime")
    if not isinstance(text, str):
        raise InvalidSchedule(f"{excerpt(text)} is not text.", field="schedule", value=text, remedy="Write e.g. 'every 5 minutes'.")
    if len(text) > MAX_TEXT_LENGTH:
        most = MAX_AFTER if is_after(text) else MAX_TEXT_LENGTH
        if (longest := len(text) if is_after(text) or text.count(";") >= MAX_PARTS else max(map(len, text.split(";")))) > most:
            problem = f"has {longest:,} characters, at most {most} are read."
            raise InvalidSchedule(problem, field="schedule", value=text, remedy="Write e.g. '0 9 * * 1-5' or 'every 5 minutes'.")
    if not text.strip():
        raise InvalidSchedule("is empty.", field="schedule", value=text, remedy="Write e.g. '0 9 * * 1-5' or 'every 5 minutes'.")


def _settle_zone(phrase: Phrase, given: str | None, assumed: str) -> tuple[str, tuple[str, ...]]:
    if phrase.zone is None and given is None:
        if not phrase.needs_zone:
            return assumed, ()
        doubt = machine_zone_doubt()
        read_in = f"UTC, because {doubt}" if doubt else f"{assumed}, this machine's"
        return assumed, (f"no zone given: read in {read_in}",)
    if phrase.zone is not None and given not in (None, phrase.zone):
        return phrase.zone, (f"the text names {phrase.zone}, which goes before {given}",)
    return phrase.zone or given or "UTC", ()


def _anchor(phrase: Phrase, anchor: datetime | None, start: datetime | None, now: datetime, zone: str) -> datetime | None:
    if phrase.kind in ("once", "after"):
        return None
    texts = split_parts(phrase.text)
    for crontab, weeks in map(split_weeks, texts):
        if weeks > 1:
            # The first week is the week of the first due time.
            return anchor or cron_rule(crontab, zone).next_after((start or now) - TICK)
    length = next((text for text in texts if is_interval(text)), None)
    if length is None:
        return None
    if anchor is None and start is not None:
        with within_the_calendar("start_at", start):
            return start - interval_step(length)
    return anchor or now


def _check_it_fires(schedule: Schedule, now: datetime, text: str) -> None:
    if not schedule.is_over(now):
        return
    if schedule.end_at is not None and schedule.end_at < now:
        raise InvalidSchedule("has passed.", field="end_at", value=schedule.end_at.isoformat(), remedy="Give a later end.")

    def without(name: str) -> Schedule:
        return replace(schedule, **{name: () if name in ("exclude", "only") else None})

    guilty = next((name for name in ("exclude", "only", "end_at", "start_at") if without(name).first_from(now) is not None), None)
    if guilty is None:
        raise InvalidSchedule("this never fires.", field="schedule", value=text, remedy="Check day-of-month, month and day-of-week.")
    bound = getattr(schedule, guilty)
    value = ", ".join(bound) if guilty in ("exclude", "only") else bound.isoformat()
    raise InvalidSchedule(
        f"{excerpt(value)} leaves no due time, so this never fires.", field=guilty, value=value, remedy="Widen or remove it."
    )
