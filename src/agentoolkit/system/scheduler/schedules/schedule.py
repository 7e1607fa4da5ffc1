"""A schedule as a value: its stored fields, and its due times."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, get_args
from zoneinfo import ZoneInfo

from pydantic import ConfigDict, TypeAdapter, ValidationError

from agentool.errors import did_you_mean, excerpt
from agentoolkit.system.scheduler.errors import InvalidSchedule
from agentoolkit.system.scheduler.schedules.after import Upstream, upstream_in
from agentoolkit.system.scheduler.schedules.bounds import BOUNDS, MAX_JITTER, Between, Jittered, Outside, Shift
from agentoolkit.system.scheduler.schedules.exclusions import all_exclusions, day_exclusions
from agentoolkit.system.scheduler.schedules.kinds import Kind, canonical, part_kind, plain_rule
from agentoolkit.system.scheduler.schedules.rules import TICK, Rule
from agentoolkit.system.scheduler.schedules.several import split_parts
from agentoolkit.system.scheduler.schedules.shifting import Shifted
from agentoolkit.system.scheduler.schedules.zones import load_zone, within_the_calendar


class Leap(NamedTuple):
    """The number of due times that were skipped, and the one to continue from."""

    passed: int
    start: datetime


_SECOND = timedelta(seconds=1)


class _Timed:
    """Keeps the rule of a schedule from its first use on. That is no field: it is neither compared nor stored."""

    __slots__ = ("_rule",)
    _rule: Rule | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule(_Timed):
    """When a job is due. A value: checked at creation, equal for equal text, and convertible to and from JSON.

    Attributes:
        kind: ``cron``, ``interval``, ``once``, ``after`` or ``list``.
        text: Canonical: ``0 9 * * 1-5``, ``1 hour 30 minutes``, ISO 8601 with offset, ``after extract succeeded``,
            ``0 9 * * 1-5; 0 12 * * 6``.
        timezone: IANA name of the zone in which cron text, exclusions and answers are read.
        anchor: For an interval, the instant it counts from (UTC); the first due time is one step later. For ``every … weeks``,
            an instant of the first week.
        start_at: No due time before it (UTC).
        end_at: No due time after it (UTC).
        jitter: Longest delay of a due time, in seconds, at most a week. The same due time always gets the same delay.
        jitter_key: Distinguishes this schedule's delays from those of others, such as a job's id.
        exclude: Dates ``2026-12-25``, ranges ``2026-12-24/2026-12-26``, windows ``22:00-06:00``, ``weekends``, ``holidays:DE-BY``.
        only: The only days on which the job is due; written like `exclude`, without windows.
        shift: Moves due times on excluded days to the ``next`` or ``previous`` other day; None omits them.

    Raises:
        InvalidSchedule: The values make no schedule. The error names the field.
    """

    __pydantic_config__ = ConfigDict(extra="forbid", defer_build=True)

    kind: Kind
    text: str
    timezone: str
    anchor: datetime | None = None
    start_at: datetime | None = None
    end_at: datetime | None = None
    jitter: float = 0.0
    jitter_key: str = ""
    exclude: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    shift: Shift | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "_rule", None)
        if not isinstance(load_zone(self.timezone), ZoneInfo):
            remedy = "Name a place, e.g. 'Asia/Kolkata'."
            raise InvalidSchedule("is an offset, not a zone.", field="timezone", value=self.timezone, remedy=remedy)
        for name in _TIMES:
            if (moment := getattr(self, name)) is not None and moment.tzinfo is not UTC:
                object.__setattr__(self, name, _utc(moment, name))
        object.__setattr__(self, "text", canonical(self.kind, self.text, self.timezone, self.anchor))
        _check_bounds(self)
        if self.excludes:
            all_exclusions(self.exclude, self.only, self.timezone)  # refuses what cannot be read
        if self.shift is not None and (self.shift not in get_args(Shift) or self.kind in ("interval", "after")):
            remedy = "Give 'next' or 'previous' to a crontab or a single time."
            raise InvalidSchedule(f"{excerpt(self.shift)} does not fit this schedule.", field="shift", value=self.shift, remedy=remedy)

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first due time strictly later than ``moment`` (aware), in UTC; None when there is no further one. Never raises."""
        try:
            return self.rule.next_after(moment)
        except (OverflowError, ValueError):
            # After the calendar's last year, or before its first.
            return None

    def first_from(self, moment: datetime) -> datetime | None:
        """Return the first due time at or after ``moment`` (aware), in UTC; None when there is none. Never raises."""
        try:
            return self.next_after(moment - TICK)
        except OverflowError:
            return self.next_after(moment)

    @property
    def rule(self) -> Rule:
        """Its rule, with its bounds and delays."""
        rule = getattr(self, "_rule", None)  # a copy has none
        if rule is None:
            rule = _delayed(self, undelayed(self))
            object.__setattr__(self, "_rule", rule)
        return rule

    @property
    def after(self) -> Upstream | None:
        """The upstream job; None if the schedule has due times."""
        return upstream_in(self.text) if self.kind == "after" else None

    @property
    def parts(self) -> tuple[Schedule, ...]:
        """The schedules of a list, each with the bounds of the whole; else only the schedule itself."""
        if self.kind != "list":
            return (self,)
        return tuple(replace(self, kind=part_kind(text), text=text) for text in split_parts(self.text))

    def admits(self, moment: datetime) -> bool:
        """Tell whether a moment (aware) is within the bounds and not excluded."""
        if (self.start_at is not None and moment < self.start_at) or (self.end_at is not None and moment > self.end_at):
            return False
        return not self.excludes or all_exclusions(self.exclude, self.only, self.timezone).end_after(moment) is None

    @property
    def excludes(self) -> bool:
        """True if it excludes days or times of day."""
        return bool(self.exclude or self.only)

    def same_times(self, other: Schedule) -> bool:
        """Tell whether both have the same text, zone and bounds. The anchor and the jitter key are ignored."""
        return all(getattr(self, name) == getattr(other, name) for name in _SAID)

    def is_over(self, moment: datetime) -> bool:
        """Tell whether nothing can be due at or after a moment (aware)."""
        if self.kind == "after":
            return self.end_at is not None and moment > self.end_at
        return self.first_from(moment) is None

    def count(self, after: datetime, until: datetime) -> int:
        """Count the due times later than ``after`` and not later than ``until`` (both aware), without a walk. Never raises."""
        try:
            return self.rule.count(after, until)
        except (OverflowError, ValueError):
            return 0

    def leap(self, first: datetime, now: datetime, keep: int) -> Leap:
        """Skip due times from ``first`` to ``now``, except the last ``keep`` and at least one more: the last skipped one."""
        late = 1 + self.count(first, now)
        if late <= 2 * keep:
            return Leap(0, first)
        low, high = timedelta(), now - first
        left = late - 1
        while left > 2 * keep and high - low > _SECOND:
            middle = (low + high) / 2
            number = self.count(now - middle, now)
            low, high, left = (middle, high, left) if number <= keep else (low, middle, number)
        start = self.next_after(now - high)
        return Leap(late - left, start or first)

    def to_json(self) -> dict[str, Any]:
        """Return a dict of strings, numbers, lists and None, from which :meth:`from_json` creates an equal schedule."""
        record = {field.name: getattr(self, field.name) for field in fields(self)}
        times = {name: record[name] and record[name].isoformat() for name in _TIMES}
        return {**record, **times, "exclude": list(self.exclude), "only": list(self.only)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Schedule:
        """Create a schedule from the dict of :meth:`to_json`; fields with a default may be absent.

        Raises:
            InvalidSchedule: The record is damaged. The error names the first wrong field.
        """
        try:
            return _SCHEDULE.validate_json(json.dumps(data), strict=True)
        except ValidationError as error:
            raise _damaged(error) from error


_SCHEDULE = TypeAdapter(Schedule)


def _damaged(error: ValidationError) -> InvalidSchedule:
    """Return the refusal of a damaged record: the schedule's own error, or the first field of a wrong type."""
    first = error.errors(include_url=False)[0]
    said = first.get("ctx", {}).get("error")
    if isinstance(said, InvalidSchedule):
        return said
    field = str(first["loc"][0]) if first["loc"] else "schedule"
    remedy = did_you_mean(field, [each.name for each in fields(Schedule)]) if first["type"] == "unexpected_keyword_argument" else _RECORD
    return InvalidSchedule(f"{first['msg']}.", field=field, value=first["input"], remedy=remedy)


_RECORD = "Give what to_json() returned."


def firings(schedule: Schedule, start: datetime, end: datetime) -> Iterator[datetime]:
    """Yield all due times from ``start`` (included) to ``end`` (not included), in UTC and in order."""
    due = schedule.first_from(start)
    while due is not None and due < end:
        yield due
        due = schedule.next_after(due)


def undelayed(schedule: Schedule) -> Rule:
    """Return the schedule's rule within its bounds, without jitter."""
    rule = plain_rule(schedule.kind, schedule.text, schedule.timezone, schedule.anchor)
    if schedule.shift is not None and schedule.excludes:
        rule = Shifted(rule, day_exclusions(schedule.exclude, schedule.only, schedule.timezone), schedule.shift)
    if schedule.start_at is not None or schedule.end_at is not None:
        rule = Between(rule, schedule.start_at, schedule.end_at)
    return Outside(rule, all_exclusions(schedule.exclude, schedule.only, schedule.timezone)) if schedule.excludes else rule


def due_after_change(before: Schedule, due: datetime, after: Schedule, now: datetime) -> datetime | None:
    """Return the next due time of a changed schedule, whose next due time was `due` before the change; None means never.

    If only delays, bounds or exclusions changed, the next due time is still the first unclaimed one, so that none is claimed
    twice or dropped. If its new delay is over, or was removed, it is due now.
    """
    if _undelayed_forever(before) != _undelayed_forever(after):
        return after.first_from(now)
    following = undelayed(after).next_after(min(nominal_due(before, due) - TICK, now))
    timing = after.rule
    return following and max(timing.delayed(following) if isinstance(timing, Jittered) else following, now)


def nominal_due(schedule: Schedule, due: datetime) -> datetime:
    """Return a due time without its delay; without jitter, the due time itself."""
    timing = schedule.rule
    return timing.nominal(due) if isinstance(timing, Jittered) else due


def _undelayed_forever(schedule: Schedule) -> Schedule:
    plain = replace(schedule, jitter=0.0, jitter_key="", start_at=None, end_at=None)
    return plain if plain.shift is not None else replace(plain, exclude=(), only=())  # with a shift, exclusions move due times


def _delayed(schedule: Schedule, rule: Rule) -> Rule:
    if not schedule.jitter:
        return rule
    excluded = all_exclusions(schedule.exclude, schedule.only, schedule.timezone) if schedule.excludes else None
    return Jittered(rule, timedelta(seconds=schedule.jitter), schedule.jitter_key, schedule.end_at, excluded)


_SAID = ("kind", "text", "timezone", *BOUNDS)
_TIMES = ("anchor", "start_at", "end_at")


def _check_bounds(schedule: Schedule) -> None:
    start, end, jitter = schedule.start_at, schedule.end_at, schedule.jitter
    if start is not None and end is not None and end <= start:
        problem = f"{end.isoformat()} is not after start_at {start.isoformat()}."
        raise InvalidSchedule(problem, field="end_at", value=end.isoformat(), remedy="Give a later end.")
    if not (math.isfinite(jitter) and 0 <= jitter <= MAX_JITTER):
        remedy = f"Give seconds from 0 to {MAX_JITTER:.0f}, e.g. 30."
        raise InvalidSchedule(f"{jitter} is no length of time for it.", field="jitter", value=jitter, remedy=remedy)
    if jitter and schedule.kind == "after":
        problem = "delays due times, and what comes after another job has none."
        raise InvalidSchedule(problem, field="jitter", value=jitter, remedy="Leave it out, or give 0.")


def _utc(moment: datetime, name: str) -> datetime:
    if moment.tzinfo is None:
        remedy = "Give it an offset, e.g. '2026-12-25T09:00:00+01:00'."
        raise InvalidSchedule("has no zone.", field=name, value=moment.isoformat(), remedy=remedy)
    with within_the_calendar(name, moment):
        return moment.astimezone(UTC)
