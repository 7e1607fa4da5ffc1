"""The script that a submission must pass: what it answers, and what it reports, where one of its parts fails."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from shutil import copy

import pytest

SCRIPT = Path(__file__).parents[2] / ".ci" / "run"
STANDINS = {
    "uv": 'case "$*" in "sync --quiet") exit ${SYNC:-0};; "run pytest") echo tests run; exit ${TESTS:-0};; esac',
    "make": 'case "$*" in coverage) echo coverage; exit ${COVERAGE:-0};; esac; sleep 0.2; echo checks run; exit ${CHECKS:-0}',
    "pip": "exit ${PIP:-0}",
    **dict.fromkeys(["chromium", "npm", "rabbitmqctl", "redis-server"], ""),
}


@pytest.mark.parametrize(
    ("exits", "code", "reported"),
    [
        ({}, 0, {"tests run", "checks run", "coverage"}),
        ({"PIP": "6"}, 6, set[str]()),
        ({"SYNC": "7"}, 7, set[str]()),
        ({"TESTS": "3"}, 3, {"tests run", "checks run"}),
        ({"CHECKS": "2"}, 2, {"tests run", "checks run"}),
        ({"TESTS": "3", "CHECKS": "2"}, 3, {"tests run", "checks run"}),
        ({"COVERAGE": "4"}, 4, {"tests run", "checks run", "coverage"}),
    ],
)
def test_run_reports_tests_and_checks_and_fails_with_the_first_that_failed(
    tmp_path: Path, exits: dict[str, str], code: int, reported: set[str]
) -> None:
    """Without its packages nothing runs; tests that fail hide no check; their code comes before that of the checks."""
    (tmp_path / ".ci").mkdir()
    copy(SCRIPT, tmp_path / ".ci")
    for name, does in STANDINS.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{does}\n")
        (tmp_path / name).chmod(0o700)
    environment = {**os.environ, **exits, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run([tmp_path / ".ci" / "run"], env=environment, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, set(done.stdout.splitlines())) == (code, reported)
