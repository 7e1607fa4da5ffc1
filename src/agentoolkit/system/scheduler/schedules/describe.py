"""A schedule in plain English."""

from __future__ import annotations

from datetime import datetime

from agentoolkit.system.scheduler.schedules.cron_words import describe_cron
from agentoolkit.system.scheduler.schedules.schedule import Schedule
from agentoolkit.system.scheduler.schedules.zones import load_zone


def describe(schedule: Schedule) -> str:
    """Say when a schedule is due, bounds included: ``every 5 minutes, until 2026-12-31 18:00``."""
    return ", ".join([_rule(schedule), *_bounds(schedule)])


def long_date(moment: datetime) -> str:
    """Write ``Friday 2026-12-25 at 09:00``, with seconds only where there are some."""
    return f"{moment:%A} {date_text(moment)} at {clock_text(moment)}"


def date_text(moment: datetime) -> str:
    """Write ``2026-12-25``, with four digits of the year whatever the platform."""
    return moment.date().isoformat()


def clock_text(moment: datetime) -> str:
    """Write ``09:00`` or ``09:00:30``."""
    return moment.time().isoformat("seconds" if moment.second else "minutes")


def _rule(schedule: Schedule) -> str:
    if schedule.kind == "cron":
        return describe_cron(schedule.text)
    if schedule.kind == "interval":
        return f"every {schedule.text.removeprefix('1 ') if schedule.text.count(' ') == 1 else schedule.text}"
    if schedule.after is not None:
        return schedule.after.words
    return f"once, on {long_date(datetime.fromisoformat(schedule.text))}"


def _bounds(schedule: Schedule) -> list[str]:
    said = [f"{word} {_local(schedule, moment)}" for word, moment in (("from", schedule.start_at), ("until", schedule.end_at)) if moment]
    if schedule.exclude:
        said.append(f"except {', '.join(schedule.exclude)}")
    if schedule.jitter:
        said.append(f"delayed by up to {schedule.jitter:g} seconds")
    return said


def _local(schedule: Schedule, moment: datetime) -> str:
    local = moment.astimezone(load_zone(schedule.timezone))
    return f"{date_text(local)} {clock_text(local)}"
