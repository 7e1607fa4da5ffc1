"""Schedules that come after another job: no due times, but bounds."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from agentoolkit.system.scheduler.errors import InvalidSchedule
from agentoolkit.system.scheduler.schedules import Schedule, Upstream, firings, preview, read_schedule, upstream_in

NOW = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)
LATER = datetime(2026, 12, 1, tzinfo=UTC)


def made(text: str = "after extract", **more: object) -> Schedule:
    return read_schedule(text, now=NOW, **{"timezone": "Europe/Berlin", **more}).schedule  # type: ignore[arg-type]


def test_it_is_never_due_and_never_over() -> None:
    """It has no due time, and yet is not finished."""
    assert (made().first_from(NOW), list(firings(made(), NOW, LATER)), made().is_over(LATER)) == (None, [], False)


def test_its_preview_has_words_and_no_times() -> None:
    """A preview says what it comes after, and warns of nothing."""
    shown = preview(made("after extract failed", end_at="2026-12-31T00:00"), now=NOW)
    assert (shown.words, shown.next_runs, shown.warnings) == ("after job 'extract' failed, until 2026-12-31 00:00", (), ())


def test_its_reading_remarks_nothing() -> None:
    """No zone has to be given, because none decides when it runs."""
    assert read_schedule("after extract", now=NOW).remarks == ()


@pytest.mark.parametrize(
    "name", ["extract", "a failed", "failed", "'", "'quoted'", '"quoted"', "'\"both\"'", " padded ", "job 'x'", "5 minutes", "x" * 200]
)
def test_every_name_can_be_said(name: str) -> None:
    """The canonical text of any upstream job is read as the same again."""
    for outcome in ("succeeded", "failed", "ended"):
        before = Upstream(name, outcome)
        assert upstream_in(before.text) == before
        assert made(before.text).after == before


@pytest.mark.parametrize("text", ["aftermath", "0 9 * * *", "every day after", "", "  "])
def test_other_texts_name_no_upstream_job(text: str) -> None:
    """Only a text that begins with the word 'after' names one."""
    assert upstream_in(text) is None


def test_a_schedule_with_due_times_comes_after_nothing() -> None:
    """`after` is None for the other kinds."""
    assert made("every day at 9:00").after is None


@pytest.mark.parametrize(
    ("moment", "admitted"),
    [
        ("2026-11-30T23:59:59+01:00", False),
        ("2026-12-01T00:00:00+01:00", True),
        ("2026-12-02T22:00:00+01:00", False),
        ("2026-12-03T22:59:59+01:00", False),
        ("2026-12-03T23:00:00+01:00", True),
        ("2026-12-24T12:00:00+01:00", False),
        ("2026-12-31T00:00:00+01:00", True),
        ("2026-12-31T00:00:01+01:00", False),
    ],
)
def test_moments_within_its_bounds_are_admitted(moment: str, admitted: bool) -> None:
    """From its start to its end, both included, except what is excluded."""
    schedule = made(start_at="2026-12-01", end_at="2026-12-31T00:00", exclude=["22:00-23:00", "2026-12-24"])
    assert schedule.admits(datetime.fromisoformat(moment)) == admitted


def test_it_is_over_after_its_end() -> None:
    """At its end it is not over yet, after it it is."""
    schedule = made(end_at="2026-12-01T00:00:00+00:00")
    assert (schedule.is_over(LATER), schedule.is_over(LATER.replace(second=1))) == (False, True)


@pytest.mark.parametrize(("field", "bound"), [("jitter", {"jitter": 5.0}), ("end_at", {"end_at": "2026-11-19"})])
def test_a_bound_that_makes_no_sense_is_refused_by_name(field: str, bound: dict[str, object]) -> None:
    """There is no due time to delay, and an end that has passed leaves nothing."""
    with pytest.raises(InvalidSchedule) as refusal:
        made(**bound)
    assert (refusal.value.field, bool(refusal.value.remedy)) == (field, True)
