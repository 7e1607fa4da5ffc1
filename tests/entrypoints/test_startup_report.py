"""What a starting scheduler says about the time before it."""

from __future__ import annotations

from typing import Any

import pytest

from agentoolkit.entrypoints.cli.printing import moment_of
from agentoolkit.entrypoints.cli.startup_report import StartupReport, startup_report
from agentoolkit.system.scheduler.answer_schemas import ExecutionInfo

OPENED = moment_of("2030-01-01T12:00:00+00:00")
BEFORE, AFTER = "2030-01-01T11:00:00+00:00", "2030-01-01T12:00:01+00:00"


def record(**fields: Any) -> ExecutionInfo:
    plain = {"execution_id": "job@1", "job_id": "job", "agentool_name": "queue", "trigger": "schedule", "status": "success", "reason": ""}
    times = {"scheduled_at": BEFORE, "started_at": None, "finished_at": AFTER, "duration": None, "retry_at": None}
    outcome = {"success": True, "attempt": 1, "due_count": 1, "result": None, "error": None, "delivery": "none"}
    return ExecutionInfo(**{**plain, **times, **outcome, **fields})


ENDED = [{"attempt": 1, "started_at": None, "finished_at": None, "error": {"type": "ProcessEnded", "message": ""}}]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"status": "missed", "due_count": 5}, StartupReport(missed=5)),
        ({"status": "skipped"}, StartupReport(skipped=1)),
        ({}, StartupReport(caught_up=1)),
        ({"status": "running", "finished_at": None}, StartupReport(caught_up=1)),
        ({"attempts": ENDED}, StartupReport(started_again=1)),
        ({"status": "lost"}, StartupReport(lost=1)),
        ({"finished_at": BEFORE}, StartupReport()),
        ({"scheduled_at": AFTER}, StartupReport()),
        ({"trigger": "run_now"}, StartupReport()),
        ({"status": "retrying", "finished_at": None, "retry_at": AFTER}, StartupReport()),
    ],
)
def test_a_record_is_counted_as_what_it_is(fields: dict[str, Any], expected: StartupReport) -> None:
    """Only what was due before the start and dealt with after it counts, each as what it became."""
    assert OPENED is not None
    assert startup_report([record(**fields)], OPENED) == expected


def test_nothing_is_said_where_nothing_happened() -> None:
    """A quiet time leaves no sentence."""
    assert StartupReport().sentences() == []


def test_one_is_not_several() -> None:
    """A single due time is told in the singular."""
    assert StartupReport(missed=1, skipped=2).sentences() == ["While it was down: 1 due time missed, 0 caught up, 2 skipped."]
