"""``H``: a value of the field, the same for a job every time."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from agentoolkit.simulation import busiest_minute, simulate
from agentoolkit.system.scheduler.errors import InvalidSchedule
from agentoolkit.system.scheduler.schedules import read_schedule

NOW = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)


def read(text: str, key: str) -> str:
    return read_schedule(text, now=NOW, timezone="UTC", jitter_key=key).schedule.text


@pytest.mark.parametrize("text", ["H * * * *", "H H * * *", "H(0-29) 3 * * *", "H/15 * * * *", "H 0 H * *", "H 4 * * H"])
def test_a_job_has_the_same_values_every_time(text: str) -> None:
    """Read again, it is the same schedule; the canonical text has numbers."""
    assert read(text, "job-17") == read(text, "job-17")
    assert "H" not in read(text, "job-17")


def test_jobs_are_spread_evenly() -> None:
    """Of 6,000 jobs no minute of the hour has more than 150, where an even spread has 100."""
    minutes = Counter(read("H * * * *", f"job-{number}").split()[0] for number in range(6_000))
    assert len(minutes) == 60
    assert max(minutes.values()) <= 150


def test_a_range_and_a_step_hold() -> None:
    """Values stay within the range; a step begins at one of its first values and ends with the field."""
    assert {int(read("H(10-14) * * * *", f"{number}").split()[0]) for number in range(200)} == {10, 11, 12, 13, 14}
    assert {read("H/20 * * * *", f"{number}").split()[0] for number in range(200)} == {f"{start}-59/20" for start in range(20)}
    assert {int(read("0 0 H * *", f"{number}").split()[2]) for number in range(500)} == set(range(1, 29))


def test_the_answer_says_what_it_stands_for() -> None:
    """The remarks name the crontab."""
    reading = read_schedule("H 3 * * *", now=NOW, timezone="UTC", jitter_key="job-17")
    assert reading.remarks[0] == f"'H' stands for this job's own values: {reading.schedule.text}"


@pytest.mark.parametrize("text", ["H(50-70) * * * *", "H(9-5) * * * *", "H/0 * * * *", "H/61 * * * *", "0 0 H(1-31) * *", "H(x) * * * *"])
def test_what_lies_outside_the_field_is_refused(text: str) -> None:
    """Ranges and steps are checked."""
    with pytest.raises(InvalidSchedule):
        read(text, "job-17")


def test_the_busiest_minute_of_a_set_of_jobs_is_named() -> None:
    """Three of four jobs meet at 03:00."""
    schedules = {"a": "0 3 * * *", "b": "0 3 * * 5", "c": "*/30 * * * *", "d": "45 2 * * *"}
    tasks = [{"job_name": name, "agentool_name": "shell", "schedule": text} for name, text in schedules.items()]
    start = datetime(2026, 11, 27, tzinfo=UTC)
    assert busiest_minute(simulate(tasks, start, start + timedelta(days=1), timezone="UTC")) == (start.replace(hour=3), 3)
    assert busiest_minute([]) is None
