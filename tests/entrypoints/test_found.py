"""What a starting scheduler says about the time before it."""

from __future__ import annotations

from typing import Any

import pytest

from agentoolkit.entrypoints.cli.found import Found, found
from agentoolkit.entrypoints.cli.printing import moment_of

OPENED = moment_of("2030-01-01T12:00:00+00:00")
BEFORE, AFTER = "2030-01-01T11:00:00+00:00", "2030-01-01T12:00:01+00:00"


def record(**fields: Any) -> dict[str, Any]:
    plain = {"status": "success", "scheduled_at": BEFORE, "finished_at": AFTER, "trigger": "schedule", "due_count": 1}
    return {**plain, "attempts": [], "retry_at": None, **fields}


ENDED = [{"error": {"type": "ProcessEnded"}}]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"status": "missed", "due_count": 5}, Found(missed=5)),
        ({"status": "skipped"}, Found(skipped=1)),
        ({}, Found(caught_up=1)),
        ({"status": "running", "finished_at": None}, Found(caught_up=1)),
        ({"attempts": ENDED}, Found(started_again=1)),
        ({"status": "lost"}, Found(lost=1)),
        ({"finished_at": BEFORE}, Found()),
        ({"scheduled_at": AFTER}, Found()),
        ({"trigger": "run_now"}, Found()),
        ({"status": "retrying", "finished_at": None, "retry_at": AFTER}, Found()),
    ],
)
def test_a_record_is_counted_as_what_it_is(fields: dict[str, Any], expected: Found) -> None:
    """Only what was due before the start and dealt with after it counts, each as what it became."""
    assert OPENED is not None
    assert found([record(**fields)], OPENED) == expected


def test_nothing_is_said_where_nothing_happened() -> None:
    """A quiet time leaves no sentence."""
    assert Found().sentences() == []


def test_one_is_not_several() -> None:
    """A single due time is told in the singular."""
    assert Found(missed=1, skipped=2).sentences() == ["While it was down: 1 due time missed, 0 caught up, 2 skipped."]
