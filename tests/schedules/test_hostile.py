"""Hostile text: whatever is sent, one refusal or one schedule, within 50 milliseconds.

``AGENTOOL_FULL=1`` tries 10,000 texts of up to 100 KB instead of a few hundred.
"""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentoolkit.system.scheduler.errors import InvalidSchedule
from agentoolkit.system.scheduler.schedules import Reading, Schedule, preview, read_schedule

from .said import READ, REFUSED

FULL = bool(os.environ.get("AGENTOOL_FULL"))
NOW = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)
LIMIT = 0.050
LONG = 100_000

WORDS = sorted({word for text, *_ in (*READ, *REFUSED) for word in text.split()})

phrases = st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join)
crontabs = st.lists(st.text(alphabet="0123456789*/,-#LW?@ abcdefjmnstu", max_size=12), min_size=4, max_size=7).map(" ".join)
times = st.text(alphabet="0123456789-:TZ+. PWMDHYS", max_size=40)
wild = st.text(max_size=250)
long = st.builds(lambda unit, size: (unit * size)[:LONG], st.text(min_size=1, max_size=6), st.integers(1, LONG))

run = settings(
    max_examples=10_000 if FULL else 150,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    derandomize=not FULL,
)


def answer(text: str, **more: str) -> Reading | InvalidSchedule:
    try:
        return read_schedule(text, now=NOW, timezone="Europe/Berlin", **more)  # type: ignore[arg-type]
    except InvalidSchedule as refused:
        return refused


def seconds(text: str) -> float:
    """Return the least work of three tries, so that a busy machine is not blamed on the text."""
    return min(_timed(text) for _ in range(3))


def _timed(text: str) -> float:
    start = time.thread_time()
    answer(text)
    return time.thread_time() - start


@run
@given(st.one_of(phrases, crontabs, times, wild, long))
def test_any_text_is_answered_or_refused_in_time(text: str) -> None:
    """No text raises anything but ``InvalidSchedule``, and none takes longer than 50 ms."""
    found = answer(text)
    if isinstance(found, InvalidSchedule):
        assert (found.field, bool(found.remedy), len(str(found)) < 1_000) == ("schedule", True, True)
    assert seconds(text) < LIMIT


@run
@given(st.one_of(phrases, crontabs, times))
def test_whatever_is_understood_can_be_stored_and_previewed(text: str) -> None:
    """A schedule that was read fires, comes back from JSON as an equal one, and has a preview."""
    found = answer(text)
    if isinstance(found, Reading):
        assert found.schedule.kind == "after" or found.schedule.first_from(NOW) is not None
        assert Schedule.from_json(found.schedule.to_json()) == found.schedule
        assert found.schedule.kind == "after" or preview(found.schedule, now=NOW).next_runs


@pytest.mark.parametrize("kind", ["cron", "interval", "once", "after", "list"])
def test_asked_for_any_kind_a_phrase_is_that_kind_or_refused(kind: str) -> None:
    """Asked for one kind, the reader never answers with another, whichever of the phrases it is given."""
    answers = {text: answer(text, kind=kind) for text, _kind, _canonical in READ}
    assert {text for text, found in answers.items() if isinstance(found, Reading) and found.schedule.kind != kind} == set()


@pytest.mark.parametrize(
    "text",
    [
        "1" * LONG,
        "*/" * (LONG // 2),
        "* " * (LONG // 2),
        " " * LONG,
        "\x00" * 200,
        "0 9 * * " + "1," * 90 + "1",
        "every " * 33,
        "every monday and " * 11,
        "1 hour and " * 18,
        "at 9 and 9 and 9 and 9 and 9 and 9 and 9 and 9",
        "1" * 190 + " days",
        "1." + "1" * 190 + " hours",
        "in " + "9" * 190 + " years",
        "P" + "9" * 190 + "D",
        "PT" + "0." + "0" * 180 + "1H",
        "9999-12-31T23:59:59-12:00",
        "9999-12-31T23:59:59",
        "0001-01-01T00:00:00+14:00",
        "31 december 9999",
        "0 0 29 2 */7",
        "*/5 0 29 2 */7",
        "0 0 */5 2 1#5",
        "5/59-1/2 * * * *",
        "0 9 * * " + "9" * 180,
        "0 9 " + "*/" + "9" * 180 + " * *",
        "tomorrow at 9am " + "A/" * 80 + "B",
        "tomorrow at 9am " + "_" * 150 + "/x",
        "(" * 200,
        "christmas " * 20,
        "new year's " * 18,
        "the day before " * 13 + "easter",
        "first and second and " * 9 + "monday",
        "first monday after " * 10 + "easter",
        "thanksgiving in " + "9" * 180 + " years",
        "q4 " * 60,
        "1/1/" * 49,
        "15 past " * 25,
        "'" * 200,
        "st. " * 50,
        "two thousand " * 15,
        "every day for " + "9" * 180 + " weeks",
        "\ud800",
        "\u202enow",
        "now\u0000",
        "after " + "x " * LONG,
        "after " + "'" * 250,
        "after " + " " * LONG,
        "after in " + "9" * 190 + " years",
    ],
)
def test_hostile_text_is_answered_in_time(text: str) -> None:
    """Each of these was written to hurt a parser, and gets its answer within 50 ms."""
    answer(text)
    assert seconds(text) < LIMIT


def test_a_schedule_whose_every_time_is_excluded_is_refused_in_time() -> None:
    """A rule that never leaves its quiet window is found out within 50 ms."""
    best = 1.0
    for _ in range(3):
        start = time.thread_time()
        with pytest.raises(InvalidSchedule, match="never fires"):
            read_schedule("0 23 * * *", now=NOW, timezone="Europe/Berlin", exclude=["22:00-06:00"])
        best = min(best, time.thread_time() - start)
    assert best < LIMIT


@pytest.mark.parametrize("text", [None, 5, b"now", ["now"]])
def test_what_is_not_text_is_refused(text: object) -> None:
    """A value of another type is refused like any other wrong schedule."""
    assert isinstance(answer(text), InvalidSchedule)  # type: ignore[arg-type]


@pytest.mark.parametrize("shift", [None, "next", "previous"])
@pytest.mark.parametrize("text", ["* * * * *", "0 9 * * *", "0 9 29 2 *"])
@pytest.mark.parametrize(
    "bounds",
    [
        {"only": ["2026-12-01/2026-12-24"], "start_at": "2030-01-01", "end_at": "2030-12-31", "jitter": 604_800},
        {"only": ["holidays:DE"], "exclude": ["holidays:DE"]},
        {"exclude": ["2026-12-01/2046-12-24"]},
    ],
)
def test_bounds_that_leave_nothing_are_found_in_time(text: str, bounds: dict[str, object], shift: str | None) -> None:
    """Days that are left out for years, or for ever, cost no more than a few looks at a calendar: three seconds of a slow processor."""
    start = time.thread_time()
    answer(text, **bounds, shift=shift)  # type: ignore[arg-type]
    assert time.thread_time() - start < 60 * LIMIT


@pytest.mark.parametrize("text", ["\u00b8", "\u0327", "\u00a8", "\u0327 \u0308", "\u200b", "\u00ad"])
def test_a_text_of_accents_alone_is_refused(text: str) -> None:
    """Of which nothing is left once accents are taken off."""
    with pytest.raises(InvalidSchedule):
        read_schedule(text, now=datetime(2030, 1, 1, tzinfo=UTC), timezone="UTC")
