"""The hot path: what the next due time costs. The limits are generous, for busy machines; the usual figures are in the docs."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime

import pytest

from agentoolkit.system.scheduler.schedules import Schedule

pytestmark = pytest.mark.skipif(sys.gettrace() is not None, reason="a tracer makes timing meaningless")

NOW = datetime(2026, 11, 20, 14, 0, 7, tzinfo=UTC)
CALLS = 300


def microseconds(schedule: Schedule) -> float:
    """Return the best of five means over a chain of due times."""
    return min(_chain(schedule) for _ in range(5))


def _chain(schedule: Schedule) -> float:
    moment, start = NOW, time.perf_counter()
    for _ in range(CALLS):
        moment = schedule.next_after(moment) or NOW
    return (time.perf_counter() - start) / CALLS * 1e6


@pytest.mark.parametrize("text", ["*/5 * * * *", "0 9 * * 1-5", "30 2 * * *", "0 8 * * 1#1", "0 0 13 * 5"])
def test_cron_takes_microseconds(text: str) -> None:
    """A crontab's next due time in a zone with changes of clocks costs at most 270 µs (usually 15 to 70)."""
    assert microseconds(Schedule(kind="cron", text=text, timezone="Europe/Berlin")) < 270


def test_an_interval_takes_next_to_nothing() -> None:
    """An interval's next due time costs at most 15 µs (usually 1)."""
    assert microseconds(Schedule(kind="interval", text="5 minutes", timezone="UTC", anchor=NOW)) < 15


def test_once_takes_next_to_nothing() -> None:
    """A single time costs at most 15 µs (usually 0.3)."""
    assert microseconds(Schedule(kind="once", text="2027-01-01T00:00:00+00:00", timezone="UTC")) < 15
