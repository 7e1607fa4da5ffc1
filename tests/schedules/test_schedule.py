"""A schedule as a value: kinds, JSON, equality."""

from __future__ import annotations

import json
import pickle
import time
from collections.abc import Callable, Iterator
from dataclasses import FrozenInstanceError
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

import agentoolkit.system.scheduler.schedules as schedules
from agentoolkit.system.scheduler.errors import InvalidSchedule
from agentoolkit.system.scheduler.schedules import Schedule, firings, read_schedule

NOW = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)

EXAMPLES = (
    read_schedule("every weekday at 9am", now=NOW, timezone="Europe/Berlin").schedule,
    read_schedule("5 minutes", now=NOW, timezone="UTC", start_at="2026-12-01", end_at="2026-12-31").schedule,
    read_schedule("tomorrow at 2pm", now=NOW, timezone="America/New_York").schedule,
    read_schedule("@hourly", now=NOW, timezone="UTC", jitter=2.5, jitter_key="a", exclude=["22:00-06:00", "2026-12-25"]).schedule,
)
RECORD = EXAMPLES[3].to_json()


def kind_of(text: str, **more: object) -> str:
    return read_schedule(text, now=NOW, timezone="UTC", **more).schedule.kind  # type: ignore[arg-type]


@pytest.mark.parametrize("schedule", EXAMPLES)
def test_json_gives_an_equal_schedule(schedule: Schedule) -> None:
    """Written as JSON text and read again, a schedule is equal and due at the same times."""
    again = Schedule.from_json(json.loads(json.dumps(schedule.to_json())))
    assert again == schedule
    assert hash(again) == hash(schedule)
    assert again.next_after(NOW) == schedule.next_after(NOW)


@pytest.mark.parametrize("schedule", EXAMPLES)
def test_due_times_are_utc(schedule: Schedule) -> None:
    """Whatever the zone of the question, the answer is in UTC."""
    due = schedule.next_after(NOW.astimezone(ZoneInfo("Asia/Tokyo")))
    assert due is not None
    assert due.tzinfo is UTC


def test_a_schedule_survives_copying() -> None:
    """A schedule is a plain value: it can be pickled and hashed."""
    assert pickle.loads(pickle.dumps(EXAMPLES[0])) == EXAMPLES[0]


def test_a_schedule_cannot_be_changed() -> None:
    """Facts are frozen."""
    with pytest.raises(FrozenInstanceError):
        EXAMPLES[0].text = "* * * * *"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("field", "damage"),
    [
        ("schedule", None),
        ("schedule", []),
        ("kind", {"kind": "sometimes"}),
        ("kind", {"kind": 3}),
        ("text", {"text": None}),
        ("schedule", {"text": "0 9 * *"}),
        ("schedule", {"kind": "once"}),
        ("schedule", {"kind": "once", "text": "2026-12-25T09:00:00"}),
        ("schedule", {"kind": "once", "text": "9999-12-31T23:59:59+00:00", "timezone": "Asia/Tokyo"}),
        ("schedule", {"kind": "after", "text": "extract"}),
        ("timezone", {"timezone": "Mars/Olympus"}),
        ("timezone", {"timezone": ["UTC"]}),
        ("timezone", {"timezone": "UTC+05:30"}),
        ("start_at", {"start_at": "soon"}),
        ("start_at", {"start_at": 12}),
        ("end_at", {"end_at": "2026-12-25T09:00:00"}),
        ("jitter", {"jitter": "2"}),
        ("jitter", {"jitter": True}),
        ("jitter_key", {"jitter_key": None}),
        ("exclude", {"exclude": "2026-12-25"}),
        ("exclude", {"exclude": [1]}),
        ("anchor", {"kind": "interval", "text": "5 minutes"}),
        ("jiter", {"jiter": 2}),
    ],
)
def test_a_damaged_record_is_refused_by_field(field: str, damage: object) -> None:
    """Whatever a hand has done to a stored record, one error names the field."""
    data = {**RECORD, **damage} if isinstance(damage, dict) else damage
    with pytest.raises(InvalidSchedule) as refusal:
        Schedule.from_json(data)  # type: ignore[arg-type]
    assert refusal.value.field == field


@pytest.mark.parametrize("missing", ["kind", "text", "timezone"])
def test_a_record_without_its_heart_is_refused(missing: str) -> None:
    """Kind, text and zone have no default."""
    with pytest.raises(InvalidSchedule) as refusal:
        Schedule.from_json({name: value for name, value in RECORD.items() if name != missing})
    assert refusal.value.field == missing


def test_absent_bounds_take_their_defaults() -> None:
    """A record of kind, text and zone is enough."""
    assert Schedule.from_json({"kind": "cron", "text": "@daily", "timezone": "UTC"}).text == "0 0 * * *"


@pytest.mark.parametrize(
    ("text", "asked", "kind"),
    [
        ("every day", None, "cron"),
        ("every day", "interval", "interval"),
        ("every day", "cron", "cron"),
        ("hourly", "interval", "interval"),
        ("every 5 minutes", None, "interval"),
        ("every 5 minutes", "cron", "cron"),
        ("every 2 hours", "cron", "cron"),
        ("every 5 minutes", "interval", "interval"),
        ("5 minutes", "interval", "interval"),
        ("now", "once", "once"),
        ("tomorrow at 2pm", "once", "once"),
        ("in 30 minutes", "once", "once"),
        ("@daily", "cron", "cron"),
        ("after extract", None, "after"),
        ("after extract", "after", "after"),
    ],
)
def test_the_kind_asked_for_is_the_kind_made(text: str, asked: str | None, kind: str) -> None:
    """A phrase that can be said in the kind asked for is made so; otherwise the text decides."""
    assert kind_of(text, kind=asked) == kind


@pytest.mark.parametrize(
    ("text", "asked", "problem"),
    [
        ("5 minutes", "cron", "'5 minutes' is an interval, not a cron schedule."),
        ("every 7 minutes", "cron", "'every 7 minutes' is an interval, not a cron schedule."),
        ("0 9 * * *", "interval", "'0 9 * * *' is a cron schedule, not an interval."),
        ("every day at 9am", "interval", "'every day at 9am' is a cron schedule, not an interval."),
        ("every monday", "interval", "'every monday' is a cron schedule, not an interval."),
        ("every 5 minutes", "once", "'every 5 minutes' is an interval, not a single time."),
        ("5 minutes", "once", "'5 minutes' is an interval, not a single time."),
        ("0 9 * * *", "once", "'0 9 * * *' is a cron schedule, not a single time."),
        ("tomorrow", "cron", "'tomorrow' is a single time, not a cron schedule."),
        ("now", "interval", "'now' is a single time, not an interval."),
        ("after extract", "cron", "'after extract' is a time after another job or a start, not a cron schedule."),
        ("5 minutes", "after", "'5 minutes' does not begin with 'after'."),
        ("extract failed", "after", "'extract failed' does not begin with 'after'."),
    ],
)
def test_another_kind_is_refused_by_name(text: str, asked: str, problem: str) -> None:
    """A text of another kind than the one asked for is refused, saying which kind it is."""
    with pytest.raises(InvalidSchedule) as refusal:
        kind_of(text, kind=asked)
    assert refusal.value.problem == problem


@pytest.mark.parametrize(
    ("text", "crontab"), [("every 5 minutes", "*/5 * * * *"), ("every minute", "* * * * *"), ("every 2 hours", "0 */2 * * *")]
)
def test_a_length_that_divides_the_hour_or_day_can_be_cron(text: str, crontab: str) -> None:
    """Asked for cron, ``every 5 minutes`` becomes a crontab with the same spacing."""
    assert read_schedule(text, now=NOW, timezone="UTC", kind="cron").schedule.text == crontab


def test_now_is_due_at_exactly_now() -> None:
    """``now`` is due at the very instant it is said, to the microsecond."""
    moment = NOW + timedelta(microseconds=123_456)
    schedule = read_schedule("now", now=moment).schedule
    assert schedule.first_from(moment) == moment
    assert schedule.next_after(moment) is None


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Set the zone of this machine's clock, and put it back."""

    def set_zone(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield set_zone
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("name", ["Asia/Tokyo", ":Asia/Tokyo", "PST8PDT", "/usr/share/zoneinfo/Asia/Tokyo"])
def test_without_a_zone_the_machines_is_taken_and_said(machine: Callable[[str], None], name: str) -> None:
    """A schedule without a zone lives in the machine's, however that is written, and the reading says so."""
    machine(name)
    zone = name.removeprefix(":").removeprefix("/usr/share/zoneinfo/")
    reading = read_schedule("0 9 * * *", now=NOW)
    assert reading.schedule.timezone == zone
    assert reading.remarks == (f"no zone given: read in {zone}, this machine's",)


@pytest.mark.parametrize("rule", ["CET-1CEST,M3.5.0,M10.5.0/3", "<+0330>-3:30", "XYZ5"])
def test_a_zone_that_has_no_name_is_said_to_be_unknown(machine: Callable[[str], None], rule: str) -> None:
    """A rule in TZ that no IANA name stands for is not taken for UTC in silence."""
    machine(rule)
    reading = read_schedule("0 9 * * *", now=NOW)
    assert reading.schedule.timezone == "UTC"
    assert reading.remarks[0].startswith(f"no zone given: read in UTC, because this machine's zone cannot be told: TZ={rule} ")


@pytest.mark.parametrize("name", ["Europe/Berlim", "Foo/Bar", "Berlino", ":Nowhere/At_All"])
def test_a_misspelt_zone_of_the_machine_is_said(machine: Callable[[str], None], name: str) -> None:
    """The C library runs such a clock in UTC without a word; whoever reads a schedule then is told."""
    machine(name)
    reading = read_schedule("0 9 * * *", now=NOW)
    assert f"cannot be told: TZ={name.removeprefix(':')} names none that is known here" in reading.remarks[0]


@pytest.mark.parametrize("told", [None, "Mars/Olympus", "Europe/Berlin", "Africa/Abidjan"])
def test_files_that_name_another_zone_than_the_clock_has_are_not_believed(
    machine: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, told: str | None
) -> None:
    """Where a file names no zone, or one of other offsets now or in half a year, UTC is taken and that is said."""
    machine("GMT0BST,M3.5.0/1,M10.5.0")  # London's clock: that of Abidjan in winter
    monkeypatch.setattr("tzlocal.get_localzone_name", lambda: told)
    reading = read_schedule("0 9 * * *", now=NOW)
    assert reading.schedule.timezone == "UTC"
    assert "cannot be told" in reading.remarks[0]


@pytest.mark.parametrize("text", ["now", "in 5 minutes", "5 minutes from now", "every 5 minutes", "2026-12-25T09:00:00Z"])
def test_what_means_the_same_in_every_zone_needs_no_remark_on_zones(text: str) -> None:
    """Elapsed time and instants are the same wherever the machine stands."""
    assert not [remark for remark in read_schedule(text, now=NOW).remarks if "zone" in remark]


def test_a_naive_now_is_a_programming_error() -> None:
    """``now`` must be aware; a naive one would silently mean the machine's zone."""
    with pytest.raises(ValueError, match="aware"):
        read_schedule("now", now=NOW.replace(tzinfo=None))


def test_firings_leave_out_the_end() -> None:
    """Due times are listed from the start, included, to the end, not included."""
    schedule = Schedule(kind="cron", text="0 * * * *", timezone="UTC")
    listed = list(firings(schedule, NOW, NOW + timedelta(hours=2)))
    assert listed == [NOW, NOW + timedelta(hours=1)]


def test_the_public_names_are_these() -> None:
    """What others may import is listed, and nothing else."""
    assert sorted(schedules.__all__) == [
        "BOUNDS",
        "Bounds",
        "Kind",
        "Preview",
        "Reading",
        "ReadingHabits",
        "Schedule",
        "Upstream",
        "due_after_change",
        "firings",
        "preview",
        "read_schedule",
        "upstream_in",
    ]
