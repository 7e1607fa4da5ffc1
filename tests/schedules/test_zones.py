"""Time zones: names, and the shifts that are found in them. ``AGENTOOL_FULL=1`` looks at every year from 1970 to 2037."""

from __future__ import annotations

import itertools
import os
from datetime import UTC, datetime, timedelta
from importlib import resources
from zoneinfo import ZoneInfo

import pytest

from agentoolkit.system.scheduler.errors import InvalidSchedule
from agentoolkit.system.scheduler.schedules.clock_changes import shifts_of_year
from agentoolkit.system.scheduler.schedules.zones import zone_named

NAMES = sorted(set(resources.files("tzdata").joinpath("zones").read_text("utf-8").split()) - {"Factory"})
YEARS = range(1970, 2038) if os.environ.get("AGENTOOL_FULL") else (1991, 2011, 2014, 2026)
HALF_DAY = timedelta(hours=12)


def shifts_by_half_days(name: str, year: int) -> int:
    """Count changes of the offset from one half day to the next."""
    zone, start = ZoneInfo(name), datetime(year, 1, 1, tzinfo=UTC) - timedelta(seconds=1)
    count = (datetime(year + 1, 1, 1, tzinfo=UTC) - start) // HALF_DAY
    offsets = [(start + HALF_DAY * index).astimezone(zone).utcoffset() for index in range(count + 1)]
    return sum(1 for before, after in itertools.pairwise(offsets) if before != after)


@pytest.mark.parametrize("year", YEARS)
def test_no_shift_of_any_zone_is_missed(year: int) -> None:
    """Looking once a week finds as many shifts as looking twice a day, in every zone there is."""
    assert [name for name in NAMES if len(shifts_of_year(name, year)) != shifts_by_half_days(name, year)] == []


def test_a_shift_is_found_to_the_second() -> None:
    """Berlin's clocks go forward at 01:00 UTC on 28 March 2027."""
    forward, back = shifts_of_year("Europe/Berlin", 2027)
    assert (forward.at.isoformat(), forward.leaves_gap) == ("2027-03-28T01:00:00", True)
    assert [edge.isoformat() for edge in forward.edges] == ["2027-03-28T02:00:00", "2027-03-28T03:00:00"]
    assert (back.at.isoformat(), back.leaves_gap) == ("2027-10-31T01:00:00", False)


@pytest.mark.parametrize(
    ("written", "name"),
    [("europe/berlin", "Europe/Berlin"), (" UTC ", "UTC"), ("z", "UTC"), ("gmt", "GMT"), ("Asia/Kolkata", "Asia/Kolkata")],
)
def test_a_zone_is_known_by_its_name(written: str, name: str) -> None:
    """Case and blanks do not matter; ``Z`` is UTC."""
    assert zone_named(written) == name


@pytest.mark.parametrize(
    "written", ["EST", "cet", "PST", "Europe", "Factory", "", "Mars/Olympus", "../UTC", "/etc/localtime", "UTC\x00", "x" * 10_000]
)
def test_what_is_no_zone_is_refused(written: str) -> None:
    """Abbreviations, directories, paths and inventions are refused by the field's name."""
    with pytest.raises(InvalidSchedule) as refusal:
        zone_named(written)
    assert refusal.value.field == "timezone"
    assert len(str(refusal.value)) < 300
