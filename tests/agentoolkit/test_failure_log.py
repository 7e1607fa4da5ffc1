"""How failures of what is tried again are logged."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from agentoolkit.failure_log import REMEMBERED, REPEATED_AFTER, Repeats, log_again, log_failure, log_lost
from agentoolkit.system.scheduler.errors import SchedulerError

logger = logging.getLogger("tests.failures")


class Seconds:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Seconds:
    clock = Seconds()
    monkeypatch.setattr("agentoolkit.failure_log.REPEATS", Repeats(clock))
    return clock


def fail(error: Exception, *given: object) -> None:
    try:
        raise error
    except Exception:
        log_failure(logger, " ".join(["Work", *["%s"] * len(given)]), *given)


def test_failure_that_goes_on_is_a_line_a_minute(clock: Seconds, caplog: pytest.LogCaptureFixture):
    """An outage of two minutes that is noticed twice a second is three lines, each with how many came between."""
    for _ in range(241):
        fail(SchedulerError("The disk is full."))
        clock.now += 0.5
    between = "Work: The disk is full. (repeated 119 times since this was last logged)"
    assert caplog.messages == ["Work: The disk is full.", between, between]


def test_after_a_quiet_minute_a_failure_is_logged_as_at_first(clock: Seconds, caplog: pytest.LogCaptureFixture):
    """Nothing is said of times more where there were none."""
    fail(SchedulerError("The disk is full."))
    clock.now += REPEATED_AFTER
    fail(SchedulerError("The disk is full."))
    assert caplog.messages == ["Work: The disk is full."] * 2


@pytest.mark.parametrize("other", [lambda: fail(SchedulerError("Another."), "job"), lambda: fail(SchedulerError("Full."), "other")])
def test_another_failure_is_logged_at_once(other: Callable[[], None], clock: Seconds, caplog: pytest.LogCaptureFixture):
    """Another error, or of another job, is not passed over."""
    fail(SchedulerError("Full."), "job")
    other()
    assert len(caplog.messages) == 2


def test_numbers_make_no_other_failure(clock: Seconds, caplog: pytest.LogCaptureFixture):
    """How many executions an outage concerns differs each time."""
    for number in range(5):
        fail(SchedulerError("Full."), number)
    assert caplog.messages == ["Work 0: Full."]


def test_unexpected_error_has_its_traceback(clock: Seconds, caplog: pytest.LogCaptureFixture):
    """What nobody expected is logged with where it came from."""
    fail(KeyError("x"))
    assert caplog.records[0].exc_info is not None
    assert "KeyError: 'x'" in caplog.text


def test_error_whose_text_cannot_be_read_is_logged(clock: Seconds, caplog: pytest.LogCaptureFixture):
    """An error's own code may raise."""

    class Hostile(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    fail(Hostile())
    assert caplog.messages == ["Work"]


def test_warning_is_a_line_a_minute(clock: Seconds, caplog: pytest.LogCaptureFixture):
    """What is tried again and is no error is passed over in the same way."""
    for number in range(3):
        log_again(logger, "%d were not sent to %s", number, "celery")
    assert caplog.messages == ["0 were not sent to celery"]


def test_no_more_than_a_thousand_failures_are_remembered():
    """Of many different ones the oldest are forgotten."""
    repeats = Repeats(lambda: 0.0)
    for number in range(REMEMBERED + 1):
        repeats.count(number)
    assert (repeats.count(0), repeats.count(REMEMBERED)) == (0, None)


def test_what_is_lost_is_logged_each_time(clock: Seconds, caplog: pytest.LogCaptureFixture):
    """Work that nobody tries again leaves a line for each failure, whatever was logged a moment ago."""
    for number in range(2):
        try:
            raise SchedulerError("Full.")
        except SchedulerError:
            log_lost(logger, "Publishing %d executions failed", number)
    assert caplog.messages == ["Publishing 0 executions failed: Full.", "Publishing 1 executions failed: Full."]
