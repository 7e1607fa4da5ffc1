"""The assistant's demonstration, run as its README says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "examples" / "assistant" / "demo_scheduler.py"


def run(*options: str) -> list[str]:
    """Run the script and return what it printed."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("AGENTOOL_")}
    command = [sys.executable, "-W", "error", str(SCRIPT), *options]
    ended = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=60, check=True)
    return ended.stdout.splitlines()


def test_the_basic_part() -> None:
    """What was cancelled is not listed."""
    (line,) = run("--basic")
    assert line.startswith("standup: 0 9 * * *, next ")


def test_all_of_it() -> None:
    """A notification is sent, and its events come in their order."""
    lines = run()
    assert [line for line in lines if "task hello" in line] == [
        "scheduler.task.scheduled: task hello",
        "scheduler.task.started: task hello",
        "scheduler.task.success: task hello",
    ]
