"""The kinds of schedule: the canonical text of each, and its rule without bounds."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, get_args

from agentool.errors import excerpt
from agentoolkit.system.scheduler.errors import InvalidSchedule
from agentoolkit.system.scheduler.schedules.after import Never, required_upstream
from agentoolkit.system.scheduler.schedules.cron import cron_rule, wall_times
from agentoolkit.system.scheduler.schedules.cron_text import normal_cron, split_weeks
from agentoolkit.system.scheduler.schedules.interval import IntervalRule, interval_step, interval_text, is_interval
from agentoolkit.system.scheduler.schedules.once import once_rule, once_text
from agentoolkit.system.scheduler.schedules.rules import Rule
from agentoolkit.system.scheduler.schedules.several import SEPARATOR, AnyOf, check_frequency, split_parts

Kind = Literal["cron", "interval", "once", "after", "list"]
"""The kinds of schedule. `after` has no due times: it follows another job's executions. `list` is several of the first three."""


def canonical(kind: Kind, text: str, timezone: str, anchor: datetime | None) -> str:
    """Return the canonical text: texts with the same due times have the same one.

    Raises:
        InvalidSchedule: The text is not of its kind, or the anchor that it counts from is missing.
    """
    if kind == "cron":
        crontab = normal_cron(text)
        wall_times(crontab)  # refuses a crontab that never matches
        if split_weeks(crontab)[1] > 1 and anchor is None:
            raise InvalidSchedule("counted weeks need the instant they are counted from.", field="anchor", remedy="Give an aware datetime.")
        return crontab
    if kind == "once":
        return once_text(once_rule(text).at, timezone)
    if kind == "interval":
        if anchor is None:
            raise InvalidSchedule("an interval needs the instant it counts from.", field="anchor", remedy="Give an aware datetime.")
        return interval_text(int(interval_step(text).total_seconds()))
    if kind == "after":
        return required_upstream(text).text
    if kind == "list":
        parts = dict.fromkeys(canonical(part_kind(part), part, timezone, anchor) for part in split_parts(text))
        check_frequency(tuple(plain_rule(part_kind(part), part, timezone, anchor) for part in parts), text)
        return SEPARATOR.join(parts)
    known = f"Known: {', '.join(get_args(Kind))}."
    raise InvalidSchedule(f"{excerpt(kind)} is not a kind.", field="kind", value=kind, remedy=known)


def plain_rule(kind: Kind, text: str, timezone: str, anchor: datetime | None) -> Rule:
    """Return the rule of a canonical text."""
    if kind == "cron":
        return cron_rule(text, timezone, anchor if split_weeks(text)[1] > 1 else None)
    if kind == "once":
        return once_rule(text)
    if kind == "list":
        return AnyOf(tuple(plain_rule(part_kind(part), part, timezone, anchor) for part in split_parts(text)))
    if kind == "interval" and anchor is not None:
        return IntervalRule(anchor, interval_step(text))
    return Never()


def part_kind(text: str) -> Kind:
    """Return the kind of one schedule of a list, by its canonical text."""
    if is_interval(text):
        return "interval"
    return "once" if "T" in text else "cron"
