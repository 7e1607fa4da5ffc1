"""The order in which files are tested."""

from __future__ import annotations

from pathlib import Path

from tests.order import LONGEST, MEASURED, UNMEASURED, is_measured

TESTS = Path(__file__).parents[1]


def test_every_file_that_is_named_is_there() -> None:
    """A file that was renamed would be tested late, or measured, without anybody noticing."""
    assert [name for name in (*LONGEST, *UNMEASURED, *MEASURED) if not (TESTS / name).exists()] == []


def test_what_is_not_measured_is_named() -> None:
    """A file counts for the coverage if its folder does, unless it is named itself."""
    files = ("agentool/test_injector.py", "schedules/test_hostile.py", "doors/test_rest_tasks.py")
    assert [is_measured(TESTS / name) for name in files] == [True, False, False]
