"""How long a next due time takes, for each form of schedule; and how long it takes to read one."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from statistics import median

import pytest

from agentoolkit.system.scheduler.schedules import read_schedule

from .said import READ

NOW = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)
NEXT_TIME = 200e-6
"""Seconds of CPU that a next due time takes at most, once a schedule has been asked before."""
READING = 0.05
"""Seconds of CPU that a text takes to be read."""

FORMS: dict[str, tuple[str, dict[str, object]]] = {
    "every two weeks": ("0 9 * * 1,5 every 2 weeks", {}),
    "a list": ("0 9 * * 1-5; 30 12 * * 6; 15 8 1 * *", {}),
    "the nearest weekday": ("0 9 15W * *", {}),
    "days before the last": ("0 9 L-3 * *", {}),
    "the last friday": ("0 17 * * fri#L", {}),
    "round the end of the week": ("0 0 * * fri-mon", {}),
    "a zone set before": ("CRON_TZ=America/New_York 0 9 * * *", {}),
    "Go's interval": ("@every 1h30m", {}),
    "a recurrence rule": ("RRULE:FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=17;BYMINUTE=0", {}),
    "a calendar event": ("Mon..Fri *-*-* 09:00", {}),
    "a stable minute": ("H H(0-7) * * *", {}),
    "business days": ("every business day at 9", {"exclude": ["holidays:DE"]}),
    "only some days": ("0 9 * * *", {"only": ["weekends", "2026-12-24/2026-12-31"]}),
    "moved to the next day": ("0 9 25 * *", {"exclude": ["weekends", "holidays:DE"], "shift": "next"}),
    "moved to the previous day": ("0 17 L * *", {"exclude": ["weekends", "holidays:DE"], "shift": "previous"}),
    "only a day by its name": ("0 9 * * *", {"only": ["easter"]}),
    "without days by their names": ("0 9 * * *", {"exclude": ["christmas", "good friday", "new year's eve"]}),
    "two places of a month": ("first and third monday of the month at 9", {}),
    "the end of the quarter": ("last business day of the quarter at 17", {}),
    "a minute of the hour": ("15 minutes past every hour on weekdays", {}),
    "a day by its name": ("every thanksgiving at 9", {}),
    "with an end": ("daily at 9 until friday", {}),
}


def best(act: Callable[[], object], rounds: int) -> float:
    """Return the CPU time of an act: the median of the quicker half, because other processes take their turns."""
    taken: list[float] = []
    for _ in range(rounds):
        start = time.thread_time()
        act()
        taken.append(time.thread_time() - start)
    return median(sorted(taken)[: rounds // 2])


@pytest.mark.parametrize("form", FORMS)
def test_the_next_due_time_takes_at_most_200_microseconds(form: str) -> None:
    """Of every form, asked along a year of due times."""
    text, bounds = FORMS[form]
    schedule = read_schedule(text, now=NOW, timezone="Europe/Berlin", jitter_key="a", **bounds).schedule  # type: ignore[arg-type]
    moments = [NOW]
    while len(moments) < 30 and (due := schedule.next_after(moments[-1])) is not None:
        moments.append(due)
    assert best(lambda: [schedule.next_after(moment) for moment in moments], 9) / len(moments) < NEXT_TIME


def test_every_phrase_is_read_in_time() -> None:
    """None of the phrases that are understood takes longer than 50 ms."""
    slow = {
        text: taken for text, _, _ in READ if (taken := best(lambda text=text: read_schedule(text, now=NOW, timezone="UTC"), 2)) > READING
    }
    assert slow == {}
