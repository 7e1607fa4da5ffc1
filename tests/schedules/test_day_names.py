"""Days that have names, judged by dateutil and the package `holidays`; which date was meant, and why, is in the answer."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import holidays
import pytest
from dateutil.easter import EASTER_ORTHODOX, EASTER_WESTERN, easter

from agentoolkit.system.scheduler.errors import InvalidSchedule
from agentoolkit.system.scheduler.schedules import firings, read_schedule
from agentoolkit.system.scheduler.schedules.words.day_names import DAY_NAMES
from agentoolkit.system.scheduler.schedules.words.yearly_days import FromEaster

NOW = datetime(2026, 11, 20, 15, 0, tzinfo=ZoneInfo("Europe/Berlin"))
YEARS = range(2022, 2050)
JUDGED = {
    "new years day": ("US", "New Year's Day"),
    "martin luther king jr day": ("US", "Martin Luther King Jr. Day"),
    "presidents day": ("US", "Washington's Birthday"),
    "memorial day": ("US", "Memorial Day"),
    "juneteenth": ("US", "Juneteenth National Independence Day"),
    "independence day": ("US", "Independence Day"),
    "labor day": ("US", "Labor Day"),
    "columbus day": ("US", "Columbus Day"),
    "veterans day": ("US", "Veterans Day"),
    "thanksgiving": ("US", "Thanksgiving Day"),
    "christmas": ("US", "Christmas Day"),
    "good friday": ("DE", "Good Friday"),
    "easter monday": ("DE", "Easter Monday"),
    "ascension day": ("DE", "Ascension Day"),
    "whit monday": ("DE", "Pentecost Monday"),
    "bastille day": ("FR", "National Day"),
    "all saints day": ("FR", "All Saints' Day"),
    "kings day": ("NL", "King's Day"),
    "canadian thanksgiving": ("CA", "Thanksgiving Day"),
    "clean monday": ("GR", "Green Monday"),
    "orthodox good friday": ("GR", "Good Friday"),
    "orthodox easter monday": ("GR", "Easter Monday"),
    "orthodox easter": ("CY", "Easter Sunday"),
}
"""Names, and what the package calls them in a country."""


@pytest.mark.parametrize(("orthodox", "method"), [(False, EASTER_WESTERN), (True, EASTER_ORTHODOX)])
def test_easter_is_that_of_dateutil(orthodox: bool, method: int) -> None:
    """For five centuries, of both churches."""
    rule = FromEaster(0, orthodox)
    assert [year for year in range(1800, 2300) if rule.in_year(year) != easter(year, method)] == []


@pytest.mark.parametrize("name", JUDGED)
def test_a_named_day_is_that_of_the_package_holidays(name: str) -> None:
    """In every year from 2022 to 2049."""
    country, called = JUDGED[name]
    rule = DAY_NAMES[name]
    known = holidays.country_holidays(country, years=YEARS, language="en_US", categories=categories(country))
    assert [year for year in YEARS if called not in known.get(rule.in_year(year), "")] == []


def categories(country: str) -> tuple[str, ...]:
    """Return the days of a country that are looked at: those that the whole public keeps, and others that have a name."""
    supported = getattr(holidays, country)().supported_categories
    return tuple(each for each in ("public", "optional", "government") if each in supported)


@pytest.mark.parametrize("name", sorted(DAY_NAMES))
def test_every_name_is_read_and_its_date_is_named_with_the_rule(name: str) -> None:
    """As a single time, on the date of its rule; and where a crontab says it, each year on the date of the rule."""
    rule = DAY_NAMES[name]
    reading = read_schedule(f"{name} 2029 at 9:00", now=NOW, timezone="UTC")
    assert reading.schedule.text == f"{rule.in_year(2029)}T09:00:00+00:00"
    assert f"{name!r} is {rule.in_year(2029)}: {rule.words}" in reading.remarks
    if rule.crontab_days is not None:
        yearly = read_schedule(f"every {name} at 9:00", now=NOW, timezone="UTC").schedule
        due = firings(yearly, datetime(2028, 1, 1, tzinfo=ZoneInfo("UTC")), datetime(2036, 1, 1, tzinfo=ZoneInfo("UTC")))
        assert [moment.date() for moment in due] == [rule.in_year(year) for year in range(2028, 2036)]


@pytest.mark.parametrize(
    ("text", "first", "second"),
    [("easter", "2027-03-28", "2028-04-16"), ("christmas", "2027-12-25", "2028-12-25"), ("thanksgiving", "2027-11-25", "2028-11-23")],
)
def test_on_the_day_itself_it_is_today_until_the_time_has_passed(text: str, first: str, second: str) -> None:
    """At nine, said at eight, is today; said at ten it is that of next year, and so is the next one at any hour."""
    morning = datetime.combine(date.fromisoformat(first), datetime.min.time(), ZoneInfo("UTC")) + timedelta(hours=8)
    days = [
        read_schedule(said, now=now, timezone="UTC").schedule.text[:10]
        for said, now in (
            (f"{text} at 9:00", morning),
            (f"{text} at 9:00", morning + timedelta(hours=2)),
            (f"next {text} at 9:00", morning),
        )
    ]
    assert days == [first, second, second]


@pytest.mark.parametrize("text", ["every easter", "every black friday at 9", "yearly on good friday"])
def test_what_no_crontab_says_is_refused_with_a_way_out(text: str) -> None:
    """The way out reads."""
    with pytest.raises(InvalidSchedule) as refusal:
        read_schedule(text, now=NOW, timezone="UTC")
    offered = str(refusal.value.remedy).split("'")[1]
    assert read_schedule(offered, now=NOW, timezone="UTC").schedule.kind == "once"
