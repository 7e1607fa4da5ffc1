"""Start, end, jitter and exclusions, around any rule."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentoolkit.system.scheduler.errors import InvalidSchedule
from agentoolkit.system.scheduler.schedules import Schedule, firings, read_schedule

NOW = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def made(text: str, **bounds: object) -> Schedule:
    return read_schedule(text, now=NOW, **{"timezone": "UTC", **bounds}).schedule  # type: ignore[arg-type]


def runs(schedule: Schedule, days: float = 10) -> list[datetime]:
    return list(firings(schedule, NOW, NOW + timedelta(days=days)))


@pytest.mark.parametrize(
    ("start_at", "first"),
    [
        (utc("2026-12-01T09:00"), "2026-12-01T09:00"),
        (datetime(2026, 12, 1, 9, 30, tzinfo=BERLIN), "2026-12-01T09:00"),
        ("2026-12-01T10:00:00+02:00", "2026-12-01T09:00"),
        ("2026-12-01T10:00:00", "2026-12-02T09:00"),
        (datetime.fromisoformat("2026-12-01T10:00:00"), "2026-12-02T09:00"),
        ("2026-12-01", "2026-12-01T09:00"),
    ],
)
def test_nothing_is_due_before_the_start(start_at: object, first: str) -> None:
    """The first due time is the first of the rule at or after the start; a start without a zone is read in the schedule's."""
    assert made("0 9 * * *", start_at=start_at).first_from(NOW) == utc(first)


def test_nothing_is_due_after_the_end() -> None:
    """The end itself may still be due; after it there is no further due time."""
    schedule = made("0 9 * * *", end_at="2026-11-23T09:00:00")
    assert runs(schedule) == [utc("2026-11-21T09:00"), utc("2026-11-22T09:00"), utc("2026-11-23T09:00")]
    assert schedule.next_after(utc("2026-11-23T09:00")) is None


def test_dates_and_ranges_are_left_out() -> None:
    """Excluded days pass without a run, the first and the last of a range included."""
    schedule = made("0 9 * * *", exclude=["2026-11-22", "2026-11-24/2026-11-26"])
    assert [due.day for due in runs(schedule, 8)] == [21, 23, 27, 28]


def test_a_quiet_window_crosses_midnight() -> None:
    """From 22:00 until just before 06:00 nothing runs; at 06:00 it goes on."""
    hours = {due.hour for due in runs(made("0 * * * *", exclude=["22:00-06:00"]))}
    assert hours == set(range(6, 22))


def test_a_quiet_window_within_a_day() -> None:
    """A window from 12:00 to 14:00 leaves out the hours 12 and 13."""
    assert {due.hour for due in runs(made("0 * * * *", exclude=["12:00-14:00"]))} == set(range(24)) - {12, 13}


def test_a_quiet_window_may_last_until_midnight() -> None:
    """``18:00-24:00`` ends with the day."""
    assert {due.hour for due in runs(made("0 * * * *", exclude=["18:00-24:00"]))} == set(range(18))


def test_exclusions_are_read_in_the_schedules_zone() -> None:
    """A quiet window follows the wall clock of the zone, in winter and in summer."""
    schedule = made("1 hour", timezone="Europe/Berlin", exclude=["22:00-06:00"])
    walls = {due.astimezone(BERLIN).hour for due in firings(schedule, utc("2027-03-20"), utc("2027-04-05"))}
    assert walls == set(range(6, 22))


def test_an_interval_keeps_its_grid_through_exclusions() -> None:
    """What an exclusion leaves out does not move what comes after it."""
    schedule = made("7 hours", exclude=["2026-11-21/2026-11-22"])
    assert all((due - NOW) % timedelta(hours=7) == timedelta(0) for due in runs(schedule))


def test_two_exclusions_that_touch_are_left_together() -> None:
    """A window that ends on an excluded date leads past both."""
    schedule = made("0 * * * *", exclude=["20:00-24:00", "2026-11-21", "00:00-03:00"])
    assert runs(schedule, 2)[6] == utc("2026-11-22T03:00")


@given(jitter=st.integers(1, 600), key=st.text(max_size=5), step=st.sampled_from(["30 seconds", "5 minutes", "1 hour", "1 day"]))
def test_jitter_delays_only_and_never_reaches_the_next_due_time(jitter: int, key: str, step: str) -> None:
    """Each delayed time lies within its own step and within the jitter."""
    plain, delayed = made(step), made(step, jitter=float(jitter), jitter_key=key)
    due, moment = NOW, NOW
    for _ in range(20):
        due, moment = plain.next_after(due) or due, delayed.next_after(moment) or moment
        following = plain.next_after(due)
        assert due <= moment <= due + timedelta(seconds=jitter)
        assert following is not None
        assert moment < following


@pytest.mark.parametrize("text", ["*/5 * * * *", "30 seconds", "0 9 * * *", "* 9 * * 1"])
def test_jitter_is_the_same_whenever_it_is_asked_for(text: str) -> None:
    """Asked from any moment, a schedule with jitter names the same due times."""
    schedule = made(text, jitter=900.0, jitter_key="job-1")
    chain = runs(schedule, 8)[:60]
    for earlier, due in itertools.pairwise(chain):
        for share in (0.0, 0.3, 0.999):
            assert schedule.next_after(earlier + (due - earlier) * share) == due


def test_jitter_differs_between_keys() -> None:
    """Two jobs with the same rule are spread, each by its own key."""
    assert runs(made("0 9 * * *", jitter=600, jitter_key="a")) != runs(made("0 9 * * *", jitter=600, jitter_key="b"))


def test_jitter_spreads_over_its_whole_length() -> None:
    """Over two hundred keys the delays fill the range from 0 to the jitter."""
    delays = [(made("0 9 * * *", jitter=100, jitter_key=str(key)).first_from(NOW) or NOW) - utc("2026-11-21T09:00") for key in range(200)]
    seconds = sorted(delay.total_seconds() for delay in delays)
    assert 0 <= seconds[0] < 5
    assert 95 < seconds[-1] < 100
    assert 40 < seconds[100] < 60


def test_jitter_ends_where_the_schedule_ends() -> None:
    """A delay does not carry a run past the end."""
    for key in range(50):
        schedule = made("0 9 * * *", end_at="2026-11-21T09:00:10", jitter=3_600, jitter_key=str(key))
        assert utc("2026-11-21T09:00") <= (schedule.first_from(NOW) or NOW) <= utc("2026-11-21T09:00:10")


def test_jitter_does_not_land_in_an_exclusion() -> None:
    """A delay that would fall into a quiet window is left out."""
    for key in range(50):
        schedule = made("59 21 * * *", exclude=["22:00-06:00"], jitter=3_600, jitter_key=str(key))
        assert all(due.hour == 21 for due in runs(schedule))


def test_once_takes_jitter_too() -> None:
    """A single time is delayed once, by less than the jitter."""
    due = made("2026-12-25T09:00:00", jitter=60, jitter_key="x").first_from(NOW)
    assert due is not None
    assert utc("2026-12-25T09:00") <= due < utc("2026-12-25T09:01")


@pytest.mark.parametrize(
    ("field", "bounds"),
    [
        ("start_at", {"start_at": "soon"}),
        ("end_at", {"end_at": "later"}),
        ("end_at", {"end_at": "yesterday"}),
        ("end_at", {"end_at": "2026-11-19T00:00:00"}),
        ("end_at", {"end_at": "2026-11-20T15:00:00"}),
        ("end_at", {"start_at": "2026-12-01", "end_at": "2026-12-01T00:00"}),
        ("end_at", {"start_at": "2026-12-02", "end_at": "2026-12-01"}),
        ("jitter", {"jitter": -1.0}),
        ("jitter", {"jitter": float("nan")}),
        ("jitter", {"jitter": float("inf")}),
        ("jitter", {"jitter": 604_801.0}),
        ("exclude", {"exclude": ["chrismas"]}),
        ("exclude", {"exclude": ["2026-02-30"]}),
        ("exclude", {"exclude": ["2026-12-26/2026-12-24"]}),
        ("exclude", {"exclude": ["22:00-22:00"]}),
        ("exclude", {"exclude": ["25:00-06:00"]}),
        ("exclude", {"exclude": ["08:00-10:00"]}),
        ("exclude", {"exclude": ["2026-11-21/9999-12-31"]}),
        ("exclude", {"exclude": [f"{hour:02}:00-{hour + 1:02}:00" for hour in range(24)] * 16}),
        ("timezone", {"timezone": "Mars/Olympus"}),
        ("timezone", {"timezone": "EST"}),
        ("timezone", {"timezone": "../../etc/passwd"}),
        ("timezone", {"timezone": "Europe"}),
        ("timezone", {"timezone": "+01:00"}),
        ("timezone", {"timezone": ""}),
    ],
)
def test_a_bound_that_makes_no_sense_is_refused_by_name(field: str, bounds: dict[str, object]) -> None:
    """Each refusal names the field that is to blame, the value and a way out."""
    with pytest.raises(InvalidSchedule) as refusal:
        made("0 9 * * *", **bounds)
    assert refusal.value.field == field
    assert refusal.value.remedy


def test_once_outside_its_bounds_is_refused() -> None:
    """A single time before the start would never fire."""
    with pytest.raises(InvalidSchedule) as refusal:
        made("tomorrow", start_at="2026-12-01")
    assert refusal.value.field == "start_at"
    assert str(refusal.value) == "start_at: '2026-12-01T00:00:00+00:00' leaves no due time, so this never fires. Widen or remove it."


def test_a_zone_may_be_written_in_any_case() -> None:
    """``europe/berlin`` is Europe/Berlin."""
    assert made("0 9 * * *", timezone="europe/berlin").timezone == "Europe/Berlin"


def test_exclusion_that_begins_in_the_repeated_hour_leaves_free_what_comes_again_before_it() -> None:
    """Where clocks go back within an exclusion, wall times before its start come a second time, and are due."""
    schedule = Schedule(kind="cron", text="*/15 * * * *", timezone="America/New_York", exclude=("01:30-02:30",))
    due = [moment.strftime("%H:%M") for moment in firings(schedule, utc("2026-11-01T05:00"), utc("2026-11-01T08:00"))]
    assert due == ["05:00", "05:15", "06:00", "06:15", "07:30", "07:45"]


def test_exclusion_is_passed_the_second_time_as_the_first() -> None:
    """A quiet window within the hour that comes twice is passed over in one step both times, however many due times it covers."""
    schedule = Schedule(
        kind="interval", text="1 second", timezone="America/New_York", anchor=utc("2026-11-01T05:00"), exclude=("01:10-01:40",)
    )
    assert [schedule.next_after(utc(f"2026-11-01T0{hour}:10")) for hour in (5, 6)] == [utc("2026-11-01T05:40"), utc("2026-11-01T06:40")]


def test_so_many_windows_are_refused() -> None:
    """Each window costs a step a day when what was missed is counted, so there are not more of them than anybody needs."""
    windows = [f"{hour:02}:00-{hour:02}:10" for hour in range(13)]
    assert read_schedule("1 minute", now=NOW, timezone="UTC", exclude=windows[:12]).schedule.exclude == tuple(windows[:12])
    with pytest.raises(InvalidSchedule, match="at most 12 windows of the day are kept, these are 13"):
        read_schedule("1 minute", now=NOW, timezone="UTC", exclude=windows)


@pytest.mark.parametrize(
    ("end_at", "last"),
    [
        ("2026-11-23", "2026-11-23T23:59:00+01:00"),
        ("20261123", "2026-11-23T23:59:00+01:00"),
        ("monday", "2026-11-23T23:59:00+01:00"),
        ("next friday", "2026-11-27T23:59:00+01:00"),
        ("2026-11-23T00:00", "2026-11-22T23:59:00+01:00"),
        ("monday at 9:00", "2026-11-22T23:59:00+01:00"),
    ],
)
def test_a_date_alone_as_an_end_holds_to_its_last_moment(end_at: str, last: str) -> None:
    """The last due time of a daily job at 23:59 is on the day that is named as its end; a time of day ends it sooner."""
    schedule = made("59 23 * * *", end_at=end_at, timezone="Europe/Berlin")
    runs = list(firings(schedule, NOW, NOW + timedelta(days=20)))
    assert runs[-1].astimezone(BERLIN).isoformat() == last


@pytest.mark.parametrize(
    ("start_at", "first"),
    [
        ("2026-12-01", "2026-12-01T00:00:00+01:00"),
        ("next monday", "2026-11-23T00:00:00+01:00"),
        ("tomorrow at noon", "2026-11-21T12:00:00+01:00"),
    ],
)
def test_a_start_is_read_in_words_too(start_at: str, first: str) -> None:
    """A day alone begins at 00:00."""
    assert made("0 * * * *", start_at=start_at, timezone="Europe/Berlin").start_at == datetime.fromisoformat(first)


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("daily at 9 until friday", None, "2026-11-27T23:59:59.999999+01:00"),
        ("daily at 9 until 2026-12-25", None, "2026-12-25T23:59:59.999999+01:00"),
        ("every 10 minutes until 17:00", None, "2026-11-20T17:00:00+01:00"),
        ("every day at 9 from 1 december until 24 december", "2026-12-01T00:00:00+01:00", "2026-12-24T23:59:59.999999+01:00"),
        ("every monday at 9 starting 7 december", "2026-12-07T00:00:00+01:00", None),
    ],
)
def test_a_text_may_name_its_own_bounds(text: str, start: str | None, end: str | None) -> None:
    """``from``, ``starting`` and ``until`` become the schedule's bounds."""
    schedule = made(text, timezone="Europe/Berlin")
    assert schedule.start_at == (start and datetime.fromisoformat(start))
    assert schedule.end_at == (end and datetime.fromisoformat(end))
