"""RRULE text of RFC 5545, judged by dateutil; each part that no crontab says is refused by its name."""

from __future__ import annotations

import itertools
import random
from datetime import UTC, datetime, timedelta

import pytest
from dateutil.rrule import rrulestr

from agentoolkit.system.scheduler.errors import InvalidSchedule
from agentoolkit.system.scheduler.schedules import firings, read_schedule

NOW = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)
DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


def some(chance: random.Random, values: object, most: int = 3) -> str:
    return ",".join(map(str, sorted(chance.sample(list(values), chance.randint(1, most)))))  # type: ignore[call-overload]


def random_rule(chance: random.Random) -> str:
    """Make a rule of the parts that are read."""
    clock = f"BYHOUR={some(chance, range(24))};BYMINUTE={some(chance, range(60))}"
    months = f";BYMONTH={some(chance, range(1, 13))}" if chance.random() < 0.3 else ""
    nth = f"{chance.choice(['1', '2', '3', '4', '-1', '+2', '5'])}{chance.choice(DAYS)}"
    return chance.choice(
        [
            f"FREQ=DAILY;{clock}{months}",
            f"FREQ=DAILY;{clock};BYDAY={some(chance, DAYS)}{months}",
            f"FREQ=WEEKLY;{clock};BYDAY={some(chance, DAYS)}",
            f"FREQ=WEEKLY;INTERVAL={chance.randint(2, 5)};{clock};BYDAY={some(chance, DAYS)}",
            f"FREQ=MONTHLY;{clock};BYMONTHDAY={some(chance, [*range(1, 32), -1, -2, -7])}{months}",
            f"FREQ=MONTHLY;{clock};BYDAY={nth}{months}",
            f"FREQ=YEARLY;{clock};BYMONTH={some(chance, range(1, 13))};BYMONTHDAY={some(chance, range(1, 29))}",
            f"FREQ=YEARLY;{clock};BYMONTH={chance.randint(1, 12)};BYDAY={nth}",
            f"FREQ=HOURLY;BYMINUTE={some(chance, range(60))}",
            f"FREQ=MINUTELY;INTERVAL={chance.choice([1, 5, 15, 20])}",
        ]
    )


@pytest.mark.parametrize("seed", range(300))
def test_the_due_times_are_those_of_dateutil(seed: int) -> None:
    """The first twelve, in UTC; weeks are counted from that of the first due time."""
    text = random_rule(random.Random(seed))
    schedule = read_schedule(f"RRULE:{text}", now=NOW, timezone="UTC").schedule
    first = schedule.first_from(NOW)
    assert first is not None
    rule = rrulestr(text, dtstart=first.replace(tzinfo=None))
    expected = [due.replace(tzinfo=UTC) for due in itertools.islice(rule, 12)]
    assert list(itertools.islice(firings(schedule, first, first + timedelta(days=30_000)), 12)) == expected


def test_until_is_the_end() -> None:
    """UNTIL is the last moment, in UTC or in the zone; a date alone is the whole day."""
    ends = {
        "20261225T090000Z": "2026-12-25T09:00:00+00:00",
        "20261225T090000": "2026-12-25T08:00:00+00:00",
        "20261225": "2026-12-25T22:59:59.999999+00:00",
    }
    for said, end in ends.items():
        text = f"FREQ=DAILY;BYHOUR=9;BYMINUTE=0;UNTIL={said}"
        assert read_schedule(text, now=NOW, timezone="Europe/Berlin").schedule.end_at == datetime.fromisoformat(end)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("RRULE:FREQ=DAILY;INTERVAL=2;BYHOUR=9;BYMINUTE=0", "INTERVAL=2"),
        ("RRULE:FREQ=MONTHLY;INTERVAL=3;BYMONTHDAY=1;BYHOUR=9;BYMINUTE=0", "INTERVAL=3"),
        ("RRULE:FREQ=DAILY;COUNT=5;BYHOUR=9;BYMINUTE=0", "COUNT=5"),
        ("RRULE:FREQ=MONTHLY;BYDAY=MO,TU;BYSETPOS=1;BYHOUR=9;BYMINUTE=0", "BYSETPOS=1"),
        ("RRULE:FREQ=YEARLY;BYYEARDAY=100;BYHOUR=9;BYMINUTE=0", "BYYEARDAY=100"),
        ("RRULE:FREQ=MONTHLY;BYMONTHDAY=13;BYDAY=FR;BYHOUR=9;BYMINUTE=0", "BYDAY=FR"),
        ("RRULE:FREQ=WEEKLY;BYDAY=MO;WKST=SU;BYHOUR=9;BYMINUTE=0", "WKST=SU"),
        ("RRULE:FREQ=SECONDLY", "FREQ=SECONDLY"),
        ("RRULE:FREQ=DAILY", "FREQ=DAILY"),
        ("RRULE:FREQ=WEEKLY;BYHOUR=9;BYMINUTE=0", "FREQ=WEEKLY"),
        ("RRULE:FREQ=HOURLY;INTERVAL=5;BYMINUTE=0", "INTERVAL=5"),
        ("RRULE:FREQ=DAILY;FREQ=DAILY;BYHOUR=9;BYMINUTE=0", "FREQ=DAILY"),
        ("RRULE:FREQ=DAILY;BYHOUR=x;BYMINUTE=0", "BYHOUR=X"),
        ("RRULE:FREQ=DAILY;BYHOUR=9;BYMINUTE=0;UNTIL=soon", "UNTIL=SOON"),
        ("RRULE:", ""),
    ],
)
def test_a_part_that_no_crontab_says_is_refused_by_its_name(text: str, part: str) -> None:
    """The part is named, with a right example."""
    with pytest.raises(InvalidSchedule) as refusal:
        read_schedule(text, now=NOW, timezone="UTC")
    assert part in refusal.value.problem
    assert "RRULE:FREQ=WEEKLY" in str(refusal.value.remedy)
