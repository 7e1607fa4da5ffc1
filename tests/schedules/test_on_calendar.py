"""Calendar events of systemd, judged by ``systemd-analyze calendar`` where it is installed."""

from __future__ import annotations

import itertools
import random
import re
import shutil
import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from agentoolkit.system.scheduler.errors import InvalidSchedule
from agentoolkit.system.scheduler.schedules import firings, read_schedule

NOW = datetime(2026, 11, 20, 14, 37, 30, tzinfo=UTC)
KNOWN = {
    "Mon..Fri *-*-* 09:00:00": "0 9 * * mon-fri",
    "Mon..Fri 09:00": "0 9 * * mon-fri",
    "Sat,Sun *-*-* 10:30": "30 10 * * sat,sun",
    "*-*-01 04:30:00": "30 4 1 * *",
    "*-12-24,25 18:00": "0 18 24,25 12 *",
    "*-*-* *:0/15:00": "0/15 * * * *",
    "*-*-* 08..18:00": "0 8-18 * * *",
    "*-*~01 23:00": "0 23 L * *",
    "*-02~03 05:00": "0 5 L-2 2 *",
    "*-*-*": "0 0 * * *",
    "OnCalendar=weekly": "0 0 * * 1",
    "OnCalendar=monthly": "0 0 1 * *",
    "minutely": "* * * * *",
    "OnCalendar=quarterly": "0 0 1 1,4,7,10 *",
    "Mon *-*-* 02:00 Europe/Berlin": "0 2 * * mon",
}
needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")


def by_systemd(text: str) -> list[datetime]:
    """Return the next three times that systemd names."""
    command = ["systemd-analyze", "calendar", f"--base-time={NOW:%Y-%m-%d %H:%M:%S} UTC", "--iterations=3", text]
    said = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=10, env={"TZ": "UTC", "PATH": "/usr/bin:/bin"}
    ).stdout
    times = re.findall(r"(?:elapse|Iter\. #\d): \w+ (\S+ \S+) UTC", said)
    return [datetime.fromisoformat(time).replace(tzinfo=UTC) for time in times]


def random_event(chance: random.Random) -> str:
    days = chance.choice(["", "", "Mon..Fri ", "Sat,Sun ", "Tue ", "Mon,Wed..Fri "])
    date = "*-*-*" if days else chance.choice(["*-*-*", "*-*-15", "*-1,7-01", "*-*-10..20", "*-*~02", "*-3-*", "*-*-1,15"])
    clock = chance.choice([f"{chance.randrange(24):02}:{chance.randrange(60):02}", "*:0/10", "08..18/2:30", "6,18:00:00", "*:45"])
    return f"{days}{date} {clock}"


@pytest.mark.parametrize(("text", "crontab"), KNOWN.items())
def test_an_event_is_read_as_its_crontab(text: str, crontab: str) -> None:
    """Each becomes exactly this crontab."""
    assert read_schedule(text, now=NOW, timezone="UTC").schedule.text == crontab


@needs_systemd
@pytest.mark.parametrize(
    "text", [*(text for text in KNOWN if "=" not in text and "/Berlin" not in text), *map(random_event, map(random.Random, range(40)))]
)
def test_the_due_times_are_those_of_systemd(text: str) -> None:
    """The next three, in UTC."""
    schedule = read_schedule(text, now=NOW, timezone="UTC").schedule
    assert list(itertools.islice(firings(schedule, NOW, NOW + timedelta(days=9_999)), 3)) == by_systemd(text)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("2027-*-* 09:00", "2027"),
        ("Mon *-*-13 09:00", "Mon"),
        ("*-*-* 09:00:30", "09:00:30"),
        ("OnCalendar=Mon..Fri noon-ish", "noon-ish"),
        ("*-*~40 09:00", "~40"),
        ("OnCalendar=*-*-* 25:00", "25"),
    ],
)
def test_what_no_crontab_says_is_refused_by_its_part(text: str, part: str) -> None:
    """Years, seconds, and a day of the month that has to fall on a weekday."""
    with pytest.raises(InvalidSchedule) as refusal:
        read_schedule(text, now=NOW, timezone="UTC")
    assert part in refusal.value.problem
